// The table of one stream, its statements, and its position: the newest sequence that was ever given out.
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Ids } from '@shiplog/runtime/ids'
import { LogDamaged } from '../event-log.ts'
import type { LogDatabase } from './database.ts'
import { type RecordRow, recordColumns, SqliteRecord } from './sqlite-record.ts'

export interface StreamShape {
  /** Only the last record of each subject is kept. */
  readonly lastPerSubject: boolean
  /** Records may expire. */
  readonly expiry: boolean
}

/** A statement whose rows are arrays. */
interface Query<Row extends readonly unknown[]> {
  get(...parameters: (string | number)[]): Row | undefined
  all(...parameters: (string | number)[]): Row[]
  iterate(...parameters: (string | number)[]): Iterable<Row>
}

export interface StreamTable extends LogDatabase {
  readonly name: string
  readonly shape: StreamShape
  readonly incarnation: string
  readonly statements: Statements
  /**
   * Newest sequence ever given out, and the time of its record. A sequence is never given out twice, also when the newest
   * record was purged.
   */
  lastSequence: number
  lastTimeMs: number
  /** A statement that is made for one read. */
  query<Row extends readonly unknown[]>(sql: string): Query<Row>
  /** The record that a query finds. */
  record(query: Query<RecordRow>, ...parameters: (string | number)[]): SqliteRecord | undefined
  /** The last sequence of a subject, 0 without one. */
  lastSequenceOf(subject: string): number
}

/** Creates the main table of the file: what each stream is, and how far it has come. */
export function createStreamList(database: DatabaseSync): void {
  database.exec(
    'CREATE TABLE IF NOT EXISTS stream (name TEXT PRIMARY KEY, incarnation TEXT NOT NULL, last_sequence INTEGER NOT NULL) STRICT',
  )
}

/** Opens the table of a stream, creating it when it does not exist. Throws LogDamaged when it contradicts itself. */
export function openStreamTable(file: LogDatabase, name: string, shape: StreamShape, ids: Ids): StreamTable {
  const { database } = file
  createTable(database, name, shape, ids)
  const query = <Row extends readonly unknown[]>(sql: string): Query<Row> => asQuery(database.prepare(sql))
  const position = query<[string, number]>('SELECT incarnation, last_sequence FROM stream WHERE name = ?').get(name)!
  const [incarnation, lastSequence] = position
  const newest = query<[number, number]>(`SELECT sequence, time_ms FROM ${name} ORDER BY sequence DESC LIMIT 1`).get()
  if ((newest?.[0] ?? 0) > lastSequence) {
    throw new LogDamaged(
      `The log ${file.file} is damaged: stream ${name} ends at sequence ${lastSequence} by its own word, but holds ${newest?.[0]}`,
    )
  }
  const statements = prepareStatements(database, name, shape, query)
  return {
    ...file,
    name,
    shape,
    incarnation,
    statements,
    lastSequence,
    lastTimeMs: newest?.[1] ?? 0,
    query,
    record: (wanted, ...parameters) => {
      const row = wanted.get(...parameters)
      return row && new SqliteRecord(row)
    },
    lastSequenceOf: (subject) => statements.lastSequenceOf.get(subject)![0] ?? 0,
  }
}

function createTable(database: DatabaseSync, name: string, { expiry }: StreamShape, ids: Ids): void {
  database.exec(`
    CREATE TABLE IF NOT EXISTS ${name} (
      sequence INTEGER PRIMARY KEY, subject TEXT NOT NULL, time_ms INTEGER NOT NULL, headers TEXT NOT NULL,
      ${expiry ? 'expires_ms INTEGER,' : ''} payload BLOB NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS ${name}_subject ON ${name} (subject, sequence);
    ${expiry ? `CREATE INDEX IF NOT EXISTS ${name}_expires ON ${name} (expires_ms) WHERE expires_ms IS NOT NULL;` : ''}
    INSERT OR IGNORE INTO stream VALUES ('${name}', '${ids.uuid()}', 0);
  `)
}

function asQuery<Row extends readonly unknown[]>(statement: StatementSync): Query<Row> {
  statement.setReturnArrays(true)
  return statement as unknown as Query<Row>
}

type Statements = ReturnType<typeof prepareStatements>

function prepareStatements(
  database: DatabaseSync,
  name: string,
  { expiry }: StreamShape,
  query: <Row extends readonly unknown[]>(sql: string) => Query<Row>,
) {
  const records = (rest: string) => query<RecordRow>(`SELECT ${recordColumns} FROM ${name} ${rest}`)
  return {
    insert: database.prepare(
      expiry
        ? `INSERT INTO ${name} (${recordColumns}, expires_ms) VALUES (?, ?, ?, ?, ?, ?)`
        : `INSERT INTO ${name} (${recordColumns}) VALUES (?, ?, ?, ?, ?)`,
    ),
    setLast: database.prepare('UPDATE stream SET last_sequence = ? WHERE name = ?'),
    dropBefore: database.prepare(`DELETE FROM ${name} WHERE subject = ? AND sequence < ?`),
    lastSequenceOf: query<[number | null]>(`SELECT max(sequence) FROM ${name} WHERE subject = ?`),
    at: records('WHERE sequence = ?'),
    between: records('WHERE sequence BETWEEN ? AND ? ORDER BY sequence'),
    lastOf: records('WHERE subject = ? ORDER BY sequence DESC LIMIT 1'),
    lastUpTo: records('WHERE subject = ? AND sequence <= ? ORDER BY sequence DESC LIMIT 1'),
    first: query<[number | null]>(`SELECT min(sequence) FROM ${name}`),
    count: query<[number]>(`SELECT count(*) FROM ${name}`),
    countBySubject: query<[string, number]>(`SELECT subject, count(*) FROM ${name} GROUP BY subject`),
  }
}
