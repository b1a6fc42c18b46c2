import { expect, test } from 'vitest'
import type { ContainerStatsMessage } from './cri-messages.ts'
import { createUsageMeter } from './cri-usage.ts'

const stats = (id: string, atSeconds: number, coreSeconds: number): ContainerStatsMessage => ({
  attributes: { id, labels: { 'io.kubernetes.pod.uid': `pod-of-${id}` } },
  cpu: {
    timestamp: `${BigInt(atSeconds * 1_000) * 1_000_000n}`,
    usageCoreNanoSeconds: { value: `${BigInt(coreSeconds * 1_000) * 1_000_000n}` },
    usageNanoCores: null,
  },
  memory: { timestamp: '0', workingSetBytes: { value: '4096' } },
})

test('processors are told as the average between two looks, memory as it is', async () => {
  let seen: ContainerStatsMessage[] = [stats('a', 1_000, 5)]
  const measure = createUsageMeter({ containerStats: async () => seen }, 'containerd')
  expect(await measure()).toEqual([])
  seen = [stats('a', 1_010, 7.5), stats('b', 1_010, 1)]
  expect(await measure()).toEqual([
    {
      podUid: 'pod-of-a',
      containerID: 'containerd://a',
      cpuNanoCores: 250_000_000,
      memoryWorkingSetBytes: 4_096,
      atMs: 1_010_000,
      windowMs: 10_000,
    },
  ])
})

test('a counter that begins anew is no use at all', async () => {
  let seen = [stats('a', 1_000, 5)]
  const measure = createUsageMeter({ containerStats: async () => seen }, 'containerd')
  await measure()
  seen = [stats('a', 1_010, 1)]
  expect(await measure()).toEqual([])
})
