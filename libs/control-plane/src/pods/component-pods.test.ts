import type { KubeObject } from '@shiplog/api/kube-object'
import { silentLogger } from '@shiplog/runtime/logger'
import { createFakeCluster } from '@shiplog/testing/fake-cluster'
import { createManualClock } from '@shiplog/testing/manual-clock'
import { expect, test } from 'vitest'
import { type ComponentState, createComponentPods } from './component-pods.ts'

const nodeName = 'shiplog-control-plane'

function world() {
  const clock = createManualClock()
  const cluster = createFakeCluster(clock)
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: nodeName } }
  cluster.must({ verb: 'create', group: '', resource: 'nodes', body: node })
  let lives = 0
  const pod = (part: string): KubeObject | undefined => cluster.get('pods', `kube-system/${part}-${nodeName}`)
  return {
    clock,
    cluster,
    pod,
    container: (part: string) => pod(part)!['status'].containerStatuses[0],
    readyOf: (part: string) =>
      pod(part)!['status'].conditions.find(({ type }: { type: string }) => type === 'Ready') as Record<string, string>,
    /** Shows what `states` says; gives its end. */
    async show(states: () => readonly ComponentState[] | undefined): Promise<() => Promise<void>> {
      const service = createComponentPods({ client: cluster.client(), clock, log: silentLogger, nodeName, states })
      void service.start()
      await clock.advance(500)
      return () => service.stop()
    },
    /** The parts of one process that begins now. */
    life(options: { ok?: () => boolean; version?: string; more?: Partial<ComponentState> } = {}) {
      const [life, startedAtMs] = [`life-${++lives}`, clock.nowMs()]
      return () =>
        ['kube-apiserver', 'kube-scheduler'].map(
          (component): ComponentState => ({
            component,
            podName: `${component}-${nodeName}`,
            identity: '',
            image: `shiplog/${component}:${options.version ?? '0.1.0'}`,
            life,
            startedAtMs,
            ready: component !== 'kube-scheduler' || (options.ok?.() ?? true),
            address: '10.0.0.1',
            ...options.more,
          }),
        )
    },
  }
}

test('each part is a mirror pod of its node, running since it was started', async () => {
  const { show, life, pod } = world()
  await show(life())
  expect(pod('kube-scheduler')).toMatchObject({
    metadata: {
      labels: { component: 'kube-scheduler', tier: 'control-plane' },
      annotations: { 'kubernetes.io/config.source': 'file' },
      ownerReferences: [{ kind: 'Node', name: nodeName, controller: true }],
    },
    spec: { nodeName, hostNetwork: true, priorityClassName: 'system-node-critical' },
    status: {
      phase: 'Running',
      podIP: '10.0.0.1',
      containerStatuses: [
        { ready: true, restartCount: 0, state: { running: { startedAt: '2026-01-01T00:00:00Z' } }, lastState: {} },
      ],
    },
  })
})

test('readiness follows the health of the part, and nothing is written while nothing changes', async () => {
  const { show, life, container, clock, cluster } = world()
  let ok = true
  await show(life({ ok: () => ok }))
  const { sequence } = cluster
  await clock.advance(10_000)
  expect(cluster.sequence).toBe(sequence)
  ok = false
  await clock.advance(3_000)
  expect([container('kube-scheduler').ready, container('kube-apiserver').ready]).toEqual([false, true])
  ok = true
  await clock.advance(3_000)
  expect(container('kube-scheduler').ready).toBe(true)
})

test('every life of the process counts as one restart, and the last state says how the one before ended', async () => {
  const { show, life, container, clock } = world()
  await (await show(life()))()
  await clock.advance(5_000)
  const stop = await show(life())
  expect(container('kube-apiserver')).toMatchObject({
    restartCount: 1,
    lastState: { terminated: { exitCode: 255, reason: 'Unknown', startedAt: '2026-01-01T00:00:00Z' } },
  })
  await clock.advance(10_000)
  expect(container('kube-apiserver').restartCount).toBe(1)
  await stop()
  await show(life({ more: { lifeBefore: { exitCode: 0, reason: 'Completed', endedAtMs: clock.nowMs() } } }))
  expect(container('kube-apiserver')).toMatchObject({
    restartCount: 2,
    lastState: { terminated: { exitCode: 0, reason: 'Completed' } },
  })
})

test('restarts that are told elsewhere are shown as they are told, however many were missed', async () => {
  const { show, life, container, clock } = world()
  const lifeBefore = { startedAtMs: clock.nowMs() - 60_000, endedAtMs: clock.nowMs() - 1_000 }
  await show(life({ more: { restarts: 7, lifeBefore } }))
  expect(container('kube-apiserver')).toMatchObject({
    restartCount: 7,
    lastState: { terminated: { startedAt: '2025-12-31T23:59:00Z', finishedAt: '2025-12-31T23:59:59Z' } },
  })
})

