import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { ContainerExit, RecoveredContainer } from '@shiplog/node/container-runtime'
import { describe, expect, test } from 'vitest'
import { newPodWork, configOf, type ContainerWork, nextConfigOf, type PodWork } from './pod-work.ts'
import {
  onExited,
  onRecovered,
  onReferenceChanged,
  onSandboxFailed,
  onSandboxReady,
  onStarted,
  onStartFailed,
} from './pod-outcomes.ts'
import { nextSteps } from './pod-steps.ts'

const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: 'web',
    namespace: 'default',
    uid: 'uid',
    resourceVersion: '1',
    creationTimestamp: '2026-01-01T00:00:00Z',
  },
  spec: { restartPolicy: 'Always', containers: [{ name: 'main', image: 'x' }] },
} as unknown as Pod

const idOf = (attempt: number): string => `process://${attempt}`
const exit = (attempt: number, finishedAtMs: number, exitCode = 1): ContainerExit => ({
  podUid: 'uid',
  containerID: idOf(attempt),
  exitCode,
  reason: exitCode === 0 ? 'Completed' : 'Error',
  finishedAtMs,
})
const start = (container: ContainerWork, attempt: number, startedAtMs: number): void =>
  onStarted(container, { containerID: idOf(attempt), imageID: '', startedAtMs })

function ready(): { work: PodWork; main: ContainerWork } {
  const work = newPodWork(pod, 0)
  nextSteps(work, pod, 0)
  onSandboxReady(work, ['10.0.0.1'])
  return { work, main: work.main[0]! }
}

describe('an attempt', () => {
  test('has its number before it begins and while it lasts', () => {
    const { work, main } = ready()
    expect(nextConfigOf(main).attempt).toBe(0)
    onStartFailed(main, 'CreateContainerError', 'no', 0)
    expect(nextConfigOf(main).attempt).toBe(0)
    start(main, 0, 1_000)
    expect(configOf(main).attempt).toBe(0)
    onExited(work, pod, main, exit(0, 2_000))
    expect(nextConfigOf(main).attempt).toBe(1)
    onStartFailed(main, 'CreateContainerError', 'no', 2_000)
    expect(nextConfigOf(main).attempt).toBe(1)
    start(main, 1, 3_000)
    expect([configOf(main).attempt, main.restartCount]).toEqual([1, 1])
    // In a crash loop it waits, and is the next one already.
    onExited(work, pod, main, exit(1, 4_000))
    expect(main.state).toMatchObject({ at: 'waiting', reason: 'CrashLoopBackOff' })
    expect(nextConfigOf(main).attempt).toBe(2)
  })
})

describe('what the runtime still knows', () => {
  const found = (attempt: number, more: Partial<RecoveredContainer> = {}): RecoveredContainer => ({
    name: 'main',
    attempt,
    containerID: idOf(attempt),
    startedAtMs: 5_000,
    ...more,
  })

  test('a start that was never reported', () => {
    const { work, main } = ready()
    onRecovered(work, pod, main, found(0))
    expect(main).toMatchObject({ state: { at: 'running', startedAtMs: 5_000 }, restartCount: 0, containerID: idOf(0) })
  })

  test('an end that was never reported', () => {
    const { work, main } = ready()
    start(main, 0, 5_000)
    onRecovered(work, pod, main, found(0, { ended: exit(0, 6_000, 7) }))
    expect(main.state).toMatchObject({ at: 'terminated', exitCode: 7 })
    expect(nextConfigOf(main).attempt).toBe(1)
  })

  test('several lives that were never reported: the count and the pause are as if they had been', () => {
    const { work, main } = ready()
    start(main, 0, 1_000)
    const previous = { ...exit(2, 4_000, 3), startedAtMs: 3_000 }
    onRecovered(work, pod, main, found(3, { previous, ended: exit(3, 6_000, 4) }))
    expect(main.restartCount).toBe(3)
    expect(main.state).toMatchObject({ at: 'waiting', reason: 'CrashLoopBackOff' })
    expect(main.lastState).toMatchObject({ exitCode: 4, containerID: idOf(3) })
    expect(main.notBeforeMs).toBe(6_000 + 40_000)
  })

  test('what was told already changes nothing', () => {
    const { work, main } = ready()
    start(main, 0, 1_000)
    onExited(work, pod, main, exit(0, 2_000))
    start(main, 1, 3_000)
    onExited(work, pod, main, exit(1, 4_000))
    const before = structuredClone(main)
    onRecovered(work, pod, main, found(1, { ended: exit(1, 4_000) }))
    expect(main).toEqual(before)
  })
})

test('what comes after a sidecar waits for its startup probe', () => {
  const spec = {
    initContainers: [
      { name: 'side', image: 'x', restartPolicy: 'Always', startupProbe: {} },
      { name: 'step', image: 'x' },
    ],
    containers: [{ name: 'main', image: 'x' }],
  }
  const staged = { ...pod, spec } as unknown as Pod
  const work = newPodWork(staged, 0)
  nextSteps(work, staged, 0)
  onSandboxReady(work, ['10.0.0.1'])
  const [side, step] = work.init as [ContainerWork, ContainerWork]
  expect(nextSteps(work, staged, 0).steps).toEqual([{ do: 'start', container: side }])
  start(side, 0, 0)
  side.awaitsStartup = true
  expect(nextSteps(work, staged, 0).steps).toEqual([])
  side.awaitsStartup = false
  expect(nextSteps(work, staged, 0).steps).toEqual([{ do: 'start', container: step }])
})

test('what waits for something it refers to is tried again when that changes, and nothing else is', () => {
  const { work, main } = ready()
  onStartFailed(main, 'CreateContainerConfigError', 'configmap "a" not found', 1_000)
  expect(nextSteps(work, pod, 1_000)).toEqual({ steps: [], wakeAtMs: 6_000 })
  onReferenceChanged(work)
  expect(nextSteps(work, pod, 1_000).steps).toEqual([{ do: 'start', container: main }])
  onStartFailed(main, 'CreateContainerError', 'no', 1_000)
  onReferenceChanged(work)
  expect(nextSteps(work, pod, 1_000).steps).toEqual([])

  const mounting = newPodWork(pod, 0)
  nextSteps(mounting, pod, 0)
  onSandboxFailed(mounting, 0)
  expect(nextSteps(mounting, pod, 0).steps).toEqual([])
  onReferenceChanged(mounting)
  expect(nextSteps(mounting, pod, 0).steps).toEqual([{ do: 'run-sandbox' }])
})
