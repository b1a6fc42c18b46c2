// Reads the table of a stream: ranges, and the last record of every subject as of a sequence. node:sqlite is synchronous,
// so everything comes in pages, and the event loop turns between them.
import { LogDamaged, type LogRecord, type ReadOptions } from '../event-log.ts'
import { compileFilter, literalPrefix } from '../subject-filter.ts'
import { type RecordRow, recordColumns, SqliteRecord } from './sqlite-record.ts'
import type { StreamTable } from './stream-table.ts'

/** Records and payload bytes of one page. */
const pageRecordsMax = 512
const pageBytesMax = 4 * 1024 * 1024
/** A page is read as one range where at most this many rows of the range are of no use, for each that is. */
const uselessRowsMax = 1

/** Records in order, up to `to` or the end of the stream as of now. What cannot be read is left out. */
export async function* readRange(table: StreamTable, options: ReadOptions = {}): AsyncIterable<readonly LogRecord[]> {
  const to = Math.min(options.to ?? table.lastSequence, table.lastSequence)
  let from = Math.max(1, options.from ?? 1)
  if (to < from) return
  const matches = compileFilter(options.subjects)
  const { sql, parameters } = subjectClause(options.subjects)
  const query = table.run(() =>
    table.query<RecordRow>(
      `SELECT ${recordColumns} FROM ${table.name} WHERE sequence BETWEEN ? AND ? ${sql} ORDER BY sequence LIMIT ${pageRecordsMax}`,
    ),
  )
  while (from <= to) {
    const page: LogRecord[] = []
    let isLast = false
    try {
      table.run(() => {
        const rows = takeRows(query.iterate(from, to, ...parameters), (record) => {
          from = record.sequence + 1
          if (matches(record.subject)) page.push(record)
        })
        isLast = rows.complete && rows.count < pageRecordsMax
      }, ` at or after sequence ${from}`)
    } catch (error) {
      if (!(error instanceof LogDamaged)) throw error
      const until = Math.min(to, from + pageRecordsMax - 1)
      page.push(...readableRecords(table, from, until).filter(({ subject }) => matches(subject)))
      from = until + 1
    }
    if (page.length > 0) yield page
    if (isLast) return
    await turn()
  }
}

/** Takes rows until their payloads fill a page; `complete` says whether all were taken. */
function takeRows(
  rows: Iterable<RecordRow>,
  take: (record: SqliteRecord) => void,
): { readonly count: number; readonly complete: boolean } {
  let count = 0
  let bytes = 0
  for (const row of rows) {
    count += 1
    bytes += row[4].length
    take(new SqliteRecord(row))
    if (bytes > pageBytesMax) return { count, complete: false }
  }
  return { count, complete: true }
}

/** Each record of a range that can be read by itself, where SQLite finds the range damaged. */
function readableRecords(table: StreamTable, from: number, to: number): SqliteRecord[] {
  const records: SqliteRecord[] = []
  for (let sequence = from; sequence <= to; sequence += 1) {
    try {
      const record = table.run(() => table.record(table.statements.at, sequence))
      if (record) records.push(record)
    } catch (error) {
      if (!(error instanceof LogDamaged)) throw error
    }
  }
  return records
}

/** The last record of every subject that matches, as of a sequence, in sequence order. */
export async function* stateAt(
  table: StreamTable,
  sequence: number,
  filters: readonly string[],
  signal?: AbortSignal,
): AsyncIterable<readonly LogRecord[]> {
  const sequences = table.run(() => lastSequences(table, sequence, filters), ` up to sequence ${sequence}`)
  for (let from = 0; from < sequences.length && signal?.aborted !== true; ) {
    const wanted = sequences.subarray(from, from + pageRecordsMax)
    const { records, taken } = table.run(() => readPage(table, wanted), ` near sequence ${wanted[0]}`)
    from += taken
    if (records.length > 0) yield records
    await turn()
  }
}

/** The sequences of these records by the index alone, which holds both columns, in ascending order. */
function lastSequences(table: StreamTable, sequence: number, filters: readonly string[]): Float64Array {
  const { sql, parameters, exact } = subjectClause(filters)
  const from = `FROM ${table.name} INDEXED BY ${table.name}_subject WHERE sequence <= ? ${sql} GROUP BY subject`
  // Names are fetched only where SQLite does not filter exactly: they cost five times as much as the numbers.
  if (exact) {
    const rows = table.query<[number]>(`SELECT max(sequence) ${from}`).all(sequence, ...parameters)
    return Float64Array.from(rows, ([last]) => last).sort()
  }
  const matches = compileFilter(filters)
  const rows = table.query<[number, string]>(`SELECT max(sequence), subject ${from}`).all(sequence, ...parameters)
  return Float64Array.from(
    rows.filter(([, subject]) => matches(subject)),
    ([last]) => last,
  ).sort()
}

/**
 * The records at the first of these sequences, as many as a page holds; one that has gone since is left out. Where they
 * lie close together the range is read, which costs half of asking for each.
 */
function readPage(
  { statements }: StreamTable,
  wanted: Float64Array,
): { readonly records: readonly SqliteRecord[]; readonly taken: number } {
  const records: SqliteRecord[] = []
  const first = wanted[0]!
  const last = wanted.at(-1)!
  let taken = 0
  const takeUpTo = (sequence: number): boolean => {
    while (taken < wanted.length && wanted[taken]! < sequence) taken += 1
    return wanted[taken] === sequence
  }
  const isDense = last - first < wanted.length * (1 + uselessRowsMax)
  const rows = isDense ? statements.between.iterate(first, last) : rowsAt(statements.at, wanted)
  const { complete } = takeRows(rows, (record) => {
    if (takeUpTo(record.sequence)) records.push(record)
  })
  return { records, taken: complete ? wanted.length : taken + 1 }
}

function* rowsAt(at: StreamTable['statements']['at'], sequences: Float64Array): Iterable<RecordRow> {
  for (const sequence of sequences) {
    const row = at.get(sequence)
    if (row !== undefined) yield row
  }
}

/** Lets the event loop turn between pages of a long read. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

export interface SubjectClause {
  readonly sql: string
  readonly parameters: readonly string[]
  /** True when the clause is the filter; otherwise it lets more pass, and its rows must be filtered. */
  readonly exact: boolean
}

/** A WHERE clause for filters: exact for subjects and for prefixes, wider for other wildcards. */
export function subjectClause(filters: readonly string[] | undefined): SubjectClause {
  if (filters === undefined || filters.length === 0 || filters.includes('>')) {
    return { sql: '', parameters: [], exact: true }
  }
  const parameters: string[] = []
  const clauses = filters.map((filter) => {
    const prefix = literalPrefix(filter)
    if (prefix === '') return '1'
    if (prefix === filter) {
      parameters.push(filter)
      return 'subject = ?'
    }
    // A slash comes right behind the dot: everything with the prefix lies between.
    parameters.push(prefix, `${prefix.slice(0, -1)}/`)
    return '(subject > ? AND subject < ?)'
  })
  const exact = filters.every((filter) => !filter.includes('*'))
  return { sql: `AND (${clauses.join(' OR ')})`, parameters, exact }
}
