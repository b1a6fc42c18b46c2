// The seats and queues of priority levels: k8s.io/apiserver/pkg/util/flowcontrol/fairqueuing, without clocks. Requests of one
// flow are dealt a hand of queues, and join the shortest; of the queues the one is served next that has had least of the
// level's work. A level with nothing to do lends its seats.
import type { PriorityLevelConfiguration } from '@shiplog/api/generated/types/flowcontrol-v1'

/** One that waits, or is served. */
export interface Seated {
  readonly width: number
  /** Called when its turn comes; never while `enter` runs. */
  readonly start: () => void
}

export type Entry = 'served' | 'waits' | 'queue-full' | 'concurrency-limit'

interface Queue {
  readonly waiting: Seated[]
  /** Width of those that wait, and of those that are served from it. */
  waitingSeats: number
  servedSeats: number
  /** The work that it has been given, on the level's scale. */
  virtual: number
}

export interface LevelState {
  readonly name: string
  readonly isExempt: boolean
  readonly nominal: number
  /** Most that it may use with what it borrows. */
  readonly limit: number
  /** Of its own seats, how many others may use. */
  readonly lendable: number
  used: number
  readonly queues: readonly Queue[]
  readonly handSize: number
  readonly lengthMax: number
  waiting: number
}

/** The levels of a configuration; `total` seats are divided by their shares. */
export function createLevels(configurations: readonly PriorityLevelConfiguration[], total: number): ReadonlyMap<string, LevelState> {
  const sharesOf = ({ spec }: PriorityLevelConfiguration): number =>
    spec.type === 'Exempt' ? (spec.exempt?.nominalConcurrencyShares ?? 0) : (spec.limited?.nominalConcurrencyShares ?? 30)
  const sum = configurations.reduce((all, one) => all + sharesOf(one), 0) || 1
  return new Map(
    configurations.map((one) => [one.metadata.name, levelOf(one, Math.ceil((total * sharesOf(one)) / sum))]),
  )
}

function levelOf({ metadata, spec }: PriorityLevelConfiguration, nominal: number): LevelState {
  const { limited, exempt } = spec
  const isExempt = spec.type === 'Exempt'
  const lendable = Math.round((nominal * ((isExempt ? exempt : limited)?.lendablePercent ?? 0)) / 100)
  const borrowing = limited?.borrowingLimitPercent
  const { queues = 64, handSize = 8, queueLengthLimit = 50 } = limited?.limitResponse.queuing ?? {}
  const isQueued = limited?.limitResponse.type === 'Queue'
  return {
    ...{ name: metadata.name, isExempt, nominal, lendable },
    limit: isExempt || borrowing === undefined ? Number.POSITIVE_INFINITY : nominal + Math.round((nominal * borrowing) / 100),
    ...{ used: 0, waiting: 0, handSize, lengthMax: queueLengthLimit },
    queues: isQueued
      ? Array.from({ length: queues }, () => ({ waiting: [], waitingSeats: 0, servedSeats: 0, virtual: 0 }))
      : [],
  }
}

/** Seats that others do not use of what they lend, less what others have borrowed. */
function lent(levels: Iterable<LevelState>, to: LevelState): number {
  let free = 0
  let borrowed = 0
  for (const level of levels) {
    if (level.isExempt) {
      free += level.lendable
      continue
    }
    if (level !== to) free += Math.max(0, Math.min(level.lendable, level.nominal - level.used))
    borrowed += Math.max(0, level.used - level.nominal)
  }
  return Math.max(0, free - borrowed)
}

/** Whether a request of this width fits; a level that is empty takes one of any width. */
function fits(levels: ReadonlyMap<string, LevelState>, level: LevelState, width: number): boolean {
  if (level.isExempt || level.used === 0) return true
  if (level.used + width <= level.nominal) return true
  if (level.used + width > level.limit) return false
  return level.used + width <= Math.max(level.used, level.nominal) + lent(levels.values(), level)
}

/** The hand of a flow: distinct queues, chosen by its hash (upstream's shuffle sharding). */
export function handOf(hash: number, deck: number, size: number): readonly number[] {
  const hand: number[] = []
  let rest = hash
  for (let dealt = 0; dealt < Math.min(size, deck); dealt++) {
    let card = rest % (deck - dealt)
    rest = Math.floor(rest / (deck - dealt))
    for (const before of hand.toSorted((a, b) => a - b)) if (card >= before) card++
    hand.push(card)
  }
  return hand
}

export interface Place {
  readonly level: LevelState
  readonly queue: Queue | undefined
  readonly seated: Seated
}

export function enter(
  levels: ReadonlyMap<string, LevelState>,
  level: LevelState,
  hash: number,
  seated: Seated,
): { readonly entry: Entry; readonly place: Place } {
  const queue = level.queues.length > 0 ? shortestOf(level, hash) : undefined
  const place = { level, queue, seated }
  if (level.waiting === 0 && fits(levels, level, seated.width)) {
    serve(place)
    return { entry: 'served', place }
  }
  if (!queue) return { entry: 'concurrency-limit', place }
  if (queue.waiting.length >= level.lengthMax) return { entry: 'queue-full', place }
  // What has been idle has no credit from that time.
  if (queue.waiting.length === 0 && queue.servedSeats === 0) queue.virtual = Math.max(queue.virtual, leastVirtual(level))
  queue.waiting.push(seated)
  queue.waitingSeats += seated.width
  level.waiting++
  return { entry: 'waits', place }
}

function shortestOf({ queues, handSize }: LevelState, hash: number): Queue {
  let best: Queue | undefined
  for (const index of handOf(hash, queues.length, handSize)) {
    const queue = queues[index]!
    const load = queue.waitingSeats + queue.servedSeats
    if (!best || load < best.waitingSeats + best.servedSeats) best = queue
  }
  return best!
}

function leastVirtual({ queues }: LevelState): number {
  const busy = queues.filter(({ waiting, servedSeats }) => waiting.length > 0 || servedSeats > 0)
  return busy.length === 0 ? 0 : Math.min(...busy.map(({ virtual }) => virtual))
}

function serve({ level, queue, seated }: Place): void {
  level.used += seated.width
  if (!queue) return
  queue.servedSeats += seated.width
  queue.virtual += seated.width
}

/** Gives the seats back, and those whose turn comes are started. */
export function leave(levels: ReadonlyMap<string, LevelState>, { level, queue, seated }: Place): void {
  level.used -= seated.width
  if (queue) queue.servedSeats -= seated.width
  startNext(levels, level)
  // What one level does not need any more others may borrow.
  for (const other of levels.values()) if (other !== level && other.waiting > 0) startNext(levels, other)
}

/** One that waits no longer. False when it has been started. */
export function giveUp({ level, queue, seated }: Place): boolean {
  const index = queue?.waiting.indexOf(seated) ?? -1
  if (index < 0) return false
  queue!.waiting.splice(index, 1)
  queue!.waitingSeats -= seated.width
  level.waiting--
  return true
}

function startNext(levels: ReadonlyMap<string, LevelState>, level: LevelState): void {
  while (level.waiting > 0) {
    const queue = nextQueue(level)
    const seated = queue.waiting[0]!
    if (!fits(levels, level, seated.width)) return
    queue.waiting.shift()
    queue.waitingSeats -= seated.width
    level.waiting--
    serve({ level, queue, seated })
    seated.start()
  }
}

function nextQueue({ queues }: LevelState): Queue {
  let next: Queue | undefined
  for (const queue of queues) if (queue.waiting.length > 0 && (!next || queue.virtual < next.virtual)) next = queue
  return next!
}
