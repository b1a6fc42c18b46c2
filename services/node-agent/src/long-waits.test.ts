// Durations of pods that no timer of the platform can wait: the agent waits all the same, and in peace.
import { simulatedHost } from './hosts/simulated-host.ts'
import { createSimulatedRuntime } from '@shiplog/node/simulated-runtime'
import type { JsonObject } from '@shiplog/api/kube-object'
import { createClock, systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import { eventually } from '@shiplog/testing/eventually'
import { expect, test } from 'vitest'
import { createFakeCluster } from '@shiplog/testing/fake-cluster'
import { createNodeAgent } from './node-agent.ts'
import { callProbe } from './hosts/probe-call.ts'
import { dueProbes, newContainerProbes, nextProbeAtMs, onProbed } from './hosts/probe-state.ts'

const watchedMs = 150
const timersMax = 100
const lengths = [2_147_484, 5_000_000, 2 ** 31 - 2, Number.MAX_SAFE_INTEGER]

function countingClock() {
  const count = { timers: 0 }
  const clock = createClock({
    monotonicMs: () => performance.now(),
    start: (ms, callback) => {
      count.timers++
      const timer = setTimeout(callback, ms).unref()
      return () => clearTimeout(timer)
    },
  })
  return { clock, count }
}

const pod = (spec: JsonObject, metadata: JsonObject = {}): JsonObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'default', generation: 1, ...metadata },
  spec: { nodeName: 'node-0', restartPolicy: 'Never', containers: [{ name: 'main', image: 'nginx:1.29' }], ...spec },
  status: { phase: 'Pending' },
})

const slow = { annotations: { 'simulated.shiplog.dev/stop-delay-ms': '3600000' } }
const pods: Readonly<Record<string, (seconds: number) => JsonObject>> = {
  activeDeadlineSeconds: (seconds) => pod({ activeDeadlineSeconds: seconds }),
  terminationGracePeriodSeconds: (seconds) => pod({ terminationGracePeriodSeconds: seconds, activeDeadlineSeconds: 1 }, slow),
  initialDelaySeconds: (seconds) =>
    pod({
      containers: [
        { name: 'main', image: 'nginx', readinessProbe: { initialDelaySeconds: seconds, tcpSocket: { port: 80 } } },
      ],
    }),
}

/** An int32. */
const isShort = (field: string): boolean => field === 'initialDelaySeconds'
const lengthsOf = (field: string): readonly number[] => lengths.filter((seconds) => !isShort(field) || seconds < 2 ** 31)

// At the same time: each has a clock and a cluster of its own, and does nothing but wait.
test.concurrent.each(Object.keys(pods).flatMap((field) => lengthsOf(field).map((seconds) => [field, seconds] as const)))(
  'the agent waits in peace for %s of %d',
  async (field, seconds) => {
    const { clock, count } = countingClock()
    const cluster = createFakeCluster(clock)
    const agent = createNodeAgent({
      feed: cluster.feed,
      client: cluster.client(),
      clock,
      ids: systemIds,
      log: silentLogger,
      host: simulatedHost(createSimulatedRuntime({ clock, ids: systemIds })),
      nodes: { count: 1 },
      eventObjects: false,
    })
    await agent.start()
    cluster.put('pods', pods[field]!(seconds) as never)
    await eventually(() => cluster.get('pods', 'default/web')!.status.phase === 'Running')
    await systemClock.sleep(watchedMs)
    const writes = cluster.requests.filter(({ request: { resource } }) => resource === 'pods').length
    expect(cluster.get('pods', 'default/web')!['status']).toMatchObject({ phase: 'Running' })
    expect(writes).toBeLessThan(5)
    expect(count.timers).toBeLessThan(timersMax)
    await agent.stop()
  },
)

test.concurrent.each(lengths)('a deletion with a grace of %d seconds lets the container take its time', async (seconds) => {
  const { clock, count } = countingClock()
  const cluster = createFakeCluster(clock)
  const agent = createNodeAgent({
    feed: cluster.feed,
    client: cluster.client(),
    clock,
    ids: systemIds,
    log: silentLogger,
    host: simulatedHost(createSimulatedRuntime({ clock, ids: systemIds })),
    nodes: { count: 1 },
    eventObjects: false,
  })
  await agent.start()
  cluster.put('pods', pod({}, slow) as never)
  await eventually(() => cluster.get('pods', 'default/web')!.status.phase === 'Running')
  const running = structuredClone(cluster.get('pods', 'default/web')!)
  running.metadata.deletionTimestamp = '9999-12-31T23:59:59Z'
  running.metadata.deletionGracePeriodSeconds = seconds
  cluster.put('pods', running)
  await systemClock.sleep(watchedMs)
  expect(cluster.get('pods', 'default/web')!['status'].containerStatuses![0]!.state!.running).toBeDefined()
  expect(count.timers).toBeLessThan(timersMax)
  await agent.stop()
})

test.each(lengths)('probes with periods, delays and timeouts of %d seconds are asked when it is time', (seconds) => {
  const probe = { initialDelaySeconds: seconds, periodSeconds: seconds, timeoutSeconds: seconds, exec: { command: ['x'] } }
  const probes = newContainerProbes({ livenessProbe: probe, readinessProbe: { ...probe, initialDelaySeconds: 0 } }, 0)!
  const [asked, ...others] = dueProbes(probes, 0)
  expect([asked!.kind, others.length]).toEqual(['readiness', 0])
  expect(asked!.timeoutMs).toBe(seconds * 1_000)
  onProbed(probes, 'readiness', true, 0)
  expect(nextProbeAtMs(probes)).toBe(seconds * 1_000)
})

test.concurrent.each(lengths)('a hook that sleeps %d seconds sleeps', async (seconds) => {
  const { clock, count } = countingClock()
  const target = { podIP: '127.0.0.1', ports: new Map<string, number>(), exec: () => Promise.reject(new Error('no')) }
  let over = false
  void callProbe({ sleep: { seconds } }, target, 1_000, clock).then(() => {
    over = true
  })
  await systemClock.sleep(20)
  expect(over).toBe(false)
  expect(count.timers).toBe(1)
})
