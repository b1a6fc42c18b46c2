// The cases are those that upstream's replica_calculator_test.go states, in one line each: pods by how they are and what they
// use, what is wanted of them, and what should come of it.
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { describe, expect, test } from 'vitest'
import type { PodReading } from './readings.ts'
import { byAverage, byUtilization, byValue, byValuePerPod, int64Max, type Replicas, sumOfSeries } from './replica-calculator.ts'

const nowMs = Date.parse('2026-01-01T12:00:00Z')
const minuteMs = 60_000
const at = (ms: number): string => new Date(ms).toISOString()

/** `ready` for an hour; `unready` since its start; `hot`: ready, started just now; and what does not count. */
type Kind = 'ready' | 'unready' | 'hot' | 'failed' | 'leaving' | 'pending'

function podOf(kind: Kind, index: number, request: string | undefined): Pod {
  const startMs = kind === 'hot' ? nowMs - minuteMs : nowMs - 60 * minuteMs
  const changedMs = kind === 'hot' ? nowMs - 10_000 : startMs
  const status = kind === 'unready' || kind === 'failed' || kind === 'pending' ? 'False' : 'True'
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `pod-${index}`,
      namespace: 'default',
      ...(kind === 'leaving' ? { deletionTimestamp: at(nowMs) } : {}),
    },
    spec: {
      containers: ['container1', 'container2'].map((name) => ({
        name,
        resources: request === undefined ? {} : { requests: { cpu: request } },
      })),
    },
    status: {
      phase: kind === 'failed' ? 'Failed' : kind === 'pending' ? 'Pending' : 'Running',
      startTime: at(startMs),
      conditions: [{ type: 'Ready', status, lastTransitionTime: at(changedMs) }],
    },
  } as unknown as Pod
}

interface Case {
  readonly pods: readonly Kind[]
  readonly current: number
  readonly up?: number
  readonly down?: number
  readonly requests?: readonly (string | undefined)[]
}

const replicasFor = ({ pods, current, up = 0.1, down = 0.1, requests }: Case): Replicas => ({
  ...{ current, nowMs, tolerances: { scaleUp: up, scaleDown: down } },
  pods: pods.map((kind, index) => podOf(kind, index, requests ? requests[index] : '1')),
})

const readingsOf = (levels: readonly number[]): Record<string, PodReading> =>
  Object.fromEntries(levels.map((milli, index) => [`pod-${index}`, [milli, nowMs, minuteMs] as const]))

const of = (count: number, kind: Kind = 'ready'): Kind[] => Array.from({ length: count }, () => kind)

