// Secrets in the log of a whole cluster, on both logs: what they hold lies nowhere on the disk, is read as ever, in the past too,
// and cannot be told any more when their keys are destroyed.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { configurationFileIn, withNewKey } from '@shiplog/encryption/configuration-file'
import type { savedKeysOf } from '@shiplog/encryption/saved-keys'
import { provideNatsServer } from '@shiplog/nats-server/nats-binary'
import { silentLogger as logger } from '@shiplog/runtime/logger'
import { eventually } from '@shiplog/testing/eventually'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type RunningCluster, startCluster } from './cluster.ts'

vi.setConfig({ testTimeout: 120_000 })

let place = ''
let cluster: RunningCluster
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'shiplog-encrypted-'))
})
afterEach(async () => {
  await cluster?.stop()
  rmSync(place, { recursive: true, force: true })
})

async function up(log: 'embedded' | 'jetstream', deletedKeyGrace?: string): Promise<void> {
  const findNatsServer = () => provideNatsServer({})
  const flags = deletedKeyGrace === undefined ? {} : { serverFlags: { deletedKeyGrace } }
  cluster = await startCluster({ dataDir: place, port: 0, log, simulatedNodes: 0, logger, findNatsServer, ...flags } as never)
}

const client = () => cluster.gateway.clientFor({ name: 'ann', groups: ['system:masters', 'system:authenticated'] })
const secrets = { group: '', resource: 'secrets', namespace: 'default' } as const

