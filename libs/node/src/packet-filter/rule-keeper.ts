// Keeps the packet filter of one node as it is wanted: one transaction for all that changed, nothing when nothing did. What
// is there is read when it starts, after a transaction that failed, and every half minute: somebody else's change is undone,
// and rules of an earlier life that are still right are left alone.
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import { createDesiredRules, type DesiredRules, partOf } from './desired-rules.ts'
import { readListing } from './listing.ts'
import type { PacketFilter } from './packet-filter.ts'
import { type Chain, changesBetween, type Command, type Element, type NamedSet, type Ruleset, type Table } from './ruleset.ts'

/** Changes that come together are one transaction. */
const gatherMs = 20
const retryMsMin = 500
const retryMsMax = 30_000
export const checkMs = 30_000
/** Reading everything back takes no more than this share of the time. */
const checkShare = 50

export interface RuleKeeperOptions {
  readonly filter: PacketFilter
  /** The tables that are ours, whole. */
  readonly tables: readonly Table[]
  readonly clock: Clock
  readonly log: Logger
  readonly onSync?: (outcome: SyncOutcome) => void
}

export interface SyncOutcome {
  readonly durationMs: number
  readonly commands: number
  /** Everything was read and compared. */
  readonly isFull: boolean
  readonly err?: unknown
}

export interface RuleKeeper {
  readonly desired: DesiredRules
  /** Something of `desired` changed: it is carried out soon. Resolves when it has been; never rejects. */
  changed(): Promise<void>
  /** Reads what is there and repairs it; says how many commands that took. */
  check(): Promise<number>
  readonly state: KeeperState
  /** Rules stay. */
  stop(): Promise<void>
}

export interface KeeperState {
  readonly isInSync: boolean
  readonly lastSyncMs: number
  /** When the first change came that is not carried out yet. */
  readonly waitingSinceMs: number | undefined
  readonly repairs: number
  readonly lastFault: string | undefined
}

export function createRuleKeeper(options: RuleKeeperOptions): RuleKeeper {
  const { filter, tables, clock, log } = options
  const desired = createDesiredRules()
  const ending = new AbortController()
  /** What we believe to be there; undefined: it has to be read. */
  let known: MutableRuleset | undefined
  let waiting = Promise.withResolvers<void>()
  let isAsked = false
  let isRunning: Promise<void> | undefined
  let state: KeeperState = { isInSync: false, lastSyncMs: 0, waitingSinceMs: undefined, repairs: 0, lastFault: undefined }
  /** A difference that a repair did not end: this nft lists something otherwise than it was told. */
  let accepted = ''

  const list = async (): Promise<Ruleset> => {
    const texts = await Promise.all(tables.map(({ family, table }) => filter.list(family, table)))
    return readListing(...texts.filter((text) => text !== undefined))
  }

  /** All that is there against all that is wanted. */
  async function syncFully(): Promise<Command[]> {
    desired.takeDirty()
    const wanted = copyOf(desired.all)
    known = undefined
    const found = await list()
    const commands = changesBetween(found, wanted)
    if (commands.length > 0) await filter.apply(commands)
    known = wanted
    return commands
  }

  async function syncChanges(base: MutableRuleset): Promise<Command[]> {
    const ids = desired.takeDirty()
    const after = partOf(desired.all, ids)
    const commands = changesBetween(partOf(base, ids), after)
    known = undefined
    if (commands.length > 0) await filter.apply(commands)
    known = base
    take(base.chains, ids.chains, after.chains)
    take(base.sets, ids.sets, after.sets)
    take(base.elements, ids.elements, after.elements)
    return commands
  }

  async function syncOnce(): Promise<void> {
    const startMs = clock.nowMs()
    const base = known
    const outcome = { isFull: base === undefined, commands: 0 }
    try {
      outcome.commands = (base === undefined ? await syncFully() : await syncChanges(base)).length
      state = { ...state, isInSync: true, lastSyncMs: clock.nowMs(), lastFault: undefined }
      options.onSync?.({ ...outcome, durationMs: clock.nowMs() - startMs })
    } catch (err) {
      state = { ...state, isInSync: false, lastFault: (err as Error).message }
      options.onSync?.({ ...outcome, durationMs: clock.nowMs() - startMs, err })
      throw err
    }
  }

  /** Until nothing is left to do. */
  async function run(): Promise<void> {
    let pauseMs = retryMsMin
    await clock.sleep(gatherMs, ending.signal)
    while (isAsked && !ending.signal.aborted) {
      isAsked = false
      const done = waiting
      waiting = Promise.withResolvers()
      try {
        await syncOnce()
        state = { ...state, waitingSinceMs: isAsked ? clock.nowMs() : undefined }
        done.resolve()
        pauseMs = retryMsMin
      } catch (err) {
        log.error({ err }, 'failed to change the packet filter; everything is read and tried again')
        waiting.promise.then(done.resolve, done.resolve)
        isAsked = true
        // Once at once: what failed may be a difference that a full reading ends.
        if (pauseMs > retryMsMin) await clock.sleep(pauseMs, ending.signal)
        pauseMs = Math.min(pauseMs * 2, retryMsMax)
      }
    }
  }

  function changed(): Promise<void> {
    isAsked = true
    state = { ...state, waitingSinceMs: state.waitingSinceMs ?? clock.nowMs() }
    const { promise } = waiting
    isRunning ??= run()
      .catch(() => undefined)
      .finally(() => {
        isRunning = undefined
        if (isAsked && !ending.signal.aborted) void changed()
      })
    return promise
  }

  async function check(): Promise<number> {
    if (isRunning !== undefined || known === undefined) return 0
    const base = known
    const found = await list()
    // A change that was made meanwhile speaks for itself.
    if (known !== base || isRunning !== undefined) return 0
    const commands = changesBetween(found, base)
    if (commands.length === 0) {
      accepted = ''
      return 0
    }
    const difference = JSON.stringify(commands)
    if (difference === accepted) return 0
    accepted = difference
    log.warn({ commands: commands.length }, 'somebody else changed the packet filter; it is repaired')
    state = { ...state, repairs: state.repairs + 1 }
    known = undefined
    await changed()
    return commands.length
  }

  void (async () => {
    let pauseMs = checkMs
    while (!ending.signal.aborted) {
      await clock.sleep(pauseMs, ending.signal)
      const startMs = clock.nowMs()
      await check().catch((err: unknown) => log.warn({ err }, 'failed to read the packet filter back'))
      pauseMs = Math.max(checkMs, (clock.nowMs() - startMs) * checkShare)
    }
  })().catch(() => undefined)

  return {
    desired,
    changed,
    check,
    get state() {
      return state
    },
    async stop() {
      ending.abort()
      await isRunning
    },
  }
}

interface MutableRuleset {
  readonly chains: Map<string, Chain>
  readonly sets: Map<string, NamedSet>
  readonly elements: Map<string, Element>
}

const copyOf = ({ chains, sets, elements }: Ruleset): MutableRuleset => ({
  chains: new Map(chains),
  sets: new Map(sets),
  elements: new Map(elements),
})

function take<T>(all: Map<string, T>, ids: ReadonlySet<string>, after: ReadonlyMap<string, T>): void {
  for (const id of ids) {
    const item = after.get(id)
    if (item === undefined) all.delete(id)
    else all.set(id, item)
  }
}

