// The embedded log: the EventLog port on one SQLite file, for one process on one machine. Appends of one turn of the event
// loop share one transaction, so concurrent writers share one fsync and a lone append waits for nobody. node:sqlite is
// synchronous: an append blocks the loop for the time of its commit, which is the price of having no second thread.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { type Clock, systemClock } from '@shiplog/runtime/clock'
import { type Ids, systemIds } from '@shiplog/runtime/ids'
import { checkGroup } from '../commit/append-checks.ts'
import {
  type Append,
  type AppendResult,
  type ClusterLog,
  type Conflict,
  type EventLog,
  type FollowOptions,
  LogDamaged,
  type LogRecord,
  LogUnavailable,
  type ReadOptions,
} from '../event-log.ts'
import { expiryMarkerHeaders, markerTtlSeconds } from '../expiry.ts'
import { createFollowHub, type FollowHub } from '../commit/follow-hub.ts'
import { compileFilter, literalPrefix } from '../subject-filter.ts'

/** Most appends that wait for the next transaction. */
const queuedGroupsMax = 10_000
/** Most members of one transaction; more wait for the next turn. */
const transactionMembersMax = 2000
/** Records and payload bytes of one array that a read yields. */
const pageRecordsMax = 512
const pageBytesMax = 4 * 1024 * 1024
/** How often expired records are looked for. */
const sweepIntervalMs = 1000

export interface SqliteLogOptions {
  /** Where the file `log.db` lies; `:memory:` for a log that ends with the process (tests, simulations). */
  readonly dataDir: string
  readonly clock?: Clock
  readonly ids?: Ids
}

interface Row {
  sequence: number
  subject: string
  time_ms: number
  headers: string
  payload: Uint8Array
}

/** A record read from the file; headers are decoded when somebody asks. */
class SqliteRecord implements LogRecord {
  readonly subject: string
  readonly sequence: number
  readonly timeMs: number
  readonly payload: Uint8Array
  #text: string | undefined
  #headers: Readonly<Record<string, string>> | undefined

  constructor(row: Row) {
    this.subject = row.subject
    this.sequence = row.sequence
    this.timeMs = row.time_ms
    this.payload = row.payload
    this.#text = row.headers
  }

  get headers(): Readonly<Record<string, string>> {
    if (this.#headers === undefined) {
      try {
        this.#headers = JSON.parse(this.#text!) as Record<string, string>
      } catch (cause) {
        throw new LogDamaged(`The headers of ${this.subject} at sequence ${this.sequence} cannot be read`, { cause })
      }
      this.#text = undefined
    }
    return this.#headers
  }
}

interface Waiting {
  readonly group: readonly Append[]
  resolve(result: AppendResult): void
  reject(error: unknown): void
}

/** Opens the embedded log, making it when it does not exist. Fails when another process has it open. */
export async function openSqliteClusterLog(options: SqliteLogOptions): Promise<ClusterLog> {
  const clock = options.clock ?? systemClock
  const ids = options.ids ?? systemIds
  const inMemory = options.dataDir === ':memory:'
  const file = inMemory ? ':memory:' : join(options.dataDir, 'log.db')
  if (!inMemory) mkdirSync(options.dataDir, { recursive: true, mode: 0o700 })
  const database = openDatabase(file)
  const committer = createTransactions(database)
  const open = (name: string, shape: StreamShape): SqliteStream =>
    openStream({ database, committer, clock, ids, name, shape, file })
  let streams: SqliteStream[]
  try {
    database.exec('BEGIN IMMEDIATE')
    database.exec(
      'CREATE TABLE IF NOT EXISTS stream (name TEXT PRIMARY KEY, incarnation TEXT NOT NULL, last_sequence INTEGER NOT NULL) STRICT',
    )
    streams = [
      open('events', { lastPerSubject: false, expiry: false }),
      open('leases', { lastPerSubject: true, expiry: false }),
      open('object_events', { lastPerSubject: true, expiry: true }),
    ]
    database.exec('COMMIT')
  } catch (error) {
    database.close()
    throw explain(error, file)
  }
  const [events, leases, objectEvents] = streams as [SqliteStream, SqliteStream, SqliteStream]
  objectEvents.sweep()
  const sweeper = clock.every(sweepIntervalMs, () => objectEvents.sweep())
  let closed = false
  return {
    events: events.log,
    leases: leases.log,
    objectEvents: objectEvents.log,
    description: inMemory ? 'embedded (in memory)' : 'embedded (SQLite)',
    close: async () => {
      if (closed) return
      closed = true
      sweeper[Symbol.dispose]()
      committer.close()
      for (const stream of streams) stream.hub.end()
      database.close()
    },
  }
}