/** Gives the sequence. */
async function put(verb: 'create' | 'update', name: string, says: string): Promise<number> {
  const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': `{"stringData":{"says":"${says}"}}` }
  const body = { apiVersion: 'v1', kind: 'Secret', metadata: { name, annotations }, data: { says: base64(says) } }
  const made = await client().request({ ...secrets, verb, ...(verb === 'update' ? { name } : {}), body })
  if (!made.ok) throw new Error(made.status.message)
  return Number(made.object.metadata.resourceVersion)
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')

/** An answer of the gateway over HTTPS, as kubectl gets it. */
async function ask(path: string, method = 'GET', user?: string): Promise<{ readonly code: number; readonly body: any; readonly warning: string }> {
  const file = (name: string): Buffer => readFileSync(join(place, 'pki', name))
  const tls = { ca: file('ca.crt'), cert: file('admin.crt'), key: file('admin.key') }
  const headers = user === undefined ? {} : { 'impersonate-user': user }
  return await new Promise((settle, reject) => {
    request(`${cluster.url}${path}`, { ...tls, method, headers }, (answer) => {
      let text = ''
      answer.on('data', (chunk) => (text += chunk))
      const lines = (): any[] => text.trim().split('\n').map((line) => JSON.parse(line))
      answer.on('end', () => settle({ code: answer.statusCode!, body: path.includes('/events') ? lines() : JSON.parse(text), warning: String(answer.headers['warning'] ?? '') }))
    })
      .on('error', reject)
      .end()
  })
}

/** The files below a directory in which a text stands, as it is or in base64. */
function filesWith(text: string, directory = place): string[] {
  const forms = [text, base64(text)]
  return readdirSync(directory).flatMap((name) => {
    const path = join(directory, name)
    if (statSync(path).isDirectory()) return filesWith(text, path)
    const bytes = readFileSync(path)
    return forms.some((form) => bytes.includes(form)) ? [path] : []
  })
}

describe.each(['embedded', 'jetstream'] as const)('Secrets on %s', (log) => {
  test('lie nowhere in the clear, and are read as ever, after a start and a rotation too', async () => {
    await up(log)
    const made = await put('create', 'db', 'canary-one-of-a-kind')
    await put('update', 'db', 'canary-two-of-a-kind')
    const { object: map } = (await client().request({ group: '', resource: 'configmaps', namespace: 'default', verb: 'create', body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm' }, data: { says: 'plain-as-ever' } } })) as any
    expect(map.data).toEqual({ says: 'plain-as-ever' })
    const check = async (): Promise<void> => {
      const present = await ask('/api/v1/namespaces/default/secrets/db')
      expect(present.body.data).toEqual({ says: base64('canary-two-of-a-kind') })
      const past = await ask(`/at/${made}/api/v1/namespaces/default/secrets/db`)
      expect(past.body.data).toEqual({ says: base64('canary-one-of-a-kind') })
      const history = await ask('/shiplog/v1/history?resource=secrets&namespace=default&name=db')
      expect(history.body.versions.map(({ type }: any) => type)).toEqual(['SecretCreated', 'SecretUpdated'])
      const [line] = (await ask(`/shiplog/v1/events?from=${made}&to=${made}`)).body
      expect(JSON.parse(line.clear).data).toEqual({ says: base64('canary-one-of-a-kind') })
      expect(Object.keys(line.payload)).toEqual(['encrypted'])
    }
    await check()
    await cluster.stop()
    expect(filesWith('plain-as-ever')).not.toEqual([])
    for (const canary of ['canary-one-of-a-kind', 'canary-two-of-a-kind']) expect(filesWith(canary)).toEqual([])
    for (const name of ['encryption.yaml', ...(log === 'embedded' ? ['keys.db'] : [])]) {
      expect(statSync(join(place, name)).mode & 0o777, name).toBe(0o600)
    }
    await up(log)
    await check()

    const file = configurationFileIn(place)
    writeFileSync(file, withNewKey(readFileSync(file, 'utf8'), 'second')!)
    await eventually(async () => {
      const { wrappedBy } = (await ask('/shiplog/v1/keys')).body
      return Object.keys(wrappedBy).every((by) => by.startsWith('aesgcm/second/'))
    })
    await check()
  })

  test('cannot be told any more when their keys are destroyed: not by history, nor lists, nor the log; that they were stays', async () => {
    await up(log, '1')
    const stays = await put('create', 'stays', 'x')
    const made = await put('create', 'gone', 'canary-one-of-a-kind')
    const { keys } = (await ask('/shiplog/v1/keys?wrapped=true')).body as ReturnType<typeof savedKeysOf>
    const { uid, wrapped } = keys.find(({ subject }) => subject.endsWith('.gone'))!
    const live = await client().request({ ...secrets, verb: 'get', name: 'gone' })
    expect(live.ok && live.object.metadata.uid).toBe(uid)
    await client().request({ ...secrets, verb: 'delete', name: 'gone' })
    await eventually(async () => (await ask('/shiplog/v1/keys')).body.destroyed === 1)

    const past = await ask(`/at/${made}/api/v1/namespaces/default/secrets/gone`)
    expect([past.code, past.body.message]).toEqual([410, expect.stringMatching(/secrets default\/gone held at sequence \d+ cannot be told any more: its key was destroyed at .*, because its object was deleted/)])
    const list = await ask(`/at/${made}/api/v1/namespaces/default/secrets`)
    expect(list.body.items.map(({ metadata }: any) => metadata.name)).toEqual(['stays'])
    expect(list.warning).toMatch(/leaves out 1 objects whose keys are gone.*secrets default\/gone/)
    const watch = await ask(`/api/v1/namespaces/default/secrets?watch=true&resourceVersion=${stays}&timeoutSeconds=2`)
    expect(JSON.stringify(watch.body)).toMatch(/cannot be told any more/)
    const history = await ask('/shiplog/v1/history?resource=secrets&namespace=default&name=gone')
    expect(history.body.versions).toMatchObject([
      { type: 'SecretCreated', actor: 'ann', gone: expect.stringMatching(/its key was destroyed/) },
      { type: 'SecretDeleted', actor: 'ann', deleted: true },
    ])
    const [line] = (await ask(`/shiplog/v1/events?from=${made}&to=${made}`)).body
    expect(line).toMatchObject({ unreadable: expect.stringMatching(/its key was destroyed/), headers: { 'Shiplog-Actor': 'ann' } })
    // Another one of the name is another one.
    const again = await put('create', 'gone', 'new-life')
    expect((await ask(`/at/${again}/api/v1/namespaces/default/secrets/gone`)).body.data).toEqual({ says: base64('new-life') })
    await cluster.stop()
    expect(filesWith(String(wrapped))).toEqual([])
    await up(log)
    expect((await ask(`/at/${made}/api/v1/namespaces/default/secrets/gone`)).code).toBe(410)
    expect((await ask('/api/v1/namespaces/default/secrets/stays')).body.data).toEqual({ says: base64('x') })
  })
})

test('a key is destroyed at once for who may, when its object is gone; only wrapped ones are ever shown', async () => {
  await up('embedded')
  const made = await put('create', 'db', 'x')
  const { keys } = (await ask('/shiplog/v1/keys')).body
  expect(keys).toMatchObject([{ resource: 'secrets', namespace: 'default', name: 'db', by: expect.stringMatching(/^aesgcm\/first\//) }])
  const path = `/shiplog/v1/keys/${keys[0].uid}`
  expect((await ask('/shiplog/v1/keys', 'GET', 'bob')).code).toBe(403)
  expect((await ask(path, 'DELETE', 'bob')).code).toBe(403)
  expect((await ask(path, 'DELETE')).body).toMatchObject({ code: 409, message: expect.stringContaining('delete that first') })
  expect((await ask('/shiplog/v1/keys/none', 'DELETE')).code).toBe(404)
  expect((await ask(path, 'PUT')).code).toBe(405)
  await client().request({ ...secrets, verb: 'delete', name: 'db' })
  expect((await ask(`/at/${made}/api/v1/namespaces/default/secrets/db`)).code).toBe(200)
  expect((await ask(path, 'DELETE')).code).toBe(200)
  expect((await ask(`/at/${made}/api/v1/namespaces/default/secrets/db`)).body.message).toMatch(/its key was destroyed at .*, by kubernetes-admin/)
  const secret = /secret: (\S+)/.exec(readFileSync(configurationFileIn(place), 'utf8'))![1]!
  expect(JSON.stringify((await ask('/shiplog/v1/keys?wrapped=true')).body)).not.toContain(secret)
})
