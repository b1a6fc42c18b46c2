// Keys over a real store: made, shared, wrapped anew, destroyed; by several processes at the same time, and by one that ends
// between two steps.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeEnvelope, header } from '@shiplog/events/envelope'
import type { Append, ClusterLog, LogRecord } from '@shiplog/events/event-log'
import { sealRecord } from '@shiplog/events/integrity/checksum'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { systemClock as clock } from '@shiplog/runtime/clock'
import { systemIds as ids } from '@shiplog/runtime/ids'
import { silentLogger as logger } from '@shiplog/runtime/logger'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { keepKeys } from './key-keeper.ts'
import { keySubject } from './key-records.ts'
import { type Encryption, openEncryption } from './open-encryption.ts'

const groupResource = 'secrets'
let place = ''
let log: ClusterLog
const opened: Encryption[] = []

beforeEach(async () => {
  place = mkdtempSync(join(tmpdir(), 'shiplog-keys-'))
  log = await openSqliteClusterLog({ dataDir: place })
})
afterEach(async () => {
  for (const one of opened.splice(0)) one.stop()
  await log.close()
  rmSync(place, { recursive: true, force: true })
})

const file = (name = 'encryption.yaml'): string => join(place, name)
const [first, second] = [randomBytes(32), randomBytes(32)].map((key) => key.toString('base64')) as [string, string]

function configure(keys: Readonly<Record<string, string>>, name?: string): void {
  const named = Object.entries(keys).map(([key, secret]) => ({ name: key, secret }))
  const resources = [{ resources: ['secrets'], providers: [{ aesgcm: { keys: named } }, { identity: {} }] }]
  writeFileSync(file(name), JSON.stringify({ kind: 'EncryptionConfiguration', apiVersion: 'apiserver.config.k8s.io/v1', resources }))
}

async function open(name?: string, writes = true): Promise<Encryption> {
  const encryption = await openEncryption({ log, file: file(name), writes, clock, ids, logger })
  opened.push(encryption)
  return encryption
}

function appendOf(uid: string, says: string, previous = 0, deleted = false): Append {
  const type = deleted ? 'SecretDeleted' : previous === 0 ? 'SecretCreated' : 'SecretUpdated'
  return {
    subject: `evt.core.secrets.default.${uid}`,
    expected: previous,
    headers: encodeEnvelope({ type, schema: 1, actor: 'ann', requestId: ids.uuid(), previous, deleted }),
    payload: Buffer.from(JSON.stringify({ kind: 'Secret', metadata: { name: uid, uid }, data: { says } })),
  }
}

async function write(by: Encryption, uid: string, says: string, previous = 0, deleted = false): Promise<number> {
  const stored = sealRecord(await by.codec.encrypt(appendOf(uid, says, previous, deleted), { groupResource, uid }))
  const result = await log.events.append([stored])
  if (!result.ok) throw new Error('conflict')
  return result.sequences[0]!
}

async function read(by: Encryption, sequence: number): Promise<string> {
  const one = await by.codec.inspect((await log.events.get(sequence)) as LogRecord)
  return one.kind === 'damaged' ? one.problem : by.codec.object(one as never)!['data'].says
}

/** Everything that lies in the directory. */
const onDisk = (): Buffer => Buffer.concat(readdirSync(place).filter((name) => !name.endsWith('.yaml')).map((name) => readFileSync(join(place, name))))

test('what one process writes another reads at once, and the disk holds none of it', async () => {
  configure({ a: first })
  const [one, two] = [await open(), await open(undefined, false)]
  for (let index = 0; index < 20; index++) {
    const sequence = await write(one, `s-${index}`, `canary-${index}`)
    expect(await read(two, sequence)).toBe(`canary-${index}`)
  }
  expect(onDisk().includes('canary-')).toBe(false)
  expect(await one.codec.encrypt(appendOf('x', 'y'), { groupResource: 'configmaps', uid: 'x' })).toMatchObject({
    headers: expect.not.objectContaining({ [header.key]: 'x' }),
  })
})