test('one who looks at an older life than the pod shows changes nothing', async () => {
  const { show, life, container, cluster, clock } = world()
  const old = life({ more: { restarts: 3, ready: false } })
  await clock.advance(1_000)
  await show(life({ more: { restarts: 4 } }))
  const { sequence } = cluster
  await show(old)
  await clock.advance(5_000)
  expect(cluster.sequence).toBe(sequence)
  expect(container('kube-scheduler')).toMatchObject({ restartCount: 4, ready: true })
})

test('of what is not known now the pod goes on to show what it showed', async () => {
  const { show, life, readyOf, clock } = world()
  const unready = { reason: 'HeartbeatMissed', message: 'gone' }
  let ready: boolean | undefined = false
  const states = life()
  await show(() => states().map((state) => ({ ...state, ready, ...(ready === false ? { unready } : {}) })))
  expect(readyOf('kube-scheduler')).toMatchObject({ status: 'False', ...unready })
  ready = undefined
  await clock.advance(3_000)
  expect(readyOf('kube-scheduler')).toMatchObject({ status: 'False', ...unready })
  ready = true
  await clock.advance(3_000)
  ready = undefined
  await clock.advance(3_000)
  expect(readyOf('kube-scheduler')).toMatchObject({ status: 'True' })
})

test('nothing is deleted while it is not known which parts there are', async () => {
  const { show, life, pod, clock } = world()
  await (await show(life()))()
  await show(() => undefined)
  await clock.advance(5_000)
  expect(pod('kube-apiserver')).toBeDefined()
})

test('a part that is about to come keeps its pod as it is, and gets none yet', async () => {
  const { show, life, pod, container, clock } = world()
  await (await show(life()))()
  await show(() => [
    ...life({ more: { coming: true } })(),
    { ...life()()[0]!, podName: `new-${nodeName}`, coming: true },
  ])
  await clock.advance(3_000)
  expect(container('kube-apiserver').restartCount).toBe(0)
  expect(pod('new')).toBeUndefined()
})

test('a pod that someone deletes comes back; one of a part that is no more goes', async () => {
  const { show, life, pod, clock, cluster } = world()
  let states = life()()
  await show(() => states)
  const address = { group: '', resource: 'pods', namespace: 'kube-system' } as const
  cluster.must({ ...address, verb: 'delete', name: `kube-apiserver-${nodeName}`, body: { gracePeriodSeconds: 0 } })
  await clock.advance(3_000)
  expect(pod('kube-apiserver')).toBeDefined()
  states = states.slice(0, 1)
  await clock.advance(3_000)
  expect(pod('kube-apiserver')).toBeDefined()
  expect(pod('kube-scheduler')).toBeUndefined()
})

test('a pod whose deletion was asked for is ended, and a new one shows the part again', async () => {
  const { show, life, pod, clock, cluster } = world()
  await show(life())
  const { uid } = pod('kube-scheduler')!.metadata
  const address = { group: '', resource: 'pods', namespace: 'kube-system' } as const
  cluster.must({ ...address, verb: 'delete', name: `kube-scheduler-${nodeName}` })
  expect(pod('kube-scheduler')!.metadata.deletionTimestamp).toBeDefined()
  await clock.advance(3_000)
  expect(pod('kube-scheduler')!.metadata.deletionTimestamp).toBeUndefined()
  expect(pod('kube-scheduler')!.metadata.uid).not.toBe(uid)
})

test('another version of a part replaces its pod, and so does another of its name', async () => {
  const { show, life, pod } = world()
  await (await show(life()))()
  const { uid } = pod('kube-apiserver')!.metadata
  await (await show(life({ version: '0.2.0' })))()
  const second = pod('kube-apiserver')!.metadata.uid
  expect(second).not.toBe(uid)
  expect(pod('kube-apiserver')!['spec'].containers[0].image).toBe('shiplog/kube-apiserver:0.2.0')
  await show(life({ version: '0.2.0', more: { identity: 'another Lease' } }))
  expect(pod('kube-apiserver')!.metadata.uid).not.toBe(second)
})

test('two that show the same at the same time make one pod of each part, and one write of each change', async () => {
  const { show, life, container, clock, cluster } = world()
  let ready = true
  const states = life({ more: { restarts: 0 } })
  const now = () => states().map((state) => ({ ...state, ready }))
  await Promise.all([show(now), show(now)])
  const { sequence } = cluster
  ready = false
  await clock.advance(10_000)
  expect(container('kube-apiserver').ready).toBe(false)
  expect(cluster.sequence).toBe(sequence + 2)
})

test('what was refused is tried again', async () => {
  const { clock, cluster, life, pod } = world()
  const fates = ['lose-request', 'deliver', 'deliver', 'lose-answer', 'deliver', 'deliver', 'deliver'] as const
  const client = cluster.client({ fate: (_request, index) => fates[index % fates.length]! })
  const service = createComponentPods({ client, clock, log: silentLogger, nodeName, states: life() })
  const started = service.start()
  await clock.advance(60_000)
  expect(pod('kube-scheduler')!['status'].phase).toBe('Running')
  await service.stop()
  await started
})
