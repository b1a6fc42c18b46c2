import { encodeUsage, type NodeUsage, usageExpiresMs, usageSubject } from '@shiplog/api-client/wire/node-usage'
import type { KubeObject } from '@shiplog/api/kube-object'
import type { AdmissionView } from '@shiplog/domain/admission'
import { createMemoryBus } from '@shiplog/events/bus/memory-bus'
import { silentLogger } from '@shiplog/runtime/logger'
import { createManualClock } from '@shiplog/testing/manual-clock'
import { describe, expect, test } from 'vitest'
import { nodeMetrics, podMetrics } from './metrics-objects.ts'
import { createUsageStore } from './usage-store.ts'

const pod = (name: string, nodeName: string, phase = 'Running', namespace = 'default') => ({
  metadata: { name, namespace, uid: `uid-${name}`, labels: { app: 'web' } },
  spec: { nodeName },
  status: { phase },
})
const pods = [pod('a', 'n1'), pod('b', 'n2'), pod('c', 'n1', 'Succeeded'), pod('d', 'n1', 'Running', 'other')]
const view = {
  get: () => undefined,
  list: (groupResource: string, namespace = '') =>
    groupResource === 'nodes'
      ? [{ metadata: { name: 'n1', uid: 'u1' } }, { metadata: { name: 'n2', uid: 'u2' } }]
      : pods.filter(({ metadata }) => namespace === '' || metadata.namespace === namespace),
} as unknown as AdmissionView

const used = (uid: string) => ({
  ...{ uid, atMs: 60_000, windowMs: 15_000 },
  containers: [
    { name: 'main', cpuNanoCores: 12_345_678, memoryWorkingSetBytes: 3 * 2 ** 20 },
    { name: 'side', cpuNanoCores: 1_000_000, memoryWorkingSetBytes: 1_000 },
  ],
})

async function stage(reports: Readonly<Record<string, NodeUsage>>) {
  const clock = createManualClock(100_000)
  const bus = createMemoryBus({ clock })
  const usage = createUsageStore({ clock, logger: silentLogger })
  using _hearing = usage.hear(bus)
  for (const [node, report] of Object.entries(reports)) bus.publish(usageSubject(node), encodeUsage(report))
  bus.publish('use.n2', Buffer.from('nonsense'))
  await new Promise((resolve) => setImmediate(resolve))
  return { clock, deps: { view, usage, nowMs: () => clock.nowMs() } }
}
const report = (...uids: string[]): NodeUsage => ({ pods: uids.map(used), atMs: 60_000, windowMs: 15_000 })
const namesOf = (versions: readonly { readonly name: string }[]): string[] => versions.map(({ name }) => name)

describe('metrics', () => {
  test('are what nodes last said of their running pods', async () => {
    const { deps } = await stage({ n1: report('uid-a', 'uid-c', 'uid-d') })
    expect(namesOf(podMetrics(deps, ''))).toEqual(['a', 'd'])
    expect(podMetrics(deps, 'default').map((version): KubeObject => version.parse())).toEqual([
      {
        ...{ kind: 'PodMetrics', apiVersion: 'metrics.k8s.io/v1beta1', timestamp: '1970-01-01T00:01:00Z', window: '15s' },
        metadata: { name: 'a', namespace: 'default', creationTimestamp: '1970-01-01T00:01:40Z', labels: { app: 'web' } },
        containers: [
          { name: 'main', usage: { cpu: '12345678n', memory: '3Mi' } },
          { name: 'side', usage: { cpu: '1m', memory: '1k' } },
        ],
      },
    ])
  })

  test('of a pod come from its own node alone', async () => {
    const { deps } = await stage({ n1: report('uid-b') })
    expect(podMetrics(deps, '')).toEqual([])
  })

  test('of a node are what it says of itself, or the sum of its pods', async () => {
    const own = { cpuNanoCores: 2e9, memoryWorkingSetBytes: 2 ** 30 }
    const { deps } = await stage({ n1: report('uid-a'), n2: { ...report(), node: own } })
    const usages = nodeMetrics(deps).map((version) => version.parse()['usage'])
    expect(usages).toEqual([
      { cpu: '13345678n', memory: '3146728' },
      { cpu: '2', memory: '1Gi' },
    ])
  })

  test('end when a node has not been heard for a while', async () => {
    const { deps, clock } = await stage({ n1: report('uid-a') })
    await clock.advance(usageExpiresMs)
    expect(namesOf(nodeMetrics(deps))).toEqual(['n1'])
    await clock.advance(1)
    expect(nodeMetrics(deps)).toEqual([])
    expect(podMetrics(deps, '')).toEqual([])
  })
})
