import type { KubeObject } from '@shiplog/api/kube-object'
import { componentLease, vitalAnnotations } from './component-lease.ts'
import { missedBeatsMax } from './lease-liveness.ts'
import type { Clock } from '@shiplog/runtime/clock'
import { createFakeCluster } from '@shiplog/testing/fake-cluster'
import { expect, test } from 'vitest'
import {
  followComponentLeases,
  forgetAfterMs,
  isGoneForGood,
  type SeenComponent,
  stateOfComponent,
} from './component-leases.ts'

const leases = { group: 'coordination.k8s.io', resource: 'leases', namespace: 'kube-system' } as const
const own = 'kube-apiserver-me'

function setUp() {
  let nowMs = Date.parse('2026-01-01T00:00:00Z')
  const clock: Clock = {
    nowMs: () => nowMs,
    sleep: () => new Promise(() => undefined),
    after: () => ({ [Symbol.dispose]: () => undefined }),
    every: () => ({ [Symbol.dispose]: () => undefined }),
  }
  const cluster = createFakeCluster(clock)
  const settle = () => new Promise((resolve) => setTimeout(resolve, 2))
  return {
    cluster,
    /** Renews or makes the Lease of a replica. */
    async beat(component: string, replica: string, holder = 'a', complaint?: string): Promise<void> {
      nowMs += 100
      const name = `${component}-${replica}`
      const before = cluster.get('leases.coordination.k8s.io', `kube-system/${name}`)
      const failing = complaint === undefined ? [] : [{ name: 'log', ok: false, reason: complaint }]
      const annotations = vitalAnnotations({ startedAtMs: nowMs, failing, version: '0.1.0' })
      const body = componentLease(before, { component, replica, holder, durationSeconds: 6, annotations }, nowMs)
      cluster.must(before ? { ...leases, verb: 'update', name, body } : { ...leases, verb: 'create', body })
      await settle()
    },
    async follow() {
      let changes = 0
      const followed = followComponentLeases({ feed: cluster.feed, clock, own, onChange: () => changes++ })
      await settle()
      const find = (name: string): SeenComponent | undefined =>
        followed.all()?.find(({ leaseName }) => leaseName === name)
      return { followed, find, changes: () => changes }
    },
    settle,
  }
}

test('who beats lives; who has not while we did several times is dead, and that is told as it happens', async () => {
  const { beat, follow } = setUp()
  await beat('kube-scheduler', 'old')
  const { find, changes } = await follow()
  expect(find('kube-scheduler-old')?.liveness).toBe('unknown')
  await beat('kube-apiserver', 'me')
  await beat('kube-scheduler', 'new')
  expect(find('kube-scheduler-new')?.liveness).toBe('alive')
  for (let count = 0; count < missedBeatsMax; count++) {
    await beat('kube-apiserver', 'me')
    if (count < missedBeatsMax - 1) await beat('kube-scheduler', 'new')
  }
  expect(find('kube-scheduler-old')?.liveness).toBe('dead')
  expect(find('kube-scheduler-new')?.liveness).toBe('alive')
  const told = changes()
  await beat('kube-scheduler', 'new')
  expect(changes()).toBe(told)
  for (let count = 0; count < missedBeatsMax; count++) await beat('kube-apiserver', 'me')
  expect(find('kube-scheduler-new')?.liveness).toBe('dead')
  expect(changes()).toBe(told + 1)
})

test('a Lease that is deleted, and one that is no component, is nobody', async () => {
  const { beat, follow, cluster, settle } = setUp()
  const { followed, changes } = await follow()
  await beat('kube-scheduler', 'new')
  const other = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'other' }, spec: {} }
  cluster.must({ ...leases, verb: 'create', body: other })
  await settle()
  expect(followed.all()!.map(({ leaseName }) => leaseName)).toEqual(['kube-scheduler-new'])
  const told = changes()
  cluster.must({ ...leases, verb: 'delete', name: 'kube-scheduler-new' })
  await settle()
  expect(followed.all()).toEqual([])
  expect(changes()).toBe(told + 1)
  followed.stop()
})

test('the pod of a component shows its life, and why it is not ready', async () => {
  const { beat, follow, cluster } = setUp()
  const { find } = await follow()
  await beat('kube-scheduler', 'one', 'a')
  await beat('kube-scheduler', 'one', 'b', 'it is full')
  const { uid } = cluster.get('leases.coordination.k8s.io', 'kube-system/kube-scheduler-one')!
    .metadata as KubeObject['metadata']
  expect(stateOfComponent(find('kube-scheduler-one')!)).toMatchObject({
    component: 'kube-scheduler',
    podName: 'kube-scheduler-one',
    identity: uid,
    image: 'shiplog/kube-scheduler:0.1.0',
    life: 'b',
    restarts: 1,
    ready: false,
    unready: { reason: 'ContainersNotReady', message: 'log: it is full' },
  })
  await beat('kube-apiserver', 'me')
  for (let count = 0; count < missedBeatsMax; count++) await beat('kube-apiserver', 'me')
  expect(stateOfComponent(find('kube-scheduler-one')!)).toMatchObject({
    ready: false,
    unready: { reason: 'HeartbeatMissed' },
  })
})

test('only who is dead by the log and was not heard of for an hour is gone for good', async () => {
  const { beat, follow } = setUp()
  const { find } = await follow()
  await beat('kube-scheduler', 'one')
  const { renewedAtMs } = find('kube-scheduler-one')!
  expect(isGoneForGood(find('kube-scheduler-one')!, renewedAtMs + 2 * forgetAfterMs)).toBe(false)
  await beat('kube-apiserver', 'me')
  for (let count = 0; count < missedBeatsMax; count++) await beat('kube-apiserver', 'me')
  expect(isGoneForGood(find('kube-scheduler-one')!, renewedAtMs + forgetAfterMs)).toBe(false)
  expect(isGoneForGood(find('kube-scheduler-one')!, renewedAtMs + forgetAfterMs + 1)).toBe(true)
})