test('two processes that need the key of one object at the same time get the same one', async () => {
  configure({ a: first })
  const both = [await open(), await open()]
  for (let index = 0; index < 10; index++) {
    const uid = `s-${index}`
    const of = { groupResource, uid }
    const appends = await Promise.all([0, 1, 0, 1].map((who, at) => both[who]!.codec.encrypt(appendOf(uid, `by ${at}`), of)))
    for (const [at, append] of appends.entries()) {
      const result = await log.events.append([sealRecord({ ...append, expected: undefined })])
      for (const reader of both) expect(await read(reader, result.ok ? result.sequences[0]! : 0)).toBe(`by ${at}`)
    }
  }
  expect(await log.keys.recordCount()).toBe(10)
})

test('a key that is stored and never used is no fault, and goes after a while', async () => {
  configure({ a: first })
  const before = await open()
  // Killed here: the record was never appended.
  await before.codec.encrypt(appendOf('never', 'x'), { groupResource, uid: 'never' })
  before.stop()
  const after = await open()
  const sequence = await write(after, 'other', 'x')
  let aheadMs = 0
  const later = { ...clock, nowMs: () => clock.nowMs() + aheadMs }
  using keeper = keepKeys({ events: log.events, keyring: after.keyring, graceMs: 0, clock: later, logger })
  expect(await keeper.sweep()).toBe(0)
  aheadMs = 2 * 3_600_000
  expect(await keeper.sweep()).toBe(1)
  expect(after.keyring.store.keys.get('never')!.destroyed).toMatch(/no record needs it/)
  expect(await read(after, sequence)).toBe('x')
})

test('keys are wrapped anew while four write, and the old key is needed no more', async () => {
  configure({ a: first })
  const [writer, reader] = [await open(), await open(undefined, false)]
  const written: [number, string][] = []
  let isOver = false
  const writers = [0, 1, 2, 3].map(async (number) => {
    for (let index = 0; !isOver || index < 5; index++) {
      const says = `${number}-${index}`
      written.push([await write(writer, `s-${says}`, says), says])
      await clock.sleep(1)
    }
  })
  while (written.length < 40) await clock.sleep(1)
  configure({ b: second, a: first })
  await reader.reload()
  await writer.reload()
  configure({ b: second })
  isOver = true
  await Promise.all(writers)
  // What was made in the moment of the change is wrapped by the next round.
  await writer.keyring.rewrap()
  await writer.reload()
  const last = await open(undefined, false)
  for (const [sequence, says] of written) expect(await read(last, sequence)).toBe(says)
  expect(await log.keys.recordCount()).toBe(written.length)
  expect(new Set(Array.from(last.keyring.store.keys.values(), ({ by }) => by?.slice(0, 9)))).toEqual(new Set(['aesgcm/b/']))
})

test('a reader waits for a key that is not in its configuration yet; one of the past says so', async () => {
  configure({ a: first })
  configure({ b: second }, 'other.yaml')
  const [writer, reader] = [await open(), await open('other.yaml', false)]
  const sequence = await write(writer, 's', 'x')
  const record = (await log.events.get(sequence))!
  await expect(reader.codec.inspect(record)).rejects.toThrow(/wrapped by aesgcm\/a\/.*which the encryption configuration does not have/)
  const following = reader.codec.open([record])
  configure({ b: second, a: first }, 'other.yaml')
  await reader.reload()
  expect((await following)[0]).toMatchObject({ clear: expect.anything() })
})

