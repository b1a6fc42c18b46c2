// Verification: of the whole log (`shiplog verify`), and at start-up of what can be checked quickly: the high-water mark,
// the number of records, and everything since the last seal. Damage is named by subject and sequence.
import { checksumHeader, verifyRecord } from './checksum.ts'
import { header } from '../envelope.ts'
import { type EventLog, type FollowOptions, LogDamaged, type LogRecord } from '../event-log.ts'
import { checkMark, type Mark } from './high-water-mark.ts'
import {
  type Compaction,
  checksumForHash,
  compactionSubject,
  emptyHash,
  foldHash,
  parseLogRecord,
  previousOf,
  type Seal,
  sealSubject,
} from './seals.ts'

/** Most findings that a report lists; more are only counted. */
const findingsMax = 1000

export interface Finding {
  /** Undefined when nothing left in the log tells whose record it was. */
  readonly subject: string | undefined
  readonly sequence: number
  readonly message: string
}

export interface VerifyReport {
  readonly ok: boolean
  readonly records: number
  readonly compacted: number
  readonly seals: number
  readonly lastSequence: number
  /** All findings, also those beyond the list's bound. */
  readonly damaged: number
  readonly findings: readonly Finding[]
}

export interface VerifyOptions {
  /** Called after every page, for people who wait. */
  readonly onProgress?: (sequence: number, lastSequence: number) => void
  readonly signal?: AbortSignal
}

interface Known {
  readonly sequence: number
  readonly checksum: string
  /** The subject was forgotten after this record: the next one may begin anew. */
  readonly purged: boolean
}

/** Reads the whole log and checks every record, every chain, every gap and every seal. */
export async function verifyLog(log: EventLog, options: VerifyOptions = {}): Promise<VerifyReport> {
  const findings: Finding[] = []
  let damaged = 0
  const find = (subject: string | undefined, sequence: number, message: string): void => {
    damaged += 1
    if (findings.length < findingsMax) findings.push({ subject, sequence, message })
  }
  const tell = (record: LogRecord, message: string): void => find(record.subject, record.sequence, message)

  const lastSequence = await log.lastSequence()
  const compacted = await readCompactions(log, tell)
  const seals = await readSeals(log, tell)
  /** The last record of every subject so far. */
  const known = new Map<string, Known>()
  /** Records that are not there, until somebody tells whose they were. */
  const missing = new Set<number>()
  /** How many records of each subject could be read. */
  const counts = new Map<string, number>()
  let rolling = emptyHash
  /** False after damage: the hash is taken over from the next seal. */
  let hashHolds = true
  let expected = 1
  let records = 0

  const fold = (sequence: number, checksum: string): void => {
    rolling = foldHash(rolling, sequence, checksum)
    const seal = seals.get(sequence)
    if (seal === undefined) return
    if (hashHolds && rolling !== seal.hash) {
      find(sealSubject, seal.at, `the rolling hash up to sequence ${sequence} is not the sealed one`)
    }
    rolling = seal.hash
    hashHolds = true
  }
  const passGap = (to: number): void => {
    for (; expected < to; expected += 1) {
      const gone = compacted.get(expected)
      if (gone === undefined) {
        missing.add(expected)
        hashHolds = false
        // The seal behind a hole is still where the hash is taken up again.
        fold(expected, '')
      } else {
        fold(expected, gone.checksum)
        known.set(gone.subject, { sequence: expected, checksum: gone.checksum, purged: gone.purged })
      }
    }
  }

  for await (const page of log.read({ to: lastSequence })) {
    if (options.signal?.aborted) break
    for (const record of page) {
      passGap(record.sequence)
      expected = record.sequence + 1
      records += 1
      counts.set(record.subject, (counts.get(record.subject) ?? 0) + 1)
      try {
        verifyRecord(record)
      } catch (error) {
        tell(record, reason(error))
      }
      if (record.subject.startsWith('evt.')) checkChain(record, known.get(record.subject), missing, find)
      known.set(record.subject, { sequence: record.sequence, checksum: checksumHeader(record), purged: false })
      fold(record.sequence, checksumForHash(record))
    }
    options.onProgress?.(expected - 1, lastSequence)
  }
  if (!options.signal?.aborted) passGap(lastSequence + 1)
  if (missing.size > 0 && !options.signal?.aborted) {
    const owners = await ownersOfMissing(log, counts)
    for (const sequence of missing) {
      const [only] = owners
      if (owners.length === 1) find(only, sequence, 'the record is missing')
      else
        find(
          undefined,
          sequence,
          `the record is missing${owners.length === 0 ? '' : `, of one of ${owners.slice(0, 5).join(', ')}`}`,
        )
    }
  }
  return { ok: damaged === 0, records, compacted: compacted.size, seals: seals.size, lastSequence, damaged, findings }
}

/** Subjects of which the log's index knows more records than could be read. */
async function ownersOfMissing(log: EventLog, counts: ReadonlyMap<string, number>): Promise<string[]> {
  const indexed = await log.countBySubject()
  return [...indexed].filter(([subject, count]) => count > (counts.get(subject) ?? 0)).map(([subject]) => subject)
}

const reason = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replace(/^.* is damaged: /, '')

