// Reading for people: one statement in a read-only transaction, as the reader's role, a page of rows at a time. Values
// come as PostgreSQL writes them: nothing is rounded on the way.
import type pg from 'pg'
import { createPool, readerRole, secretReaderRole } from './database.ts'
import { positionsOf } from './postgres-read-model.ts'
import type { StreamName } from '@shiplog/feed/stream-of'

export interface ResultColumn {
  readonly name: string
  /** How a value is to be written in JSON: `raw` as it stands. */
  readonly json: 'raw' | 'boolean' | 'string'
}

export interface ResultPage {
  readonly columns: readonly ResultColumn[]
  /** Text as PostgreSQL writes it; null for NULL. */
  readonly rows: readonly (readonly (string | null)[])[]
  /** Which of several statements this answers, from 0. */
  readonly statement: number
}

export interface Reader {
  /** One array of rows at least, also when there are none. */
  query(text: string): AsyncIterable<ResultPage>
  positions(): Promise<ReadonlyMap<StreamName, number>>
  close(): Promise<void>
}

const pageRows = 1_000
const statementTimeoutDefaultMs = 60_000

/** Stands before the question; the positions of its faults are told in the question. */
const declaration = 'declare shiplog_rows no scroll cursor for '

/** Numbers, json and jsonb stand in JSON as they are. NaN and Infinity, which JSON has not, are told by the printer. */
const rawTypes: ReadonlySet<number> = new Set([20, 21, 23, 26, 700, 701, 1700, 114, 3802])
const booleanType = 16

const asText = { getTypeParser: () => (value: string) => value } as unknown as pg.CustomTypesConfig

export interface ReaderOptions {
  readonly withSecrets?: boolean
  readonly onWarning?: (message: string) => void
  readonly statementTimeoutMs?: number
  /** As `pg_stat_activity` shows it. */
  readonly applicationName?: string
}

export function openReader(
  url: string,
  options: ReaderOptions = {},
): Reader {
  const role = options.withSecrets ? secretReaderRole : readerRole
  const { applicationName = 'shiplog-sql', statementTimeoutMs = statementTimeoutDefaultMs } = options
  const pool = createPool({ url, applicationName, statementTimeoutMs })
  return {
    async *query(text) {
      const client = await pool.connect()
      // Also when whoever asks has had enough: a connection in the middle of a transaction is not used again.
      let isClean = false
      const onNotice = ({ severity, message }: { severity?: string | undefined; message?: string | undefined }): void => {
        if (severity === 'WARNING' && message) options.onWarning?.(message)
      }
      client.on('notice', onNotice)
      try {
        await client.query('begin read only')
        await client.query(
          `select set_config('role', $1, true) from pg_roles where rolname = $1 and pg_has_role($1, 'member')`,
          [role],
        )
        // Several statements in one text come back as a list.
        const ask = async (text: string): Promise<readonly pg.QueryArrayResult[]> => {
          const results: unknown = await client.query({ text, rowMode: 'array', types: asText })
          return Array.isArray(results) ? results : [results as pg.QueryArrayResult]
        }
        if (/^\s*(select|with|values|table)\b/i.test(text)) {
          const [, ...others] = await ask(`${declaration}${text}`).catch((error: unknown) => {
            throw inQuestion(error)
          })
          for (;;) {
            const [fetched] = await ask(`fetch ${pageRows} from shiplog_rows`)
            yield pageOf(fetched!, 0)
            if (fetched!.rows.length < pageRows) break
          }
          yield* pagesOf(others, 1)
        } else yield* pagesOf(await ask(text), 0)
        await client.query('rollback')
        isClean = true
      } finally {
        client.off('notice', onNotice)
        client.release(!isClean)
      }
    },
    positions: () => positionsOf(pool),
    close: () => pool.end(),
  }
}

function inQuestion(error: unknown): unknown {
  const { position } = error as { position?: string }
  if (position === undefined) return error
  return Object.assign(error as object, { position: String(Number(position) - declaration.length) })
}

/** Statements that give no rows (`set`) give no page, unless there is nothing else. */
function* pagesOf(results: readonly pg.QueryArrayResult[], first: number): Generator<ResultPage> {
  for (const [index, result] of results.entries())
    if (result.fields.length > 0 || results.length + first === 1) yield pageOf(result, first + index)
}

function pageOf(result: pg.QueryArrayResult, statement: number): ResultPage {
  return {
    statement,
    columns: result.fields.map(({ name, dataTypeID }) => ({
      name,
      json: rawTypes.has(dataTypeID) ? 'raw' : dataTypeID === booleanType ? 'boolean' : 'string',
    })),
    rows: result.rows as (string | null)[][],
  }
}
