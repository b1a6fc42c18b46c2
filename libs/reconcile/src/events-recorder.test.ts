import type { ApiClient, ApiRequest } from '@shiplog/api/api-client'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { silentLogger } from '@shiplog/runtime/logger'
import { createFakeCluster } from '@shiplog/testing/fake-cluster'
import { describe, expect, test } from 'vitest'
import { createEventRecorder, pendingEventsMax } from './events-recorder.ts'

function setUp(client?: ApiClient) {
  let nowMs = Date.parse('2026-01-01T00:00:00Z')
  const clock = {
    nowMs: () => nowMs,
    sleep: () => Promise.resolve(),
    after: () => ({ [Symbol.dispose]: () => undefined }),
    every: () => ({ [Symbol.dispose]: () => undefined }),
  }
  const cluster = createFakeCluster(clock)
  const recorder = createEventRecorder({ client: client ?? cluster.client(), clock, log: silentLogger })
  return {
    cluster,
    recorder,
    pass: (ms: number) => {
      nowMs += ms
    },
    events: (): KubeObject[] => cluster.list('events'),
  }
}

const object = (name: string): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  metadata: { name, namespace: 'default', uid: `uid-${name}`, resourceVersion: '7', creationTimestamp: '' },
})
const event = (name: string, message: string, reason = 'SuccessfulCreate') =>
  ({ object: object(name), type: 'Normal', reason, message }) as const

describe('the event recorder', () => {
  test('writes an Event object as upstream’s recorder does', async () => {
    const { recorder, events } = setUp()
    recorder.record('replicaset-controller', event('web', 'Created pod: web-1'))
    await recorder.flush()
    expect(events()).toHaveLength(1)
    expect(events()[0]).toMatchObject({
      metadata: { name: expect.stringMatching(/^web\.[0-9a-f]{16}$/), namespace: 'default' },
      involvedObject: { kind: 'ReplicaSet', namespace: 'default', name: 'web', uid: 'uid-web', apiVersion: 'apps/v1' },
      reason: 'SuccessfulCreate',
      message: 'Created pod: web-1',
      source: { component: 'replicaset-controller' },
      reportingComponent: 'replicaset-controller',
      firstTimestamp: '2026-01-01T00:00:00Z',
      lastTimestamp: '2026-01-01T00:00:00Z',
      count: 1,
      type: 'Normal',
    })
  })

  test('counts the same event up instead of writing another', async () => {
    const { recorder, events, pass } = setUp()
    for (let i = 0; i < 3; i++) {
      recorder.record('c', event('web', 'again'))
      pass(1_000)
    }
    await recorder.flush()
    expect(events()).toHaveLength(1)
    expect(events()[0]).toMatchObject({
      count: 3,
      firstTimestamp: '2026-01-01T00:00:00Z',
      lastTimestamp: '2026-01-01T00:00:02Z',
    })
  })

  test('combines many similar ones', async () => {
    const { recorder, events } = setUp()
    for (let i = 0; i < 15; i++) recorder.record('c', event('web', `Created pod: web-${i}`))
    await recorder.flush()
    expect(events()).toHaveLength(10)
    const combined = events().find((one) => (one['message'] as string).startsWith('(combined from similar events): '))
    expect(combined).toMatchObject({ count: 6 })
  })

  test('lets one object have 25 at once and then one in five minutes, others are not touched', async () => {
    const { recorder, cluster, pass } = setUp()
    for (let i = 0; i < 100; i++) recorder.record('c', event('web', 'same'))
    recorder.record('c', event('other', 'same'))
    await recorder.flush()
    expect(cluster.requests).toHaveLength(26)
    expect(recorder.dropped).toBe(75)
    pass(300_000)
    recorder.record('c', event('web', 'same'))
    recorder.record('c', event('web', 'same'))
    await recorder.flush()
    expect(cluster.requests).toHaveLength(27)
  })

  test('never waits for a write, never throws, and drops what exceeds its bound', async () => {
    const requests: ApiRequest[] = []
    const { recorder } = setUp({
      request: (request) => {
        requests.push(request)
        return Promise.reject(new Error('unreachable'))
      },
      recordAttempt: () => Promise.resolve(),
    })
    for (let i = 0; i < pendingEventsMax + 50; i++) recorder.record('c', event(`o-${i}`, 'x'))
    expect(recorder.dropped).toBe(42)
    await recorder.flush()
    expect(requests).toHaveLength(pendingEventsMax + 8)
    const [first] = requests
    expect((first!.body as JsonObject)['kind']).toBe('Event')
  })
})
