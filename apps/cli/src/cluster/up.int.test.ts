// `shiplog up` as a person runs it: a process with standard streams, signals and an exit code, on a real log.
import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { request } from 'node:https'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

// Each starts a whole cluster several times, on a machine that may have other things to do.
vi.setConfig({ testTimeout: 120_000 })

const main = join(import.meta.dirname, '../main.ts')
let dataDir = ''
const children: Run[] = []

beforeEach(() => {
  dataDir = join(mkdtempSync(join(tmpdir(), 'shiplog-up-')), 'data')
})
afterEach(async () => {
  for (const run of children.splice(0)) {
    run.child.kill('SIGTERM')
    await run.exit
  }
  rmSync(join(dataDir, '..'), { recursive: true, force: true })
})

interface Run {
  readonly child: ChildProcess
  stdout: string
  stderr: string
  readonly exit: Promise<number | string>
}

function shiplog(...args: string[]): Run {
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const exit = new Promise<number | string>((resolve) =>
    child.once('close', (code, signal) => resolve(signal ?? code ?? -1)),
  )
  const run: Run = { child, stdout: '', stderr: '', exit }
  child.stdout!.on('data', (chunk: Buffer) => (run.stdout += chunk))
  child.stderr!.on('data', (chunk: Buffer) => (run.stderr += chunk))
  return run
}

/** Starts a cluster and waits for its two lines. */
async function up(...args: string[]): Promise<Run> {
  const run = shiplog('up', '--data-dir', dataDir, '--port', '0', ...args)
  children.push(run)
  await new Promise<void>((resolve, reject) => {
    run.child.stdout!.on('data', () => run.stdout.includes('export KUBECONFIG=') && resolve())
    void run.exit.then((code) => reject(new Error(`up ended with ${code}: ${run.stderr}`)))
  })
  return run
}

