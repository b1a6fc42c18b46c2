import type { KubeObject } from '@shiplog/api/kube-object'
import { silentLogger } from '@shiplog/runtime/logger'
import { expect, test } from 'vitest'
import { type ControlPlanePodsDeps, createControlPlanePods } from './control-plane-pods.ts'
import { createFakeCluster, createManualClock, type FakeCluster, type ManualClock } from './fake-cluster.ts'

let serial = 0
const ids = { uuid: () => `00000000-0000-4000-8000-${String(++serial).padStart(12, '0')}`, integer: () => 0 }

interface World {
  readonly clock: ManualClock
  readonly cluster: FakeCluster
  /** A life of the control plane with two parts; gives its end. */
  live(options?: {
    ok?: () => boolean
    end?: ControlPlanePodsDeps['previousEnd']
    version?: string
  }): Promise<() => Promise<void>>
  pod(part: string): KubeObject | undefined
}

function world(): World {
  const clock = createManualClock()
  const cluster = createFakeCluster(clock)
  cluster.put('nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name: 'shiplog-control-plane', uid: 'node-uid' } })
  return {
    clock,
    cluster,
    pod: (part) => cluster.get('pods', 'kube-system', `${part}-shiplog-control-plane`),
    async live(options = {}) {
      const startedAtMs = clock.nowMs()
      const service = createControlPlanePods({
        feed: cluster.feed,
        client: cluster.client,
        clock,
        ids,
        log: silentLogger,
        nodeName: 'shiplog-control-plane',
        nodeIP: '127.0.0.1',
        ...(options.end ? { previousEnd: options.end } : {}),
        parts: ['kube-apiserver', 'kube-scheduler'].map((name) => ({
          name,
          startedAtMs,
          image: `shiplog/${name}:${options.version ?? '0.1.0'}`,
          health: () => [{ name: 'x', ok: name !== 'kube-scheduler' || (options.ok?.() ?? true) }],
        })),
      })
      const started = service.start()
      await clock.advance(100)
      await started
      return () => service.stop()
    },
  }
}

test('each part is a mirror pod of its node, running since it was started', async () => {
  const { live, pod } = world()
  await live()
  expect(pod('kube-scheduler')).toMatchObject({
    metadata: {
      labels: { component: 'kube-scheduler', tier: 'control-plane' },
      annotations: { 'kubernetes.io/config.source': 'file' },
      ownerReferences: [{ kind: 'Node', name: 'shiplog-control-plane', uid: 'node-uid', controller: true }],
    },
    spec: { nodeName: 'shiplog-control-plane', hostNetwork: true, priorityClassName: 'system-node-critical' },
    status: {
      phase: 'Running',
      containerStatuses: [
        { ready: true, restartCount: 0, state: { running: { startedAt: '2026-01-01T00:00:00Z' } }, lastState: {} },
      ],
    },
  })
})

test('readiness follows the health of the part', async () => {
  const { live, pod, clock } = world()
  let ok = true
  await live({ ok: () => ok })
  ok = false
  await clock.advance(3_000)
  expect(pod('kube-scheduler')!['status'].containerStatuses[0].ready).toBe(false)
  expect(pod('kube-apiserver')!['status'].containerStatuses[0].ready).toBe(true)
  ok = true
  await clock.advance(3_000)
  expect(pod('kube-scheduler')!['status'].containerStatuses[0].ready).toBe(true)
})

test('every life of the process counts as one restart, and the last state says how the one before ended', async () => {
  const { live, pod, clock } = world()
  const stop = await live()
  await stop()
  await clock.advance(5_000)
  const stopAgain = await live()
  expect(pod('kube-apiserver')!['status'].containerStatuses[0]).toMatchObject({
    restartCount: 1,
    lastState: { terminated: { exitCode: 255, reason: 'Unknown', startedAt: '2026-01-01T00:00:00Z' } },
  })
  await clock.advance(10_000)
  expect(pod('kube-apiserver')!['status'].containerStatuses[0].restartCount).toBe(1)
  await stopAgain()
  await live({ end: { exitCode: 0, reason: 'Completed', finishedAtMs: clock.nowMs() } })
  expect(pod('kube-apiserver')!['status'].containerStatuses[0]).toMatchObject({
    restartCount: 2,
    lastState: { terminated: { exitCode: 0, reason: 'Completed' } },
  })
})

test('a pod that someone deletes comes back; one of a part that is no more goes', async () => {
  const { live, pod, clock, cluster } = world()
  await live()
  cluster.remove('pods', 'kube-system', 'kube-apiserver-shiplog-control-plane')
  cluster.put('pods', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'old-shiplog-control-plane',
      namespace: 'kube-system',
      annotations: { 'kubernetes.io/config.mirror': 'x' },
    },
    spec: { nodeName: 'shiplog-control-plane', containers: [] },
  })
  await clock.advance(3_000)
  expect(pod('kube-apiserver')).toBeDefined()
  expect(pod('old')).toBeUndefined()
})

test('a pod whose deletion was asked for is ended, and a new one shows the part again', async () => {
  const { live, pod, clock, cluster } = world()
  await live()
  const deleted = structuredClone(pod('kube-scheduler')!)
  deleted.metadata.deletionTimestamp = '2026-01-01T00:00:30Z'
  cluster.put('pods', deleted)
  await clock.advance(3_000)
  expect(pod('kube-scheduler')!.metadata.deletionTimestamp).toBeUndefined()
  expect(pod('kube-scheduler')!.metadata.uid).not.toBe(deleted.metadata.uid)
})

test('another version of a part replaces its pod', async () => {
  const { live, pod } = world()
  const stop = await live()
  const { uid } = pod('kube-apiserver')!.metadata
  await stop()
  await live({ version: '0.2.0' })
  expect(pod('kube-apiserver')!.metadata.uid).not.toBe(uid)
  expect(pod('kube-apiserver')!['spec'].containers[0].image).toBe('shiplog/kube-apiserver:0.2.0')
})
