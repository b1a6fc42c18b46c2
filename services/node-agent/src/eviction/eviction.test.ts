import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { silentLogger } from '@shiplog/runtime/logger'
import { createManualClock } from '@shiplog/testing/manual-clock'
import { describe, expect, test } from 'vitest'
import type { NodeConfig } from '../node-object.ts'
import { newPodEntry, type PodEntry } from '../pod-entry.ts'
import { podReport } from '../pod-status.ts'
import { nextSteps } from '../pod-steps.ts'
import { newPodWork } from '../pod-work.ts'
import { createEvictionManager } from './eviction-manager.ts'
import { nodeSettings } from './kubelet-arguments.ts'
import { noPressure, type Observations, pressureStep } from './pressure.ts'
import { evictionMessage, isCritical, type PodUse, rank, storageExcess } from './ranking.ts'
import { evictionConfig, type EvictionFlags, type Signal } from './thresholds.ts'

const mebibyte = 1 << 20
const observed = (available: Partial<Record<Signal, number>>, atMs = 1, capacity = 1_000 * mebibyte): Observations =>
  new Map(Object.entries(available).map(([signal, value]) => [signal as Signal, { available: value, capacity, atMs }]))
const pod = (name: string, spec: object = {}, metadata: object = {}): Pod =>
  ({ metadata: { name, namespace: 'default', uid: name, ...metadata }, spec: { containers: [{ name: 'main', image: 'x', ...spec }], ...spec } }) as unknown as Pod
const use = (more: Partial<PodUse> = {}): PodUse => ({ memoryBytes: 0, diskBytes: 0, inodes: 0, processes: 1, containers: [], volumes: [], ...more })

describe('thresholds', () => {
  test('are those of a kubelet when nothing is said', () => {
    expect(evictionConfig({}).thresholds.map(({ signal, value }) => [signal, value])).toEqual([
      ['memory.available', { quantity: 100 * mebibyte }],
      ['nodefs.available', { fraction: 0.1 }],
      ['nodefs.inodesFree', { fraction: 0.05 }],
      ['imagefs.available', { fraction: 0.15 }],
      ['imagefs.inodesFree', { fraction: 0.05 }],
    ])
  })

  test.each<[EvictionFlags, RegExp]>([
    [{ hard: 'memory<1Gi' }, /unsupported eviction signal memory/],
    [{ hard: 'memory.available' }, /invalid eviction statement/],
    [{ hard: 'memory.available<much' }, /must be a quantity or a percentage/],
    [{ hard: 'memory.available<101%' }, /must be <= 100%/],
    [{ hard: 'memory.available<1,memory.available<2' }, /duplicate eviction signal/],
    [{ soft: 'memory.available<1Gi' }, /grace period must be specified for the soft eviction threshold memory.available/],
    [{ pressureTransitionPeriod: 'soon' }, /a duration/],
    [{ maxPodGracePeriod: '-1' }, /a whole number/],
  ])('%j is refused', (flags, why) => expect(() => evictionConfig(flags)).toThrow(why))

  test('come by the names of the kubelet’s flags, later ones instead of earlier ones', () => {
    const { eviction, imageCollection } = nodeSettings(['eviction-hard=memory.available<1Gi', 'eviction-hard=', 'image-gc-high-threshold=70', 'minimum-image-ttl-duration=1m30s'])
    expect(eviction.thresholds).toEqual([])
    expect(imageCollection).toMatchObject({ highPercent: 70, lowPercent: 70, ageMsMin: 90_000 })
    expect(() => nodeSettings(['image-gc-high-threshold=50', 'image-gc-low-threshold=60'])).toThrow(/above/)
    expect(() => nodeSettings(['max-pods=3'])).toThrow(/max-pods is none of/)
  })
})

