// The inspection: after the start, which must be fast, the whole log is read once in the background, and damage of the
// past is known from then on. Whoever answers from the past asks here what of it cannot be trusted.
import type { Clock } from '@shiplog/runtime/clock'
import { type Logger, silentLogger } from '@shiplog/runtime/logger'
import type { EventLog, LogRecord } from '../event-log.ts'
import { compileFilter } from '../subject-filter.ts'
import { type Finding, verifyLog, type VerifyReport } from './verify-log.ts'

/** A place of the log that does not say any more what was written. */
export interface Damage {
  readonly sequence: number
  /** Undefined when nothing tells whose record it was: it may be anybody's. */
  readonly subject: string | undefined
  /** `its checksum does not match`, `the record is missing`. */
  readonly problem: string
}

export interface LogInspection {
  /** Begins to read, unless it has begun. */
  start(): void
  readonly state: 'reading' | 'done' | 'failed'
  /** Everything up to here has been read. */
  readonly through: number
  readonly last: number
  /** Ascending; what a repair has accepted is among them. */
  readonly damages: readonly Damage[]
  /** Those that no repair has accepted. */
  readonly unaccepted: readonly Damage[]
  /** Resolves true when the inspection is done, false when that takes longer. While somebody waits it does not pause. */
  finished(timeoutMs: number): Promise<boolean>
  /** Damage in a range that may concern one of these subjects (filters); default all. */
  within(from: number, to: number, subjects?: readonly string[]): readonly Damage[]
  stop(): Promise<void>
}

/** Of the time, so much is left to others while nobody waits. */
const shareOfOthers = 3

export function inspectLog(options: {
  readonly log: EventLog
  readonly clock: Clock
  readonly logger?: Logger
  /** A reading of the whole log that was made already. */
  readonly report?: VerifyReport | undefined
  /** Told once, when all is read. */
  readonly onDone?: (inspection: LogInspection) => void
}): LogInspection {
  const { log, clock } = options
  const logger = options.logger ?? silentLogger
  const abort = new AbortController()
  let state: LogInspection['state'] = 'reading'
  let through = 0
  let last = 0
  let damages: readonly Damage[] = []
  let unaccepted: readonly Damage[] = []
  let waiting = 0

  let pageBeganMs = clock.nowMs()
  const pause = async (): Promise<void> => {
    const tookMs = clock.nowMs() - pageBeganMs
    if (waiting === 0) await clock.sleep(tookMs * shareOfOthers, abort.signal).catch(() => undefined)
    pageBeganMs = clock.nowMs()
  }
  const read = (): Promise<VerifyReport> =>
    verifyLog(log, {
      signal: abort.signal,
      pause,
      onProgress: (sequence, end) => {
        through = sequence
        last = end
      },
    })

  const run = async (): Promise<void> => {
    const report = options.report ?? (await read())
    if (abort.signal.aborted) return
    unaccepted = ascending(report.findings.map(damageOf))
    damages = ascending([...unaccepted, ...report.accepted.map(acceptedDamage)])
    through = last = report.lastSequence
    state = 'done'
  }
  let running: Promise<void> | undefined
  const start = (): Promise<void> => {
    running ??= run()
      .catch((err: unknown) => {
        state = 'failed'
        if (!abort.signal.aborted) logger.error({ err }, 'the log could not be inspected')
      })
      .then(() => {
        if (state !== 'reading') options.onDone?.(inspection)
      })
    return running
  }
  const inspection: LogInspection = {
    start: () => void start(),
    get state() {
      return state
    },
    get through() {
      return through
    },
    get last() {
      return last
    },
    get damages() {
      return damages
    },
    get unaccepted() {
      return unaccepted
    },
    async finished(timeoutMs) {
      if (state !== 'reading') return state === 'done'
      waiting += 1
      const late = new AbortController()
      try {
        await Promise.race([start(), clock.sleep(timeoutMs, late.signal).catch(() => undefined)])
      } finally {
        late.abort()
        waiting -= 1
      }
      return isDone()
    },
    within(from, to, subjects) {
      const matches = compileFilter(subjects)
      return damages.filter(
        ({ sequence, subject }) => sequence >= from && sequence <= to && (subject === undefined || matches(subject)),
      )
    },
    async stop() {
      abort.abort()
      await running
    },
  }
  // By a function, since tsc believes that nothing has changed meanwhile.
  const isDone = (): boolean => inspection.state === 'done'
  return inspection
}


const damageOf = ({ sequence, subject, message }: Finding): Damage => ({ sequence, subject, problem: message })
const acceptedDamage = ({ sequence, subject, problem }: { sequence: number; subject?: string; problem: string }): Damage => ({
  sequence,
  subject,
  problem,
})

/** One damage a sequence, in order. */
function ascending(damages: readonly Damage[]): readonly Damage[] {
  const bySequence = new Map<number, Damage>()
  for (const damage of damages) if (!bySequence.has(damage.sequence)) bySequence.set(damage.sequence, damage)
  return [...bySequence.values()].sort((a, b) => a.sequence - b.sequence)
}

export const isDamage = (one: LogRecord | Damage): one is Damage => 'problem' in one

/** Records with the damage of their range put where it stands: nothing is left out in silence. */
export async function* withDamage(
  pages: AsyncIterable<readonly LogRecord[]>,
  damages: readonly Damage[],
): AsyncIterable<readonly (LogRecord | Damage)[]> {
  let next = 0
  for await (const page of pages) {
    if (next === damages.length) {
      yield page
      continue
    }
    const merged: (LogRecord | Damage)[] = []
    for (const record of page) {
      while (next < damages.length && damages[next]!.sequence < record.sequence) merged.push(damages[next++]!)
      if (damages[next]?.sequence === record.sequence) merged.push(damages[next++]!)
      else merged.push(record)
    }
    yield merged
  }
  if (next < damages.length) yield damages.slice(next)
}

const sequencesShownMax = 10

/** `118, 203 and 4 more`. */
export function sequencesText(damages: readonly Damage[]): string {
  const shown = damages.slice(0, sequencesShownMax).map(({ sequence }) => sequence)
  const rest = damages.length - shown.length
  return rest > 0 ? `${shown.join(', ')} and ${rest} more` : shown.join(', ')
}
