import { createFakeCluster } from '@shiplog/testing/fake-cluster'
import { expect, test } from 'vitest'
import { componentNodeName, createComponentNode } from './component-node.ts'

function setUp() {
  let nowMs = Date.parse('2026-01-01T00:00:00Z')
  const clock = {
    nowMs: () => nowMs,
    sleep: () => Promise.resolve(),
    after: () => ({ [Symbol.dispose]: () => undefined }),
    every: () => ({ [Symbol.dispose]: () => undefined }),
  }
  const cluster = createFakeCluster(clock)
  return {
    cluster,
    pass: (ms: number) => {
      nowMs += ms
    },
    gateway: () => createComponentNode({ client: cluster.client(), clock }),
    node: () => cluster.get('nodes', `/${componentNodeName}`),
    lease: () => cluster.get('leases.coordination.k8s.io', `kube-node-lease/${componentNodeName}`),
  }
}

test('the node is there, ready, with room for nothing, and its Lease is renewed before it ends', async () => {
  const { gateway, node, lease, pass } = setUp()
  const one = gateway()
  await one.keep()
  expect(node()!['status']).toMatchObject({
    allocatable: { pods: '0' },
    conditions: [{ type: 'Ready', status: 'True' }],
  })
  const first = lease()!.spec.renewTime!
  await one.keep()
  expect(lease()!.spec.renewTime!).toBe(first)
  for (let count = 0; count < 10; count++) {
    pass(5_000)
    await one.keep()
  }
  expect(Date.parse(lease()!.spec.renewTime!)).toBeGreaterThanOrEqual(Date.parse(first) + 40_000)
})

test('of several gateways one renews, and another goes on when it is gone', async () => {
  const { gateway, lease, pass, cluster } = setUp()
  const both = [gateway(), gateway()]
  const writes = () =>
    cluster.requests.filter(({ request }) => request.verb === 'update' && !request.subresource).length
  for (const each of both) await each.keep()
  for (let count = 0; count < 10; count++) {
    pass(10_000)
    for (const each of both) await each.keep()
  }
  expect(writes()).toBeLessThanOrEqual(11)
  const before = Date.parse(lease()!.spec.renewTime!)
  for (let count = 0; count < 4; count++) {
    pass(10_000)
    await both[1]!.keep()
  }
  expect(Date.parse(lease()!.spec.renewTime!)).toBeGreaterThan(before + 20_000)
})

test('what the node lifecycle said of it while all gateways were away is set right', async () => {
  const { gateway, node, cluster, pass } = setUp()
  const one = gateway()
  await one.keep()
  const unknown = { ...node()!, status: { ...node()!['status'], conditions: [{ type: 'Ready', status: 'Unknown' }] } }
  cluster.must({
    verb: 'update',
    group: '',
    resource: 'nodes',
    subresource: 'status',
    name: componentNodeName,
    body: unknown,
  })
  pass(10_000)
  await one.keep()
  expect(node()!['status'].conditions).toMatchObject([{ type: 'Ready', status: 'True' }])
  cluster.must({ verb: 'delete', group: '', resource: 'nodes', name: componentNodeName })
  pass(10_000)
  await one.keep()
  expect(node()).toBeDefined()
})