describe('pressure', () => {
  test('is a condition from the first look on, and until so long after the last one', () => {
    const config = evictionConfig({ hard: 'memory.available<100Mi', pressureTransitionPeriod: '1m' })
    const low = pressureStep(noPressure, observed({ 'memory.available': 50 * mebibyte }), config, 0)
    expect([[...low.pressures], low.starved.length]).toEqual([['MemoryPressure'], 1])
    const better = pressureStep(low.state, observed({ 'memory.available': 500 * mebibyte }, 2), config, 10_000)
    expect([[...better.pressures], better.starved.length]).toEqual([['MemoryPressure'], 0])
    expect(pressureStep(better.state, observed({ 'memory.available': 500 * mebibyte }, 3), config, 60_000).pressures.size).toBe(0)
  })

  test('of a soft threshold is acted upon after its time, and the condition is there before', () => {
    const config = evictionConfig({ hard: '', soft: 'nodefs.available<20%', softGracePeriod: 'nodefs.available=30s' })
    const at = (atMs: number, state = noPressure) => pressureStep(state, observed({ 'nodefs.available': 100 * mebibyte }, atMs + 1), config, atMs)
    const first = at(0)
    expect([[...first.pressures], first.starved.length]).toEqual([['DiskPressure'], 0])
    const second = at(20_000, first.state)
    expect(second.starved).toEqual([])
    expect(at(30_000, second.state).starved.map(({ signal }) => signal)).toEqual(['nodefs.available'])
  })

  test('goes on until the minimum is had back, and what was not measured anew is not acted upon again', () => {
    const config = evictionConfig({ hard: 'memory.available<100Mi', minimumReclaim: 'memory.available=50Mi', pressureTransitionPeriod: '0' })
    const first = pressureStep(noPressure, observed({ 'memory.available': 90 * mebibyte }, 1), config, 0)
    expect(pressureStep(first.state, observed({ 'memory.available': 90 * mebibyte }, 1), config, 1).starved).toEqual([])
    const second = pressureStep(first.state, observed({ 'memory.available': 120 * mebibyte }, 2), config, 2)
    expect(second.starved).toHaveLength(1)
    const third = pressureStep(second.state, observed({ 'memory.available': 160 * mebibyte }, 3), config, 3)
    expect([third.starved.length, third.pressures.size]).toEqual([0, 0])
  })

  test('of memory comes before all others', () => {
    const config = evictionConfig({ hard: 'pid.available<50%,nodefs.available<50%,memory.available<50%' })
    const { starved, pressures } = pressureStep(noPressure, observed({ 'pid.available': 1, 'nodefs.available': 1, 'memory.available': 1 }), config, 0)
    expect(starved.map(({ signal }) => signal)).toEqual(['memory.available', 'pid.available', 'nodefs.available'])
    expect([...pressures].sort()).toEqual(['DiskPressure', 'MemoryPressure', 'PIDPressure'])
  })
})

describe('the order', () => {
  const one = (name: string, spec: object, of: Partial<PodUse> | undefined) => ({ pod: pod(name, spec), use: of && use(of) })
  const asks = (memory: string) => ({ resources: { requests: { memory } } })
  const names = (list: readonly { pod: Pod }[]): string[] => list.map(({ pod: { metadata } }) => metadata.name)

  test('at memory: who uses more than it asked for, by priority, by how much more', () => {
    const pods = [
      one('within', asks('500Mi'), { memoryBytes: 400 * mebibyte }),
      one('over-a-little', asks('10Mi'), { memoryBytes: 20 * mebibyte }),
      one('over-much', {}, { memoryBytes: 30 * mebibyte }),
      { pod: pod('important', { ...asks('0'), priority: 10 }), use: use({ memoryBytes: 300 * mebibyte }) },
      one('unmeasured', {}, undefined),
    ]
    expect(names(rank(pods, 'memory'))).toEqual(['unmeasured', 'over-much', 'over-a-little', 'important', 'within'])
  })

  test('at disk and processes', () => {
    const pods = [one('a', {}, { diskBytes: 5, processes: 9 }), one('b', {}, { diskBytes: 7, processes: 2 })]
    expect(names(rank(pods, 'ephemeral-storage'))).toEqual(['b', 'a'])
    expect(names(rank(pods, 'pids'))).toEqual(['a', 'b'])
  })

  test('leaves out what the cluster cannot do without', () => {
    expect(isCritical(pod('a', { priority: 2_000_001_000 }))).toBe(true)
    expect(isCritical(pod('a', {}, { annotations: { 'kubernetes.io/config.source': 'file' } }))).toBe(true)
    expect(isCritical(pod('a', { priority: 1_000 }))).toBe(false)
  })
})

describe('what is said', () => {
  test('of a shortage: threshold, what is left, and whose containers use more than they asked for', () => {
    const { thresholds } = evictionConfig({ hard: 'memory.available<100Mi' })
    const candidate = { pod: pod('p', { resources: { requests: { memory: '10Mi' } } }), use: use({ containers: [{ name: 'main', memoryBytes: 20 * mebibyte, diskBytes: 0, inodes: 0 }] }) }
    expect(evictionMessage('memory', candidate, thresholds, observed({ 'memory.available': 50 * mebibyte }))).toBe(
      'The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. Container main was using 20Mi, request is 10Mi, has larger consumption of memory. ',
    )
  })

  test.each([
    [{ volumes: [{ name: 'v', emptyDir: { sizeLimit: '1Mi' } }] }, { volumes: [{ name: 'v', usedBytes: 2 * mebibyte }] }, 'Usage of EmptyDir volume "v" exceeds the limit "1Mi". '],
    [{ volumes: [{ name: 'v', emptyDir: {} }] }, { volumes: [{ name: 'v', usedBytes: 2 * mebibyte }] }, undefined],
    [{ resources: { limits: { 'ephemeral-storage': '3Mi' } } }, { diskBytes: 4 * mebibyte }, 'Pod ephemeral local storage usage exceeds the total limit of containers 3Mi. '],
    [
      { containers: [{ name: 'a', resources: { limits: { 'ephemeral-storage': '1Mi' } } }, { name: 'b', resources: { limits: { 'ephemeral-storage': '9Mi' } } }] },
      { diskBytes: 4 * mebibyte, containers: [{ name: 'a', memoryBytes: 0, diskBytes: 2 * mebibyte, inodes: 0 }] },
      'Container a exceeded its local ephemeral storage limit "1Mi". ',
    ],
    [{ resources: { limits: { 'ephemeral-storage': '3Mi' } } }, { diskBytes: 2 * mebibyte }, undefined],
  ])('of too much storage: %j', (spec, used, message) => expect(storageExcess({ pod: pod('p', spec), use: use(used) })).toBe(message))
})

