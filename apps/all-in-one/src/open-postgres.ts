// The PostgreSQL of a cluster: the embedded one or the one that was named, brought to the present schema. Its URLs are
// kept in the data directory, for `shiplog sql` and for any other client.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createPool, projectorRole, readerRole, secretReaderRole } from '@shiplog/read-model/database'
import { hasEmbeddedPostgres, startEmbeddedPostgres } from '@shiplog/read-model/embedded-postgres'
import { allowLogin, denyHindrance, prepare } from '@shiplog/read-model/postgres-read-model'
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'

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
  stop(): Promise<void>
}

const migrationTimeoutMs = 120_000

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
  const server = await startEmbeddedPostgres({ dataDir, clock: options.clock, ids: options.ids })
  try {
    const roles = [projectorRole, readerRole, secretReaderRole]
    await migrate(server.adminUrl, Object.fromEntries(roles.map((role) => [role, server.passwordOf(role)])))
    noteUrls(dataDir, server.urlOf(readerRole), server.urlOf(secretReaderRole))
  } catch (error) {
    await server.stop()
    throw error
  }
  return {
    readerUrl: server.urlOf(readerRole),
    writerUrl: server.urlOf(projectorRole),
    ownerUrl: server.adminUrl,
    description: `PostgreSQL ${server.version}`,
    stop: () => server.stop(),
  }
}

async function migrate(url: string, logins?: Readonly<Record<string, string>>): Promise<void> {
  const pool = createPool({ url, applicationName: 'shiplog-migrations', statementTimeoutMs: migrationTimeoutMs })
  try {
    await prepare(pool)
    if (logins) {
      await allowLogin(pool, logins)
      await denyHindrance(pool)
    }
  } finally {
    await pool.end()
  }
}

function noteUrls(dataDir: string, readerUrl: string, secretReaderUrl: string): void {
  writeFileSync(join(dataDir, 'postgres-url'), `${readerUrl}\n`, { mode: 0o600 })
  writeFileSync(join(dataDir, 'postgres-url-with-secrets'), `${secretReaderUrl}\n`, { mode: 0o600 })
}
