import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { createManualClock } from '@shiplog/testing/manual-clock'
import { expect, test } from 'vitest'
import type { NodeConfig } from '../node-object.ts'
import { newPodWork } from '../pod-work.ts'
import { createProber } from './container-probes.ts'

function world(probes: object) {
  const clock = createManualClock()
  const pod = {
    metadata: { name: 'web', namespace: 'default', uid: 'u' },
    spec: { terminationGracePeriodSeconds: 7, containers: [{ name: 'main', image: 'x', resources: {}, ...probes }] },
  } as unknown as Pod
  const work = newPodWork(pod, 0)
  const main = work.main[0]!
  main.state = { at: 'running', startedAtMs: clock.nowMs() }
  main.containerID = 'process://1'
  const hosted = { uid: 'u', node: {} as NodeConfig, pod, work }
  const answer = { exitCode: 0 }
  const told: string[] = []
  const prober = createProber({
    clock,
    targetOf: () => ({
      podIP: '127.0.0.1',
      ports: new Map(),
      exec: () => Promise.resolve({ exitCode: answer.exitCode, output: '', timedOut: false }),
    }),
    event: (_pod, _container, _type, reason, message) => void told.push(`${reason}: ${message}`),
    kill: (_pod, _container, graceMs) => void told.push(`killed with ${graceMs}`),
    onChange: () => void told.push('changed'),
  })
  return { clock, prober, hosted, main, answer, told }
}
const exec = { exec: { command: ['x'] }, periodSeconds: 1, failureThreshold: 2 }

test('a container is ready when its readiness probe says so, and unready when it has failed often enough', async () => {
  const { clock, prober, hosted, main, answer, told } = world({ readinessProbe: exec })
  prober.begin(hosted, main, true)
  expect(prober.isReady(hosted, main)).toBe(false)
  await clock.advance(10)
  expect(prober.isReady(hosted, main)).toBe(true)
  answer.exitCode = 1
  await clock.advance(1_000)
  expect(prober.isReady(hosted, main)).toBe(true)
  await clock.advance(1_000)
  expect(prober.isReady(hosted, main)).toBe(false)
  expect(told.filter((one) => one === 'changed')).toHaveLength(2)
})

test('a failed liveness probe ends the container with the grace of its pod, once', async () => {
  const { clock, prober, hosted, main, answer, told } = world({ livenessProbe: exec })
  answer.exitCode = 1
  prober.begin(hosted, main, true)
  await clock.advance(10_000)
  expect(told).toEqual([
    'Unhealthy: Liveness probe failed: ',
    'Unhealthy: Liveness probe failed: ',
    'Killing: Container main failed liveness probe, will be restarted',
    'killed with 7000',
  ])
})

test('the answers of an earlier run of the container do not count', async () => {
  const { clock, prober, hosted, main } = world({ readinessProbe: exec })
  const stillRuns = prober.begin(hosted, main, true)
  await clock.advance(10)
  main.containerID = 'process://2'
  expect(prober.isReady(hosted, main)).toBe(false)
  prober.end(hosted, main)
  expect(stillRuns()).toBe(false)
  expect(clock.timerCount()).toBe(0)
})
