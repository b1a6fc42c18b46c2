// The private tables as Kysely sees them, and how connections are made. The tables are ours alone; people read schema v1.
import { type Generated, Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'

/**
 * Where each stream is. `stream` is 1 for events, 2 for leases, 3 for object events. All that the log stored up to
 * `complete_until` is in; `reading` names the schema versions that its rows were read by.
 */
interface StreamsTable {
  stream: number
  incarnation: string
  position: string
  position_time: Date | null
  complete_until: Date | null
  reading: Generated<string>
  updated_at: Generated<Date>
}

/** One row a version of an object, and one an attempt to schedule. */
interface VersionsTable {
  stream: number
  sequence: string
  recorded_at: Date
  group_resource: string
  namespace: string
  name: string
  uid: string | null
  type: string
  deleted: boolean
  payload: Buffer
  sha256: Generated<Buffer>
  unreadable: string | null
}

/** The present objects. */
interface ObjectsTable {
  group_resource: string
  namespace: string
  name: string
  stream: number
  sequence: string
  object: unknown
}

/** Which contract the views of v1 were made by. */
interface ContractTable {
  hash: string
}

export interface Database {
  'shiplog.streams': StreamsTable
  'shiplog.versions': VersionsTable
  'shiplog.objects': ObjectsTable
  'shiplog.contract': ContractTable
}

/** The private schema, and the public one. */
export const privateSchema = 'shiplog'
export const publicSchema = 'v1'

/** Roles: one writes the private tables, one reads the public views, one reads in them what Secrets hold, too. */
export const projectorRole = 'shiplog_projector'
export const readerRole = 'shiplog_reader'
export const secretReaderRole = 'shiplog_secret_reader'

const connectTimeoutMs = 5_000
const idleTimeoutMs = 30_000
const connectionsMax = 8

export interface ConnectOptions {
  readonly url: string
  /** As `pg_stat_activity` shows it: `shiplog-projector`. */
  readonly applicationName: string
  /** A query that takes longer is cancelled by the server. */
  readonly statementTimeoutMs: number
  /** Called when an idle connection breaks; the next query makes a new one. */
  readonly onError?: (error: Error) => void
}

/** A pool of connections; none is made before the first query. */
export function createPool(options: ConnectOptions): pg.Pool {
  const pool = new pg.Pool({
    connectionString: options.url,
    application_name: options.applicationName,
    connectionTimeoutMillis: connectTimeoutMs,
    idleTimeoutMillis: idleTimeoutMs,
    statement_timeout: options.statementTimeoutMs,
    keepAlive: true,
    max: connectionsMax,
    allowExitOnIdle: true,
  })
  pool.on('error', (error) => options.onError?.(error))
  // The pool listens to idle connections alone: one in use that breaks between two queries would end the process.
  pool.on('connect', (client) => client.on('error', () => undefined))
  return pool
}

export const createDatabase = (pool: pg.Pool): Kysely<Database> =>
  new Kysely<Database>({ dialect: new PostgresDialect({ pool }) })
