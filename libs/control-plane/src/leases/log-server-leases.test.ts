import { readComponentLease } from './component-lease.ts'
import type { Clock } from '@shiplog/runtime/clock'
import { createFakeCluster } from '@shiplog/testing/fake-cluster'
import { expect, test } from 'vitest'
import { createLogServerLeases, type LogServer } from './log-server-leases.ts'

function setUp() {
  let nowMs = Date.parse('2026-01-01T00:00:00Z')
  const clock: Clock = {
    nowMs: () => nowMs,
    sleep: () => Promise.resolve(),
    after: () => ({ [Symbol.dispose]: () => undefined }),
    every: () => ({ [Symbol.dispose]: () => undefined }),
  }
  const cluster = createFakeCluster(clock)
  let servers: readonly LogServer[] = []
  const gateway = () => createLogServerLeases({ client: cluster.client(), clock, probe: async () => servers })
  return {
    cluster,
    gateway,
    answering: (...ids: string[]) => {
      servers = ids.map((id, index) => ({ name: `nats-${index}`, id, version: '2.15.1', host: '10.0.0.1' }))
    },
    async round(...gateways: ReturnType<typeof gateway>[]) {
      nowMs += 2_000
      await Promise.all(gateways.map((each) => each.renew()))
      await new Promise((resolve) => setTimeout(resolve, 5))
    },
    report: (name: string) => {
      const lease = cluster.get('leases.coordination.k8s.io', `kube-system/nats-${name}`)
      return lease && readComponentLease(lease)
    },
  }
}

test('each server that answers has a Lease of its present life, and a restart is counted once by several gateways', async () => {
  const { gateway, answering, round, report } = setUp()
  const both = [gateway(), gateway()]
  answering('first', 'other')
  await round(...both)
  expect(report('nats-0')).toMatchObject({ component: 'nats', holder: 'first', restarts: 0, address: '10.0.0.1' })
  const began = report('nats-0')!.startedAtMs
  await round(...both)
  expect(report('nats-0')).toMatchObject({ startedAtMs: began, renewedAtMs: began + 2_000 })
  answering('second', 'other')
  await round(...both)
  await round(...both)
  expect(report('nats-0')).toMatchObject({ holder: 'second', restarts: 1 })
  expect(report('nats-1')).toMatchObject({ holder: 'other', restarts: 0 })
})

test('one of several gateways renews for all', async () => {
  const { gateway, answering, round, cluster } = setUp()
  const both = [gateway(), gateway()]
  answering('first')
  await round(...both)
  const before = cluster.sequence
  for (let count = 0; count < 10; count++) await round(...both)
  expect(cluster.sequence - before).toBeLessThanOrEqual(12)
  expect(cluster.sequence - before).toBeGreaterThanOrEqual(5)
})

test('no server that answers is a fault of the gateway, from the second look on', async () => {
  const { gateway, answering, round } = setUp()
  const one = gateway()
  answering('first')
  await round(one)
  answering()
  await round(one)
  expect(one.check().ok).toBe(true)
  await round(one)
  expect(one.check()).toMatchObject({ ok: false, reason: 'no server of the log answers' })
  answering('first')
  await round(one)
  expect(one.check().ok).toBe(true)
})
