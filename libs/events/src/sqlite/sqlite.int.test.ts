// The embedded log against the contract, and what is its own: the lock, the file.
import { spawn } from 'node:child_process'
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

test('after kill -9 of the writing process every acknowledged append is there at its sequence', async () => {
  const dataDir = freshDir()
  const script = `
    import { openSqliteClusterLog } from ${JSON.stringify(new URL('sqlite-log.ts', import.meta.url).href)}
    import { writeSync } from 'node:fs'
    const { events } = await openSqliteClusterLog({ dataDir: ${JSON.stringify(dataDir)} })
    const run = (await events.lastSequence()) + 1
    await Promise.all(Array.from({ length: 8 }, async (_, writer) => {
      for (let turn = 0; ; turn += 1) {
        const subject = 'evt.core.pods.run-' + run + '.w' + writer + '-' + turn
        const member = (name) => ({ subject: subject + name, expected: 0, headers: { n: subject + name }, payload: Buffer.from(subject) })
        const result = await events.append([member('a'), member('b')])
        if (result.ok) writeSync(1, subject + ' ' + result.sequences.join(' ') + '\\n')
      }
    }))`
  let checked = 0
  for (let kill = 0; kill < 5; kill += 1) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    const ended = new Promise((resolve) => child.once('close', resolve))
    await new Promise<void>((resolve) => {
      child.stdout.on('data', (data) => {
        output += String(data)
        if (output.length > 20_000) resolve()
      })
    })
    child.kill('SIGKILL')
    await ended
    const log = await openSqliteClusterLog({ dataDir })
    for (const line of output.split('\n').slice(0, -1)) {
      const [subject, a, b] = line.split(' ') as [string, string, string]
      expect((await log.events.get(Number(a)))?.subject).toBe(`${subject}a`)
      expect((await log.events.get(Number(b)))?.subject).toBe(`${subject}b`)
      checked += 1
    }
    expect(await log.events.recordCount()).toBe(await log.events.lastSequence())
    await log.close()
  }
  expect(checked).toBeGreaterThan(1000)
  rmSync(dataDir, { recursive: true, force: true })
}, 60_000)
