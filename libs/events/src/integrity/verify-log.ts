// Verification: of the whole log (`shiplog verify`), and at start-up of what can be checked quickly: the high-water mark,
// the number of records, and everything since the last seal. Damage is named by subject and sequence.
import { verifyRecord } from './checksum.ts'
import { header } from '../envelope.ts'
import { type EventLog, type FollowOptions, LogDamaged, type LogRecord } from '../event-log.ts'
import { checkMark, type Mark } from './high-water-mark.ts'
import {
  type AcceptedLoss,
  type Compaction,
  checksumForHash,
  compactionSubject,
  emptyHash,
  foldHash,
  parseLogRecord,
  type Repair,
  repairSubject,
  readSkips,
  skippedCount,
  type Seal,
  sealSubject,
} from './seals.ts'

/** Most findings that a report lists; more are only counted. */
const findingsMax = 1000
/** Findings that the refusal of a start names. */
const findingsNamedMax = 5

export interface Finding {
  /** Undefined when nothing left in the log tells whose record it was. */
  readonly subject: string | undefined
  readonly sequence: number
  readonly message: string
  /** False when a later record of the same subject is whole: then only the past is concerned, not the present. */
  readonly present: boolean
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
  /** Damage that a repair has accepted: no findings any more, and still holes of the past. */
  readonly accepted: readonly AcceptedLoss[]
}

/** True when all damage lies in the past: what the log says of the present is whole. */
export const isOnlyOfThePast = ({ damaged, findings }: VerifyReport): boolean =>
  damaged === findings.length && findings.every(({ present }) => !present)

export interface VerifyOptions {
  /** Called after every page, for people who wait. */
  readonly onProgress?: (sequence: number, lastSequence: number) => void
  /** Awaited after every page: lets others go first. */
  readonly pause?: () => Promise<void>
  readonly signal?: AbortSignal
}

interface Known {
  readonly sequence: number
  readonly checksum: string
  /** The subject was forgotten after this record: the next one may begin anew. */
  readonly purged: boolean
  /** False when the record is damaged: what follows it cannot be held against its chain. */
  readonly whole: boolean
}

type Find = (subject: string | undefined, sequence: number, message: string) => void

/** Reads the whole log and checks every record, every chain, every gap and every seal. */
export async function verifyLog(log: EventLog, options: VerifyOptions = {}): Promise<VerifyReport> {
  const found: Omit<Finding, 'present'>[] = []
  let damaged = 0
  const accepted = await readRepairs(log)
  const find: Find = (subject, sequence, message) => {
    if (accepted.has(sequence)) return
    damaged += 1
    if (found.length < findingsMax) found.push({ subject, sequence, message })
  }
  const tell: Tell = (record, message) => find(record.subject, record.sequence, message)

  const lastSequence = await log.lastSequence()
  const compacted = await readCompactions(log, tell)
  const seals = await readSeals(log, tell)
  const skips = await readSkips(log)
  /** The last record of every subject so far. */
  const known = new Map<string, Known>()
  /** The last record of every subject that is what was written. */
  const lastWhole = new Map<string, number>()
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
      const skipped = skips.get(expected)
      if (skipped !== undefined) {
        expected = skipped
        continue
      }
      const gone = compacted.get(expected)
      if (gone === undefined) {
        missing.add(expected)
        hashHolds = false
        // The seal behind a hole is still where the hash is taken up again.
        fold(expected, '')
      } else {
        fold(expected, gone.checksum)
        known.set(gone.subject, { sequence: expected, checksum: gone.checksum, purged: gone.purged, whole: true })
      }
    }
  }
  const take = (record: LogRecord): void => {
    const { subject, sequence } = record
    const headers = headersOf(record)
    counts.set(subject, (counts.get(subject) ?? 0) + 1)
    let whole = false
    try {
      verifyRecord(record)
      whole = true
      lastWhole.set(subject, sequence)
    } catch (error) {
      tell(record, reason(error))
      // Its checksum may be what is damaged: the next seal says how it goes on.
      hashHolds = false
    }
    if (whole && subject.startsWith('evt.')) checkChain({ subject, sequence, headers }, known.get(subject), missing, find)
    known.set(subject, { sequence, checksum: headers[header.checksum] ?? '', purged: false, whole })
    fold(sequence, headers[header.checksum] || checksumForHash({ ...record, headers }))
  }

  for await (const page of log.read({ to: lastSequence })) {
    if (options.signal?.aborted) break
    for (const record of page) {
      passGap(record.sequence)
      expected = record.sequence + 1
      records += 1
      take(record)
    }
    options.onProgress?.(expected - 1, lastSequence)
    await options.pause?.()
  }
  if (!options.signal?.aborted) passGap(lastSequence + 1)
  for (const sequence of accepted.keys()) missing.delete(sequence)
  if (missing.size > 0 && !options.signal?.aborted) await tellOwners(log, counts, missing, find)
  const findings = found.map((finding) => ({
    ...finding,
    present: concernsPresent(finding.subject) && (lastWhole.get(finding.subject ?? '') ?? 0) < finding.sequence,
  }))
  return {
    ok: damaged === 0,
    records,
    compacted: compacted.size,
    seals: seals.size,
    lastSequence,
    damaged,
    findings,
    accepted: [...accepted.values()],
  }
}

