import type { ApiClient } from '@shiplog/api/api-client'
import type { Clock } from '@shiplog/runtime/clock'
import { silentLogger } from '@shiplog/runtime/logger'
import { createFakeCluster } from '@shiplog/testing/fake-cluster'
import { expect, test } from 'vitest'
import { readComponentLease } from './component-lease.ts'
import { beatEveryMs, startHeartbeat } from './heartbeat.ts'

/** Time that passes only by `pass`, in steps short enough for every timer. */
function manualClock(): Clock & { pass(ms: number): Promise<void> } {
  let nowMs = Date.parse('2026-01-01T00:00:00Z')
  const sleepers = new Set<{ readonly atMs: number; readonly wake: () => void }>()
  const settle = () => new Promise((resolve) => setImmediate(resolve))
  return {
    nowMs: () => nowMs,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason as Error)
        const sleeper = { atMs: nowMs + ms, wake: resolve }
        sleepers.add(sleeper)
        signal?.addEventListener('abort', () => {
          sleepers.delete(sleeper)
          reject(signal.reason as Error)
        })
      }),
    after: () => ({ [Symbol.dispose]: () => undefined }),
    every: () => ({ [Symbol.dispose]: () => undefined }),
    pass: async (ms) => {
      const endMs = nowMs + ms
      await settle()
      while (nowMs < endMs) {
        nowMs += 100
        for (const sleeper of [...sleepers]) {
          if (sleeper.atMs > nowMs) continue
          sleepers.delete(sleeper)
          sleeper.wake()
        }
        await settle()
      }
    },
  }
}

function setUp() {
  const clock = manualClock()
  const cluster = createFakeCluster(clock)
  const warnings: string[] = []
  const log = { ...silentLogger, warn: (fields: object) => void warnings.push(JSON.stringify(fields)) }
  const start = (holder: string, client: ApiClient = cluster.client()) =>
    startHeartbeat({
      client,
      clock,
      log,
      component: 'kube-apiserver',
      replica: 'one',
      holder,
      vitals: () => ({ startedAtMs: 0, failing: [] }),
    })
  const report = () => {
    const lease = cluster.get('leases.coordination.k8s.io', 'kube-system/kube-apiserver-one')
    return lease && readComponentLease(lease)
  }
  return { clock, cluster, warnings, start, report }
}

test('a heartbeat makes its Lease, renews it, and deletes it at an orderly end', async () => {
  const { clock, start, report } = setUp()
  const heart = start('a')
  await clock.pass(100)
  const first = report()!
  expect(first).toMatchObject({ holder: 'a', restarts: 0 })
  await clock.pass(2 * beatEveryMs)
  expect(report()!.renewedAtMs).toBeGreaterThanOrEqual(first.renewedAtMs + beatEveryMs)
  await heart.end()
  expect(report()).toBeUndefined()
})

test('the next life of a replica that was killed takes the Lease over and counts one restart', async () => {
  const { clock, cluster, start, report, warnings } = setUp()
  let dead = false
  const inner = cluster.client()
  start('a', { ...inner, request: (request) => (dead ? new Promise(() => undefined) : inner.request(request)) })
  await clock.pass(100)
  dead = true
  start('b')
  await clock.pass(3_000)
  expect(report()).toMatchObject({ holder: 'a' })
  await clock.pass(8_000)
  expect(report()).toMatchObject({ holder: 'b', restarts: 1 })
  expect(warnings).toEqual([])
})

test('of two processes of one name the first keeps the Lease, and the other says what to do', async () => {
  const { clock, start, report, warnings } = setUp()
  start('a')
  await clock.pass(100)
  start('b')
  await clock.pass(20_000)
  expect(report()).toMatchObject({ holder: 'a', restarts: 0 })
  expect(warnings).toHaveLength(1)
  expect(warnings[0]).toContain('SHIPLOG_REPLICA')
})

test('faults, lost answers and a Lease that someone deletes do not end it', async () => {
  const { clock, cluster, start, report } = setUp()
  const fates = ['lose-request', 'deliver', 'lose-answer', 'lose-answer', 'deliver'] as const
  start('a', cluster.client({ fate: (_request, index) => fates[index % fates.length]! }))
  await clock.pass(12_000)
  expect(report()).toMatchObject({ holder: 'a', restarts: 0 })
  cluster.must({
    verb: 'delete',
    group: 'coordination.k8s.io',
    resource: 'leases',
    namespace: 'kube-system',
    name: 'kube-apiserver-one',
  })
  await clock.pass(12_000)
  expect(report()).toMatchObject({ holder: 'a', restarts: 0 })
})