describe('replicas by utilization', () => {
  // Each container of a pod uses the level; the pod twice that, of twice the request.
  test.each<[string, Case, number[], number, number, number]>([
    ['scales up', { pods: of(3), current: 3 }, [300, 500, 700], 30, 5, 50],
    ['scales up less while a pod is unready', { pods: ['unready', ...of(2)], current: 3 }, [300, 500, 700], 30, 4, 60],
    ['scales up less while a pod is new', { pods: ['hot', ...of(2)], current: 3 }, [300, 500, 700], 30, 4, 60],
    ['does not scale up for unready pods', { pods: ['ready', ...of(2, 'unready')], current: 3 }, [400, 500, 700], 30, 3, 40],
    ['leaves out failed pods on the way up', { pods: [...of(2), ...of(2, 'failed')], current: 2 }, [500, 700], 30, 4, 60],
    ['leaves out pods that go on the way up', { pods: [...of(2), ...of(2, 'leaving')], current: 2 }, [500, 700], 30, 4, 60],
    ['scales down', { pods: of(5), current: 5 }, [100, 300, 500, 250, 250], 50, 3, 28],
    ['leaves out unready pods on the way down', { pods: [...of(3), ...of(2, 'unready')], current: 5 }, [100, 300, 500, 250, 250], 50, 2, 30],
    ['leaves out pending pods on the way down', { pods: ['ready', ...of(4, 'pending')], current: 5 }, [100], 50, 1, 10],
    ['leaves out new pods on the way down', { pods: [...of(3), ...of(2, 'hot')], current: 5 }, [100, 300, 500, 250, 250], 50, 2, 30],
    ['leaves out failed pods on the way down', { pods: [...of(5), ...of(2, 'failed')], current: 5 }, [100, 300, 500, 250, 250], 50, 3, 28],
    ['tolerates a tenth', { pods: of(3), current: 3, requests: ['0.9', '1', '1.1'] }, [1010, 1030, 1020], 100, 3, 102],
    ['tolerates nothing when told so', { pods: of(3), current: 3, up: 0, down: 0 }, [909, 1010, 1111], 100, 4, 101],
    ['tolerates more upwards', { pods: of(3), current: 3, up: 2 }, [1890, 1910, 1900], 100, 3, 190],
    ['does not mix up the directions', { pods: of(3), current: 3, up: 0.08, down: 2 }, [1100, 1080, 1090], 100, 4, 109],
    ['tolerates more downwards', { pods: of(3), current: 3, down: 0.36 }, [660, 640, 650], 100, 3, 65],
    ['and not more than that', { pods: of(3), current: 3, down: 0.34 }, [660, 640, 650], 100, 2, 65],
    ['counts known pods only', { pods: of(4), current: 4 }, [4000, 9500, 3000, 7000, 3200, 2000], 100, 24, 587],
    ['takes missing pods for busy on the way down', { pods: of(4), current: 4 }, [400, 95], 100, 3, 24],
    ['stays with a missing pod at the target', { pods: of(2), current: 2 }, [1000], 100, 2, 100],
    ['takes missing pods for idle on the way up', { pods: of(2), current: 2 }, [1900], 100, 2, 190],
    ['does not turn round', { pods: of(2), current: 2 }, [600], 100, 2, 60],
    ['stays with one unready and one missing', { pods: ['unready', ...of(2)], current: 3 }, [100, 450], 50, 3, 45],
    ['stays with one new and one missing', { pods: ['hot', ...of(2)], current: 3 }, [100, 450], 50, 3, 45],
    ['scales up with one unready and one missing', { pods: ['unready', ...of(2)], current: 3 }, [100, 2000], 50, 4, 200],
    ['scales down with one unready and one missing', { pods: ['unready', ...of(3)], current: 4 }, [100, 100, 100], 50, 3, 10],
    [
      'takes missing pods for the target when that is above all they request',
      { pods: ['unready', ...of(3)], current: 4, requests: ['1', '1', '2', '2'] },
      [200, 100, 100],
      ...([300, 2, 6] as const),
    ],
    ['keeps the count while a rollout has one more', { pods: of(3), current: 2 }, [100, 100], 50, 2, 10],
  ])('%s', (_what, one, levels, target, replicas, utilization) => {
    const readings = readingsOf(levels.map((level) => 2 * level))
    const found = byUtilization(replicasFor(one), readings, { resource: 'cpu', container: '', target })
    expect(found).toMatchObject({ replicas, utilization })
  })

  test('of one container counts that container alone', () => {
    const wanted = { resource: 'cpu', container: 'container2', target: 30 }
    const found = byUtilization(replicasFor({ pods: of(3), current: 3 }), readingsOf([300, 500, 700]), wanted)
    expect(found).toEqual({ replicas: 5, utilization: 50, usage: 500 })
    const absent = byUtilization(replicasFor({ pods: of(1), current: 1 }), readingsOf([1]), { ...wanted, container: 'x' })
    expect(absent).toEqual({ fault: 'container x not found in Pod pod-0' })
  })

  test('counts sidecars, and pod-level requests before those of containers', () => {
    const replicas = replicasFor({ pods: of(1), current: 1 })
    const [pod] = replicas.pods
    const wanted = { resource: 'cpu', container: '', target: 100 }
    const sidecar = { name: 's', restartPolicy: 'Always', resources: { requests: { cpu: '2' } } }
    const init = { name: 'i', resources: { requests: { cpu: '8' } } }
    const withInit = { ...pod!, spec: { ...pod!.spec, initContainers: [sidecar, init] } } as unknown as Pod
    expect(byUtilization({ ...replicas, pods: [withInit] }, readingsOf([4000]), wanted)).toMatchObject({ utilization: 100 })
    const withPod = { ...pod!, spec: { ...pod!.spec, resources: { requests: { cpu: '8' } } } } as unknown as Pod
    expect(byUtilization({ ...replicas, pods: [withPod] }, readingsOf([4000]), wanted)).toMatchObject({ utilization: 50 })
  })

  test('says why there is no number', () => {
    const wanted = { resource: 'cpu', container: '', target: 100 }
    const reading = { 'an-older-pod': [100, nowMs, minuteMs] as const }
    const one = replicasFor({ pods: of(1), current: 1 })
    expect(byUtilization(one, reading, wanted)).toEqual({ fault: 'no metrics returned matched known pods' })
    expect(byUtilization({ ...one, pods: [] }, reading, wanted)).toEqual({
      fault: 'no pods returned by selector while calculating replica count',
    })
    expect(byUtilization(replicasFor({ pods: ['unready'], current: 1 }), readingsOf([1]), wanted)).toEqual({
      fault: 'did not receive metrics for targeted pods (pods might be unready)',
    })
    expect(byUtilization(replicasFor({ pods: of(1), current: 1, requests: [undefined] }), readingsOf([1]), wanted)).toEqual({
      fault: 'missing request for cpu in container container1 of Pod pod-0',
    })
  })

  test('of memory counts pods that start, too', () => {
    const pods = replicasFor({ pods: ['hot', 'ready'], current: 2 })
    expect(byAverage(pods, readingsOf([3000, 1000]), { resource: 'memory', target: 1000 })).toEqual({ replicas: 4, usage: 2000 })
    expect(byAverage(pods, readingsOf([3000, 1000]), { resource: 'cpu', target: 1000 })).toEqual({ replicas: 2, usage: 1000 })
  })
})

