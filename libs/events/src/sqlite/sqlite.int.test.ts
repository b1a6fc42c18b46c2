// The embedded log against the contract, and what is its own: the lock, the file.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { describeEventLogContract, put } from '../event-log.contract.ts'
import { openSqliteClusterLog } from './sqlite-log.ts'

const freshDir = (): string => mkdtempSync(join(tmpdir(), 'shiplog-sqlite-'))

describeEventLogContract('SQLite', {
  open: async () => {
    const dataDir = freshDir()
    let log = await openSqliteClusterLog({ dataDir })
    return {
      log,
      reopen: async () => {
        await log.close()
        log = await openSqliteClusterLog({ dataDir })
        return log
      },
      dispose: async () => {
        await log.close()
        rmSync(dataDir, { recursive: true, force: true })
      },
    }
  },
})

test('a second opener of the same file is told that the log is in use', async () => {
  const dataDir = freshDir()
  const log = await openSqliteClusterLog({ dataDir })
  await expect(openSqliteClusterLog({ dataDir })).rejects.toThrow('in use by another process')
  await log.close()
  const again = await openSqliteClusterLog({ dataDir })
  await again.close()
  rmSync(dataDir, { recursive: true, force: true })
})

test('a closed log refuses with LogUnavailable, and ends its followers', async () => {
  const log = await openSqliteClusterLog({ dataDir: ':memory:' })
  await put(log.events, 'evt.core.pods.default.a', 0)
  const seen: number[] = []
  const following = (async () => {
    for await (const batch of log.events.follow({ subjects: ['>'], signal: new AbortController().signal })) {
      seen.push(batch.length)
    }
  })()
  await new Promise((resolve) => setTimeout(resolve, 20))
  await log.close()
  await following
  expect(seen).toEqual([1, 0])
  await expect(put(log.events, 'evt.core.pods.default.b', 0)).rejects.toMatchObject({ name: 'LogUnavailable' })
})
