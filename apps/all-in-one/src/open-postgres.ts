// The PostgreSQL of a cluster: the embedded one or the one that was named, brought to the present schema. Its URLs are
// kept in the data directory, for `shiplog sql` and for any other client.
import { join } from 'node:path'
import { createPool, projectorRole, readerRole, secretReaderRole } from '@shiplog/read-model/database'
import { hasEmbeddedPostgres, startEmbeddedPostgres } from '@shiplog/read-model/embedded-postgres'
import { allowLogin, denyHindrance, prepare } from '@shiplog/read-model/postgres-read-model'
import { limitReaderConnections, superviseReaders } from '@shiplog/read-model/reader-limits'
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import type { Lives } from '@shiplog/runtime/kept-process'
import { writeSecretFile } from '@shiplog/runtime/secret-files'

export interface OpenPostgresOptions {
  /** `auto`, or the URL of a server. */
  readonly choice: string
  readonly dataDir: string
  readonly clock: Clock
  readonly ids: Ids
  readonly progress: (line: string) => void
}

export interface OpenedPostgres {
  readonly readerUrl: string
  /** For whoever writes the tables. */
  readonly writerUrl: string
  /** For whoever may change the schema. */
  readonly ownerUrl: string
  /** For people. */
  readonly description: string
  /** What a server of ours has been through. */
  readonly lives?: () => Lives
  stop(): Promise<void>
}

const migrationTimeoutMs = 120_000
const lookTimeoutMs = 5_000

/** Undefined when there is no PostgreSQL to be had; throws when the one there is does not work. */
export async function openPostgres(options: OpenPostgresOptions): Promise<OpenedPostgres | undefined> {
  const { choice, dataDir } = options
  if (choice !== 'auto') {
    await migrate(choice)
    noteUrls(dataDir, choice, choice)
    const [readerUrl, writerUrl, ownerUrl] = [choice, choice, choice]
    return { readerUrl, writerUrl, ownerUrl, description: 'as named', stop: () => Promise.resolve() }
  }
  if (!hasEmbeddedPostgres()) {
    options.progress(
      `SQL: off, there is no embedded PostgreSQL for ${process.platform}-${process.arch}; --postgres names another`,
    )
    return undefined
  }
  const roles = [projectorRole, readerRole, secretReaderRole]
  const server = await startEmbeddedPostgres({
    dataDir,
    clock: options.clock,
    ids: options.ids,
    prepare: ({ adminUrl, passwordOf }) =>
      migrate(adminUrl, Object.fromEntries(roles.map((role) => [role, passwordOf(role)]))),
    onEnd: (how, waitMs) => options.progress(`SQL: PostgreSQL ended (${how}); it is started again in ${waitMs / 1_000} s`),
  })
  noteUrls(dataDir, server.urlOf(readerRole), server.urlOf(secretReaderRole))
  const pool = createPool({
    url: server.adminUrl,
    applicationName: 'shiplog-supervisor',
    statementTimeoutMs: lookTimeoutMs,
  })
  const supervisor = superviseReaders({ pool, clock: options.clock })
  return {
    readerUrl: server.urlOf(readerRole),
    writerUrl: server.urlOf(projectorRole),
    ownerUrl: server.adminUrl,
    description: `PostgreSQL ${server.version}`,
    lives: server.lives,
    async stop() {
      supervisor[Symbol.dispose]()
      await pool.end().catch(() => undefined)
      await server.stop()
    },
  }
}

async function migrate(url: string, logins?: Readonly<Record<string, string>>): Promise<void> {
  const pool = createPool({ url, applicationName: 'shiplog-migrations', statementTimeoutMs: migrationTimeoutMs })
  try {
    await prepare(pool)
    if (logins) {
      await allowLogin(pool, logins)
      await denyHindrance(pool)
      await limitReaderConnections(pool)
    }
  } finally {
    await pool.end()
  }
}

function noteUrls(dataDir: string, readerUrl: string, secretReaderUrl: string): void {
  writeSecretFile(join(dataDir, 'postgres-url'), `${readerUrl}\n`)
  writeSecretFile(join(dataDir, 'postgres-url-with-secrets'), `${secretReaderUrl}\n`)
}
