// An encrypted payload: AES-256-GCM with the key of its object, a nonce of its own, and everything that the record says of
// itself as associated data: subject, the object's uid (its key's name), the sequence before, type, actor, request. So a payload that is
// put into another record, of this object or of another, does not open. It is stored as a JSON object of one field, text
// like every other payload, so that whatever copies, sends and stores records need not know of it.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { header } from '@shiplog/events/envelope'
import type { Append, LogRecord } from '@shiplog/events/event-log'
import { statedBy } from '@shiplog/events/integrity/checksum'

/** Bytes of a data key. */
export const dataKeyBytes = 32
const nonceBytes = 12
const tagBytes = 16

const head = Buffer.from('{"encrypted":"')
const tail = Buffer.from('"}')

/** A sealed box of AES-GCM: nonce, ciphertext, tag. The length of the key says which AES. */
export function encryptBytes(key: Uint8Array, clear: Uint8Array, associated: string): Buffer {
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv(gcmOf(key), key, nonce, { authTagLength: tagBytes })
  cipher.setAAD(Buffer.from(associated))
  return Buffer.concat([nonce, cipher.update(clear), cipher.final(), cipher.getAuthTag()])
}

/** Throws when the box was made with another key, for another place, or has been changed. */
export function decryptBytes(key: Uint8Array, box: Uint8Array, associated: string): Buffer {
  if (box.length < nonceBytes + tagBytes) throw new Error('too short')
  const decipher = createDecipheriv(gcmOf(key), key, box.subarray(0, nonceBytes), { authTagLength: tagBytes })
  decipher.setAAD(Buffer.from(associated))
  decipher.setAuthTag(box.subarray(box.length - tagBytes))
  return Buffer.concat([decipher.update(box.subarray(nonceBytes, box.length - tagBytes)), decipher.final()])
}

const gcmOf = (key: Uint8Array): 'aes-128-gcm' | 'aes-192-gcm' | 'aes-256-gcm' =>
  key.length === 16 ? 'aes-128-gcm' : key.length === 24 ? 'aes-192-gcm' : 'aes-256-gcm'

/** The append with its payload encrypted, before its checksum is made: that covers what is stored. */
export function encryptAppend(append: Append, keyId: string, key: Uint8Array): Append {
  const headers = { ...append.headers, [header.key]: keyId }
  const box = encryptBytes(key, append.payload, statedBy({ subject: append.subject, headers }))
  return { ...append, headers, payload: Buffer.concat([head, Buffer.from(box.toString('base64')), tail]) }
}

/** What an encrypted record says. Throws when it is not what was encrypted. */
export function decryptRecord(record: Pick<LogRecord, 'subject' | 'headers' | 'payload'>, key: Uint8Array): Buffer {
  const text = Buffer.from(record.payload.buffer, record.payload.byteOffset, record.payload.byteLength)
  if (!text.subarray(0, head.length).equals(head) || !text.subarray(-tail.length).equals(tail)) {
    throw new Error('it has no encrypted form')
  }
  const box = Buffer.from(text.toString('latin1', head.length, text.length - tail.length), 'base64')
  return decryptBytes(key, box, statedBy(record))
}