describe('a node that is short', () => {
  const entryOf = (name: string, spec: object = {}): PodEntry => {
    const one = pod(name, spec)
    const work = newPodWork(one, 0)
    Object.assign(work, { sandbox: 'ready', podIPs: ['10.0.0.1'] })
    Object.assign(work.main[0]!, { state: { at: 'running', startedAtMs: 0 }, containerID: 'c://1' })
    return newPodEntry(one, {} as NodeConfig, 1, work)
  }

  function world(flags: EvictionFlags, entries: readonly PodEntry[], signal: Signal = 'memory.available', afterFreeing?: number) {
    const clock = createManualClock()
    const left = { value: 50 * mebibyte }
    const told: string[] = []
    const manager = createEvictionManager({
      ...{ clock, log: silentLogger, config: evictionConfig(flags), pods: () => entries },
      reserves: {
        observe: async () => ({ observed: observed({ [signal]: left.value }, clock.nowMs()), of: (uid) => use({ memoryBytes: uid.length * mebibyte }) }),
        freeDisk: async () => {
          told.push('freed')
          left.value = afterFreeing ?? left.value
        },
      },
      evict(entry, eviction) {
        told.push(`evict ${entry.uid} within ${eviction.graceMs}`)
        entry.work.eviction = eviction
        entry.work.finished = true
      },
      tell: (_type, reason, message) => void told.push(`${reason}: ${message}`),
      changed: () => void told.push('changed'),
    })
    return { clock, left, told, manager }
  }

  test('ends one pod at a time, until there is enough', async () => {
    const { clock, left, told, manager } = world({ hard: 'memory.available<100Mi' }, [
      ...[entryOf('small'), entryOf('much-larger'), entryOf('critical', { priority: 2_000_000_000 })],
    ])
    await clock.advance(500)
    expect(told).toEqual(['changed', 'EvictionThresholdMet: Attempting to reclaim memory', 'evict much-larger within 1000'])
    await clock.advance(2_000)
    expect(told).toContain('evict small within 1000')
    left.value = 500 * mebibyte
    await clock.advance(20_000)
    expect(told.filter((line) => line.startsWith('evict'))).toHaveLength(2)
    expect(manager.refusal(pod('new'))).toEqual({ reason: 'Evicted', message: 'The node had condition: [MemoryPressure]. ' })
    expect(manager.refusal(pod('asks', { resources: { requests: { memory: '1Mi' } } }))).toBeUndefined()
    manager[Symbol.dispose]()
  })

  test('of disk frees images first, and ends nobody when that is enough', async () => {
    const { clock, told, manager } = world({ hard: 'imagefs.available<100Mi' }, [entryOf('a')], 'imagefs.available', 300 * mebibyte)
    await clock.advance(500)
    expect(told.slice(-2)).toEqual(['EvictionThresholdMet: Attempting to reclaim ephemeral-storage', 'freed'])
    expect(manager.refusal(pod('asks', { resources: { requests: { memory: '1Mi' } } }))?.message).toBe('The node had condition: [DiskPressure]. ')
    manager[Symbol.dispose]()
  })

  test('a pod that is ended stops, does not start again, and says why when it has', () => {
    const entry = entryOf('p', { restartPolicy: 'Always', terminationGracePeriodSeconds: 30 })
    const { work } = entry
    work.eviction = { message: 'The node was low on resource: memory. ', graceMs: 1_000, isDisruption: true }
    expect(nextSteps(work, entry.pod, 0).steps).toMatchObject([{ do: 'stop', graceMs: 1_000 }])
    const report = () => podReport({ work, pod: entry.pod, nodeIPs: ['1.1.1.1'], nowMs: 0, readyAtMs: () => 0 }).status
    expect([report().phase, report().reason]).toEqual(['Running', undefined])
    work.main[0]!.state = { at: 'terminated', exitCode: 137, reason: 'Error' }
    expect(nextSteps(work, entry.pod, 0).steps).toEqual([{ do: 'remove-sandbox' }])
    expect(report()).toMatchObject({ phase: 'Failed', reason: 'Evicted', message: 'The node was low on resource: memory. ' })
    expect(report().conditions?.find(({ type }) => type === 'DisruptionTarget')).toMatchObject({ status: 'True', reason: 'TerminationByKubelet' })
  })
})