describe('replicas by an average per pod', () => {
  test.each<[string, Case, number[], number, number, number]>([
    ['scales up', { pods: of(3), current: 3 }, [20000, 10000, 30000], 15000, 4, 20000],
    ['counts unready and new pods', { pods: [...of(2), 'unready'], current: 3 }, [50000, 10000, 30000], 15000, 6, 30000],
    ['counts them even where few are ready', { pods: ['unready', 'ready', 'hot'], current: 3 }, [50000, 15000, 30000], 15000, 7, 31666],
    ['scales down', { pods: of(5), current: 5 }, [12000, 12000, 12000, 12000, 12000], 20000, 3, 12000],
    ['tolerates a tenth', { pods: of(3), current: 3 }, [20000, 21000, 21000], 20000, 3, 20666],
    ['tolerates less when told so', { pods: of(3), current: 3, up: 0.01 }, [20000, 21000, 21000], 20000, 4, 20666],
    ['stays at the target with missing pods', { pods: of(5), current: 5 }, [20000, 19000, 21000], 20000, 5, 20000],
    ['keeps the count while a rollout has one more', { pods: of(3), current: 2 }, [10000, 10000], 17000, 2, 10000],
  ])('%s', (_what, one, levels, target, replicas, usage) => {
    expect(byAverage(replicasFor(one), readingsOf(levels), { resource: '', target })).toEqual({ replicas, usage })
  })
})

describe('replicas by one value', () => {
  test.each<[string, Case, number, number, number]>([
    ['scales up', { pods: of(3), current: 3 }, 20000, 15000, 4],
    ['counts ready pods only', { pods: ['unready', 'ready', 'unready'], current: 3 }, 50000, 10000, 5],
    ['counts ready pods only, though that means fewer', { pods: ['unready', 'ready', 'unready'], current: 3 }, 8600, 4400, 2],
    ['scales down', { pods: of(5), current: 5 }, 12000, 20000, 3],
    ['tolerates a tenth', { pods: of(3), current: 3 }, 20666, 20000, 3],
    ['tolerates less when told so', { pods: of(3), current: 3, up: 0.01 }, 8900, 8800, 4],
    ['scales from zero', { pods: [], current: 0 }, 30000, 10000, 3],
    ['goes no further than 32 bits', { pods: of(3), current: 3 }, int64Max, 1, 2 ** 31 - 1],
  ])('%s', (_what, one, usage, target, replicas) => {
    expect(byValue(replicasFor(one), usage, target)).toEqual({ replicas, usage })
  })

  test('says why there is no number', () => {
    expect(byValue(replicasFor({ pods: [], current: 2 }), 10, 1)).toEqual({
      fault: 'unable to calculate ready pods: no pods returned by selector while calculating replica count',
    })
  })

  test.each<[string, number, number, number, number, number]>([
    ['scales up', 3, 20000, 5000, 4, 6667],
    ['scales down', 5, 6000, 2000, 3, 1200],
    ['tolerates a tenth', 4, 20166, 5000, 4, 5042],
    ['goes no further than 32 bits', 1, int64Max, 1, 2 ** 31 - 1, int64Max],
    ['takes the largest value', 1, int64Max, int64Max, 1, int64Max],
  ])('divided among them %s', (_what, current, usage, target, replicas, average) => {
    const tolerances = { scaleUp: 0.1, scaleDown: 0.1 }
    expect(byValuePerPod({ current, tolerances }, usage, target)).toEqual({ replicas, usage: average })
  })

  test('of several series is their sum, within 64 bits', () => {
    expect(sumOfSeries([1, 2, 3])).toBe(6)
    expect(sumOfSeries([int64Max, int64Max])).toBe(int64Max)
  })
})