/** The record must continue its object's history where that ended. */
function checkChain(
  record: LogRecord,
  before: Known | undefined,
  missing: Set<number>,
  find: (subject: string, sequence: number, message: string) => void,
): void {
  const previous = previousOf(record)
  if (missing.has(previous)) {
    missing.delete(previous)
    find(record.subject, previous, 'the record is missing')
    return
  }
  if (before?.purged && previous === 0) return
  if (previous !== (before?.sequence ?? 0)) {
    find(
      record.subject,
      record.sequence,
      `it follows sequence ${previous}, but the object's last is ${before?.sequence ?? 0}`,
    )
  } else if (before && (record.headers[header.chain] ?? '') !== before.checksum) {
    find(record.subject, record.sequence, `its chain does not fit the object's record at sequence ${before.sequence}`)
  }
}

interface Forgotten {
  readonly subject: string
  readonly checksum: string
  readonly purged: boolean
}

type Tell = (record: LogRecord, message: string) => void

async function readCompactions(log: EventLog, tell: Tell): Promise<Map<number, Forgotten>> {
  const forgotten = new Map<number, Forgotten>()
  for await (const page of log.read({ subjects: [compactionSubject] })) {
    for (const record of page) {
      try {
        verifyRecord(record)
        const compaction = parseLogRecord<Compaction>(record)
        const purged = new Set(compaction.purged)
        for (const [subject, entries] of Object.entries(compaction.forgotten)) {
          for (const [sequence, checksum] of entries) {
            forgotten.set(sequence, { subject, checksum, purged: purged.has(subject) })
          }
        }
      } catch (error) {
        tell(record, reason(error))
      }
    }
  }
  return forgotten
}

async function readSeals(log: EventLog, tell: Tell): Promise<Map<number, { hash: string; at: number }>> {
  const seals = new Map<number, { hash: string; at: number }>()
  for await (const page of log.read({ subjects: [sealSubject] })) {
    for (const record of page) {
      try {
        const { through, hash } = parseLogRecord<Seal>(record)
        seals.set(through, { hash, at: record.sequence })
      } catch (error) {
        tell(record, reason(error))
      }
    }
  }
  return seals
}

/** One sentence for a finding. */
export const describeFinding = ({ subject, sequence, message }: Finding): string =>
  `${subject ?? 'an unknown subject'} at sequence ${sequence}: ${message}`

/**
 * What a gateway checks before it serves: the mark, that no record has silently gone, and every record since the last
 * seal. Throws LogDamaged. The snapshot itself is verified where it is read, see `verifying`.
 */
export async function verifyAtStart(log: EventLog, mark: Mark | undefined): Promise<void> {
  if (mark) {
    await checkMark(log, mark, async (sequence) => (await readCompactions(log, () => undefined)).has(sequence))
  }
  const end = await log.lastSequence()
  const lastCompaction = await log.last(compactionSubject)
  const forgotten = lastCompaction === undefined ? 0 : parseLogRecord<Compaction>(lastCompaction).total
  if ((await log.recordCount()) < end - forgotten) await findDamage(log, end - forgotten)

  const seal = await log.last(sealSubject)
  if (seal) verifyRecord(seal)
  let expected = seal === undefined ? 1 : parseLogRecord<Seal>(seal).through + 1
  // Nothing below a seal is missing by count; above it nothing is ever compacted, so every sequence must be there.
  const compacted = seal === undefined && forgotten > 0
  for await (const records of log.read({ from: expected, to: end })) {
    for (const record of records) {
      if (record.sequence !== expected && !compacted) throw gone(expected, end, mark)
      verifyRecord(record)
      expected = record.sequence + 1
    }
  }
  if (expected !== end + 1) throw gone(expected, end, mark)
}

const gone = (sequence: number, end: number, mark: Mark | undefined): LogDamaged => {
  const subject = mark?.sequence === sequence ? `${mark.subject} at sequence` : 'the record at sequence'
  return new LogDamaged(`The log is damaged: ${subject} ${sequence} is missing, while the log ends at sequence ${end}`)
}

/** Fewer records than there must be: the whole log is read to say which. */
async function findDamage(log: EventLog, expected: number): Promise<void> {
  const report = await verifyLog(log)
  const [first] = report.findings
  if (first === undefined && report.records >= expected) return
  throw new LogDamaged(
    first === undefined
      ? `The log is damaged: it should hold ${expected} records and holds fewer`
      : `The log is damaged (${report.damaged} findings): ${describeFinding(first)}`,
  )
}

/** The log with every record of a snapshot verified as it is read: following a damaged object throws LogDamaged. */
export function verifying(log: EventLog): EventLog {
  async function* follow(options: FollowOptions): AsyncIterable<readonly LogRecord[]> {
    let complete = options.from !== undefined
    try {
      for await (const records of log.follow(options)) {
        if (!complete) {
          if (records.length === 0) complete = true
          else records.forEach(verifyRecord)
        }
        yield records
      }
    } catch (error) {
      // The log itself tells of damage without its place: a whole reading finds it.
      if (error instanceof LogDamaged && !complete && !/at sequence \d/.test(error.message)) await findDamage(log, 0)
      throw error
    }
  }
  return { ...log, follow }
}
