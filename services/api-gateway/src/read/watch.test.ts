// How a watch ends when its time is over while its client has not yet read what there was.
import { createManualClock } from '@shiplog/testing/manual-clock'
import { expect, test } from 'vitest'
import type { ListOptions } from '../request/list-options.ts'
import type { Presenter } from '../representation/presenter.ts'
import { keyOf, ResourceTable } from '../store/projection.ts'
import type { Selection } from '../request/selection.ts'
import type { Stream } from '../store/streams.ts'
import { noBytes, Version } from '../store/version.ts'
import { createWatchHub, type FrameSink, type WatchRequest } from './watch.ts'

const object = (name: string, sequence: number): Version =>
  new Version({
    key: keyOf('default', name),
    namespace: 'default',
    name,
    sequence,
    timeMs: 0,
    deleted: false,
    previousSequence: 0,
    checksum: '',
    bytes: noBytes,
    previous: undefined,
  })

const everything: Selection = { namespace: '', everything: true, name: undefined, readsFields: false, matches: () => true, id: 'all' }

const presenter = {
  id: 'names',
  frame: (type: string, { name }: Version) => Buffer.from(`${type} ${name}\n`),
  bookmark: (sequence: number) => Buffer.from(`BOOKMARK ${sequence}\n`),
} as unknown as Presenter

const options: ListOptions = {
  labelSelector: '',
  fieldSelector: '',
  watch: true,
  allowWatchBookmarks: true,
  resourceVersion: undefined,
  resourceVersionMatch: '',
  timeoutSeconds: 5,
  limit: 0,
  continueToken: '',
  sendInitialEvents: undefined,
  includeObject: 'Metadata',
}

/** A client that reads as much as it is told to. */
function clientThat(reads: 'everything' | 'nothing') {
  const closed = new AbortController()
  const released = Promise.withResolvers<void>()
  const seen = { text: '', ended: 0, destroyed: 0 }
  const sink: FrameSink = {
    write(bytes) {
      seen.text += bytes.toString()
      return reads === 'everything'
    },
    drained: () => released.promise,
    buffered: 0,
    end: () => void seen.ended++,
    destroy() {
      seen.destroyed++
      closed.abort()
      released.resolve()
    },
    closed: closed.signal,
  }
  return { sink, seen }
}

function setUp(objects: number) {
  const clock = createManualClock()
  const hub = createWatchHub({ clock, integer: () => 0 })
  const table = new ResourceTable('configmaps')
  for (let index = 0; index < objects; index++) table.put(object(`c${index}`, index + 1))
  const stream = { projection: { applied: objects, windowFloor: 0 } } as unknown as Stream
  const request = (sink: FrameSink): WatchRequest => ({
    stream,
    table,
    resource: { group: '', resource: 'configmaps' },
    selection: everything,
    presenter,
    options,
    sink,
  })
  return { clock, hub, table, request }
}

/** The event loop turns: what is sent is sent in turns. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
}

test('a watch whose time is over while its client still catches up is cut, and is not waited for', async () => {
  const { clock, hub, table, request } = setUp(20_000)
  const { sink, seen } = clientThat('nothing')
  const serving = hub.serve(request(sink))
  await turns()
  await clock.advance(4_999)
  expect(hub.watchers).toBe(1)
  expect(seen.destroyed).toBe(0)
  const before = seen.text
  expect(before).toContain('ADDED c0\n')
  expect(before).not.toContain('ADDED c9999\n')
  await clock.advance(1)
  await serving
  expect(seen.destroyed).toBe(1)
  expect(hub.watchers).toBe(0)
  // Nothing that looks like an orderly end: a bookmark would say that all before it was told.
  expect(seen.text).toBe(before)
  // Nor is it one of those that are told of changes.
  for (const listener of table.listeners) listener([object('late', 20_001)], 20_001)
  expect(seen.text).toBe(before)
})

test('one that has caught up ends in order, with a bookmark, and is not cut', async () => {
  const { clock, hub, table, request } = setUp(1_000)
  const { sink, seen } = clientThat('everything')
  let sent = 0
  const serving = hub.serve({ ...request(sink), sent: { inc: (by = 1) => void (sent += by) } })
  await turns()
  expect(seen.text).toContain('ADDED c999\n')
  expect(sent).toBe(1_000)
  for (const listener of table.listeners) listener([object('late', 1_001)], 1_001)
  expect(seen.text).toMatch(/ADDED late\n$/)
  expect(sent).toBe(1_001)
  await clock.advance(5_000)
  await serving
  expect(seen).toMatchObject({ destroyed: 0, ended: 1 })
  expect(seen.text).toMatch(/BOOKMARK 1000\n$/)
})