test('when an object is deleted its key is destroyed after the grace, for good, and no other', async () => {
  configure({ a: first })
  const [one, other] = [await open(), await open(undefined, false)]
  const made = await write(one, 'gone', 'canary')
  const ended = await write(one, 'gone', 'canary', made, true)
  const stays = await write(one, 'stays', 'x')
  const [key] = [one.keyring.store.keys.get('gone')!]
  let aheadMs = 0
  const later = { ...clock, nowMs: () => clock.nowMs() + aheadMs }
  using keeper = keepKeys({ events: log.events, keyring: one.keyring, graceMs: 3_600_000, clock: later, logger })
  expect(await keeper.sweep()).toBe(0)
  expect(await read(other, made)).toBe('canary')
  aheadMs = 3_600_001
  expect(await keeper.sweep()).toBe(1)
  await other.keyring.store.caughtUp()
  for (const reader of [one, other]) {
    for (const sequence of [made, ended]) expect(await read(reader, sequence)).toMatch(/^its key was destroyed at .*, because its object was deleted at/)
    expect(await read(reader, stays)).toBe('x')
  }
  expect(onDisk().includes(Buffer.from(key.wrapped!).toString('base64'))).toBe(false)
  await expect(write(one, 'gone', 'again')).rejects.toThrow('its key was destroyed')
})

test('a process that ends between the new word and the erasing of the old one leaves nothing behind', async () => {
  configure({ a: first })
  const one = await open()
  const made = await write(one, 'gone', 'canary')
  await write(one, 'gone', 'canary', made, true)
  const { wrapped } = one.keyring.store.keys.get('gone')!
  const { erase } = log.keys
  Object.assign(log.keys, { erase: () => Promise.reject(new Error('killed')) })
  await expect(one.keyring.destroy('gone', 'now', 'ann')).rejects.toThrow('killed')
  Object.assign(log.keys, { erase })
  one.stop()
  expect(onDisk().includes(Buffer.from(wrapped!).toString('base64'))).toBe(true)
  const two = await open()
  expect(await read(two, made)).toMatch('its key was destroyed now')
  using keeper = keepKeys({ events: log.events, keyring: two.keyring, graceMs: 0, clock, logger })
  await keeper.sweep()
  expect(onDisk().includes(Buffer.from(wrapped!).toString('base64'))).toBe(false)
})

test('a store without a key says that, and never what is not so', async () => {
  configure({ a: first })
  const one = await open()
  const sequence = await write(one, 's', 'x')
  one.stop()
  await log.keys.purge(keySubject('s'))
  const two = await open()
  expect(await read(two, sequence)).toBe('its key is not in the store of keys')
  // A record that was put in the place of another, with a checksum that holds.
  const made = (await log.events.get(await write(two, 'a', 'of a')))!
  const forged = sealRecord({ ...appendOf('b', ''), headers: { ...made.headers }, payload: made.payload })
  await two.codec.encrypt(appendOf('b', 'of b'), { groupResource, uid: 'b' })
  const result = await log.events.append([forged])
  expect(await read(two, result.ok ? result.sequences[0]! : 0)).toBe('it is not what was encrypted')
})

test('while the store of keys is away, a reader that follows waits, and nobody is told that there is no key', async () => {
  configure({ a: first })
  const [writer, reader] = [await open(), await open(undefined, false)]
  const { lastSequence } = log.keys
  const sequence = await write(writer, 's', 'x')
  const record = (await log.events.get(sequence))!
  ;(reader.keyring.store.keys as Map<string, unknown>).delete('s')
  Object.assign(log.keys, { lastSequence: () => Promise.reject(new Error('no servers')) })
  await expect(reader.codec.inspect(record)).rejects.toThrow(/cannot be decrypted: no servers/)
  const following = reader.codec.open([record])
  Object.assign(log.keys, { lastSequence })
  // It is heard of again.
  reader.keyring.store.learn((await log.keys.last(keySubject('s')))!)
  expect((await following)[0]).toMatchObject({ clear: expect.anything() })
})

test('a configuration that cannot be read changes nothing', async () => {
  configure({ a: first })
  const one = await open()
  const sequence = await write(one, 's', 'x')
  writeFileSync(file(), '{')
  await one.reload()
  expect(await read(one, sequence)).toBe('x')
  await write(one, 't', 'y')
})
