import type { ApiClient } from '@shiplog/api/api-client'
import { silentLogger } from '@shiplog/runtime/logger'
import { createFakeCluster } from '@shiplog/testing/fake-cluster'
import { createManualClock } from '@shiplog/testing/manual-clock'
import { expect, test } from 'vitest'
import { readComponentLease } from './component-lease.ts'
import { beatEveryMs, startHeartbeat } from './heartbeat.ts'

function setUp() {
  const clock = createManualClock()
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
  await clock.advance(100)
  const first = report()!
  expect(first).toMatchObject({ holder: 'a', restarts: 0 })
  await clock.advance(2 * beatEveryMs)
  expect(report()!.renewedAtMs).toBeGreaterThanOrEqual(first.renewedAtMs + beatEveryMs)
  await heart.end()
  expect(report()).toBeUndefined()
})

test('the next life of a replica that was killed takes the Lease over and counts one restart', async () => {
  const { clock, cluster, start, report, warnings } = setUp()
  let dead = false
  const inner = cluster.client()
  start('a', { ...inner, request: (request) => (dead ? new Promise(() => undefined) : inner.request(request)) })
  await clock.advance(100)
  dead = true
  start('b')
  await clock.advance(3_000)
  expect(report()).toMatchObject({ holder: 'a' })
  await clock.advance(8_000)
  expect(report()).toMatchObject({ holder: 'b', restarts: 1 })
  expect(warnings).toEqual([])
})

test('of two processes of one name the first keeps the Lease, and the other says what to do', async () => {
  const { clock, start, report, warnings } = setUp()
  start('a')
  await clock.advance(100)
  start('b')
  await clock.advance(20_000)
  expect(report()).toMatchObject({ holder: 'a', restarts: 0 })
  expect(warnings).toHaveLength(1)
  expect(warnings[0]).toContain('SHIPLOG_REPLICA')
})

test('faults, lost answers and a Lease that someone deletes do not end it', async () => {
  const { clock, cluster, start, report } = setUp()
  const fates = ['lose-request', 'deliver', 'lose-answer', 'lose-answer', 'deliver'] as const
  start('a', cluster.client({ fate: (_request, index) => fates[index % fates.length]! }))
  await clock.advance(12_000)
  expect(report()).toMatchObject({ holder: 'a', restarts: 0 })
  cluster.must({
    verb: 'delete',
    group: 'coordination.k8s.io',
    resource: 'leases',
    namespace: 'kube-system',
    name: 'kube-apiserver-one',
  })
  await clock.advance(12_000)
  expect(report()).toMatchObject({ holder: 'a', restarts: 0 })
})
