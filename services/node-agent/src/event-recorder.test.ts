import type { KubeObject } from '@shiplog/api/kube-object'
import { expect, test } from 'vitest'
import { createEventRecorder } from './event-recorder.ts'
import { createManualClock, settle } from '@shiplog/testing/manual-clock'
import { createFakeCluster } from '@shiplog/testing/fake-cluster'

const pod = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    namespace: 'default',
    uid: `uid-${name}`,
    resourceVersion: '1',
    creationTimestamp: '2026-01-01T00:00:00Z',
  },
})

test('the same thing said again raises the count of one Event object', async () => {
  const clock = createManualClock()
  const { client, requests, get } = createFakeCluster(clock)
  const recorder = createEventRecorder({ client: client(), clock })
  for (let time = 0; time < 3; time++) {
    recorder.pod(pod('a'), 'node-0', 'Warning', 'BackOff', 'again', 'spec.containers{main}')
    await settle()
    await clock.advance(1_000)
  }
  recorder.pod(pod('b'), 'node-0', 'Warning', 'BackOff', 'again', 'spec.containers{main}')
  await settle()
  expect(requests.map(({ request: { verb } }) => verb)).toEqual(['create', 'patch', 'patch', 'create'])
  expect(get('events', `default/${requests[1]!.request.name}`)).toMatchObject({
    count: 3,
    firstTimestamp: '2026-01-01T00:00:00Z',
    lastTimestamp: '2026-01-01T00:00:02Z',
    involvedObject: { kind: 'Pod', name: 'a', uid: 'uid-a', fieldPath: 'spec.containers{main}' },
  })
})

test('more than a person could read is dropped, and after a while there is room again', async () => {
  const clock = createManualClock()
  const { client, requests } = createFakeCluster(clock)
  const recorder = createEventRecorder({ client: client(), clock })
  const say = async (count: number): Promise<number> => {
    const before = requests.length
    for (let index = 0; index < count; index++) {
      recorder.pod(pod(`p-${before + index}`), 'node-0', 'Normal', 'Started', 'x')
      if (index % 10 === 9) await settle()
    }
    await settle()
    return requests.length - before
  }
  expect(await say(1_000)).toBe(60)
  await clock.advance(2_000)
  expect(await say(1_000)).toBe(10)
})
