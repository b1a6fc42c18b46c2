// A KMS v2 plug-in on a real unix socket: asked once a start, not once an object; rotation, outage, hostile answers.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadPackageDefinition, Server, ServerCredentials } from '@grpc/grpc-js'
import { fromJSON } from '@grpc/proto-loader'
import { encodeEnvelope } from '@shiplog/events/envelope'
import type { ClusterLog } from '@shiplog/events/event-log'
import { sealRecord } from '@shiplog/events/integrity/checksum'
import { inMemory } from '@shiplog/events/sqlite/database'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { systemClock as clock } from '@shiplog/runtime/clock'
import { systemIds as ids } from '@shiplog/runtime/ids'
import { silentLogger as logger } from '@shiplog/runtime/logger'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Encryption, openEncryption } from '../open-encryption.ts'
import { descriptor } from './kms-client.ts'

let place = ''
let log: ClusterLog
let plugin: Plugin
const opened: Encryption[] = []

interface Plugin {
  keyId: string
  healthz: string
  /** Answers instead of a ciphertext. */
  lies: Uint8Array | undefined
  readonly calls: string[]
  stop(): void
}

const keys = new Map<string, Buffer>()
const keyOf = (id: string): Buffer => keys.get(id) ?? keys.set(id, randomBytes(32)).get(id)!

/** Encrypts with its key of the name `keyId`. */
async function startPlugin(socket: string): Promise<Plugin> {
  const { v2 } = loadPackageDefinition(fromJSON(descriptor as never, { defaults: true })) as any
  const server = new Server()
  const of: Plugin = { keyId: '1', healthz: 'ok', lies: undefined, calls: [], stop: () => server.forceShutdown() }
  const iv = Buffer.alloc(16)
  server.addService(v2.KeyManagementService.service, {
    Status: (_call: unknown, answer: any) => answer(null, { version: 'v2', healthz: of.healthz, keyId: of.keyId }),
    Encrypt({ request }: any, answer: any) {
      of.calls.push('Encrypt')
      const cipher = createCipheriv('aes-256-ctr', keyOf(of.keyId), iv)
      answer(null, { ciphertext: of.lies ?? cipher.update(request.plaintext), keyId: of.keyId, annotations: { 'of.example': Buffer.from(of.keyId) } })
    },
    Decrypt({ request }: any, answer: any) {
      of.calls.push('Decrypt')
      if (request.annotations['of.example'].toString() !== request.keyId) return answer(new Error('annotations are lost'))
      answer(null, { plaintext: createDecipheriv('aes-256-ctr', keyOf(request.keyId), iv).update(request.ciphertext) })
    },
  })
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix://${socket}`, ServerCredentials.createInsecure(), (error) => (error ? reject(error) : resolve()))
  })
  return of
}

const socket = (): string => join(place, 'kms.sock')

beforeEach(async () => {
  place = mkdtempSync(join(tmpdir(), 'shiplog-kms-'))
  log = await openSqliteClusterLog({ dataDir: inMemory })
  plugin = await startPlugin(socket())
  const kms = { apiVersion: 'v2', name: 'vault', endpoint: `unix://${socket()}`, timeout: '1s' }
  const resources = [{ resources: ['secrets'], providers: [{ kms }, { identity: {} }] }]
  writeFileSync(join(place, 'e.yaml'), JSON.stringify({ kind: 'EncryptionConfiguration', apiVersion: 'apiserver.config.k8s.io/v1', resources }))
})
afterEach(async () => {
  for (const one of opened.splice(0)) one.stop()
  plugin.stop()
  await log.close()
  rmSync(place, { recursive: true, force: true })
})

async function open(): Promise<Encryption> {
  const encryption = await openEncryption({ log, file: join(place, 'e.yaml'), writes: true, clock, ids, logger })
  opened.push(encryption)
  return encryption
}

async function write(by: Encryption, uid: string): Promise<number> {
  const append = {
    subject: `evt.core.secrets.default.${uid}`,
    expected: 0,
    headers: encodeEnvelope({ type: 'SecretCreated', schema: 1, actor: 'ann', requestId: uid, previous: 0, deleted: false }),
    payload: Buffer.from(JSON.stringify({ kind: 'Secret', metadata: { name: uid, uid } })),
  }
  const stored = sealRecord(await by.codec.encrypt(append, { groupResource: 'secrets', uid }))
  const result = await log.events.append([stored])
  return result.ok ? result.sequences[0]! : 0
}

const read = async (by: Encryption, sequence: number): Promise<string> =>
  (await by.codec.inspect((await log.events.get(sequence))!)).kind

test('it is asked once for many objects, and once at the next start', async () => {
  const one = await open()
  const written: number[] = []
  for (let index = 0; index < 50; index++) written.push(await write(one, `s-${index}`))
  expect(plugin.calls).toEqual(['Encrypt', 'Decrypt'])
  const two = await open()
  for (const sequence of written) expect(await read(two, sequence)).toBe('object')
  expect(plugin.calls).toEqual(['Encrypt', 'Decrypt', 'Decrypt'])
})

test('when its key is another one, keys are wrapped anew', async () => {
  const one = await open()
  const sequence = await write(one, 's')
  const before = one.keyring.store.keys.get('s')!.by
  plugin.keyId = '2'
  // As after a restart, or the next round of questions.
  const two = await open()
  await two.keyring.rewrap()
  await one.keyring.store.caughtUp()
  expect(one.keyring.store.keys.get('s')!.by).not.toBe(before)
  keys.delete('1')
  const three = await open()
  for (const reader of [one, two, three]) expect(await read(reader, sequence)).toBe('object')
})

test('without it nothing is written in the clear, and what is read waits or says so', async () => {
  const one = await open()
  const sequence = await write(one, 's')
  plugin.stop()
  // What is at hand goes on.
  expect(await read(one, sequence)).toBe('object')
  const two = await open()
  await expect(write(two, 't')).rejects.toMatchObject({ name: 'LogUnavailable', message: expect.stringMatching(/KMS plug-in vault does not answer/) })
  await expect(read(two, sequence)).rejects.toThrow(/cannot be decrypted: KMS plug-in vault does not answer/)
  const following = two.codec.open([(await log.events.get(sequence))!])
  rmSync(socket(), { force: true })
  plugin = await startPlugin(socket())
  expect((await following)[0]).toMatchObject({ clear: expect.anything() })
})

test('what is not well, or answers with something else, is not used', async () => {
  const one = await open()
  plugin.healthz = 'sealed'
  await expect(write(one, 's')).rejects.toThrow(/KMS plug-in vault is not well: sealed/)
  plugin.healthz = 'ok'
  for (const lies of [Buffer.alloc(0), Buffer.alloc(2_000)]) {
    plugin.lies = lies
    await expect(write(one, 's')).rejects.toThrow(/answers with a ciphertext of/)
  }
  for (const bytes of [16, 32]) {
    plugin.lies = Buffer.alloc(bytes)
    await expect(write(one, 's')).rejects.toThrow(/gives back another key/)
  }
  plugin.lies = undefined
  expect(await read(await open(), await write(one, 's'))).toBe('object')
})
