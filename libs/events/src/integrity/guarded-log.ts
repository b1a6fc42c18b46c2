// The log as a cluster uses it: checked before anything is read from it, with a high-water mark kept beside it, sealed as
// it grows, and compacted where nobody needs the past (guards).
import { join } from 'node:path'
import { compactLog } from './compactor.ts'
import type { Append, ClusterLog } from '../event-log.ts'
import { type Mark, openHighWaterMark, readMark } from './high-water-mark.ts'
import { createSealer } from './seals.ts'
import { verifyAtStart, verifying } from './verify-log.ts'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'

const compactEveryMs = 3_600_000

export const markFile = (dataDir: string): string => join(dataDir, 'high-water-mark.json')

/** The mark of the run before, undefined on a new data directory. Throws LogDamaged when it cannot be read. */
export const markOf = (dataDir: string): Promise<Mark | undefined> => readMark(markFile(dataDir))

export interface GuardedLog {
  readonly log: ClusterLog
  /** Told by every gateway on it what was acknowledged. */
  onStored(group: readonly Append[], sequences: readonly number[]): void
  /** Begins to seal and compact; not needed for serving, so it may come after everything else. */
  begin(): void
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
}): Promise<GuardedLog> {
  const { log, clock, logger, mark } = options
  await verifyAtStart(log.events, mark)
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
    onStored: (group, sequences) => keeper.observe(group, sequences),
    log: {
      events,
      leases: log.leases,
      objectEvents: log.objectEvents,
      description: log.description,
      close: () => log.close(),
    },
    begin() {
      begun = true
      sealer.start().catch((err: unknown) => logger.error({ err }, 'the log cannot be sealed'))
      compaction = clock.every(compactEveryMs, () => {
        compactLog({ log: log.events, clock, subjects: ['guard.>'] }).catch((err: unknown) =>
          logger.warn({ err }, 'guards could not be compacted'),
        )
      })
    },
    async end() {
      compaction?.[Symbol.dispose]()
      if (begun) await sealer.stop()
      await keeper.stop()
    },
  }
}
