// Seals: now and then a record that holds the rolling hash of the whole log so far, so that no past record can be changed,
// dropped or put elsewhere without trace. Compaction leaves the checksums of what it forgot, so the hash can still be
// computed over what is no longer there.
import { hash } from 'node:crypto'
import type { Clock } from '@shiplog/runtime/clock'
import { type Logger, silentLogger } from '@shiplog/runtime/logger'
import { checksumHeader, checksumOf, sealRecord } from './checksum.ts'
import { encodeEnvelope, header } from '../envelope.ts'
import { type Append, type EventLog, LogDamaged, type LogRecord } from '../event-log.ts'

/** Where seals stand. */
export const sealSubject = 'seal.log'
/** Where compaction says what it forgot. */
export const compactionSubject = 'seal.compaction'

/** How many records a seal covers at most: also what start-up reads and verifies. */
const recordsPerSeal = 5000

/** The payload of a seal: the rolling hash after folding every record up to `through`. */
export interface Seal {
  readonly through: number
  readonly hash: string
}

/** The payload of a compaction record: what was forgotten, by subject, as sequence and checksum. */
export interface Compaction {
  readonly forgotten: Readonly<Record<string, readonly (readonly [sequence: number, checksum: string])[]>>
  /** Records forgotten since the log began, these included. */
  readonly total: number
  /** Subjects that were forgotten whole, their tombstone included. */
  readonly purged: readonly string[]
}

/** The hash of an empty log. */
export const emptyHash = ''

export const foldHash = (previous: string, sequence: number, checksum: string): string =>
  hash('sha256', `${previous}\n${sequence} ${checksum}`, 'base64url')

/** What a record contributes: its checksum, or one computed for a record that carries none. */
export const checksumForHash = (record: LogRecord): string => checksumHeader(record) || checksumOf(record, '')

/** Payload of a seal or compaction record. */
export function parseLogRecord<T>(record: LogRecord): T {
  try {
    return JSON.parse(Buffer.from(record.payload).toString('utf8')) as T
  } catch (cause) {
    throw new LogDamaged(`${record.subject} at sequence ${record.sequence} is damaged: it cannot be read`, { cause })
  }
}

/** An append on one of the log's own subjects, chained to the last one there. */
export function ownAppend(subject: string, type: string, last: LogRecord | undefined, payload: unknown): Append {
  const previous = last?.sequence ?? 0
  const headers = encodeEnvelope({
    type,
    schema: 1,
    actor: 'system:shiplog',
    requestId: `${subject}-${previous}`,
    previous,
    deleted: false,
  })
  const append = { subject, expected: previous, headers, payload: Buffer.from(JSON.stringify(payload)) }
  return sealRecord(append, last && checksumHeader(last))
}

export interface Sealer {
  /** Resolves when the sealer has read up to the end of the log. */
  start(): Promise<void>
  /** Seals what is not sealed yet, and ends. */
  stop(): Promise<void>
}

export interface SealerOptions {
  readonly log: EventLog
  readonly clock: Clock
  readonly logger?: Logger
  readonly recordsPerSeal?: number
  /** Told of every seal that is stored, as a committer tells of its groups: for the high-water mark. */
  readonly onStored?: (group: readonly Append[], sequences: readonly number[]) => void
}

/** Most time that the last seal at stop may take. */
const stopTimeoutMs = 2000

/** Follows the log and seals it. Any number may run; a seal that another wrote first counts for all. */
export function createSealer(options: SealerOptions): Sealer {
  const { log, clock } = options
  const logger = options.logger ?? silentLogger
  const every = options.recordsPerSeal ?? recordsPerSeal
  const abort = new AbortController()
  let rolling = emptyHash
  let folded = 0
  let unsealed = 0
  let last: LogRecord | undefined
  let running: Promise<void> = Promise.resolve()

  const fold = (record: LogRecord): void => {
    rolling = foldHash(rolling, record.sequence, checksumForHash(record))
    folded = record.sequence
    if (record.subject !== sealSubject) {
      unsealed += 1
      return
    }
    // Another gateway's seal, or our own: what came after it is unsealed.
    last = record
    unsealed = Math.max(0, folded - parseLogRecord<Seal>(record).through - 1)
  }

  const seal = async (): Promise<void> => {
    const payload: Seal = { through: folded, hash: rolling }
    const append = ownAppend(sealSubject, 'LogSealed', last, payload)
    const result = await log.append([append])
    // A conflict means that another has just sealed; its seal comes by in a moment.
    if (!result.ok) return
    unsealed = 0
    options.onStored?.([append], result.sequences)
  }

  const run = async (from: number, caughtUp: () => void): Promise<void> => {
    const target = await log.lastSequence()
    if (target < from) caughtUp()
    for await (const records of log.follow({ subjects: ['>'], from, signal: abort.signal })) {
      for (const record of records) fold(record)
      if (folded >= target) caughtUp()
      if (unsealed >= every) await seal()
    }
  }

  return {
    start: async () => {
      last = await log.last(sealSubject)
      if (last) {
        const { through, hash: known } = parseLogRecord<Seal>(last)
        rolling = known
        folded = through
      }
      await new Promise<void>((resolve, reject) => {
        running = run(folded + 1, resolve)
        running.catch(reject)
        running.catch((err: unknown) => logger.error({ err }, 'the log is not sealed any more'))
      })
    },
    stop: async () => {
      abort.abort()
      await running.catch(() => undefined)
      const late = clock.sleep(stopTimeoutMs)
      await Promise.race([sealRest().catch((err: unknown) => logger.warn({ err }, 'no last seal')), late])
    },
  }

  /** Folds what was written since, and seals it. */
  async function sealRest(): Promise<void> {
    for await (const records of log.read({ from: folded + 1 })) for (const record of records) fold(record)
    if (unsealed > 0) await seal()
  }
}

/** True for the records that the log writes about itself: they are never compacted. */
export const isOwnRecord = (record: LogRecord): boolean => record.subject.startsWith('seal.')

/** The previous sequence that a record claims for its subject. */
export const previousOf = (record: LogRecord): number => Number(record.headers[header.previous] ?? 0)