async function stop(run: Run, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | string> {
  children.splice(children.indexOf(run), 1)
  run.child.kill(signal)
  return run.exit
}

interface Answer {
  readonly code: number
  readonly object: any
}

function api(method: string, path: string, body?: object): Promise<Answer> {
  const server = /server: (\S+)/.exec(readFileSync(join(dataDir, 'kubeconfig'), 'utf8'))![1]!
  const file = (name: string): Buffer => readFileSync(join(dataDir, 'pki', name))
  return new Promise((resolve, reject) => {
    const call = request(
      `${server}${path}`,
      {
        method,
        ca: file('ca.crt'),
        cert: file('admin.crt'),
        key: file('admin.key'),
        headers: { 'content-type': 'application/json' },
        agent: false,
      },
      (response) => {
        let text = ''
        response.on('data', (chunk: Buffer) => (text += chunk))
        response.on('end', () => resolve({ code: response.statusCode!, object: JSON.parse(text) }))
      },
    )
    call.on('error', reject)
    call.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

const configMap = (name: string): object => ({ metadata: { name }, data: { a: 'b' } })

describe.each(['embedded', 'jetstream'])('a cluster on the log %s', (log) => {
  test('is ready with its nodes, keeps its state over stops and kills, and ends with 0 within 5 s', async () => {
    const first = await up('--log', log)
    expect(first.stdout).toMatch(/^Shiplog is ready in \d+\.\d\d s\nexport KUBECONFIG=\S+\/kubeconfig\n$/)
    expect(first.stderr).toContain(`log: ${log}`)
    expect(statSync(join(dataDir, 'kubeconfig')).mode & 0o777).toBe(0o600)
    const nodes = await api('GET', '/api/v1/nodes')
    expect(nodes.object.items).toHaveLength(4)
    for (const node of nodes.object.items) {
      expect(node.status.conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'True' }))
    }
    const created = await api('POST', '/api/v1/namespaces/default/configmaps', configMap('one'))
    expect(created.code).toBe(201)
    const stoppedAt = performance.now()
    expect(await stop(first, 'SIGINT')).toBe(0)
    expect(performance.now() - stoppedAt).toBeLessThan(5_000)

    const second = await up()
    expect(second.stderr).toContain('this data directory was begun with it')
    expect((await api('GET', '/api/v1/namespaces/default/configmaps/one')).object).toEqual(created.object)
    const another = await api('POST', '/api/v1/namespaces/default/configmaps', configMap('two'))
    expect(await stop(second, 'SIGKILL')).toBe('SIGKILL')

    const third = await up()
    expect(third.stderr).toContain('did not end in order')
    expect((await api('GET', '/api/v1/namespaces/default/configmaps/two')).object).toEqual(another.object)
    const parts = await api('GET', '/api/v1/namespaces/kube-system/pods?labelSelector=component%3Dkube-apiserver')
    expect(parts.object.items[0].status.containerStatuses[0]).toMatchObject({
      restartCount: 2,
      lastState: { terminated: { reason: 'Unknown' } },
    })
    expect(await stop(third)).toBe(0)
    const verified = shiplog('verify', '--data-dir', dataDir)
    expect([await verified.exit, verified.stderr]).toEqual([0, ''])
    expect(verified.stdout).toMatch(/events: \d+ records, \d+ seals, up to sequence \d+: all whole/)
  }, 180_000)
})

test('a second up on the same data directory says so and exits 1, and the first is not disturbed', async () => {
  const first = await up('--log', 'embedded', '--simulated-nodes', '1')
  const second = shiplog('up', '--data-dir', dataDir, '--port', '0')
  expect(await second.exit).toBe(1)
  expect(second.stderr).toContain(`another shiplog (process ${first.child.pid}) runs on ${dataDir}`)
  const status = shiplog('status', '--data-dir', dataDir)
  expect(await status.exit).toBe(0)
  expect(status.stdout).toContain(`running: process ${first.child.pid}`)
  expect(await stop(first)).toBe(0)
  const afterwards = shiplog('status', '--data-dir', dataDir)
  expect(await afterwards.exit).toBe(1)
})

test('a log that is gone or older than what was acknowledged stops the start, and verify says it too', async () => {
  const first = await up('--log', 'embedded')
  await api('POST', '/api/v1/namespaces/default/configmaps', configMap('one'))
  expect(await stop(first)).toBe(0)
  cpSync(join(dataDir, 'log.db'), join(dataDir, 'older.db'))
  const second = await up()
  await api('POST', '/api/v1/namespaces/default/configmaps', configMap('two'))
  expect(await stop(second)).toBe(0)
  for (const suffix of ['', '-wal', '-shm']) rmSync(join(dataDir, `log.db${suffix}`), { force: true })

  const empty = shiplog('up', '--data-dir', dataDir, '--port', '0')
  expect(await empty.exit).toBe(1)
  expect(empty.stderr).toContain('The log is another one')

  for (const suffix of ['', '-wal', '-shm']) rmSync(join(dataDir, `log.db${suffix}`), { force: true })
  cpSync(join(dataDir, 'older.db'), join(dataDir, 'log.db'))
  const older = shiplog('up', '--data-dir', dataDir, '--port', '0')
  expect(await older.exit).toBe(1)
  expect(older.stderr).toMatch(
    /The log was shortened: it ends at sequence \d+, but \S+ was acknowledged at sequence \d+/,
  )
  const verified = shiplog('verify', '--data-dir', dataDir)
  expect(await verified.exit).toBe(1)
  expect(verified.stderr).toContain('The log was shortened')
})

test('a port that is taken is said so, exit 1, and the data directory is free again', async () => {
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  const { port } = taken.address() as { port: number }
  const refused = shiplog('up', '--data-dir', dataDir, '--port', String(port), '--log', 'embedded')
  expect(await refused.exit).toBe(1)
  expect(refused.stderr).toContain(`port ${port} is taken`)
  taken.close()
  await stop(await up())
})

test('a signal while it starts ends it with 0', async () => {
  const run = shiplog('up', '--data-dir', dataDir, '--port', '0', '--log', 'embedded')
  await new Promise<void>((resolve) => run.child.stderr!.once('data', () => resolve()))
  run.child.kill('SIGTERM')
  expect(await run.exit).toBe(0)
})

test('wrong usage is exit code 2, and the message says what is wanted', async () => {
  const run = shiplog('up', '--port', '70000')
  expect(await run.exit).toBe(2)
  expect(run.stderr).toContain('a whole number from 0 to 65535')
  const kind = shiplog('up', '--node', 'virtual')
  expect(await kind.exit).toBe(2)
  expect(kind.stderr).toContain('process or containerd, please')
})
