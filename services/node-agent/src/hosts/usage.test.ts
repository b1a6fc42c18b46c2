import { describe, expect, test } from 'vitest'
import type { ContainerMeasure } from '@shiplog/node/container-runtime'
import { measuredUsage } from './measured-usage.ts'
import type { HostedPod } from './pod-host.ts'
import { simulatedUsage } from './simulated-usage.ts'

const container = (name: string, at: string) => ({ name, containerID: `id-${name}`, state: { at } })

function hosted(annotations: Record<string, string>, requests: Record<string, string> = {}, states = ['running', 'waiting']) {
  const work = { init: [], main: [container('main', states[0]!), container('side', states[1]!)], ephemeral: [] }
  const spec = { containers: [{ name: 'main', resources: { requests } }, { name: 'side' }] }
  return { uid: 'u-1', pod: { metadata: { annotations }, spec }, work } as unknown as HostedPod
}
const at = (key: string): string => `simulated.shiplog.dev/${key}`
const use = (pod: HostedPod) =>
  simulatedUsage(pod, 5_000)?.containers.map((one) => `${one.name} ${one.cpuNanoCores / 1e6}m ${one.memoryWorkingSetBytes / 2 ** 20}Mi`)

describe('simulated containers use', () => {
  test('what annotations say, of their own before those of the pod', () => {
    const said = { [at('cpu-usage')]: '250m', [at('memory-usage')]: '64Mi', [at('cpu-usage.side')]: '1' }
    expect(use(hosted(said, {}, ['running', 'running']))).toEqual(['main 250m 64Mi', 'side 1000m 64Mi'])
  })

  test('half of what they request, or next to nothing; what is no quantity says nothing', () => {
    expect(use(hosted({}, { cpu: '100m', memory: '32Mi' }, ['running', 'running']))).toEqual(['main 50m 16Mi', 'side 1m 16Mi'])
    expect(use(hosted({ [at('cpu-usage')]: 'lots' }, { cpu: '100m' }))).toEqual(['main 50m 16Mi'])
  })

  test('nothing while they do not run', () => {
    expect(use(hosted({}, {}, ['terminated', 'waiting']))).toBeUndefined()
  })
})

test('what a runtime measured is told by pod and container; what does not run, or is nobody knows whose, is left out', () => {
  const measure = (name: string): ContainerMeasure => ({
    ...{ podUid: 'u-1', containerID: `id-${name}`, cpuNanoCores: 3, memoryWorkingSetBytes: 4, atMs: 9, windowMs: 2 },
  })
  const usages = measuredUsage([hosted({})], [measure('main'), measure('side'), measure('other')])
  expect([...usages]).toEqual([
    ['u-1', { uid: 'u-1', containers: [{ name: 'main', cpuNanoCores: 3, memoryWorkingSetBytes: 4 }], atMs: 9, windowMs: 2 }],
  ])
})
