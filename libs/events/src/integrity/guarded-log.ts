// The log as a cluster uses it: checked before anything is read from it, with a high-water mark kept beside it, sealed as
// it grows, and compacted where nobody needs the past (guards).
import { join } from 'node:path'
import { compactLog } from './compactor.ts'
import { patiently } from '../commit/patience.ts'
import type { Append, ClusterLog } from '../event-log.ts'
import { type Mark, openHighWaterMark, readMark } from './high-water-mark.ts'
import { createSealer } from './seals.ts'
import { expiringDamage } from './aging-log.ts'
import { type Damage, inspectLog, type LogInspection, sequencesText } from './log-inspection.ts'
import { verifyAtStart, verifying } from './verify-log.ts'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'

const compactEveryMs = 3_600_000
/** Damages that one line of the log names. */
const damagesLoggedMax = 100

export const markFile = (dataDir: string): string => join(dataDir, 'high-water-mark.json')

/** The mark of the run before, undefined on a new data directory. Throws LogDamaged when it cannot be read. */
export const markOf = (dataDir: string): Promise<Mark | undefined> => readMark(markFile(dataDir))

export interface GuardedLog {
  readonly log: ClusterLog
  /** What is known of damage to the past of EVENTS; read after the start. */
  readonly inspection: LogInspection
  /** Told by every gateway on it what was acknowledged. */
  onStored(group: readonly Append[], sequences: readonly number[]): void
  /**
   * Begins to inspect, seal and compact; not needed for serving, so it may come after everything else. `onDamage` is told
   * once, when damage of the past is found.
   */
  begin(onDamage?: (damages: readonly Damage[]) => void): void
  /** Seals the rest and writes the mark; before the log is closed. */
  end(): Promise<void>
}

/** Checks the log against the mark and its own seals; throws LogDamaged with subject and sequence. */
export async function guardLog(options: {
  readonly log: ClusterLog
  readonly dataDir: string
  readonly mark: Mark | undefined
  readonly clock: Clock
  readonly logger: Logger
  /** One line for people. */
  readonly progress?: (line: string) => void
}): Promise<GuardedLog> {
  const { log, clock, logger, mark } = options
  const report = await patiently(clock, () => verifyAtStart(log.events, mark))
  let tellOfDamage: (damages: readonly Damage[]) => void = () => undefined
  const inspection = inspectLog({
    log: log.events,
    clock,
    logger,
    report,
    onDone: ({ unaccepted }) => {
      if (unaccepted.length === 0) return
      tellOfDamage(unaccepted)
      const damages = unaccepted.slice(0, damagesLoggedMax)
      logger.error({ damaged: unaccepted.length, damages }, 'the past of the log is damaged')
      options.progress?.(
        `THE PAST IS DAMAGED: the log cannot be read at sequence ${sequencesText(unaccepted)}; shiplog verify says more`,
      )
    },
  })
  const keeper = openHighWaterMark({
    file: markFile(options.dataDir),
    log: log.events,
    clock,
    ...(mark ? { mark } : {}),
  })
  const events = verifying(log.events)
  const sealer = createSealer({
    log: log.events,
    clock,
    logger,
    onStored: (group, sequences) => keeper.observe(group, sequences),
  })
  let compaction: Disposable | undefined
  let begun = false
  return {
    inspection,
    onStored: (group, sequences) => keeper.observe(group, sequences),
    log: {
      events,
      leases: expiringDamage(log.leases, logger),
      objectEvents: expiringDamage(log.objectEvents, logger),
      keys: log.keys,
      description: log.description,
      close: () => log.close(),
    },
    begin(onDamage) {
      begun = true
      if (onDamage && inspection.state === 'done' && inspection.unaccepted.length > 0) onDamage(inspection.unaccepted)
      else if (onDamage) tellOfDamage = onDamage
      inspection.start()
      sealer.start().catch((err: unknown) => logger.error({ err }, 'the log cannot be sealed'))
      compaction = clock.every(compactEveryMs, () => {
        compactLog({ log: log.events, clock, subjects: ['guard.>'] }).catch((err: unknown) =>
          logger.warn({ err }, 'guards could not be compacted'),
        )
      })
    },
    async end() {
      compaction?.[Symbol.dispose]()
      await inspection.stop()
      if (begun) await sealer.stop()
      await keeper.stop()
    },
  }
}
