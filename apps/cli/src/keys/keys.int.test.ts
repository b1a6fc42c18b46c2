// Keys as a person meets them: `shiplog keys …`, backups without keys, and a cluster that is killed with -9 while Secrets are made.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

vi.setConfig({ testTimeout: 180_000 })

const main = join(import.meta.dirname, '../main.ts')
let place = ''
let dataDir = ''
let running: ChildProcess | undefined

beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'shiplog-keys-'))
  dataDir = join(place, 'data')
})
afterEach(async () => {
  await end('SIGTERM')
  rmSync(place, { recursive: true, force: true })
})

/** Ends the cluster, and waits for that. */
async function end(signal: NodeJS.Signals): Promise<void> {
  const child = running
  running = undefined
  if (!child || child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('close', resolve))
  child.kill(signal)
  await ended
}

/** Resolves when it is ready; rejects with what it said when it ends before. */
async function up(...args: string[]): Promise<void> {
  const all = [main, 'up', '-d', dataDir, '-p', '0', '-n', '0', '--postgres', 'off', '--no-dashboard', ...args]
  const child = spawn(process.execPath, all, { stdio: ['ignore', 'pipe', 'pipe'] })
  running = child
  let said = ''
  child.stderr!.on('data', (chunk: Buffer) => (said += chunk))
  await new Promise<void>((resolve, reject) => {
    child.stdout!.on('data', (chunk: Buffer) => chunk.includes('export KUBECONFIG=') && resolve())
    child.once('close', () => reject(new Error(said)))
  })
}

interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

const shiplog = (...args: string[]): Promise<Ran> =>
  new Promise((settle) => {
    execFile(process.execPath, [main, ...args], (error, out, err) => settle({ code: Number(error?.code ?? 0), out, err }))
  })

function api(method: string, path: string, body?: object): Promise<{ readonly code: number; readonly object: any }> {
  const server = /server: (\S+)/.exec(readFileSync(join(dataDir, 'kubeconfig'), 'utf8'))![1]!
  const file = (name: string): Buffer => readFileSync(join(dataDir, 'pki', name))
  const tls = { ca: file('ca.crt'), cert: file('admin.crt'), key: file('admin.key') }
  return new Promise((settle, reject) => {
    const call = request(`${server}${path}`, { ...tls, method, agent: false, headers: { 'content-type': 'application/json' } }, (answer) => {
      let text = ''
      answer.on('data', (chunk) => (text += chunk))
      answer.on('error', reject)
      answer.on('end', () => settle({ code: answer.statusCode!, object: JSON.parse(text) }))
    })
    call.on('error', reject)
    call.end(body && JSON.stringify(body))
  })
}

const secretsPath = '/api/v1/namespaces/default/secrets'
const base64 = (text: string): string => Buffer.from(text).toString('base64')
const make = (name: string, says: string) =>
  api('POST', secretsPath, { apiVersion: 'v1', kind: 'Secret', metadata: { name }, data: { says: base64(says) } })

const filesWith = (text: string, directory: string): string[] =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => [text, base64(text)].some((form) => readFileSync(path).includes(form)))

describe.each(['embedded', 'jetstream'])('a cluster on %s that is killed while Secrets are made', (log) => {
  test('has the key of every one that was acknowledged', async () => {
    const made = new Map<string, string>()
    for (const life of [1, 2]) {
      await up('--log', log)
      let isOver = false
      const writers = [0, 1, 2, 3].map(async (writer) => {
        for (let index = 0; !isOver; index++) {
          const name = `s-${life}-${writer}-${index}`
          const answer = await make(name, `of ${name}`).catch(() => undefined)
          if (answer?.code === 201) made.set(name, `of ${name}`)
        }
      })
      const before = made.size
      while (made.size < before + 60) await new Promise((resolve) => setTimeout(resolve, 2))
      await end('SIGKILL')
      isOver = true
      await Promise.all(writers)
    }
    await up('--log', log)
    const { object } = await api('GET', secretsPath)
    const found = new Map<string, string>(object.items.map(({ metadata, data }: any) => [metadata.name, Buffer.from(data.says, 'base64').toString()]))
    for (const [name, says] of made) expect(found.get(name)).toBe(says)
    const { object: keys } = await api('GET', '/shiplog/v1/keys')
    expect(keys.present).toBeGreaterThanOrEqual(found.size)
    expect(made.size).toBeGreaterThanOrEqual(120)
  })
})

