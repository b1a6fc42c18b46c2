import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { createSimulatedRuntime } from '@shiplog/node/simulated-runtime'
import { silentLogger } from '@shiplog/runtime/logger'
import { createFakeCluster, type FakeCluster } from '@shiplog/testing/fake-cluster'
import { createManualClock, type ManualClock } from '@shiplog/testing/manual-clock'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { simulatedHost } from '../hosts/simulated-host.ts'
import { createNodeAgent, type NodeAgent } from '../node-agent.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'static-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const ids = { uuid: () => '00000000-0000-4000-8000-000000000001', integer: () => 0 }

interface World {
  readonly clock: ManualClock
  readonly cluster: FakeCluster
  readonly agent: NodeAgent
  mirror(name?: string): KubeObject | undefined
}

async function start(before?: Pick<World, 'clock' | 'cluster'>): Promise<World> {
  const clock = before?.clock ?? createManualClock()
  const cluster = before?.cluster ?? createFakeCluster(clock)
  const agent = createNodeAgent({
    ...{ clock, ids, log: silentLogger, feed: cluster.feed, client: cluster.client() },
    host: simulatedHost(createSimulatedRuntime({ clock, ids })),
    nodes: { count: 1 },
    staticPods: { directory },
    eventObjects: false,
  })
  const started = agent.start()
  await clock.advance(3_000)
  await started
  return { clock, cluster, agent, mirror: (name = 'web-node-0') => cluster.get('pods', `default/${name}`) }
}

/** As a careful editor does: nobody sees half a file. */
function write(name: string, image: string, more: JsonObject = {}): void {
  const spec = { terminationGracePeriodSeconds: 5, containers: [{ name: 'main', image }], ...more }
  writeFileSync(join(directory, '.new'), JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec }))
  renameSync(join(directory, '.new'), join(directory, `${name}.yaml`))
}

test('a file is a pod that runs, and the API has a mirror of it that its node owns', async () => {
  write('web', 'nginx:1')
  const { mirror, cluster } = await start()
  const { metadata, ...pod } = mirror()!
  const annotations = metadata.annotations!
  expect(annotations['kubernetes.io/config.mirror']).toBe(annotations['kubernetes.io/config.hash'])
  expect(annotations['kubernetes.io/config.source']).toBe('file')
  expect(metadata.ownerReferences).toEqual([
    { apiVersion: 'v1', kind: 'Node', name: 'node-0', uid: cluster.get('nodes', '/node-0')!.metadata.uid, controller: true },
  ])
  expect(metadata.uid).not.toBe(annotations['kubernetes.io/config.hash'])
  expect(pod['spec'].nodeName).toBe('node-0')
  expect(pod['status']).toMatchObject({ phase: 'Running', containerStatuses: [{ ready: true, image: 'nginx:1' }] })
})

test('a file that changes is another pod: the one before ends with its grace, then the mirror is the new one', async () => {
  write('web', 'nginx:1')
  const { mirror, clock, agent } = await start()
  const before = mirror()!.metadata.uid
  write('web', 'nginx:2')
  await clock.advance(10_000)
  expect(mirror()!.metadata.uid).not.toBe(before)
  expect(mirror()!['status'].containerStatuses[0]).toMatchObject({ image: 'nginx:2', ready: true })
  expect(agent.podCount()).toBe(1)
})

test('a file that goes takes pod and mirror along, and one that is wrong takes nothing', async () => {
  write('web', 'nginx:1')
  const { mirror, clock, agent } = await start()
  const { uid } = mirror()!.metadata
  writeFileSync(join(directory, 'web.yaml'), '{"kind": "Pod", "apiVers')
  writeFileSync(join(directory, 'other.yaml'), 'what?')
  await clock.advance(10_000)
  expect(mirror()!.metadata.uid).toBe(uid)
  for (const file of readdirSync(directory)) rmSync(join(directory, file))
  await clock.advance(10_000)
  expect(mirror()).toBeUndefined()
  expect(agent.podCount()).toBe(0)
})

test('a mirror that somebody deletes comes back, and the pod runs on', async () => {
  write('web', 'nginx:1')
  const { mirror, clock, cluster } = await start()
  const first = mirror()!
  const { startedAt } = first['status'].containerStatuses[0].state.running
  const deleted = await cluster.client().request({ verb: 'delete', group: '', resource: 'pods', namespace: 'default', name: 'web-node-0' })
  expect(deleted.ok).toBe(true)
  await clock.advance(10_000)
  const second = mirror()!
  expect(second.metadata.uid).not.toBe(first.metadata.uid)
  expect(second['status'].containerStatuses[0]).toMatchObject({ restartCount: 0, state: { running: { startedAt } } })
})

test('a pod runs while the API is away, and a mirror that nothing stands behind goes', async () => {
  write('web', 'nginx:1')
  const world = await start()
  const { clock, cluster, mirror } = world
  await world.agent.stop()
  rmSync(join(directory, 'web.yaml'))
  write('job', 'nginx:1')
  const next = await start({ clock, cluster })
  await clock.advance(5_000)
  expect(mirror()).toBeUndefined()
  expect(mirror('job-node-0')!['status'].phase).toBe('Running')
  await next.agent.stop()
})
