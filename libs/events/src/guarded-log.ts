// A log as a gateway opens it: nothing is served before what can be checked quickly has been checked, and from then on the
// high-water mark and the seals are kept. One place, so that no process that appends forgets a part of it.
import type { Clock } from '@shiplog/runtime/clock'
import { type Logger, silentLogger } from '@shiplog/runtime/logger'
import type { Append, ClusterLog } from './event-log.ts'
import { openHighWaterMark, readMark } from './high-water-mark.ts'
import { createSealer } from './seals.ts'
import { verifyAtStart, verifying } from './verify-log.ts'

export interface GuardedLogOptions {
  /** Where the high-water mark lies: of this gateway alone, outside the log's own storage. */
  readonly dataDir: string
  readonly clock: Clock
  readonly logger?: Logger
  /** Opens the log; `expectIncarnation` is that of an earlier run, and a log that existed is never made anew. */
  readonly open: (expectIncarnation: string | undefined) => Promise<ClusterLog>
}

export interface GuardedLog {
  /** Snapshots of `events` are verified as they are read. */
  readonly log: ClusterLog
  /** For the committer: `createGroupCommitter(log.events, { onStored })`. */
  readonly onStored: (group: readonly Append[], sequences: readonly number[]) => void
  /** Seals the rest, writes the mark, closes the log. */
  close(): Promise<void>
}

/** Opens, verifies and guards. Throws LogDamaged, naming subject and sequence, when start-up must stop. */
export async function openGuardedLog(options: GuardedLogOptions): Promise<GuardedLog> {
  const { clock } = options
  const logger = options.logger ?? silentLogger
  const file = `${options.dataDir}/high-water-mark.json`
  const mark = await readMark(file)
  const cluster = await options.open(mark?.incarnation)
  try {
    await verifyAtStart(cluster.events, mark)
  } catch (error) {
    await cluster.close()
    throw error
  }
  const highWaterMark = openHighWaterMark({ file, log: cluster.events, clock, ...(mark === undefined ? {} : { mark }) })
  // From the first moment on it is known that this log exists, also when nothing is ever acknowledged.
  if (mark === undefined) await highWaterMark.flush()
  const sealer = createSealer({ log: cluster.events, clock, logger, onStored: highWaterMark.observe })
  sealer.start().catch((err: unknown) => logger.error({ err }, 'the log is not sealed'))
  let closed = false
  return {
    log: { ...cluster, events: verifying(cluster.events) },
    onStored: highWaterMark.observe,
    close: async () => {
      if (closed) return
      closed = true
      await sealer.stop()
      await highWaterMark.stop()
      await cluster.close()
    },
  }
}