/** Attempts to schedule and the log's own records are no state: nothing present rests on them. */
const concernsPresent = (subject: string | undefined): boolean =>
  subject === undefined || !(subject.startsWith('dec.') || subject.startsWith('seal.'))

/** Headers that cannot be read say nothing; the record itself is told of by its checksum. */
function headersOf(record: LogRecord): Readonly<Record<string, string>> {
  try {
    return record.headers
  } catch {
    return {}
  }
}

/** The chain tells whose a missing record was when a later one follows it; for the rest the log's index may. */
async function tellOwners(
  log: EventLog,
  counts: ReadonlyMap<string, number>,
  missing: ReadonlySet<number>,
  find: Find,
): Promise<void> {
  const owners = await ownersOfMissing(log, counts)
  const [only] = owners
  const some = owners.length === 0 ? '' : `, of one of ${owners.slice(0, 5).join(', ')}`
  for (const sequence of missing) {
    if (owners.length === 1) find(only, sequence, 'the record is missing')
    else find(undefined, sequence, `the record is missing${some}`)
  }
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
  record: Pick<LogRecord, 'subject' | 'sequence' | 'headers'>,
  before: Known | undefined,
  missing: Set<number>,
  find: Find,
): void {
  const previous = Number(record.headers[header.previous] ?? 0)
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
  } else if (before?.whole && (record.headers[header.chain] ?? '') !== before.checksum) {
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

/** Damage that repairs have accepted, by sequence. A repair record that is damaged itself accepts nothing. */
async function readRepairs(log: EventLog): Promise<Map<number, AcceptedLoss>> {
  const accepted = new Map<number, AcceptedLoss>()
  for await (const page of log.read({ subjects: [repairSubject] })) {
    for (const record of page) {
      try {
        verifyRecord(record)
        for (const loss of parseLogRecord<Repair>(record).accepted) accepted.set(loss.sequence, loss)
      } catch {
        // Its own damage is found with that of all records.
      }
    }
  }
  return accepted
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
 * seal. Throws LogDamaged when the present is damaged; damage of the past alone is reported. The report is there only
 * when something was found, since then the whole log was read. The snapshot itself is verified where it is read, see
 * `verifying`; records that nobody needs for the start are read after it, see log-inspection.ts.
 */
export async function verifyAtStart(log: EventLog, mark: Mark | undefined): Promise<VerifyReport | undefined> {
  if (mark) {
    await checkMark(log, mark, async (sequence) => {
      if ((await readCompactions(log, () => undefined)).has(sequence)) return true
      return (await readRepairs(log)).has(sequence)
    })
  }
  const end = await log.lastSequence()
  const lastCompaction = await log.last(compactionSubject)
  const forgotten = lastCompaction === undefined ? 0 : parseLogRecord<Compaction>(lastCompaction).total
  const skips = await readSkips(log)
  const short = (await log.recordCount()) < end - forgotten - skippedCount(skips)
  return short || !(await isTailWhole(log, end, forgotten > 0, skips)) ? await findDamage(log) : undefined
}

/**
 * Nothing below a seal is missing by count; above it nothing is ever compacted, so every sequence must be there, unless a
 * repair has accepted that it is not, or a restore has skipped it.
 */
async function isTailWhole(
  log: EventLog,
  end: number,
  compacted: boolean,
  skips: ReadonlyMap<number, number>,
): Promise<boolean> {
  try {
    const seal = await log.last(sealSubject)
    if (seal) verifyRecord(seal)
    let accepted: ReadonlyMap<number, AcceptedLoss> | undefined
    const isAccepted = async (sequence: number): Promise<boolean> =>
      (accepted ??= await readRepairs(log)).has(sequence)
    let expected = seal === undefined ? 1 : parseLogRecord<Seal>(seal).through + 1
    const passTo = async (sequence: number): Promise<boolean> => {
      while (expected < sequence) {
        const skipped = skips.get(expected)
        if (skipped === undefined && !(await isAccepted(expected))) return false
        expected = (skipped ?? expected) + 1
      }
      return true
    }
    for await (const records of log.read({ from: expected, to: end })) {
      for (const record of records) {
        if ((seal !== undefined || !compacted) && !(await passTo(record.sequence))) return false
        if (!isIntact(record) && !(await isAccepted(record.sequence))) return false
        expected = record.sequence + 1
      }
    }
    return await passTo(end + 1)
  } catch (error) {
    if (error instanceof LogDamaged) return false
    throw error
  }
}

function isIntact(record: LogRecord): boolean {
  try {
    verifyRecord(record)
    return true
  } catch (error) {
    if (error instanceof LogDamaged) return false
    throw error
  }
}

/** Something is wrong: the whole log is read to say what, and whether the present is concerned. */
async function findDamage(log: EventLog): Promise<VerifyReport> {
  const report = await verifyLog(log)
  if (isOnlyOfThePast(report)) return report
  const named = report.findings.filter(({ present }) => present).slice(0, findingsNamedMax)
  const more = report.damaged > 1 ? ` (${report.damaged} findings)` : ''
  throw new LogDamaged(`The log is damaged${more}: ${named.map(describeFinding).join('; ')}`)
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
      if (error instanceof LogDamaged && !complete && !/at sequence \d/.test(error.message)) await findDamage(log)
      throw error
    }
  }
  return { ...log, follow }
}
