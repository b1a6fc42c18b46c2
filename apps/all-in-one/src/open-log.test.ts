import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@shiplog/runtime/clock'
import { silentLogger } from '@shiplog/runtime/logger'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { decideLog, isLogChoice, openLog, recordedLog } from './open-log.ts'

const binary = { path: '/opt/nats-server', version: '2.15.1', how: 'cache' }
const found = async (): Promise<typeof binary> => binary
const none = async (): Promise<undefined> => undefined

describe('the log of a new data directory', () => {
  test('is JetStream when a nats-server is there, and looking for one downloads nothing', async () => {
    const asked: boolean[] = []
    const decision = await decideLog('auto', undefined, async ({ fetch }) => {
      asked.push(fetch)
      return binary
    })
    expect(decision).toMatchObject({ kind: 'jetstream', why: 'nats-server found (cache)' })
    expect(asked).toEqual([false])
  })

  test('is the embedded one when there is none, and says how to get one', async () => {
    expect(await decideLog('auto', undefined, none)).toMatchObject({
      kind: 'embedded',
      why: expect.stringContaining('--log jetstream'),
    })
  })

  test('is what --log says; for jetstream a nats-server is provided, or the start fails', async () => {
    expect(await decideLog('embedded', undefined, found)).toMatchObject({ kind: 'embedded' })
    expect(await decideLog('nats://a:4222', undefined, none)).toMatchObject({ kind: 'remote', url: 'nats://a:4222' })
    expect(await decideLog('jetstream', undefined, async ({ fetch }) => (fetch ? binary : undefined))).toMatchObject({
      kind: 'jetstream',
    })
    await expect(decideLog('jetstream', undefined, none)).rejects.toThrow('no nats-server of 2.12 or later')
  })
})

describe('the log of a data directory that has one', () => {
  test('stays what it was, whatever is installed meanwhile', async () => {
    expect(await decideLog('auto', 'embedded', found)).toMatchObject({ kind: 'embedded' })
    expect(await decideLog('auto', 'jetstream', found)).toMatchObject({ kind: 'jetstream' })
  })

  test('is never replaced by an empty one of another kind', async () => {
    await expect(decideLog('embedded', 'jetstream', found)).rejects.toThrow('would start an empty cluster')
    await expect(decideLog('jetstream', 'embedded', found)).rejects.toThrow('would start an empty cluster')
    await expect(decideLog('auto', 'jetstream', none)).rejects.toThrow('there is no nats-server')
    await expect(decideLog('auto', 'remote', found)).rejects.toThrow('give it with --log nats://')
  })
})

test('words that are no log are told apart', () => {
  expect(['auto', 'embedded', 'jetstream', 'nats://h:4222', 'tls://h'].every(isLogChoice)).toBe(true)
  expect(['', 'sqlite', 'nats://', 'http://x', 'nats://a b'].some(isLogChoice)).toBe(false)
})

describe('opening', () => {
  let dataDir = ''
  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'shiplog-log-'))
  })
  afterEach(() => rmSync(dataDir, { recursive: true, force: true }))

  test('records which log it is, and says so in one line', async () => {
    const opened = await openLog({
      choice: 'auto',
      dataDir,
      clock: systemClock,
      logger: silentLogger,
      progress: () => undefined,
      findNatsServer: none,
    })
    expect(opened.description).toMatch(/^embedded.*: no nats-server/)
    await opened.log.close()
    await opened.stop()
    expect(recordedLog(dataDir)).toBe('embedded')
    expect(readFileSync(join(dataDir, 'log.json'), 'utf8')).not.toContain('password')
  })
})
