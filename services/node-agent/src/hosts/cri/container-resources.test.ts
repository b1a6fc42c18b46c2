import { describe, expect, test } from 'vitest'
import { linuxResources, oomScoreOf, podResources, qosOf } from './container-resources.ts'

const pod = (...containers: object[]): any => ({ metadata: { name: 'p' }, spec: { containers: containers.map((resources) => ({ resources })) } })
const gib = 1024 ** 3

describe('what the kernel is told', () => {
  test.each([
    [undefined, { cpuShares: 2, cpuPeriod: 100_000 }],
    [{ requests: { cpu: '250m' } }, { cpuShares: 256, cpuPeriod: 100_000 }],
    [{ limits: { cpu: '500m', memory: '64Mi' } }, { cpuShares: 512, cpuPeriod: 100_000, cpuQuota: 50_000, memoryLimitInBytes: 64 << 20 }],
    [{ limits: { cpu: '2' }, requests: { cpu: '1' } }, { cpuShares: 1_024, cpuPeriod: 100_000, cpuQuota: 200_000 }],
    [{ limits: { cpu: '1m' } }, { cpuShares: 2, cpuPeriod: 100_000, cpuQuota: 1_000 }],
  ])('of %j', (resources, expected) => {
    expect(linuxResources(resources as never)).toEqual(expected)
  })

  test('a pod is limited when all of its containers are', () => {
    const limited = { limits: { cpu: '100m', memory: '10Mi' }, requests: { cpu: '100m' } }
    expect(podResources(pod(limited, limited))).toEqual({ cpuShares: 204, cpuPeriod: 100_000, cpuQuota: 20_000, memoryLimitInBytes: 20 << 20 })
    expect(podResources(pod(limited, {}))).toEqual({ cpuShares: 102, cpuPeriod: 100_000 })
  })
})

describe('who is ended first when memory runs out', () => {
  const guaranteed = { limits: { cpu: '1', memory: '1Gi' } }
  test.each([
    ['Guaranteed', guaranteed, -997],
    ['BestEffort', {}, 1_000],
    ['Burstable', { requests: { memory: '1Gi' } }, 750],
    ['Burstable', { requests: { memory: '4Gi' } }, 3],
    ['Burstable', { requests: { cpu: '1' } }, 999],
  ])('%s of %j: %i', (qos, resources, score) => {
    const one = pod(resources)
    expect(qosOf(one)).toBe(qos)
    expect(oomScoreOf(one, one.spec.containers[0], 4 * gib)).toBe(score)
  })
})
