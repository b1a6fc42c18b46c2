// The line of `shiplog status` about SQL: where it is, and how far behind the log.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { openReader } from '@shiplog/read-model/reader'
import { lagOf, streamEnds } from './sql-freshness.ts'

export async function sqlStatus(dataDir: string): Promise<string> {
  const url = readFileSync(join(dataDir, 'postgres-url'), 'utf8').trim()
  const { host, pathname } = new URL(url)
  const reader = openReader(url)
  try {
    const lag = lagOf(await streamEnds(dataDir), await reader.positions())
    return `SQL: postgres://${host}${pathname} (${lag === 0 ? 'up to date' : `${lag} events behind`})`
  } catch (error) {
    return `SQL: postgres://${host}${pathname} (not reachable: ${error instanceof Error ? error.message : String(error)})`
  } finally {
    await reader.close()
  }
}
