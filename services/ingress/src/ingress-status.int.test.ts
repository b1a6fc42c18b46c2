import type { ApiClient } from '@shiplog/api/api-client'
import type { JsonObject } from '@shiplog/api/kube-object'
import { createControllerRunner, type ControllerRunner } from '@shiplog/reconcile/runner'
import { systemClock } from '@shiplog/runtime/clock'
import { silentLogger } from '@shiplog/runtime/logger'
import { eventually } from '@shiplog/testing/eventually'
import { createFakeCluster, type FakeCluster } from '@shiplog/testing/fake-cluster'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createIngressStatusReconciler } from './ingress-status.reconciler.ts'

const networking = { group: 'networking.k8s.io', resource: 'ingresses', namespace: 'default', name: 'web' }
const merge = { verb: 'patch', patchType: 'application/merge-patch+json' } as const

let cluster: FakeCluster
let runner: ControllerRunner | undefined

beforeEach(() => {
  cluster = createFakeCluster(systemClock)
  cluster.must({ verb: 'create', group: '', resource: 'namespaces', body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } } })
  for (const [name, controller] of [['shiplog', 'shiplog.dev/ingress'], ['other', 'example.com/other']] as const) {
    const body = { apiVersion: 'networking.k8s.io/v1', kind: 'IngressClass', metadata: { name }, spec: { controller } }
    cluster.must({ verb: 'create', group: 'networking.k8s.io', resource: 'ingressclasses', body })
  }
  const spec = { ingressClassName: 'shiplog', defaultBackend: { service: { name: 'web', port: { number: 80 } } } }
  const { name, ...at } = networking
  cluster.must({ verb: 'create', ...at, body: { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata: { name }, spec } as JsonObject })
})
afterEach(() => runner?.stop())

async function start(addresses: readonly string[], client: ApiClient = cluster.client()): Promise<void> {
  const parts = { name: 'ingress', feed: cluster.feed, client, clock: systemClock, log: silentLogger }
  runner = createControllerRunner({ ...parts, reconcilers: [createIngressStatusReconciler(addresses)] })
  await runner.start()
}

const told = (): unknown => (cluster.list('ingresses.networking.k8s.io')[0]!['status'] as JsonObject)['loadBalancer']?.ingress
const is = (wanted: unknown): Promise<true> => eventually(() => JSON.stringify(told()) === JSON.stringify(wanted))

test('an Ingress is told its addresses, and again when somebody takes them away', async () => {
  await start(['192.0.2.1', 'lb.example'])
  await is([{ ip: '192.0.2.1' }, { hostname: 'lb.example' }])
  cluster.must({ ...merge, ...networking, subresource: 'status', body: { status: { loadBalancer: { ingress: [{ ip: '192.0.2.9' }] } } } })
  await is([{ ip: '192.0.2.1' }, { hostname: 'lb.example' }])
})

test('a write that fails is made again', async () => {
  const client = cluster.client()
  let failures = 2
  const unreliable: ApiClient = {
    ...client,
    request: (request) => (request.subresource === 'status' && failures-- > 0 ? Promise.reject(new Error('no way')) : client.request(request)),
  }
  await start(['192.0.2.1'], unreliable)
  await is([{ ip: '192.0.2.1' }])
  expect(failures).toBeLessThan(1)
})

test('one that is ours no longer is told nothing, and another’s address is left alone', async () => {
  await start(['192.0.2.1'])
  await is([{ ip: '192.0.2.1' }])
  cluster.must({ ...merge, ...networking, body: { spec: { ingressClassName: 'other' } } })
  await is(undefined)
  cluster.must({ ...merge, ...networking, subresource: 'status', body: { status: { loadBalancer: { ingress: [{ ip: '192.0.2.7' }] } } } })
  await systemClock.sleep(100)
  await is([{ ip: '192.0.2.7' }])
})
