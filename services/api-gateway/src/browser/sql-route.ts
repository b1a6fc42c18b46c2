// The SQL console's question: one statement as the reader's role, which sees no Secret's data, with a time-out and so many
// rows. SQL reads across namespaces, so it is for those who may `post` to its path: a nonResourceURL of RBAC.
import { ApiError, badRequest, serviceUnavailable } from '@shiplog/api/status'
import type { HttpReply, HttpRequest } from '../http/fastify-types.ts'
import { answerJson } from '../http/responses.ts'

export const sqlPath = '/shiplog/v1/sql'

/** A page of an answer; values as PostgreSQL writes them. */
export interface SqlPage {
  readonly columns: readonly { readonly name: string; readonly json: 'raw' | 'boolean' | 'string' }[]
  readonly rows: readonly (readonly (string | null)[])[]
  readonly statement: number
}

/** Where SQL is asked, once there is any. */
export type SqlSource = () => { query(text: string): AsyncIterable<SqlPage> } | undefined

const rowsMax = 5_000
const bytesMax = 16 * 1024 * 1024
const queryCharactersMax = 100_000

export async function serveSql(source: SqlSource | undefined, { body, method }: HttpRequest, reply: HttpReply): Promise<void> {
  if (method !== 'POST') throw new ApiError(badRequest('questions are sent by POST'))
  const asked = source?.()
  if (!asked) throw new ApiError(serviceUnavailable('there is no SQL here: start the cluster with --postgres auto, and give it some seconds'))
  const query = queryOf(body)
  const rows: (readonly (string | null)[])[] = []
  let columns: SqlPage['columns'] = []
  let bytes = 0
  let isCut = false
  try {
    for await (const page of asked.query(query.replace(/;\s*$/, ''))) {
      // Of several statements the last one is shown.
      if (page.statement > 0) rows.length = 0
      columns = page.columns
      for (const row of page.rows) {
        bytes += row.reduce((sum, cell) => sum + (cell?.length ?? 0), 0)
        if (rows.length >= rowsMax || bytes > bytesMax) isCut = true
        else rows.push(row)
      }
      if (isCut) break
    }
  } catch (error) {
    throw new ApiError(badRequest(messageOf(error)))
  }
  answerJson(reply, 200, { columns: columns.map(({ name, json }) => ({ name, json })), rows, truncated: isCut })
}

function queryOf(body: unknown): string {
  try {
    const { query } = JSON.parse(Buffer.isBuffer(body) ? body.toString('utf8') : '') as { query: unknown }
    if (typeof query === 'string' && query.trim() !== '' && query.length <= queryCharactersMax) return query
  } catch {
    // As below.
  }
  throw new ApiError(badRequest('a query, please'))
}

function messageOf(error: unknown): string {
  const { message, detail, hint, position, code } = error as Record<'message' | 'detail' | 'hint' | 'position' | 'code', string | undefined>
  if (code === 'ECONNREFUSED') return 'PostgreSQL does not answer'
  return [message, position && `at character ${position}`, detail, hint && `HINT: ${hint}`].filter(Boolean).join('\n')
}
