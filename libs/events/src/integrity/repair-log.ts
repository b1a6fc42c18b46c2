// Repair: what can be done when records that the present rests on are damaged. Nothing is taken out of the log and no
// sequence is given twice: each object gets a new record, which takes it back to its last whole version or ends it, and a
// record of the log's own says which damage was accepted for it.
import { damagedLasts } from './aging-log.ts'
import { checksumHeader, sealRecord, verifyRecord } from './checksum.ts'
import { encodeEnvelope, header } from '../envelope.ts'
import { type Append, type EventLog, LogDamaged, type LogRecord } from '../event-log.ts'
import { type AcceptedLoss, ownAppend, type Repair, repairSubject } from './seals.ts'
import type { Finding, VerifyReport } from './verify-log.ts'

/** Most objects of one repair: an append holds a thousand members. */
const remediesMax = 900

/** What happens to one damaged record. */
export interface Remedy {
  readonly finding: Finding
  /**
   * `none`: only the past is concerned, or nobody knows whose it was. `restore`: the object goes back to its last whole
   * version. `end`: there is none, or the damaged record ended it, or it shall end.
   */
  readonly how: 'none' | 'restore' | 'end'
  /** The last whole record of the object. */
  readonly good?: LogRecord
  /** The damaged record, when it can be read at all. */
  readonly damaged?: LogRecord
}

/**
 * What a repair of these findings would do; nothing is written. Objects of the damaged records at `ending` end, the others
 * go back to their last whole version where they have one.
 */
export async function planRepair(
  log: EventLog,
  report: VerifyReport,
  ending: ReadonlySet<number> = new Set(),
): Promise<readonly Remedy[]> {
  if (report.damaged > report.findings.length) {
    throw new LogDamaged(
      `The log is damaged in ${report.damaged} places, too many to mend one by one: restore a backup`,
    )
  }
  const findings = await withOwners(log, report.findings)
  const newest = new Map<string, number>()
  for (const { subject, sequence, present } of findings)
    if (present && subject !== undefined) newest.set(subject, Math.max(newest.get(subject) ?? 0, sequence))
  if (newest.size > remediesMax)
    throw new LogDamaged(`${newest.size} objects are damaged, too many to mend one by one: restore a backup`)
  const remedies: Remedy[] = []
  for (const finding of findings) {
    const { subject, sequence } = finding
    if (subject === undefined || newest.get(subject) !== sequence) remedies.push({ finding, how: 'none' })
    else remedies.push(await remedyFor(log, finding, subject, ending.has(sequence)))
  }
  return remedies
}

/**
 * Nothing tells whose a missing record was, but the log's index may know subjects whose last record it cannot give: those
 * are the owners, the one whose last whole record is younger being given the later sequence.
 */
async function withOwners(log: EventLog, findings: readonly Finding[]): Promise<readonly Finding[]> {
  const unknown = findings.filter(({ subject }) => subject === undefined)
  if (unknown.length === 0) return findings
  const told = new Set(findings.map(({ subject }) => subject))
  const owners: { subject: string; last: number }[] = []
  for (const subject of await damagedLasts(log)) {
    if (told.has(subject)) continue
    let last = 0
    for await (const page of log.read({ subjects: [subject] })) last = page.at(-1)?.sequence ?? last
    owners.push({ subject, last })
  }
  owners.sort((a, b) => b.last - a.last)
  const assigned = new Map<number, string>()
  for (const { sequence } of [...unknown].reverse()) {
    const place = owners.findIndex(({ last }) => last < sequence)
    if (place >= 0) assigned.set(sequence, owners.splice(place, 1)[0]!.subject)
  }
  return findings.map((finding) => {
    const subject = finding.subject ?? assigned.get(finding.sequence)
    return subject === undefined ? finding : { ...finding, subject }
  })
}

async function remedyFor(log: EventLog, finding: Finding, subject: string, ending: boolean): Promise<Remedy> {
  let good: LogRecord | undefined
  let damaged: LogRecord | undefined
  for await (const page of log.read({ subjects: [subject] })) {
    for (const record of page) {
      if (record.sequence === finding.sequence) damaged = record
      else if (isWhole(record)) good = record
    }
  }
  const ended = (record: LogRecord | undefined): boolean => record !== undefined && saysDeleted(record)
  const how = ending || good === undefined || ended(good) || ended(damaged) ? 'end' : 'restore'
  return { finding, how, ...(good ? { good } : {}), ...(damaged ? { damaged } : {}) }
}

function isWhole(record: LogRecord): boolean {
  try {
    verifyRecord(record)
    return true
  } catch {
    return false
  }
}

function saysDeleted(record: LogRecord): boolean {
  try {
    return record.headers[header.deleted] === '1'
  } catch {
    return false
  }
}

/** What is given up, for people. */
export function whatIsGivenUp({ finding, how, good }: Remedy): string {
  if (finding.subject === undefined) return 'whatever it said: nothing tells of which object it was'
  if (how === 'none') return 'this version, in the past; the present is whole'
  if (how === 'restore') return `the object's newest version: it goes back to what it was at sequence ${good!.sequence}`
  return good === undefined ? 'the object: no whole version of it is left' : 'the object, as it was last: it is deleted'
}

/** The append with what an encrypted record says: a payload is tied to its record, and is nothing in another one. */
export type Recrypt = (good: LogRecord, append: Append) => Promise<Append>

/** Carries a plan out, as one append; gives the sequences of what was written. */
export async function repairLog(log: EventLog, plan: readonly Remedy[], recrypt?: Recrypt): Promise<readonly number[]> {
  const accepted = plan.map((remedy): AcceptedLoss => {
    const { sequence, subject, message } = remedy.finding
    return { sequence, ...(subject === undefined ? {} : { subject }), problem: message, gaveUp: whatIsGivenUp(remedy) }
  })
  const last = await log.last(repairSubject)
  const repair: Repair = { accepted }
  const group = [
    ...(await Promise.all(plan.filter(({ how }) => how !== 'none').map((remedy) => remedyAppend(remedy, recrypt)))),
    ownAppend(repairSubject, 'LogRepaired', last, repair),
  ]
  const result = await log.append(group)
  if (!result.ok) throw new Error(`${result.conflict.subject} has changed meanwhile`)
  return result.sequences
}

/** The record that the object goes on from. Without a whole version it carries nothing, like one of what aged out. */
async function remedyAppend({ finding, how, good, damaged }: Remedy, recrypt: Recrypt | undefined): Promise<Append> {
  const headers = encodeEnvelope({
    type: how === 'restore' ? 'ObjectRestored' : 'ObjectGivenUp',
    schema: Number(good?.headers[header.schema] ?? 1),
    actor: 'system:shiplog',
    requestId: `repair-${finding.sequence}`,
    previous: finding.sequence,
    deleted: how === 'end',
  })
  const append: Append = {
    subject: finding.subject!,
    // A log may not find its own damaged record when it compares; nobody else writes during a repair.
    expected: undefined,
    headers,
    payload: good?.payload ?? new Uint8Array(0),
  }
  const isEncrypted = good?.headers[header.key] !== undefined
  if (isEncrypted && !recrypt) {
    throw new Error(`${good.subject} at sequence ${good.sequence} is encrypted, and its keys are not at hand: nothing was changed`)
  }
  return sealRecord(isEncrypted ? await recrypt!(good, append) : append, damaged === undefined ? '' : checksumOfDamaged(damaged))
}

function checksumOfDamaged(record: LogRecord): string {
  try {
    return checksumHeader(record)
  } catch {
    return ''
  }
}
