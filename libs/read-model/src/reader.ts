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
}

export interface Reader {
  /** One array of rows at least, also when there are none. */
  query(text: string): AsyncIterable<ResultPage>
  positions(): Promise<ReadonlyMap<StreamName, number>>
  close(): Promise<void>
}

const pageRows = 1_000
const statementTimeoutMs = 60_000

/** Numbers, json and jsonb stand in JSON as they are. NaN and Infinity, which JSON has not, are told by the printer. */
const rawTypes: ReadonlySet<number> = new Set([20, 21, 23, 26, 700, 701, 1700, 114, 3802])
const booleanType = 16

const asText = { getTypeParser: () => (value: string) => value } as unknown as pg.CustomTypesConfig

export function openReader(url: string, options: { readonly withSecrets?: boolean } = {}): Reader {
  const role = options.withSecrets ? secretReaderRole : readerRole
  const pool = createPool({ url, applicationName: 'shiplog-sql', statementTimeoutMs })
  return {
    async *query(text) {
      const client = await pool.connect()
      let failed = false
      try {
        await client.query('begin read only')
        await client.query(
          `select set_config('role', $1, true) from pg_roles where rolname = $1 and pg_has_role($1, 'member')`,
          [role],
        )
        const ask = (statement: string): Promise<pg.QueryArrayResult> =>
          client.query({ text: statement, rowMode: 'array', types: asText })
        if (/^\s*(select|with|values|table)\b/i.test(text)) {
          await ask(`declare shiplog_rows no scroll cursor for ${text}`)
          for (;;) {
            const page = pageOf(await ask(`fetch ${pageRows} from shiplog_rows`))
            yield page
            if (page.rows.length < pageRows) break
          }
        } else yield pageOf(await ask(text))
        await client.query('rollback')
      } catch (error) {
        failed = true
        throw error
      } finally {
        client.release(failed)
      }
    },
    positions: () => positionsOf(pool),
    close: () => pool.end(),
  }
}

function pageOf(result: pg.QueryArrayResult): ResultPage {
  return {
    columns: result.fields.map(({ name, dataTypeID }) => ({
      name,
      json: rawTypes.has(dataTypeID) ? 'raw' : dataTypeID === booleanType ? 'boolean' : 'string',
    })),
    rows: result.rows as (string | null)[][],
  }
}
