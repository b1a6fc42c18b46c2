// What every command writes is for its owner's eyes, under the widest umask and in directories that were open before.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hasEmbeddedPostgres } from '@shiplog/read-model/embedded-postgres'
import { postgresHome } from '@shiplog/read-model/postgres-home'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

vi.setConfig({ testTimeout: 180_000 })
const main = join(import.meta.dirname, 'main.ts')
let place = ''
const running: ChildProcess[] = []
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'shiplog-modes-'))
})
afterEach(async () => {
  for (const child of running.splice(0)) {
    const exit = new Promise((resolve) => child.once('close', resolve))
    child.kill('SIGTERM')
    await exit
  }
  rmSync(place, { recursive: true, force: true })
})

/** An open directory with an open file in it, as an earlier version or another tool may have left them. */
function openDirectory(name: string, ...files: string[]): string {
  const directory = join(place, name)
  mkdirSync(directory, { mode: 0o755 })
  for (const file of files) writeFileSync(join(directory, file), '', { mode: 0o644 })
  return directory
}

/** Every file and directory that others may do anything with. */
function openOnes(path: string): string[] {
  const stat = lstatSync(path)
  if (stat.isSymbolicLink()) return []
  const mode = (stat.mode & 0o777).toString(8)
  const own = (stat.mode & 0o077) === 0 ? [] : [`${mode} ${path}`]
  return stat.isDirectory() ? [...own, ...readdirSync(path).flatMap((name) => openOnes(join(path, name)))] : own
}

/** Under umask 0. */
const argv = (args: readonly string[]): [string, string[]] => [
  'sh',
  ['-c', 'umask 0; exec "$0" "$@"', process.execPath, main, ...args],
]

function shiplog(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(...argv(args), { encoding: 'utf8', timeout: 60_000 })
}

async function up(until: string, ...args: string[]): Promise<void> {
  const child = spawn(...argv(args), { stdio: ['ignore', 'pipe', 'pipe'] })
  running.push(child)
  let text = ''
  await new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.on('data', (chunk: Buffer) => {
        text += chunk
        if (text.includes(until)) resolve()
      })
    }
    child.once('close', () => reject(new Error(text)))
  })
}

test.each(['embedded', 'jetstream'])('up on %s, its SQL, and a backup', async (log) => {
  const sql = hasEmbeddedPostgres()
  const dataDir = openDirectory('data', 'log.db', 'kubeconfig', 'postgres-secret-old')
  if (log === 'jetstream') rmSync(join(dataDir, 'log.db'))
  const choice = sql ? 'auto' : 'off'
  await up(sql ? 'SQL: postgres' : 'KUBECONFIG', 'up', '-d', dataDir, '--port', '0', '--log', log, '--postgres', choice)
  expect(openOnes(dataDir)).toEqual([])
  if (sql) expect(openOnes(postgresHome(dataDir)).filter((path) => !path.includes('/bin-'))).toEqual([])
  const copy = join(place, 'copy')
  expect(shiplog('backup', '-d', dataDir, '-o', copy)).toMatchObject({ status: 0 })
  const restored = openDirectory('restored')
  expect(shiplog('restore', copy, '-d', restored, '--log', log)).toMatchObject({ status: 0 })
  expect([copy, restored].flatMap(openOnes)).toEqual([])
  expect(shiplog('down', '-d', dataDir, '--purge', '--yes')).toMatchObject({ status: 0 })
  expect(readdirSync(place).sort()).toEqual(['copy', 'restored'])
})

test('pki, into a directory that was open', () => {
  const out = openDirectory('out', 'README')
  mkdirSync(join(out, 'admin'), { mode: 0o755 })
  writeFileSync(join(out, 'admin', 'kubeconfig'), 'old', { mode: 0o644 })
  for (let time = 0; time < 2; time++) expect(shiplog('pki', '--out', out).status).toBe(0)
  expect(openOnes(out).filter((path) => !path.endsWith('README'))).toEqual([])
})

test('apart, with everything that its services write', async () => {
  const dataDir = openDirectory('apart')
  await up('KUBECONFIG', 'apart', '-d', dataDir, '--port', '0', '--replicas', '1', '-n', '1', '--postgres', 'off')
  expect(openOnes(dataDir)).toEqual([])
})

test('a fault in a token file is told by its line, without what is in it', () => {
  const tokens = join(place, 'tokens.csv')
  writeFileSync(tokens, 'good-token,jane,1\nsecret-token,\n')
  const { status, stderr } = shiplog('up', '-d', join(place, 'data'), '--port', '0', '--token-auth-file', tokens)
  expect(status).toBe(1)
  expect(stderr).toContain('line 2')
  expect(stderr).not.toMatch(/secret-token|good-token/)
})