function openDatabase(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: 0 })
  try {
    // The exclusive lock is held until the process ends, however it ends; it is what keeps a second process out.
    database.exec('PRAGMA locking_mode = EXCLUSIVE')
    database.exec('PRAGMA page_size = 8192')
    database.exec('PRAGMA journal_mode = WAL')
    database.exec('PRAGMA synchronous = FULL')
    // A checkpoint holds up the commit that it comes with: with four times as much it was 33 ms instead of 11.
    database.exec('PRAGMA wal_autocheckpoint = 1000')
    database.exec('PRAGMA cell_size_check = ON')
    return database
  } catch (error) {
    database.close()
    throw explain(error, file)
  }
}

/** Turns SQLite's errors into the port's. */
function explain(error: unknown, file: string, where = ''): Error {
  if (error instanceof LogDamaged || error instanceof LogUnavailable || error instanceof TypeError) return error
  const code = (error as { errcode?: number }).errcode ?? 0
  const message = error instanceof Error ? error.message : String(error)
  switch (code & 0xff) {
    case 5: // SQLITE_BUSY
    case 6: // SQLITE_LOCKED
      return new LogUnavailable(`The log ${file} is in use by another process`, { ambiguous: false, cause: error })
    case 11: // SQLITE_CORRUPT
    case 26: // SQLITE_NOTADB
      return new LogDamaged(`The log ${file} is damaged${where}: ${message}`, { cause: error })
    case 13: // SQLITE_FULL
      return new LogUnavailable(`The log ${file}: no space left on the log's disk (SQLite: ${message})`, {
        ambiguous: false,
        cause: error,
      })
    default:
      return new LogUnavailable(`The log ${file}: ${message}`, { ambiguous: false, cause: error })
  }
}

interface Transactions {
  /** Calls the member in the next transaction; `stream` decides and answers. */
  enqueue(stream: TransactionPart, waiting: Waiting): void
  close(): void
}

/** A stream's part in a transaction. */
interface TransactionPart {
  /** Stores the group, or says why not. Runs inside the transaction. */
  store(group: readonly Append[]): AppendResult
  /** The transaction is on disk (or not): hand over what was stored, or forget it. */
  settle(committed: boolean): void
}

/** All streams of a file share its transactions: one turn of the event loop, one commit. */
function createTransactions(database: DatabaseSync): Transactions {
  let queue: { part: TransactionPart; waiting: Waiting }[] = []
  let scheduled = false
  let closed = false

  const flush = (): void => {
    scheduled = false
    if (queue.length === 0) return
    let members = 0
    let count = 0
    while (count < queue.length && members < transactionMembersMax) {
      members += queue[count]!.waiting.group.length
      count += 1
    }
    const batch = queue.slice(0, count)
    queue = queue.slice(count)
    if (queue.length > 0) schedule()
    const parts = new Set(batch.map((entry) => entry.part))
    const results: AppendResult[] = []
    try {
      database.exec('BEGIN IMMEDIATE')
      for (const { part, waiting } of batch) results.push(part.store(waiting.group))
      database.exec('COMMIT')
    } catch (error) {
      try {
        database.exec('ROLLBACK')
      } catch {
        // There was no transaction to roll back: BEGIN itself failed, or SQLite already did it.
      }
      for (const part of parts) part.settle(false)
      for (const { waiting } of batch) waiting.reject(explain(error, 'log.db', ` near ${waiting.group[0]?.subject}`))
      return
    }
    for (const part of parts) part.settle(true)
    for (const [index, { waiting }] of batch.entries()) waiting.resolve(results[index]!)
  }

  const schedule = (): void => {
    if (scheduled) return
    scheduled = true
    // The check phase follows the poll phase: all requests that one turn of the loop brought in are in the queue by then.
    setImmediate(flush)
  }

  return {
    enqueue(part, waiting) {
      if (closed) return waiting.reject(new LogUnavailable('The log is closed', { ambiguous: false }))
      if (queue.length >= queuedGroupsMax) {
        return waiting.reject(new LogUnavailable('Too many appends wait for the log', { ambiguous: false }))
      }
      queue.push({ part, waiting })
      schedule()
    },
    close() {
      if (queue.length > 0) flush()
      closed = true
      for (const { waiting } of queue) waiting.reject(new LogUnavailable('The log is closed', { ambiguous: false }))
      queue = []
    },
  }
}

interface StreamShape {
  readonly lastPerSubject: boolean
  readonly expiry: boolean
}

interface SqliteStream {
  readonly log: EventLog
  readonly hub: FollowHub
  /** Drops what has expired and leaves markers. */
  sweep(): void
}

