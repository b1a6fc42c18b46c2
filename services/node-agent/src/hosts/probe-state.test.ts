import type { JsonObject } from '@shiplog/api/kube-object'
import { describe, expect, test } from 'vitest'
import {
  type ContainerProbes,
  dueProbes,
  hasStarted,
  isReady,
  newContainerProbes,
  nextProbeAtMs,
  onProbed,
  type ProbeKind,
} from './probe-state.ts'

const probesOf = (spec: JsonObject): ContainerProbes => newContainerProbes(spec, 0)!
const kinds = (probes: ContainerProbes, nowMs: number): ProbeKind[] => dueProbes(probes, nowMs).map(({ kind }) => kind)

test('a container without probes has nothing to ask', () => {
  expect(newContainerProbes({}, 0)).toBeUndefined()
})

describe('readiness', () => {
  test('waits for its delay, then is asked every period', () => {
    const probes = probesOf({ readinessProbe: { initialDelaySeconds: 5, periodSeconds: 2 } })
    expect(isReady(probes)).toBe(false)
    expect(nextProbeAtMs(probes)).toBe(5_000)
    expect(kinds(probes, 4_999)).toEqual([])
    expect(kinds(probes, 5_000)).toEqual(['readiness'])
    // While an answer is awaited nobody is asked again.
    expect(kinds(probes, 60_000)).toEqual([])
    expect(onProbed(probes, 'readiness', true, 5_010)).toEqual({ changed: true, kill: false })
    expect(isReady(probes)).toBe(true)
    expect(nextProbeAtMs(probes)).toBe(7_000)
  })

  test('changes only after enough answers in a row, in both directions', () => {
    const probes = probesOf({ readinessProbe: { successThreshold: 2, failureThreshold: 3 } })
    const answer = (wentWell: boolean) => onProbed(probes, 'readiness', wentWell, 0).changed
    expect([answer(true), answer(false), answer(true), answer(true)]).toEqual([false, false, false, true])
    expect([answer(false), answer(false), answer(true), answer(false), answer(false), answer(false)]).toEqual([
      false,
      false,
      false,
      false,
      false,
      true,
    ])
    expect(isReady(probes)).toBe(false)
  })

  test('never ends the container', () => {
    const probes = probesOf({ readinessProbe: { failureThreshold: 1 } })
    expect(onProbed(probes, 'readiness', false, 0).kill).toBe(false)
  })
})

test('a container that goes on under a new agent is what was reported of it, until its probes say otherwise', () => {
  const spec = { startupProbe: {}, readinessProbe: { failureThreshold: 1 } }
  const probes = newContainerProbes(spec, 0, { started: true, ready: true })!
  expect([hasStarted(probes), isReady(probes)]).toEqual([true, true])
  expect(kinds(probes, 0)).toEqual(['readiness'])
  expect(onProbed(probes, 'readiness', false, 0).changed).toBe(true)
  expect(isReady(probes)).toBe(false)
  const young = newContainerProbes(spec, 0, { started: false, ready: false })!
  expect([hasStarted(young), isReady(young)]).toEqual([false, false])
})

describe('liveness', () => {
  test('does not make a container unready, and ends it after enough failures in a row', () => {
    const probes = probesOf({ livenessProbe: { failureThreshold: 2, terminationGracePeriodSeconds: 1 } })
    expect(isReady(probes)).toBe(true)
    const [probe] = dueProbes(probes, 0)
    expect(probe!.graceMs).toBe(1_000)
    expect(onProbed(probes, 'liveness', false, 0)).toEqual({ changed: false, kill: false })
    expect(onProbed(probes, 'liveness', false, 0)).toEqual({ changed: false, kill: true })
    expect(kinds(probes, 1_000_000)).toEqual([])
    expect(onProbed(probes, 'liveness', false, 0).kill).toBe(false)
  })
})

describe('startup', () => {
  const spec = {
    startupProbe: { periodSeconds: 1, failureThreshold: 3 },
    livenessProbe: { initialDelaySeconds: 1 },
    readinessProbe: { initialDelaySeconds: 60 },
  }
  test('holds the others back until it has succeeded, and is not asked again', () => {
    const probes = probesOf(spec)
    expect(kinds(probes, 90_000)).toEqual(['startup'])
    expect([hasStarted(probes), isReady(probes)]).toEqual([false, false])
    expect(onProbed(probes, 'startup', true, 2_000)).toEqual({ changed: true, kill: false })
    expect([hasStarted(probes), isReady(probes)]).toEqual([true, false])
    expect(kinds(probes, 2_000)).toEqual(['liveness'])
    expect(nextProbeAtMs(probes)).toBe(60_000)
  })

  test('ends the container when it never succeeds', () => {
    const probes = probesOf(spec)
    const answers = [1, 2, 3].map(() => onProbed(probes, 'startup', false, 0).kill)
    expect(answers).toEqual([false, false, true])
  })
})
