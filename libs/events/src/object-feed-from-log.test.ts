// The object feed over the embedded log in memory: snapshot, changes, batches, expiry.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { encodeEnvelope } from './envelope.ts'
import type { Append, ClusterLog } from './event-log.ts'
import { createGroupCommitter } from './commit/group-committer.ts'
import type { FeedBatch } from './object-feed.ts'
import { createObjectFeed, type LogObjectFeed } from './object-feed-from-log.ts'
import { openSqliteClusterLog } from './sqlite/sqlite-log.ts'

let log: ClusterLog
let feed: LogObjectFeed
beforeEach(async () => {
  log = await openSqliteClusterLog({ dataDir: ':memory:' })
  feed = createObjectFeed(log)
})
afterEach(async () => {
  feed.stop()
  await log.close()
})

const pod = (name: string, expected: number, options: { deleted?: boolean; uid?: string } = {}): Append => ({
  subject: `evt.core.pods.default.${name}`,
  expected,
  headers: encodeEnvelope({
    type: options.deleted ? 'PodDeleted' : 'PodCreated',
    schema: 1,
    actor: 'tester',
    requestId: `r-${name}-${expected}`,
    previous: expected,
    deleted: options.deleted ?? false,
  }),
  payload: Buffer.from(
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default', uid: options.uid ?? `uid-${name}` },
    }),
  ),
})

const names = (batch: FeedBatch): string[] => batch.changes.map((change) => `${change.type} ${change.name}`)

test('a consumer gets the live objects first, without tombstones, with their resourceVersion', async () => {
  await log.events.append([pod('a', 0)])
  await log.events.append([pod('b', 0)])
  await log.events.append([pod('a', 1, { deleted: true })])
  const abort = new AbortController()
  for await (const batch of feed.follow(['pods'], abort.signal)) {
    expect(names(batch)).toEqual(['PodCreated b'])
    expect(batch.synced).toBe(true)
    expect(batch.sequence).toBe(3)
    expect(batch.changes[0]).toMatchObject({
      group: '',
      resource: 'pods',
      groupResource: 'pods',
      namespace: 'default',
      name: 'b',
      sequence: 2,
      deleted: false,
      object: { kind: 'Pod', metadata: { name: 'b', resourceVersion: '2' } },
    })
    abort.abort()
  }
})

test('changes follow, also the position of what a consumer does not want, and objects are shared', async () => {
  const seen: FeedBatch[] = []
  const other: FeedBatch[] = []
  const abort = new AbortController()
  const run = async (into: FeedBatch[], resources: string[]): Promise<void> => {
    for await (const batch of feed.follow(resources, abort.signal)) {
      into.push(batch)
      if (batch.sequence === 4) return
    }
  }
  const running = Promise.all([run(seen, ['pods', 'nodes']), run(other, ['pods'])])
  await log.events.append([pod('a', 0)])
  await log.events.append([pod('a', 1, { deleted: true })])
  await log.events.append([pod('a', 2, { uid: 'second' })])
  await log.events.append([{ ...pod('x', 0), subject: 'guard.room.node-1' }])
  await running
  expect(seen.flatMap(names)).toEqual(['PodCreated a', 'PodDeleted a', 'PodCreated a'])
  const last = (batches: FeedBatch[]) => batches.flatMap((batch) => batch.changes).at(-1)
  expect(last(seen)!.object.metadata.uid).toBe('second')
  expect(last(seen)!.object).toBe(last(other)!.object)
  expect(seen.at(-1)!.sequence).toBe(4)
  const late = feed.follow(['pods'], abort.signal)[Symbol.asyncIterator]()
  const first = (await late.next()).value as FeedBatch
  expect(first.changes[0]!.object).toBe(last(seen)!.object)
  abort.abort()
})

test('a group is handed over in one batch', async () => {
  const committer = createGroupCommitter(log.events)
  const abort = new AbortController()
  const seen: FeedBatch[] = []
  const running = (async () => {
    for await (const batch of feed.follow(['pods'], abort.signal)) {
      seen.push(batch)
      if (batch.sequence === 5) abort.abort()
    }
  })()
  await committer.commit([pod('a', 0), pod('b', 0), pod('c', 0)])
  await committer.commit([pod('d', 0), pod('e', 0)])
  await running
  for (const batch of seen) expect([0, 3, 5]).toContain(batch.sequence)
  expect(seen.flatMap(names)).toHaveLength(5)
})

test('Leases and Event objects come from their own streams; an expired Event object is a deletion', async () => {
  const abort = new AbortController()
  const lease = { ...pod('node-1', 0), subject: 'lease.kube-node-lease.node-1' }
  const event = { ...pod('e', 0), subject: 'oev.default.e', ttlSeconds: 0.2 }
  await log.leases.append([lease])
  await log.objectEvents.append([event])
  const seen: string[] = []
  for await (const batch of feed.follow(['leases.coordination.k8s.io', 'events'], abort.signal)) {
    seen.push(
      ...batch.changes.map((change) => `${change.groupResource} ${change.deleted} ${change.object.metadata.name}`),
    )
    expect(batch.sequence).toBe(0)
    if (seen.length === 3) abort.abort()
  }
  expect(seen).toEqual(['leases.coordination.k8s.io false node-1', 'events false e', 'events true e'])
})

test('when the log closes, consumers are told', async () => {
  const abort = new AbortController()
  const running = (async () => {
    for await (const batch of feed.follow(['pods'], abort.signal)) expect(batch.synced).toBe(true)
  })()
  await new Promise((resolve) => setTimeout(resolve, 20))
  await log.close()
  await expect(running).rejects.toMatchObject({ name: 'LogUnavailable' })
})
