// The guarded log: what a gateway gets, and what stops it.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@shiplog/runtime/clock'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sample } from './event-log.contract.ts'
import { createGroupCommitter } from './group-committer.ts'
import { openGuardedLog } from './guarded-log.ts'
import { openSqliteClusterLog } from './sqlite/sqlite-log.ts'
import { verifyLog } from './verify-log.ts'

let dataDir: string
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'shiplog-guarded-'))
})
afterEach(() => rmSync(dataDir, { recursive: true, force: true }))

const open = () => openGuardedLog({ dataDir, clock: systemClock, open: () => openSqliteClusterLog({ dataDir }) })

test('a log that is opened, written, closed and opened again is sealed, marked and whole', async () => {
  for (let run = 0; run < 3; run += 1) {
    const { log, onStored, close } = await open()
    const committer = createGroupCommitter(log.events, { onStored })
    for (let index = 0; index < 20; index += 1) {
      const result = await committer.commit([
        sample(`evt.core.pods.run-${run}.pod-${index}`, 0),
        sample('guard.room.x', undefined),
      ])
      expect(result.ok).toBe(true)
    }
    expect((await verifyLog(log.events)).findings).toEqual([])
    const end = await log.events.lastSequence()
    await close()
    const mark = JSON.parse(readFileSync(join(dataDir, 'high-water-mark.json'), 'utf8'))
    expect(mark).toMatchObject({ sequence: end + 1, subject: 'seal.log' })
  }
  const { log, close } = await open()
  expect(await verifyLog(log.events)).toMatchObject({ ok: true, records: 123, seals: 3 })
  await close()
})

test('a log that was swapped for an empty one stops start-up', async () => {
  const first = await open()
  await first.close()
  for (const file of ['log.db', 'log.db-wal', 'log.db-shm']) rmSync(join(dataDir, file), { force: true })
  await expect(open()).rejects.toThrow('The log is another one')
})
