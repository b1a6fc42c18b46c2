// Logs that age: Leases and Event objects, of which only the last record of each is kept. No chain holds them together,
// and all of them are made anew before long, so a damaged one is no reason to refuse a start: it counts as expired.
import type { Logger } from '@shiplog/runtime/logger'
import { verifyRecord } from './checksum.ts'
import { type Append, type EventLog, type FollowOptions, LogDamaged, type LogRecord } from '../event-log.ts'
import { expiryMarkerHeaders, isExpiryMarker } from '../expiry.ts'

/** How many subjects are asked for at a time. */
const lookupsInFlight = 64

/** Subjects whose only record is damaged: it says something else than was written, or cannot be read at all. */
export async function damagedLasts(log: EventLog): Promise<readonly string[]> {
  const damaged: string[] = []
  const subjects = [...(await log.countBySubject()).keys()]
  for (let index = 0; index < subjects.length; index += lookupsInFlight) {
    const some = subjects.slice(index, index + lookupsInFlight)
    const whole = await Promise.all(some.map((subject) => isWhole(log, subject)))
    for (const [place, subject] of some.entries()) if (!whole[place]) damaged.push(subject)
  }
  if (damaged.length === 0) return damaged
  // One may have expired since the index was read.
  const now = await log.countBySubject()
  return damaged.filter((subject) => now.has(subject))
}

async function isWhole(log: EventLog, subject: string): Promise<boolean> {
  try {
    const record = await log.last(subject)
    return record !== undefined && !isDamaged(record)
  } catch (error) {
    if (error instanceof LogDamaged) return false
    throw error
  }
}

function isDamaged(record: LogRecord): boolean {
  try {
    if (!isExpiryMarker(record)) verifyRecord(record)
    return false
  } catch (error) {
    if (error instanceof LogDamaged) return true
    throw error
  }
}

/**
 * Ends the objects whose records are damaged, and gives their subjects. A marker takes the place of a record that can
 * still be read. One that cannot makes nats-server fail every write of its subject, because it cannot take it out (nor does
 * a purge of the subject): then the log is emptied, and what is whole is written again at new sequences.
 */
export async function expireDamaged(log: EventLog): Promise<readonly string[]> {
  const damaged = await damagedLasts(log)
  const records = await Promise.all(damaged.map((subject) => log.last(subject).catch(() => undefined)))
  if (records.includes(undefined)) await writeAnew(log, new Set(damaged))
  else for (const subject of damaged) await log.append([endOf(subject)])
  return damaged
}

const endOf = (subject: string): Append => ({
  subject,
  expected: undefined,
  headers: expiryMarkerHeaders,
  payload: new Uint8Array(0),
})

/** Event objects live for an hour: how much of it has gone is not known any more. */
const ttlSeconds = 3_600

async function writeAnew(log: EventLog, without: ReadonlySet<string>): Promise<void> {
  const subjects = [...(await log.countBySubject()).keys()].filter((subject) => !without.has(subject))
  const kept: LogRecord[] = []
  for (let index = 0; index < subjects.length; index += lookupsInFlight) {
    const some = await Promise.all(subjects.slice(index, index + lookupsInFlight).map((subject) => log.last(subject)))
    for (const record of some) if (record && record.payload.length > 0) kept.push(record)
  }
  kept.sort((a, b) => a.sequence - b.sequence)
  await log.purge('>')
  for (const { subject, headers, payload } of kept) {
    const ages = subject.startsWith('oev.') ? { ttlSeconds } : {}
    await log.append([{ subject, expected: undefined, headers, payload, ...ages }])
  }
}

/** The log with damaged records of its snapshot told as expired, each of them said once. */
export function expiringDamage(log: EventLog, logger: Logger): EventLog {
  const expire = (record: LogRecord): LogRecord => {
    if (!isDamaged(record)) return record
    const { subject, sequence, timeMs } = record
    logger.error({ subject, sequence }, 'a damaged record counts as expired')
    return { subject, sequence, timeMs, headers: expiryMarkerHeaders, payload: new Uint8Array(0) }
  }
  async function* follow(options: FollowOptions): AsyncIterable<readonly LogRecord[]> {
    let complete = options.from !== undefined
    try {
      for await (const records of log.follow(options)) {
        if (records.length === 0) complete = true
        yield complete ? records : records.map(expire)
      }
    } catch (error) {
      if (!(error instanceof LogDamaged) || complete) throw error
      // Not even the log itself can read it: the snapshot comes once more, without it.
      const subjects = await expireDamaged(log)
      if (subjects.length === 0) throw error
      for (const subject of subjects) logger.error({ subject }, 'a damaged record counts as expired')
      yield* log.follow(options)
    }
  }
  return { ...log, follow }
}
