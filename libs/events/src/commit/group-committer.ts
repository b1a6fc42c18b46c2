// The group committer: many writers, one atomic batch, one fsync. Groups that arrive while an append is under way share
// the next batch; a lone group goes out at once. A stale group is found and refused alone, its neighbours go again.
import { checkGroup } from './append-checks.ts'
import { sealRecord } from '../integrity/checksum.ts'
import { header } from '../envelope.ts'
import { type Append, type AppendResult, type Conflict, type EventLog, LogUnavailable } from '../event-log.ts'

export interface GroupCommitterOptions {
  /** Most members of one shared batch. */
  readonly batchMembersMax?: number
  /** Most payload bytes of one shared batch. */
  readonly batchBytesMax?: number
  /** Most batches under way at the same time. */
  readonly batchesInFlightMax?: number
  /**
   * Fewer groups than this go out one by one, side by side: an atomic batch has a fixed price, about that of a dozen
   * single appends (measured on nats-server 2.15 with `sync_interval: always`).
   */
  readonly batchGroupsMin?: number
  /** Most groups that wait; more are refused with LogUnavailable. */
  readonly queuedGroupsMax?: number
  /** Called for every group that is stored: the high-water mark listens here. */
  readonly onStored?: (group: readonly Append[], sequences: readonly number[]) => void
  /** Called with what the log threw at an append, and with undefined for one that it stored: health listens here. */
  readonly onOutcome?: (error: unknown) => void
}

export interface GroupCommitter {
  /** Appends the group, all or nothing, together with whoever else writes now. Durable when it resolves. */
  commit(group: readonly Append[]): Promise<AppendResult>
}

/** Fixed share of a member in the size of a batch: subject, headers, framing. */
const memberOverheadBytes = 1024

interface Waiting {
  readonly group: readonly Append[]
  readonly bytes: number
  resolve(result: AppendResult): void
  reject(error: unknown): void
}

