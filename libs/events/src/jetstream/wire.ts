// The form of our records on the wire of NATS: header blocks written and read by hand, because the client's own header
// type costs more than the rest of a message. Everything JetStream adds for itself (`Nats-…`) is left out on reading.
import type { Msg } from '@nats-io/transport-node'
import type { LogRecord } from '../event-log.ts'
import { header } from '../envelope.ts'
import { expiryMarkerHeaders } from '../expiry.ts'

const magic = 'NATS/1.0\r\n'

/** The client asks headers for nothing but their bytes. */
export interface EncodedHeaders {
  encode(): Uint8Array
}

/** One header block: ours, and what JetStream is to do with the message. */
export function encodeHeaders(
  headers: Readonly<Record<string, string>>,
  control: Readonly<Record<string, string | number | undefined>> = {},
): EncodedHeaders {
  let text = magic
  for (const name in headers) text += `${name}: ${headers[name]}\r\n`
  for (const name in control) if (control[name] !== undefined) text += `${name}: ${control[name]}\r\n`
  const bytes = Buffer.from(`${text}\r\n`, 'latin1')
  return { encode: () => bytes }
}

/** The parts of a message that the client keeps to itself; without them its public face serves. */
interface ClientInternals {
  readonly _rdata?: Uint8Array
  readonly _msg?: { readonly hdr: number }
}

/** Header block and payload of a message, as they came. */
export function splitMessage(message: Msg): { readonly head: string; readonly payload: Uint8Array } {
  const { _rdata: bytes, _msg: frame } = message as unknown as ClientInternals
  if (bytes !== undefined && frame !== undefined) {
    const length = Math.max(0, frame.hdr)
    const head = length === 0 ? '' : Buffer.from(bytes.buffer, bytes.byteOffset, length).toString('latin1')
    // Memory of its own: a record is kept, and in Node's pool it would keep 64 KB of what came and went beside it.
    const payload = Buffer.allocUnsafeSlow(bytes.length - length)
    payload.set(length === 0 ? bytes : bytes.subarray(length))
    return { head, payload }
  }
  let head = magic
  const headers = message.headers
  if (headers) {
    const status = headers.code ? ` ${headers.code} ${headers.description}` : ''
    head = `NATS/1.0${status}\r\n`
    for (const name of headers.keys()) head += `${name}: ${headers.get(name)}\r\n`
  }
  return { head, payload: message.data.slice() }
}

/** The value of one header of a block, undefined when it is not there. */
export function headerValue(head: string, name: string): string | undefined {
  const begin = head.indexOf(`\r\n${name}: `)
  if (begin < 0) return undefined
  const from = begin + name.length + 4
  const end = head.indexOf('\r\n', from)
  return head.slice(from, end < 0 ? undefined : end)
}

/** The status of a message that carries one (`NATS/1.0 404 Message Not Found`), 0 for ordinary messages. */
export function statusOf(head: string): number {
  return head.charCodeAt(8) === 0x20 ? Number.parseInt(head.slice(9, 12), 10) || 0 : 0
}

/** What the reply subject of a delivered message says: `$JS.ACK.<stream>.<consumer>.<n>.<stream seq>.<seq>.<ns>.<pending>`. */
export interface Delivery {
  readonly sequence: number
  readonly deliverySequence: number
  readonly timeMs: number
  readonly pending: number
}

export function parseDelivery(reply: string): Delivery | undefined {
  if (!reply.startsWith('$JS.ACK.')) return undefined
  const tokens = reply.split('.')
  // The longer form carries the domain and the account's hash before the stream.
  const at = tokens.length > 9 ? 7 : 5
  return {
    sequence: Number(tokens[at]),
    deliverySequence: Number(tokens[at + 1]),
    timeMs: Number(tokens[at + 2]!.slice(0, -6)),
    pending: Number(tokens[at + 3]),
  }
}

/** On a record that was restored from a backup: when it was first stored, in place of when the server stored it. */
export const restoredTimeHeader = 'Nats-Shiplog-Time'
const restoredTimeLine = `\r\n${restoredTimeHeader}:`

/** A record that came from JetStream; headers are decoded when somebody asks. */
export class JetStreamRecord implements LogRecord {
  readonly subject: string
  readonly sequence: number
  readonly timeMs: number
  readonly payload: Uint8Array
  #head: string
  #headers: Readonly<Record<string, string>> | undefined

  constructor(subject: string, sequence: number, timeMs: number, head: string, payload: Uint8Array) {
    this.subject = subject
    this.sequence = sequence
    this.timeMs = head.includes(restoredTimeLine) ? Number(headerValue(head, restoredTimeHeader)) : timeMs
    this.payload = payload
    this.#head = head
  }

  get headers(): Readonly<Record<string, string>> {
    if (this.#headers === undefined) {
      this.#headers = decodeHeaders(this.#head)
      this.#head = ''
    }
    return this.#headers
  }
}

function decodeHeaders(head: string): Readonly<Record<string, string>> {
  if (headerValue(head, 'Nats-Marker-Reason') !== undefined) return expiryMarkerHeaders
  const headers: Record<string, string> = {}
  let begin = head.indexOf('\r\n') + 2
  while (begin > 1 && begin < head.length) {
    let end = head.indexOf('\r\n', begin)
    if (end < 0) end = head.length
    if (end > begin && !head.startsWith('Nats-', begin)) {
      const colon = head.indexOf(':', begin)
      if (colon > begin && colon < end) {
        const name = head.slice(begin, colon)
        const value = head.slice(head[colon + 1] === ' ' ? colon + 2 : colon + 1, end)
        headers[name] = name === header.checksum ? detached(value) : value
      }
    }
    begin = end + 2
  }
  return headers
}

/** The same text without the block that it was cut from: a projection keeps the checksum of every subject. */
const detached = (text: string): string => Buffer.from(text, 'latin1').toString('latin1')

/** The record in the answer to a direct get. */
export function recordOfDirectGet(message: Msg): JetStreamRecord | undefined {
  const { head, payload } = splitMessage(message)
  if (statusOf(head) !== 0) return undefined
  const subject = headerValue(head, 'Nats-Subject')
  const sequence = headerValue(head, 'Nats-Sequence')
  if (subject === undefined || sequence === undefined) return undefined
  const timeMs = Date.parse(headerValue(head, 'Nats-Time-Stamp') ?? '')
  return new JetStreamRecord(subject, Number(sequence), timeMs, head, payload)
}
