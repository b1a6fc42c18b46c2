import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { createManualClock, settle } from '@shiplog/testing/manual-clock'
import { expect, test } from 'vitest'
import type { NodeConfig } from '../node-object.ts'
import { newPodWork } from '../pod-work.ts'
import { createLifecycleHooks, stopGraceMsMin } from './lifecycle-hooks.ts'

function world(lifecycle: object) {
  const clock = createManualClock()
  const pod = {
    metadata: { name: 'web', namespace: 'default', uid: 'u' },
    spec: { containers: [{ name: 'main', image: 'x', resources: {}, lifecycle }] },
  } as unknown as Pod
  const work = newPodWork(pod, 0)
  const hosted = { uid: 'u', node: {} as NodeConfig, pod, work }
  const stops: number[] = []
  const warnings: string[] = []
  const hooks = createLifecycleHooks({
    clock,
    targetOf: () => ({ podIP: '127.0.0.1', ports: new Map(), exec: () => Promise.reject(new Error('no such program')) }),
    stopContainer: (_uid, _id, graceMs) => void stops.push(graceMs),
    warn: (_pod, _container, reason, message) => void warnings.push(`${reason}: ${message}`),
  })
  const main = work.main[0]!
  return { clock, hooks, hosted, main, stops, warnings }
}

test('without a preStop hook, and without grace, a container is stopped at once', async () => {
  const { hooks, hosted, main, stops } = world({})
  hooks.stop(hosted, main, 30_000)
  const withHook = world({ preStop: { sleep: { seconds: 5 } } })
  withHook.hooks.stop(withHook.hosted, withHook.main, 0)
  expect([stops, withHook.stops]).toEqual([[30_000], [0]])
})

test('a preStop hook comes out of the grace period, of which a minimum is left', async () => {
  const short = world({ preStop: { sleep: { seconds: 5 } } })
  short.hooks.stop(short.hosted, short.main, 30_000)
  await short.clock.advance(4_999)
  expect(short.stops).toEqual([])
  await short.clock.advance(1)
  expect(short.stops).toEqual([25_000])
  const long = world({ preStop: { sleep: { seconds: 60 } } })
  long.hooks.stop(long.hosted, long.main, 30_000)
  await long.clock.advance(30_000)
  expect(long.stops).toEqual([stopGraceMsMin])
})

test('a second, shorter stop does not wait for the hook, and an ended container is not stopped', async () => {
  const { clock, hooks, hosted, main, stops } = world({ preStop: { sleep: { seconds: 20 } } })
  hooks.stop(hosted, main, 30_000)
  hooks.stop(hosted, main, 1_000)
  await clock.advance(60_000)
  expect(stops).toEqual([1_000])
  hooks.stop(hosted, main, 30_000)
  hooks.ended(hosted, main)
  await clock.advance(60_000)
  expect(stops).toEqual([1_000])
})

test('a hook that fails is told in the words of the kubelet', async () => {
  const { hooks, hosted, main, warnings } = world({ postStart: { exec: { command: ['x'] } } })
  expect(await hooks.postStart(hosted, main)).toBe(false)
  await settle()
  expect(warnings).toEqual(['FailedPostStartHook: PostStartHook failed: no such program'])
  const without = world({})
  expect(await without.hooks.postStart(without.hosted, without.main)).toBe(true)
})
