// The heartbeat of a process of the control plane: its component Lease, renewed every
// two seconds, says that it lives and how it fares, whatever it does.
// What cannot be written is tried again with the next beat; nothing waits for it.
import type { ApiClient } from '@shiplog/api/api-client'
import type { Lease } from '@shiplog/api/generated/types/coordination-v1'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import {
  type ComponentVitals,
  componentLease,
  componentLeaseName,
  leaseAddress,
  vitalAnnotations,
} from './component-lease.ts'

export const beatEveryMs = 2_000
const leaseSeconds = 6
/** A beat without an answer is given up after this. */
const answerTimeoutMs = 5_000
const farewellTimeoutMs = 1_000

export interface HeartbeatOptions {
  readonly client: ApiClient
  readonly clock: Clock
  readonly log: Logger
  /** `kube-apiserver`. */
  readonly component: string
  readonly replica: string
  /** Unique to this life of the process. */
  readonly holder: string
  readonly vitals: () => ComponentVitals
}

/** Begins to beat; `end` deletes the Lease, so that nobody waits for a replica that ended in order. */
export function startHeartbeat(options: HeartbeatOptions): { end(): Promise<void> } {
  const { client, clock, log, component, replica, holder } = options
  const name = componentLeaseName(component, replica)
  const address = { ...leaseAddress, name }
  const query = { fieldManager: component }
  const ending = new AbortController()
  const { signal } = ending
  let held: Lease | undefined
  /** The Lease of another life: taken when it has not changed for as long as it lasts. */
  let others: { readonly version: string | undefined; readonly sinceMs: number } | undefined
  let told = ''

  async function beat(): Promise<void> {
    if (held === undefined) {
      const found = await client.request({ ...address, verb: 'get' })
      if (!found.ok && found.code !== 404) throw new Error(found.status.message)
      const lease = found.ok ? (found.object as Lease) : undefined
      if (lease && !isFree(lease)) return
      held = lease
    }
    const body = componentLease(
      held,
      { component, replica, holder, durationSeconds: leaseSeconds, annotations: vitalAnnotations(options.vitals()) },
      clock.nowMs(),
    )
    const result =
      held === undefined
        ? await client.request({ ...leaseAddress, verb: 'create', body, query })
        : await client.request({ ...address, verb: 'update', body, query })
    held = result.ok ? (result.object as Lease) : undefined
    if (!result.ok && result.code !== 409 && result.code !== 404) throw new Error(result.status.message)
  }

  function isFree(lease: Lease): boolean {
    if (lease.spec?.holderIdentity === holder) return true
    const version = lease.metadata.resourceVersion
    if (others?.version !== version) {
      if (others) say('warn', `another process renews the Lease ${name}: give each replica its own SHIPLOG_REPLICA`)
      others = { version, sinceMs: clock.nowMs() }
    }
    return clock.nowMs() - others!.sinceMs > leaseSeconds * 1_000
  }

  function say(level: 'debug' | 'warn', reason: string): void {
    if (told !== reason) log[level]({ lease: name, reason }, 'the heartbeat is not written')
    told = reason
  }

  const beating = (async () => {
    while (!signal.aborted) {
      const limit = new AbortController()
      const late = clock.sleep(answerTimeoutMs, AbortSignal.any([limit.signal, signal])).then(() => {
        throw new Error(`no answer within ${answerTimeoutMs} ms`)
      })
      try {
        const beaten = beat()
        beaten.catch(() => undefined)
        await Promise.race([beaten, late])
        if (held !== undefined) told = ''
      } catch (err) {
        held = undefined
        if (!signal.aborted) say('debug', err instanceof Error ? err.message : String(err))
      } finally {
        limit.abort()
        late.catch(() => undefined)
      }
      await clock.sleep(beatEveryMs, signal).catch(() => undefined)
    }
  })()

  return {
    async end() {
      if (signal.aborted) return
      ending.abort(new Error('the heartbeat ends'))
      await beating
      const mine = held
      if (mine === undefined) return
      const preconditions = { uid: mine.metadata.uid! }
      const limit = new AbortController()
      await Promise.race([
        client.request({ ...address, verb: 'delete', body: { preconditions } }),
        clock.sleep(farewellTimeoutMs, limit.signal),
      ]).catch(() => undefined)
      limit.abort()
    },
  }
}
