// Whatever ends a command: nothing that it began is left, and the next one finds its directory free.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startCluster } from '@shiplog/all-in-one/cluster'
import { silentLogger } from '@shiplog/runtime/logger'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { findNatsServer } from './cluster/find-nats-server.ts'

vi.setConfig({ testTimeout: 60_000 })
const main = join(import.meta.dirname, 'main.ts')
const natsServer = await findNatsServer(() => undefined)({ fetch: false })
const log = natsServer ? 'jetstream' : 'embedded'
const place = mkdtempSync(join(tmpdir(), 'shiplog-ending-'))
const dataDir = join(place, 'data')

beforeAll(async () => {
  const options = { port: 0, simulatedNodes: 1, logger: silentLogger, findNatsServer: findNatsServer(() => undefined) }
  const cluster = await startCluster({ dataDir, log, ...options })
  await cluster.stop()
}, 60_000)
afterAll(() => rmSync(place, { recursive: true, force: true }))

/** Processes whose command line names the directory. */
const left = (): string[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
        return line.includes(dataDir) ? [line] : []
      } catch {
        return []
      }
    })

test.each([
  ['log'],
  ['log --patch -o json'],
  ['history namespace/default'],
  ['diff 1 now'],
  ['verify'],
  ['replay'],
])('%s | head -1', async (command) => {
  const line = `"${process.execPath}" "${main}" ${command} -d "${dataDir}" | head -1 >/dev/null`
  const { stderr } = spawnSync('bash', ['-c', line], { encoding: 'utf8' })
  expect(stderr).not.toMatch(/EPIPE|\n {4}at /)
  await expect.poll(left, { timeout: 10_000 }).toEqual([])
  expect(existsSync(join(dataDir, 'lock'))).toBe(false)
})

test.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL'] as const)('%s while it waits', async (signal) => {
  const child = spawn(process.execPath, [main, 'log', '--follow', '-d', dataDir], { stdio: 'ignore' })
  const exit = new Promise((resolve) => child.once('exit', resolve))
  await expect.poll(() => existsSync(join(dataDir, 'lock')) && left().length >= (natsServer ? 2 : 1), { timeout: 20_000 }).toBe(true)
  child.kill(signal)
  await exit
  await expect.poll(left, { timeout: 10_000 }).toEqual([])
  // A killed one leaves its lock, which the next command takes over.
  if (signal !== 'SIGKILL') expect(existsSync(join(dataDir, 'lock'))).toBe(false)
  expect(spawnSync(process.execPath, [main, 'verify', '-d', dataDir]).status).toBe(0)
})

test('a command ends when the process that started it is killed', async () => {
  const run = join(import.meta.dirname, '../../../tools/run.mjs')
  const starter = spawn(process.execPath, [run, 'apps/cli/src/main.ts', 'log', '--follow', '-d', dataDir], { stdio: 'ignore' })
  await expect.poll(() => existsSync(join(dataDir, 'lock')), { timeout: 20_000 }).toBe(true)
  starter.kill('SIGKILL')
  await expect.poll(left, { timeout: 10_000 }).toEqual([])
})
