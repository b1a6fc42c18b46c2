// The compactor: forgets superseded records, and subjects whose object is long deleted. It writes down the checksums of
// what it is about to forget first, forgets exactly that, and touches nothing that no seal covers yet.
import type { Clock } from '@shiplog/runtime/clock'
import { header } from '../envelope.ts'
import type { EventLog, LogRecord } from '../event-log.ts'
import {
  type Compaction,
  checksumForHash,
  compactionSubject,
  isOwnRecord,
  ownAppend,
  parseLogRecord,
  type Seal,
  sealSubject,
} from './seals.ts'

/** Most entries of one compaction record: about 350 KB. */
const entriesPerRecord = 5000
/** How often a compaction record that lost a race is written again. */
const attemptsMax = 20

export interface CompactionOptions {
  readonly log: EventLog
  readonly clock: Clock
  /** Which subjects: `guard.>`, `evt.core.pods.>`. */
  readonly subjects: readonly string[]
  /** Keep every record younger than this. Default 0. */
  readonly olderThanMs?: number
  /** Forget subjects whose tombstone is older than this whole; undefined: keep tombstones. */
  readonly tombstonesOlderThanMs?: number
  readonly signal?: AbortSignal
}

export interface CompactionReport {
  readonly subjects: number
  readonly forgotten: number
  readonly purged: number
}

interface Entry {
  readonly sequence: number
  readonly checksum: string
  readonly timeMs: number
  readonly deleted: boolean
}

/** Compacts once; safe to run while others write, and to end at any moment. */
export async function compactLog(options: CompactionOptions): Promise<CompactionReport> {
  const { log, clock } = options
  const seal = await log.last(sealSubject)
  if (seal === undefined) return { subjects: 0, forgotten: 0, purged: 0 }
  const { through } = parseLogRecord<Seal>(seal)
  const now = clock.nowMs()

  const bySubject = new Map<string, Entry[]>()
  for await (const records of log.read({ subjects: options.subjects, to: through })) {
    for (const record of records) {
      if (isOwnRecord(record)) continue
      const entries = bySubject.get(record.subject)
      if (entries) entries.push(entryOf(record))
      else bySubject.set(record.subject, [entryOf(record)])
    }
  }

  const report = { subjects: 0, forgotten: 0, purged: 0 }
  let plan: Plan[] = []
  let planned = 0
  const carryOut = async (): Promise<void> => {
    if (plan.length === 0) return
    await writeDown(log, plan)
    for (const { subject, forget, keepFrom } of plan) {
      if (keepFrom === undefined) await log.purge(subject, forget.at(-1)!.sequence)
      else await log.compact(subject, keepFrom)
      report.subjects += 1
      report.forgotten += forget.length
      if (keepFrom === undefined) report.purged += 1
    }
    plan = []
    planned = 0
  }
  for (const [subject, entries] of bySubject) {
    if (options.signal?.aborted) break
    const last = entries.at(-1)!
    const { tombstonesOlderThanMs } = options
    const purge = last.deleted && tombstonesOlderThanMs !== undefined && now - last.timeMs > tombstonesOlderThanMs
    // A tombstone goes only when it is the subject's newest record in the whole log, not merely below the seal.
    const whole = purge && (await log.last(subject))?.sequence === last.sequence
    const old = entries.filter((entry) => now - entry.timeMs >= (options.olderThanMs ?? 0))
    const forget = whole ? entries : old.filter((entry) => entry !== last)
    if (forget.length === 0) continue
    const keepFrom = whole ? undefined : entries[forget.length]!.sequence
    plan.push({ subject, forget, keepFrom })
    planned += forget.length
    if (planned >= entriesPerRecord) await carryOut()
  }
  await carryOut()
  return report
}

interface Plan {
  readonly subject: string
  readonly forget: readonly Entry[]
  /** First sequence that stays; undefined when nothing does. */
  readonly keepFrom: number | undefined
}

const entryOf = (record: LogRecord): Entry => ({
  sequence: record.sequence,
  checksum: checksumForHash(record),
  timeMs: record.timeMs,
  deleted: record.headers[header.deleted] === '1',
})

/** The record that explains the gaps to come; it is in the log before the first of them appears. */
async function writeDown(log: EventLog, plan: readonly Plan[]): Promise<void> {
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const last = await log.last(compactionSubject)
    const before = last === undefined ? 0 : parseLogRecord<Compaction>(last).total
    const forgotten: Record<string, (readonly [number, string])[]> = {}
    let total = before
    for (const { subject, forget } of plan) {
      forgotten[subject] = forget.map(({ sequence, checksum }) => [sequence, checksum] as const)
      total += forget.length
    }
    const purged = plan.flatMap(({ subject, keepFrom }) => (keepFrom === undefined ? [subject] : []))
    const payload: Compaction = { forgotten, total, purged }
    const result = await log.append([ownAppend(compactionSubject, 'HistoryCompacted', last, payload)])
    if (result.ok) return
  }
  throw new Error('Another compaction is running')
}
