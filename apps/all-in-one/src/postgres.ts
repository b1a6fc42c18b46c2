// SQL beside the cluster: an embedded PostgreSQL or the one that was named, brought to the present schema, and a projector
// that fills it. It begins after the cluster is ready and is no part of what the cluster needs: when it fails, it says so
// and the cluster goes on. This file is loaded when it begins, so that start-up does not pay for it.
import type { ClusterLog } from '@shiplog/events/event-log'
import type { LogInspection } from '@shiplog/events/integrity/log-inspection'
import type { KeyStore } from '@shiplog/encryption/key-store'
import { type RecordCodec, recordCodec } from '@shiplog/feed/record-codec'
import { createProjector, type Projector } from '@shiplog/projector/projector'
import { createPool } from '@shiplog/read-model/database'
import { createPostgresReadModel } from '@shiplog/read-model/postgres-read-model'
import { openReader, type Reader } from '@shiplog/read-model/reader'
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import type { Lives } from '@shiplog/runtime/kept-process'
import type { Logger } from '@shiplog/runtime/logger'
import { openPostgres } from './open-postgres.ts'

export interface PostgresOptions {
  /** `auto`, or the URL of a server. */
  readonly choice: string
  readonly dataDir: string
  readonly log: ClusterLog
  readonly codec?: RecordCodec
  readonly inspection?: LogInspection
  readonly keys?: KeyStore | undefined
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
  readonly progress: (line: string) => void
}

export interface RunningPostgres {
  readonly projector: Projector
  /** For people who ask through the gateway. */
  readonly reader: Reader
  /** What a server of ours has been through. */
  readonly lives?: () => Lives
  stop(): Promise<void>
}

const batchTimeoutMs = 60_000
/** Longest statement of the dashboard's console. */
const consoleTimeoutMs = 15_000

/** Undefined when there is no PostgreSQL to be had; throws when the one there is does not work. */
export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres | undefined> {
  const { clock, logger, progress } = options
  const undo: (() => Promise<void>)[] = []
  const stop = async (): Promise<void> => {
    for (const how of undo.splice(0).reverse())
      await how().catch((err: unknown) => logger.warn({ err }, 'failed to stop component'))
  }
  try {
    const target = await openPostgres(options)
    if (target === undefined) return undefined
    undo.push(() => target.stop())
    const pool = createPool({
      url: target.writerUrl,
      applicationName: 'shiplog-projector',
      statementTimeoutMs: batchTimeoutMs,
      onError: (err) => logger.debug({ err }, 'PostgreSQL connection lost'),
    })
    undo.push(() => pool.end())
    const projector = createProjector({
      log: options.log,
      ...(options.inspection ? { inspection: options.inspection } : {}),
      keys: options.keys,
      model: createPostgresReadModel(pool, options.codec ?? recordCodec),
      clock,
      logger: logger.child({ component: 'shiplog-projector' }),
    })
    undo.push(() => projector.stop())
    await projector.start()
    const reader = openReader(target.readerUrl, { statementTimeoutMs: consoleTimeoutMs, applicationName: 'shiplog-console' })
    undo.push(() => reader.close())
    const { host, pathname } = new URL(target.readerUrl)
    progress(`SQL: postgres://${host}${pathname} (${target.description}); npx shiplog sql "select * from v1.pods"`)
    return { projector, reader, stop, ...(target.lives ? { lives: target.lives } : {}) }
  } catch (error) {
    await stop()
    throw error
  }
}
