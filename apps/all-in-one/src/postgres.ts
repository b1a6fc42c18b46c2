// SQL beside the cluster: an embedded PostgreSQL or the one that was named, brought to the present schema, and a projector
// that fills it. It begins after the cluster is ready and is no part of what the cluster needs: when it fails, it says so
// and the cluster goes on. This file is loaded when it begins, so that start-up does not pay for it.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ClusterLog } from '@shiplog/events/event-log'
import { createProjector, type Projector } from '@shiplog/projector/projector'
import { createPool, projectorRole, readerRole, secretReaderRole } from '@shiplog/read-model/database'
import { hasEmbeddedPostgres, startEmbeddedPostgres } from '@shiplog/read-model/embedded-postgres'
import { allowLogin, createPostgresReadModel, prepare } from '@shiplog/read-model/postgres-read-model'
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import type { Logger } from '@shiplog/runtime/logger'

export interface PostgresOptions {
  /** `auto`, or the URL of a server. */
  readonly choice: string
  readonly dataDir: string
  readonly log: ClusterLog
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
  readonly progress: (line: string) => void
}

export interface RunningPostgres {
  readonly projector: Projector
  stop(): Promise<void>
}

const migrationTimeoutMs = 120_000
const batchTimeoutMs = 60_000

/** Undefined when there is no PostgreSQL to be had; throws when the one there is does not work. */
export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres | undefined> {
  const { dataDir, clock, logger, progress } = options
  const undo: (() => Promise<void>)[] = []
  const stop = async (): Promise<void> => {
    for (const how of undo.splice(0).reverse())
      await how().catch((err: unknown) => logger.warn({ err }, 'not stopped well'))
  }
  try {
    const target = await open()
    if (target === undefined) return undefined
    writeFileSync(join(dataDir, 'postgres-url'), `${target.readerUrl}\n`, { mode: 0o600 })
    writeFileSync(join(dataDir, 'postgres-url-with-secrets'), `${target.secretReaderUrl}\n`, { mode: 0o600 })
    const pool = createPool({
      url: target.writerUrl,
      applicationName: 'shiplog-projector',
      statementTimeoutMs: batchTimeoutMs,
      onError: (err) => logger.debug({ err }, 'a connection to PostgreSQL broke'),
    })
    undo.push(() => pool.end())
    const projector = createProjector({
      log: options.log,
      model: createPostgresReadModel(pool),
      clock,
      logger: logger.child({ component: 'shiplog-projector' }),
    })
    undo.push(() => projector.stop())
    await projector.start()
    const { host, pathname } = new URL(target.readerUrl)
    progress(`SQL: postgres://${host}${pathname} (${target.description}); npx shiplog sql "select * from v1.pods"`)
    return { projector, stop }
  } catch (error) {
    await stop()
    throw error
  }

  async function open(): Promise<
    { readerUrl: string; secretReaderUrl: string; writerUrl: string; description: string } | undefined
  > {
    const migrated = async (url: string, logins?: Readonly<Record<string, string>>): Promise<void> => {
      const pool = createPool({ url, applicationName: 'shiplog-migrations', statementTimeoutMs: migrationTimeoutMs })
      try {
        await prepare(pool)
        if (logins) await allowLogin(pool, logins)
      } finally {
        await pool.end()
      }
    }
    if (options.choice !== 'auto') {
      await migrated(options.choice)
      return {
        readerUrl: options.choice,
        secretReaderUrl: options.choice,
        writerUrl: options.choice,
        description: 'as named',
      }
    }
    if (!hasEmbeddedPostgres()) {
      progress(
        `SQL: off, there is no embedded PostgreSQL for ${process.platform}-${process.arch}; --postgres names another`,
      )
      return undefined
    }
    const server = await startEmbeddedPostgres({ dataDir, clock, ids: options.ids })
    undo.push(() => server.stop())
    await migrated(server.adminUrl, {
      [projectorRole]: server.passwordOf(projectorRole),
      [readerRole]: server.passwordOf(readerRole),
      [secretReaderRole]: server.passwordOf(secretReaderRole),
    })
    return {
      readerUrl: server.urlOf(readerRole),
      secretReaderUrl: server.urlOf(secretReaderRole),
      writerUrl: server.urlOf(projectorRole),
      description: `PostgreSQL ${server.version}`,
    }
  }
}
