// A stream handle without a server, for tests of the adapter's parts: requests are answered by a function of the test, and
// time passes when the test says so.
import type { StreamInfo } from '@nats-io/jetstream'
import { createManualClock, type ManualClock } from '@shiplog/testing/manual-clock'
import type { Connection, Msg } from '../connection.ts'
import type { StreamHandle } from '../stream-handle.ts'

/** One request or publication, as the connection was given it. */
export interface Sent {
  readonly subject: string
  readonly payload: Uint8Array
  /** The header block as text, '' without one. */
  readonly head: string
}

export interface FakeStream extends StreamHandle {
  readonly clock: ManualClock
  readonly sent: readonly Sent[]
}

/** The answer to a request; an Error is thrown instead. */
export type Answer = (request: Sent, count: number) => Msg | Error | readonly Msg[]

/** A message with a body and a header block: `NATS/1.0 404 Message Not Found` without the line's end, or our headers. */
export function message(body: object | Uint8Array | string, headers: Readonly<Record<string, string>> = {}, status = ''): Msg {
  const payload = body instanceof Uint8Array ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const isPlain = status === '' && lines.length === 0
  const head = isPlain ? '' : `NATS/1.0${status === '' ? '' : ` ${status}`}\r\n${lines.join('')}\r\n`
  return {
    subject: '_INBOX.test',
    data: payload,
    _rdata: Buffer.concat([Buffer.from(head, 'latin1'), payload]),
    _msg: { hdr: Buffer.byteLength(head, 'latin1') },
    json: () => JSON.parse(Buffer.from(payload).toString('utf8')) as unknown,
  } as unknown as Msg
}

/** The answer to a direct get of one record. */
export const stored = (subject: string, sequence: number, payload: string, more: Readonly<Record<string, string>> = {}): Msg =>
  message(payload, {
    ...more,
    'Nats-Subject': subject,
    'Nats-Sequence': String(sequence),
    'Nats-Time-Stamp': '2026-01-01T00:00:00Z',
  })

export const endOfBatch = (pending: number): Msg => message('', { 'Nats-Num-Pending': String(pending) }, '204 EOB')

export function createFakeStream(answer: Answer, overrides: Partial<StreamHandle & Connection> = {}): FakeStream {
  const clock = createManualClock()
  const sent: Sent[] = []
  const take = (subject: string, payload: Uint8Array, headers?: { encode(): Uint8Array }): Sent => {
    const one = { subject, payload, head: headers === undefined ? '' : Buffer.from(headers.encode()).toString('latin1') }
    sent.push(one)
    return one
  }
  const ask = (request: Sent): Msg | readonly Msg[] => {
    const given = answer(request, sent.length)
    if (given instanceof Error) throw given
    return given
  }
  const connection = {
    mute: false,
    closed: false,
    connected: async () => undefined,
    heard: async () => undefined,
    request: async (subject: string, payload: Uint8Array, { headers }: { headers?: { encode(): Uint8Array } }) =>
      ask(take(subject, payload, headers)) as Msg,
    requestMany: async (subject: string, payload: Uint8Array, _: number, onAnswer: (one: Msg) => boolean) => {
      for (const one of [ask(take(subject, payload))].flat()) if (onAnswer(one as Msg)) return
    },
    publish: (subject: string, payload: Uint8Array, how: { headers?: { encode(): Uint8Array } } = {}) =>
      void take(subject, payload, how.headers),
    ...overrides,
  } as unknown as Connection
  let seenSequence = 0
  return {
    clock,
    connection,
    sent,
    name: 'EVENTS',
    incarnation: 'EVENTS then',
    subjects: ['evt.>'],
    get seenSequence() {
      return seenSequence
    },
    see: (sequence: number) => {
      seenSequence = Math.max(seenSequence, sequence)
    },
    info: async () => streamInfo({}),
    lastSequence: async () => seenSequence,
    countBySubject: async () => new Map<string, number>(),
    ...overrides,
  } as unknown as FakeStream
}

/** What stream info says of a stream of one copy; of three with `replicas`, each with its silence in ms. */
export function streamInfo(options: {
  readonly created?: string
  readonly lastSequence?: number
  readonly config?: object
  readonly replicasSilentMs?: readonly number[]
}): StreamInfo {
  const silent = options.replicasSilentMs ?? []
  return {
    created: options.created ?? 'then',
    config: { name: 'EVENTS', num_replicas: silent.length + 1, subjects: ['evt.>'], ...options.config },
    state: { first_seq: 1, last_seq: options.lastSequence ?? 0, messages: options.lastSequence ?? 0 },
    cluster: { replicas: silent.map((ms, index) => ({ name: `n${index}`, current: true, offline: false, active: ms * 1e6, lag: 0 })) },
  } as unknown as StreamInfo
}