interface StreamDeps {
  readonly database: DatabaseSync
  readonly committer: Transactions
  readonly clock: Clock
  readonly ids: Ids
  readonly name: string
  readonly shape: StreamShape
  readonly file: string
}

function openStream({ database, committer, clock, ids, name, shape, file }: StreamDeps): SqliteStream {
  database.exec(`
    CREATE TABLE IF NOT EXISTS ${name} (
      sequence INTEGER PRIMARY KEY, subject TEXT NOT NULL, time_ms INTEGER NOT NULL, headers TEXT NOT NULL,
      ${shape.expiry ? 'expires_ms INTEGER,' : ''} payload BLOB NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS ${name}_subject ON ${name} (subject, sequence);
    ${shape.expiry ? `CREATE INDEX IF NOT EXISTS ${name}_expires ON ${name} (expires_ms) WHERE expires_ms IS NOT NULL;` : ''}
    INSERT OR IGNORE INTO stream VALUES ('${name}', '${ids.uuid()}', 0);
  `)
  const columns = 'sequence, subject, time_ms, headers, payload'
  const prepare = (sql: string): StatementSync => database.prepare(sql)
  const insert = prepare(
    shape.expiry
      ? `INSERT INTO ${name} (sequence, subject, time_ms, headers, payload, expires_ms) VALUES (?, ?, ?, ?, ?, ?)`
      : `INSERT INTO ${name} (sequence, subject, time_ms, headers, payload) VALUES (?, ?, ?, ?, ?)`,
  )
  const lastSequenceOf = prepare(`SELECT max(sequence) AS sequence FROM ${name} WHERE subject = ?`)
  const lastOf = prepare(`SELECT ${columns} FROM ${name} WHERE subject = ? ORDER BY sequence DESC LIMIT 1`)
  const lastUpToOf = prepare(
    `SELECT ${columns} FROM ${name} WHERE subject = ? AND sequence <= ? ORDER BY sequence DESC LIMIT 1`,
  )
  const at = prepare(`SELECT ${columns} FROM ${name} WHERE sequence = ?`)
  const first = prepare(`SELECT min(sequence) AS sequence FROM ${name}`)
  const newest = prepare(`SELECT sequence, time_ms FROM ${name} ORDER BY sequence DESC LIMIT 1`)
  const dropBefore = prepare(`DELETE FROM ${name} WHERE subject = ? AND sequence < ?`)
  const count = prepare(`SELECT count(*) AS count FROM ${name}`)
  const setLast = prepare('UPDATE stream SET last_sequence = ? WHERE name = ?')

  const { incarnation, last_sequence } = prepare('SELECT incarnation, last_sequence FROM stream WHERE name = ?').get(
    name,
  ) as { incarnation: string; last_sequence: number }
  const end = newest.get() as { sequence: number; time_ms: number } | undefined
  if ((end?.sequence ?? 0) > last_sequence) {
    throw new LogDamaged(
      `The log ${file} is damaged: stream ${name} ends at sequence ${last_sequence} by its own word, but holds ${end?.sequence}`,
    )
  }
  /** The newest sequence ever given out; sequences are never given twice, also when the newest record was purged. */
  let lastSequence = last_sequence
  let lastTimeMs = end?.time_ms ?? 0
  /** Sequence before the transaction under way, and the records it has stored so far. */
  let before = lastSequence
  let stored: LogRecord[] = []

  const write = (
    subject: string,
    headers: Readonly<Record<string, string>>,
    payload: Uint8Array,
    ttlSeconds?: number,
  ) => {
    lastSequence += 1
    lastTimeMs = Math.max(lastTimeMs, clock.nowMs())
    const values: SQLInputValue[] = [lastSequence, subject, lastTimeMs, JSON.stringify(headers), payload]
    if (shape.expiry) values.push(ttlSeconds === undefined ? null : lastTimeMs + ttlSeconds * 1000)
    insert.run(...values)
    if (shape.lastPerSubject) dropBefore.run(subject, lastSequence)
    stored.push({ subject, sequence: lastSequence, timeMs: lastTimeMs, headers, payload })
    return lastSequence
  }

  const part: TransactionPart = {
    store(group) {
      for (const member of group) {
        if (member.expected === undefined) continue
        const { sequence } = lastSequenceOf.get(member.subject) as { sequence: number | null }
        if ((sequence ?? 0) !== member.expected) {
          const conflict: Conflict = { subject: member.subject, expected: member.expected, actual: sequence ?? 0 }
          return { ok: false, conflict }
        }
      }
      const sequences = group.map((member) => write(member.subject, member.headers, member.payload, member.ttlSeconds))
      setLast.run(lastSequence, name)
      return { ok: true, sequences }
    },
    settle(committed) {
      const records = stored
      stored = []
      if (committed) {
        before = lastSequence
        if (records.length > 0) hub.push(records)
      } else {
        lastSequence = before
      }
    },
  }

  const guarded = <T>(action: () => T, where?: string): T => {
    if (!database.isOpen) throw new LogUnavailable('The log is closed', { ambiguous: false })
    try {
      return action()
    } catch (error) {
      throw explain(error, file, where)
    }
  }

  /** One page of a read: statement and parameters by filter, narrowed by an index where one subject is asked for. */
  async function* read(options: ReadOptions = {}): AsyncIterable<readonly LogRecord[]> {
    const to = Math.min(options.to ?? lastSequence, lastSequence)
    let from = Math.max(1, options.from ?? 1)
    if (to < from) return
    const matches = compileFilter(options.subjects)
    const { sql, parameters } = subjectClause(options.subjects)
    const statement = guarded(() =>
      database.prepare(
        `SELECT ${columns} FROM ${name} WHERE sequence >= ? AND sequence <= ? ${sql} ORDER BY sequence LIMIT ${pageRecordsMax}`,
      ),
    )
    while (from <= to) {
      const page: LogRecord[] = []
      let rows = 0
      let bytes = 0
      let full = false
      guarded(() => {
        for (const row of statement.iterate(from, to, ...parameters) as Iterable<unknown>) {
          const record = new SqliteRecord(row as Row)
          rows += 1
          bytes += record.payload.length
          from = record.sequence + 1
          if (matches(record.subject)) page.push(record)
          if (bytes > pageBytesMax) {
            full = true
            break
          }
        }
      }, ` at or after sequence ${from}`)
      if (page.length > 0) yield page
      if (rows < pageRecordsMax && !full) return
      await turn()
    }
  }

  /** Sequences by the index alone (it holds both columns), then the records that they name. */
  async function* stateAt(sequence: number, subjects: readonly string[]): AsyncIterable<readonly LogRecord[]> {
    const matches = compileFilter(subjects)
    const { sql, parameters } = subjectClause(subjects)
    const sequences = guarded(() => {
      const found: number[] = []
      const rows = database
        .prepare(
          `SELECT subject, max(sequence) AS sequence FROM ${name} INDEXED BY ${name}_subject WHERE sequence <= ? ${sql} GROUP BY subject`,
        )
        .iterate(sequence, ...parameters) as Iterable<unknown>
      for (const row of rows as Iterable<{ subject: string; sequence: number }>) {
        if (matches(row.subject)) found.push(row.sequence)
      }
      return found.sort((a, b) => a - b)
    }, ` up to sequence ${sequence}`)
    yield* pagesOf(sequences)
  }

  /** The records at these sequences, in pages; one that has gone since is left out. */
  async function* pagesOf(sequences: readonly number[], signal?: AbortSignal): AsyncIterable<readonly LogRecord[]> {
    for (let index = 0; index < sequences.length && signal?.aborted !== true; ) {
      const page: LogRecord[] = []
      let bytes = 0
      guarded(() => {
        while (index < sequences.length && page.length < pageRecordsMax && bytes < pageBytesMax) {
          const row = at.get(sequences[index]!) as Row | undefined
          index += 1
          if (row === undefined) continue
          page.push(new SqliteRecord(row))
          bytes += row.payload.length
        }
      }, ` near sequence ${sequences[index]}`)
      if (page.length > 0) yield page
      await turn()
    }
  }

  /** The sequences of the last record of every matching subject, ascending. */
  const lastSequences = (subjects: readonly string[]): number[] => {
    const matches = compileFilter(subjects)
    const prefixes = new Set(subjects.map(literalPrefix))
    const ranges = prefixes.size === 0 || prefixes.has('') ? [undefined] : [...prefixes]
    const step = database.prepare(
      `SELECT subject, sequence FROM ${name} WHERE subject < ? ORDER BY subject DESC, sequence DESC LIMIT 1`,
    )
    const sequences = new Set<number>()
    for (const prefix of ranges) {
      if (prefix !== undefined && !prefix.endsWith('.')) {
        const { sequence } = lastSequenceOf.get(prefix) as { sequence: number | null }
        if (sequence !== null) sequences.add(sequence)
        continue
      }
      // Downwards through the index, one probe a subject: each probe lands on a subject's newest record.
      let below = prefix === undefined ? '\u007f' : `${prefix.slice(0, -1)}/`
      for (;;) {
        const row = step.get(below) as { subject: string; sequence: number } | undefined
        if (row === undefined || (prefix !== undefined && !row.subject.startsWith(prefix))) break
        if (matches(row.subject)) sequences.add(row.sequence)
        below = row.subject
      }
    }
    return [...sequences].sort((a, b) => a - b)
  }

  async function* follow(options: FollowOptions): AsyncIterable<readonly LogRecord[]> {
    let from = options.from
    if (from === undefined) {
      const through = lastSequence
      from = through + 1
      const sequences = guarded(() => lastSequences(options.subjects))
      // A record that has gone since was superseded, and its successor comes with what follows.
      yield* pagesOf(sequences, options.signal)
    }
    if (options.signal.aborted) return
    yield []
    yield* hub.follow({ from, subjects: options.subjects, signal: options.signal })
  }

  const hub: FollowHub = createFollowHub(lastSequence + 1, (from, to, subjects) => read({ from, to, subjects }))

  const sweep = (): void => {
    if (!shape.expiry || !database.isOpen) return
    const now = clock.nowMs()
    const expired = database
      .prepare(
        `SELECT ${columns} FROM ${name} WHERE expires_ms <= ? ORDER BY expires_ms LIMIT ${transactionMembersMax}`,
      )
      .all(now) as unknown as Row[]
    if (expired.length === 0) return
    const drop = database.prepare(`DELETE FROM ${name} WHERE sequence = ?`)
    database.exec('BEGIN IMMEDIATE')
    try {
      for (const row of expired) {
        const isMarker = row.payload.length === 0
        drop.run(row.sequence)
        if (!isMarker) write(row.subject, expiryMarkerHeaders, new Uint8Array(0), markerTtlSeconds)
      }
      setLast.run(lastSequence, name)
      database.exec('COMMIT')
    } catch (error) {
      database.exec('ROLLBACK')
      part.settle(false)
      throw explain(error, file)
    }
    part.settle(true)
  }

  const log: EventLog = {
    incarnation,
    groupsAppends: true,
    append: (group) =>
      new Promise((resolve, reject) => {
        checkGroup(group)
        committer.enqueue(part, { group, resolve, reject })
      }),
    read,
    get: async (sequence) =>
      guarded(() => {
        const row = at.get(sequence) as Row | undefined
        return row && new SqliteRecord(row)
      }, ` at sequence ${sequence}`),
    last: async (subject) =>
      guarded(() => {
        const row = lastOf.get(subject) as Row | undefined
        return row && new SqliteRecord(row)
      }, ` at ${subject}`),
    lastUpTo: async (subject, sequence) =>
      guarded(() => {
        const row = lastUpToOf.get(subject, sequence) as Row | undefined
        return row && new SqliteRecord(row)
      }, ` at ${subject}`),
    stateAt,
    follow,
    lastSequence: async () => lastSequence,
    firstSequence: async () => guarded(() => (first.get() as { sequence: number | null }).sequence ?? lastSequence + 1),
    recordCount: async () => guarded(() => (count.get() as { count: number }).count),
    countBySubject: async () =>
      guarded(() => {
        const rows = database.prepare(`SELECT subject, count(*) AS count FROM ${name} GROUP BY subject`).all()
        return new Map((rows as unknown as { subject: string; count: number }[]).map((row) => [row.subject, row.count]))
      }),
    compact: async (subject, before) =>
      guarded(() => {
        const { sequence } = lastSequenceOf.get(subject) as { sequence: number | null }
        if (sequence !== null) dropBefore.run(subject, Math.min(sequence, before ?? sequence))
      }, ` at ${subject}`),
    purge: async (subject, through) =>
      guarded(() => void dropBefore.run(subject, (through ?? lastSequence) + 1), ` at ${subject}`),
    close: async () => hub.end(),
  }
  return { log, hub, sweep }
}

/** Lets the event loop turn between pages of a long read. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A WHERE clause that lets SQLite skip rows: exact for exact subjects and prefixes, wider for the rest. */
function subjectClause(subjects: readonly string[] | undefined): { sql: string; parameters: string[] } {
  if (subjects === undefined || subjects.length === 0 || subjects.includes('>')) return { sql: '', parameters: [] }
  const parameters: string[] = []
  const clauses = subjects.map((subject) => {
    const prefix = literalPrefix(subject)
    if (prefix === '') return '1'
    if (prefix === subject) {
      parameters.push(subject)
      return 'subject = ?'
    }
    parameters.push(prefix, `${prefix.slice(0, -1)}/`)
    return '(subject > ? AND subject < ?)'
  })
  return { sql: `AND (${clauses.join(' OR ')})`, parameters }
}
