import { JetStreamApiError, type JetStreamManager, type StreamInfo } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import type { Management } from './management.ts'
import { checkServer, checkStream, ensureStream, streamConfigs } from './stream-config.ts'
import { checkSameStream, hearsMajority } from './stream-handle.ts'
import { streamInfo } from './testing/fake-stream.ts'

const [events, leases, objectEvents] = streamConfigs(1)
const as = (config: object) => streamInfo({ config })
const options = { deadlineMs: 0, mustExist: false, readOnly: false, expectIncarnation: undefined }

test('a server that would ignore batches, or cut objects, is refused', () => {
  expect(() => checkServer({ serverVersion: '2.11.9', maxPayloadBytes: 8e6 })).toThrow('too old')
  expect(() => checkServer({ serverVersion: '2.12.0', maxPayloadBytes: 1e6 })).toThrow('max_payload')
  checkServer({ serverVersion: '3.0.0', maxPayloadBytes: 8e6 })
})

test('EVENTS keeps everything; the others keep the last record per subject', () => {
  expect([events, leases, objectEvents].map((config) => config.max_msgs_per_subject)).toEqual([-1, 1, 1])
  for (const config of streamConfigs(3)) expect(config).toMatchObject({ max_age: 0, max_bytes: -1, num_replicas: 3 })
})

test('a stream that would lose records is refused, with the field', () => {
  checkStream(as(events), events, undefined)
  // A server leaves fields out that are off.
  checkStream(as({ ...leases, max_age: undefined }), leases, undefined)
  expect(() => checkStream(as({ ...events, max_age: 5 }), events, undefined)).toThrow('has max_age = 5 where Shiplog needs 0')
  expect(() => checkStream(as({ ...events, allow_atomic: undefined }), events, undefined)).toThrow('allow_atomic')
  expect(() => checkStream(as({ ...events, subjects: ['evt.>'] }), events, undefined)).toThrow('other subjects')
  expect(() => checkStream(as(events), events, 'EVENTS long ago')).toThrow('is another one')
})

/** A JetStream that has these streams, and creates others. */
function jetStreamWith(...existing: StreamInfo[]): Management & { readonly created: string[] } {
  const streams = new Map(existing.map((info) => [info.config.name, info]))
  const created: string[] = []
  const manager = {
    streams: {
      info: async (name: string) => {
        const found = streams.get(name)
        if (!found) throw new JetStreamApiError({ code: 404, err_code: 10059, description: 'stream not found' })
        return found
      },
      add: async (config: { name: string }) => {
        created.push(config.name)
        streams.set(config.name, as(config))
        // As when another gateway was faster.
        throw new JetStreamApiError({ code: 400, err_code: 10058, description: 'stream name already in use' })
      },
    },
  } as unknown as JetStreamManager
  return { created, attempt: (ask) => ask(manager), call: (_name, _deadlineMs, ask) => ask(manager) }
}

test('a stream that never existed is created, also when two gateways do it at the same time', async () => {
  const management = jetStreamWith()
  expect((await ensureStream(management, events, options)).config.name).toBe('EVENTS')
  expect(management.created).toEqual(['EVENTS'])
})

test('a stream that existed is never created anew, and a reader creates none', async () => {
  const management = jetStreamWith()
  await expect(ensureStream(management, events, { ...options, mustExist: true })).rejects.toThrow('never made anew')
  await expect(ensureStream(management, events, { ...options, readOnly: true })).rejects.toThrow('a gateway makes it')
  expect(management.created).toEqual([])
})

test('a stream that was replaced or shortened is damage; behind replicas it may only be late', () => {
  const isSame = (info: StreamInfo, acknowledged: number) => () => checkSameStream(info, 'EVENTS then', acknowledged)
  expect(isSame(streamInfo({ lastSequence: 7 }), 7)).not.toThrow()
  expect(isSame(streamInfo({ lastSequence: 6 }), 7)).toThrow('was shortened: it ends at sequence 6')
  expect(isSame(streamInfo({ lastSequence: 6, replicasSilentMs: [0, 0] }), 7)).not.toThrow()
  expect(isSame(streamInfo({ created: 'later', lastSequence: 7 }), 7)).toThrow('was replaced')
})

test('a leader of three counts while it hears from one of the others', () => {
  expect(hearsMajority(streamInfo({}))).toBe(true)
  expect(hearsMajority(streamInfo({ replicasSilentMs: [100, 9000] }))).toBe(true)
  expect(hearsMajority(streamInfo({ replicasSilentMs: [2500, 9000] }))).toBe(false)
})
