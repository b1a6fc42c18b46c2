// `shiplog sql`: one question to the cluster's PostgreSQL, answered as a table, JSON or CSV.
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { openReader } from '@shiplog/read-model/reader'
import { createPrinter, type Format } from './sql-format.ts'
import { explainSqlError } from './sql-error.ts'
import { waitUntilFresh } from './sql-freshness.ts'

export interface SqlOptions {
  readonly dataDir: string
  readonly output: Format
  readonly fresh?: boolean
  readonly withSecrets?: boolean
}

/** What there is to ask. */
const overview = `select 'v1.' || c.relname as view, obj_description(c.oid, 'pg_class') as what
  from pg_class c where c.relnamespace = 'v1'::regnamespace and c.relkind = 'v' order by c.relname`

/** Gives the exit code. */
export async function sql(query: string | undefined, options: SqlOptions): Promise<number> {
  const dataDir = resolve(options.dataDir)
  const file = join(dataDir, options.withSecrets ? 'postgres-url-with-secrets' : 'postgres-url')
  if (!existsSync(file)) {
    throw new Error(`there is no SQL on ${dataDir}: start the cluster with --postgres auto, and give it a few seconds`)
  }
  const reader = openReader(readFileSync(file, 'utf8').trim(), {
    withSecrets: options.withSecrets === true,
    onWarning: (message) => process.stderr.write(`shiplog: warning: ${message}\n`),
  })
  const statement = query?.replace(/;\s*$/, '') ?? overview
  try {
    if (options.fresh) await waitUntilFresh(dataDir, reader)
    let printer = createPrinter(options.output)
    let answered: number | undefined
    for await (const page of reader.query(statement)) {
      if (answered !== undefined && page.statement !== answered) {
        await write(`${printer.end()}\n`)
        printer = createPrinter(options.output)
      }
      answered = page.statement
      await write(printer.page(page))
    }
    await write(printer.end())
    return 0
  } catch (error) {
    throw explainSqlError(error, statement)
  } finally {
    await reader.close()
  }
}

/** Printed before the next page is fetched, so that a slow reader of a large answer costs no memory. */
const write = (text: string): Promise<void> =>
  new Promise((settle, reject) => process.stdout.write(text, (error) => (error ? reject(error) : settle())))
