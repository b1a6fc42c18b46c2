import { randomBytes } from 'node:crypto'
import { encodeEnvelope } from '@shiplog/events/envelope'
import type { Append } from '@shiplog/events/event-log'
import { expect, test } from 'vitest'
import { dataKeyBytes, decryptRecord, encryptAppend } from './payload.ts'

const key = randomBytes(dataKeyBytes)
const append = (subject: string, requestId = 'r', previous = 0): Append => ({
  subject,
  expected: previous,
  headers: encodeEnvelope({ type: 'SecretCreated', schema: 1, actor: 'ann', requestId, previous, deleted: false }),
  payload: Buffer.from('{"data":{"password":"canary"}}'),
})

test('a payload comes back as it was, and two of the same are different in the log', () => {
  const [one, two] = [1, 2].map(() => encryptAppend(append('evt.core.secrets.a.x'), 'uid-1', key)) as [Append, Append]
  expect(decryptRecord(one, key).toString()).toBe('{"data":{"password":"canary"}}')
  expect(one.payload).not.toEqual(two.payload)
  expect(Buffer.from(one.payload).toString()).toMatch(/^\{"encrypted":"[A-Za-z0-9+/]+=*"\}$/)
})

test('whatever bit is flipped, it does not open', () => {
  const one = encryptAppend(append('evt.core.secrets.a.x'), 'uid-1', key)
  const box = Buffer.from(JSON.parse(Buffer.from(one.payload).toString()).encrypted, 'base64')
  for (let bit = 0; bit < box.length * 8; bit += 7) {
    const changed = Buffer.from(box)
    changed[bit >> 3]! ^= 1 << (bit & 7)
    const payload = Buffer.from(JSON.stringify({ encrypted: changed.toString('base64') }))
    expect(() => decryptRecord({ ...one, payload }, key), `bit ${bit}`).toThrow()
  }
  for (const payload of ['', '{}', '{"encrypted":""}', '{"encrypted":"AAAA"}', 'x']) {
    expect(() => decryptRecord({ ...one, payload: Buffer.from(payload) }, key), payload).toThrow()
  }
})

test('nor does it in the place of another record, of the same object or of another, or with another key', () => {
  const one = encryptAppend(append('evt.core.secrets.a.x'), 'uid-1', key)
  const others = [
    encryptAppend(append('evt.core.secrets.a.y'), 'uid-1', key),
    encryptAppend(append('evt.core.secrets.a.x'), 'uid-2', key),
    encryptAppend(append('evt.core.secrets.a.x', 'later'), 'uid-1', key),
    encryptAppend(append('evt.core.secrets.a.x', 'r', 7), 'uid-1', key),
  ]
  for (const other of others) expect(() => decryptRecord({ ...other, payload: one.payload }, key)).toThrow()
  expect(() => decryptRecord(one, randomBytes(dataKeyBytes))).toThrow()
})