test('keys are listed, rotated, saved and destroyed; a backup has none, and with them it comes back', async () => {
  await up('--log', 'embedded')
  await make('stays', 'canary-that-stays')
  const gone = (await make('gone', 'canary-that-goes')).object.metadata
  const list = async (): Promise<any[]> => JSON.parse((await shiplog('keys', 'list', '-d', dataDir, '-o', 'json')).out)
  expect(await list()).toMatchObject([{ object: 'secrets/stays in default' }, { uid: gone.uid, object: 'secrets/gone in default' }])

  const rotated = await shiplog('keys', 'rotate', '-d', dataDir)
  expect([rotated.code, rotated.err]).toEqual([0, ''])
  for (const { by } of await list()) expect(by).toMatch(/^aesgcm\/key-/)

  const refused = await shiplog('keys', 'destroy', gone.uid, '--yes', '-d', dataDir)
  expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('delete that first')])
  await api('DELETE', `${secretsPath}/gone`)
  const [saved, copy] = [join(place, 'keys.json'), join(place, 'copy')]
  expect((await shiplog('keys', 'destroy', gone.uid, '-d', dataDir)).err).toMatch(/Nobody will be able to tell[\s\S]*--yes says yes/)
  expect((await shiplog('keys', 'destroy', gone.uid, '--yes', '-d', dataDir)).code).toBe(0)
  const history = await shiplog('history', 'secret/gone', '-d', dataDir)
  expect(history.out).toMatch(/SecretCreated {2}secret\/gone in default {2}by kubernetes-admin\n.*cannot be told any more: its key was destroyed at .*, by kubernetes-admin/)
  expect(history.err).toMatch(/the keys of what was stored at sequence .* are gone/)
  expect((await shiplog('log', 'secret/stays', '-d', dataDir, '-o', 'json')).out).toContain(base64('canary-that-stays'))

  expect((await shiplog('backup', '-d', dataDir, '-o', copy)).out).toMatch(/the keys are not: shiplog keys save/)
  expect((await shiplog('keys', 'save', '-d', dataDir, '-o', saved)).code).toBe(0)
  expect(statSync(saved).mode & 0o777).toBe(0o600)
  await end('SIGTERM')
  expect(filesWith('canary-that', place)).toEqual([])
  for (const secret of readFileSync(join(dataDir, 'encryption.yaml'), 'utf8').matchAll(/secret: (\S+)/g)) {
    expect(filesWith(secret[1]!, copy)).toEqual([])
  }
  // Of a stopped cluster they are told from its directory.
  expect(await list()).toMatchObject([{ object: 'secrets/stays in default' }, { destroyed: expect.stringContaining('by kubernetes-admin') }])
  expect((await shiplog('log', 'secret/stays', '-d', dataDir, '-o', 'json')).out).toContain(base64('canary-that-stays'))
  expect((await shiplog('log', 'secret/stays', '-d', copy, '-o', 'json')).out).toContain('"gone":')

  rmSync(dataDir, { recursive: true })
  expect((await shiplog('restore', copy, '-d', dataDir, '--log', 'embedded')).code).toBe(0)
  await expect(up()).rejects.toThrow(/evt\.core\.secrets\.default\.stays at sequence \d+ cannot be read: its key is not in the store of keys/)
  rmSync(dataDir, { recursive: true })
  expect((await shiplog('restore', copy, '-d', dataDir, '--log', 'embedded', '--keys', saved)).code).toBe(0)
  await up()
  expect((await api('GET', `${secretsPath}/stays`)).object.data).toEqual({ says: base64('canary-that-stays') })
  expect((await shiplog('history', 'secret/gone', '-d', dataDir)).out).toMatch(/its key was destroyed at .*, by kubernetes-admin/)
})
