// Messages of DNS on the wire, over dns-packet: a query is read, an answer is written, and one that is too long for its way
// says so. Pure.
import * as packet from 'dns-packet'
import type { DnsRecord } from './records.ts'

export interface Query {
  readonly id: number
  readonly name: string
  readonly type: string
  readonly isRecursionDesired: boolean
  /** What the client takes in one datagram. */
  readonly payloadMax: number
  readonly hasOptions: boolean
}

export type ResponseCode = 'NOERROR' | 'FORMERR' | 'SERVFAIL' | 'NXDOMAIN' | 'NOTIMP' | 'REFUSED'

export interface Answer {
  readonly code: ResponseCode
  readonly isAuthoritative: boolean
  readonly answers?: readonly DnsRecord[]
  readonly authorities?: readonly DnsRecord[]
  readonly additionals?: readonly DnsRecord[]
}

/** What every client takes, and what no path between two pods cuts. */
const plainPayload = 512
const payloadCeiling = 1_232
const headerBytes = 12
export const messageBytesMax = 65_535

const codes: Readonly<Record<ResponseCode, number>> = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 }

/** A label with a dot in it, or bytes that are no text, would be another name in the answer. */
function isSameOnTheWire(bytes: Buffer, question: packet.Question): boolean {
  try {
    const written = packet.encode({ questions: [question] }).subarray(headerBytes)
    return written.equals(bytes.subarray(headerBytes, headerBytes + written.length))
  } catch {
    return false
  }
}

/** The query, or the code to refuse it with; undefined for what is not even the head of one. */
export function readQuery(bytes: Buffer): Query | ResponseCode | undefined {
  if (bytes.length < headerBytes || isResponse(bytes)) return undefined
  if (((bytes[2]! >> 3) & 0x0f) !== 0) return 'NOTIMP'
  let decoded: packet.DecodedPacket
  try {
    decoded = packet.decode(bytes)
  } catch {
    return 'FORMERR'
  }
  const [question, ...more] = decoded.questions ?? []
  if (question === undefined || more.length > 0 || !isSameOnTheWire(bytes, question)) return 'FORMERR'
  // The library's types leave it out.
  if ((question.class ?? 'IN') !== 'IN') return 'REFUSED'
  const options = (decoded.additionals ?? []).find(({ type }) => type === 'OPT') as { udpPayloadSize?: number } | undefined
  const asked = options?.udpPayloadSize ?? plainPayload
  return {
    id: bytes.readUInt16BE(0),
    name: question.name,
    type: question.type,
    isRecursionDesired: (bytes[2]! & 1) === 1,
    payloadMax: Math.min(Math.max(asked, plainPayload), payloadCeiling),
    hasOptions: options !== undefined,
  }
}

const isResponse = (bytes: Buffer): boolean => (bytes[2]! & 0x80) !== 0

const recursionAvailable = 1 << 7
const recursionDesired = 1 << 8
const truncated = 1 << 9
const authoritative = 1 << 10

/** An answer for a way that takes so many bytes. What does not fit is left out, and where answers are, that is said. */
export function writeAnswer(query: Query, answer: Answer, bytesMax: number): Buffer {
  const additionals = answer.additionals ?? []
  const whole = encode(query, answer, additionals, 0)
  if (whole.length <= bytesMax) return whole
  const without = encode(query, answer, [], 0)
  if (without.length <= bytesMax) return without
  const answers = answer.answers ?? []
  let kept = answers.length
  for (;;) {
    kept = Math.floor(kept / 2)
    const cut = encode(query, { ...answer, answers: answers.slice(0, kept), authorities: [] }, [], truncated)
    if (cut.length <= bytesMax || kept === 0) return cut
  }
}

function encode(query: Query, answer: Answer, additionals: readonly DnsRecord[], more: number): Buffer {
  const options = query.hasOptions
    ? [{ type: 'OPT', name: '.', udpPayloadSize: payloadCeiling, flags: 0, options: [] } as unknown as packet.Answer]
    : []
  return packet.encode({
    type: 'response',
    id: query.id,
    flags:
      codes[answer.code] |
      recursionAvailable |
      (query.isRecursionDesired ? recursionDesired : 0) |
      (answer.isAuthoritative ? authoritative : 0) |
      more,
    questions: [{ type: query.type as packet.RecordType, name: query.name }],
    answers: (answer.answers ?? []) as packet.Answer[],
    authorities: (answer.authorities ?? []) as packet.Answer[],
    additionals: [...(additionals as packet.Answer[]), ...options],
  })
}

/** To a message that cannot be read: its head, and the code. */
export function refusalOf(bytes: Buffer, code: ResponseCode): Buffer {
  const head = Buffer.alloc(headerBytes)
  head.writeUInt16BE(bytes.readUInt16BE(0), 0)
  head[2] = 0x80 | (bytes[2]! & 0x79)
  head[3] = codes[code]
  return head
}

/** What a message says of itself, for caches: how long it is true, and whether it is whole. */
export function readAnswer(
  bytes: Buffer,
): { readonly code: string; readonly ttlSeconds: number; readonly isTruncated: boolean; readonly answers: readonly packet.Answer[] } | undefined {
  try {
    const decoded = packet.decode(bytes) as packet.DecodedPacket & { rcode: string }
    const records = [...(decoded.answers ?? []), ...(decoded.authorities ?? [])]
    const ttls = records.flatMap((record) => {
      const { ttl } = record as { ttl?: number }
      const data = (record as { data?: { minimum?: number } }).data
      return ttl === undefined ? [] : [record.type === 'SOA' ? Math.min(ttl, data?.minimum ?? ttl) : ttl]
    })
    return {
      code: decoded.rcode,
      ttlSeconds: ttls.length === 0 ? 0 : Math.min(...ttls),
      isTruncated: decoded.flag_tc,
      answers: decoded.answers ?? [],
    }
  } catch {
    return undefined
  }
}

export const question = (id: number, name: string, type: string): Buffer =>
  packet.encode({ type: 'query', id, flags: recursionDesired, questions: [{ type: type as packet.RecordType, name }] })