export function createGroupCommitter(log: EventLog, options: GroupCommitterOptions = {}): GroupCommitter {
  const batchMembersMax = options.batchMembersMax ?? 500
  const batchBytesMax = options.batchBytesMax ?? 4 * 1024 * 1024
  const batchesInFlightMax = options.batchesInFlightMax ?? 1
  const batchGroupsMin = options.batchGroupsMin ?? 12
  const queuedGroupsMax = options.queuedGroupsMax ?? 10_000
  const batchIdPrefix = `${log.incarnation.slice(0, 4)}${process.pid.toString(36)}${process.hrtime.bigint().toString(36)}`
  let batchSerial = 0
  let queue: Waiting[] = []
  /** What is under way: shared batches, and groups that went out alone. */
  let batches = 0
  let singles = 0
  let scheduled = false
  /** Subjects of what is under way: two groups of one subject go one after the other. */
  const busy = new Set<string>()

  const stored = (group: readonly Append[], result: AppendResult): AppendResult => {
    if (result.ok) options.onStored?.(group, result.sequences)
    return result
  }

  const append = async (group: readonly Append[]): Promise<AppendResult> => {
    try {
      const result = await log.append(group)
      if (result.ok) options.onOutcome?.(undefined)
      return result
    } catch (error) {
      options.onOutcome?.(error)
      throw error
    }
  }

  const sendOne = async (waiting: Waiting): Promise<void> => {
    try {
      waiting.resolve(stored(waiting.group, await append(waiting.group)))
    } catch (error) {
      waiting.reject(error)
    }
  }

  const sendBatch = async (batch: readonly Waiting[]): Promise<void> => {
    if (batch.length === 1) return sendOne(batch[0]!)
    let result: AppendResult
    try {
      result = await append(batch.flatMap((waiting) => waiting.group))
    } catch (error) {
      for (const waiting of batch) waiting.reject(error)
      return
    }
    if (result.ok) {
      let place = 0
      for (const waiting of batch) {
        const sequences = result.sequences.slice(place, place + waiting.group.length)
        place += waiting.group.length
        waiting.resolve(stored(waiting.group, { ok: true, sequences }))
      }
      return
    }
    await isolate(batch)
  }

  /** Someone in the batch is stale: refuse those whom the log shows to be, send the others again. */
  const isolate = async (batch: readonly Waiting[]): Promise<void> => {
    let stale: (Conflict | undefined)[]
    try {
      stale = await Promise.all(batch.map((waiting) => findConflict(log, waiting.group)))
    } catch (error) {
      for (const waiting of batch) waiting.reject(error)
      return
    }
    const fine = batch.filter((waiting, index) => {
      const conflict = stale[index]
      if (conflict) waiting.resolve({ ok: false, conflict })
      return conflict === undefined
    })
    // When nobody looks stale any more the batch cannot be blamed on anyone: each stands for itself.
    if (fine.length === batch.length) await Promise.all(fine.map(sendOne))
    else if (fine.length > 0) await sendBatch(fine)
  }

  /** Takes the next groups off the queue: bounded, and no subject twice or already under way. */
  const take = (): Waiting[] => {
    const batch: Waiting[] = []
    const left: Waiting[] = []
    /** Also subjects of those passed over: order of one subject's writers is kept. */
    const taken = new Set<string>()
    let members = 0
    let bytes = 0
    let full = false
    for (const [index, waiting] of queue.entries()) {
      if (full) {
        left.push(...queue.slice(index))
        break
      }
      const clash = waiting.group.some(({ subject }) => busy.has(subject) || taken.has(subject))
      for (const { subject } of waiting.group) taken.add(subject)
      const fits = members + waiting.group.length <= batchMembersMax && bytes + waiting.bytes <= batchBytesMax
      if (clash || (batch.length > 0 && !fits)) {
        left.push(waiting)
        full = !clash
        continue
      }
      batch.push(waiting)
      members += waiting.group.length
      bytes += waiting.bytes
    }
    queue = left
    return batch
  }

  /** All that one turn of the event loop brings goes together; a lone group waits for nothing but the end of the turn. */
  const schedule = (): void => {
    if (scheduled) return
    scheduled = true
    setImmediate(pump)
  }

  /** How much waits, in groups of one; a group of several is an atomic batch anyway and pays its price. */
  const worthOf = (groups: readonly Waiting[]): number => {
    let worth = 0
    for (const { group } of groups) {
      worth += group.length === 1 ? 1 : batchGroupsMin
      if (worth >= batchGroupsMin) break
    }
    return worth
  }

  const release = (batch: readonly Waiting[]): void => {
    for (const { group } of batch) for (const { subject } of group) busy.delete(subject)
    schedule()
  }

  const pump = (): void => {
    scheduled = false
    while (queue.length > 0) {
      const worth = worthOf(queue)
      const few = batches === 0 && singles + worth < batchGroupsMin
      const many = batches < batchesInFlightMax && (worth >= batchGroupsMin || singles === 0)
      if (!few && !many) return
      const taken = take()
      if (taken.length === 0) return
      for (const { group } of taken) for (const { subject } of group) busy.add(subject)
      if (few) {
        singles += taken.length
        for (const waiting of taken) {
          void sendOne(waiting).finally(() => {
            singles -= 1
            release([waiting])
          })
        }
      } else {
        batches += 1
        void sendBatch(taken).finally(() => {
          batches -= 1
          release(taken)
        })
      }
    }
  }

  /**
   * Members of a group of several say so: readers treat them as one. What nobody has sealed (guards, decisions: they have
   * no chain) is sealed here, so that every record of the log can be verified.
   */
  const mark = (unsealed: readonly Append[]): readonly Append[] => {
    const group = unsealed.map((member) =>
      member.headers[header.checksum] === undefined ? sealRecord(member) : member,
    )
    if (group.length === 1) return group
    batchSerial += 1
    const id = `${batchIdPrefix}-${batchSerial.toString(36)}`
    return group.map((member, index) => ({
      ...member,
      headers: { ...member.headers, [header.batch]: `${id} ${index + 1} ${group.length}` },
    }))
  }

  return {
    commit: async (unmarked) => {
      // Here, because a batch that the log will not take would take the neighbours down with it.
      checkGroup(unmarked)
      const group = mark(unmarked)
      if (log.groupsAppends) return stored(group, await append(group))
      if (queue.length >= queuedGroupsMax) {
        throw new LogUnavailable('Too many writes wait for the log', { ambiguous: false })
      }
      return new Promise((resolve, reject) => {
        let bytes = 0
        for (const { payload } of group) bytes += payload.length + memberOverheadBytes
        queue.push({ group, bytes, resolve, reject })
        schedule()
      })
    },
  }
}

/** The first member whose expectation the log does not meet now. */
async function findConflict(log: EventLog, group: readonly Append[]): Promise<Conflict | undefined> {
  const lasts = await Promise.all(
    group.map(({ subject, expected }) => (expected === undefined ? undefined : log.last(subject))),
  )
  for (const [index, { subject, expected }] of group.entries()) {
    const actual = lasts[index]?.sequence ?? 0
    if (expected !== undefined && actual !== expected) return { subject, expected, actual }
  }
  return undefined
}
