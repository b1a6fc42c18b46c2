// Priority and fairness over HTTPS: requests are told by whose schema they were served, and a flood by one user takes nothing from
// those that the cluster lives by.
import { bootstrapFlowControl } from '@shiplog/domain/bootstrap-flow-control'
import { createMetricsRegistry } from '@shiplog/runtime/metrics'
import { eventually } from '@shiplog/testing/eventually'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type HttpsGateway, startHttpsGateway } from './testing/https-gateway.ts'

const seats = 24
const metrics = createMetricsRegistry()
let server: HttpsGateway

beforeAll(async () => {
  server = await startHttpsGateway({
    fairness: { seats },
    metrics,
    tokenFile: [
      'admin,admin,1,"system:masters"',
      'jane,jane,2,"devs"',
      'node,system:node:a,3,"system:nodes"',
      'greedy,greedy,4,"devs"',
    ].join('\n'),
    authorizationModes: ['AlwaysAllow'],
  })
  const client = server.gateway.clientFor({ name: 'admin', groups: ['system:masters'] })
  for (const { kind, ...rest } of bootstrapFlowControl('2026-01-01T00:00:00Z')) {
    const resource = kind === 'FlowSchema' ? 'flowschemas' : 'prioritylevelconfigurations'
    const made = await client.request({ verb: 'create', group: 'flowcontrol.apiserver.k8s.io', resource, body: { kind, ...rest } as never })
    expect(made).toMatchObject({ ok: true })
  }
  // Short queues: a hundred and fifty clients are enough to fill them.
  const limited = { limitResponse: { queuing: { queues: 16, handSize: 2, queueLengthLimit: 5 } } }
  const level = { group: 'flowcontrol.apiserver.k8s.io', resource: 'prioritylevelconfigurations', name: 'global-default' }
  const patched = await client.request({ verb: 'patch', patchType: 'application/merge-patch+json', ...level, body: { spec: { limited } } })
  expect(patched).toMatchObject({ ok: true })
  for (const name of ['kube-node-lease', 'default'])
    await client.request({ verb: 'create', group: '', resource: 'namespaces', body: { metadata: { name } } })
  const lease = { metadata: { name: 'a' }, spec: { holderIdentity: 'a' } }
  await client.request({ verb: 'create', group: 'coordination.k8s.io', resource: 'leases', namespace: 'kube-node-lease', body: lease })
})

afterAll(() => server[Symbol.asyncDispose]())

async function uidOf(resource: string, name: string): Promise<string> {
  const { body } = await server.ask(`/apis/flowcontrol.apiserver.k8s.io/v1/${resource}/${name}`, { token: 'admin' })
  return body.metadata.uid as string
}

const inUse = async (): Promise<number> =>
  [...(await metrics.text()).matchAll(/^apiserver_flowcontrol_current_executing_seats\{[^}]*\} (\d+)/gm)].reduce((sum, [, value]) => sum + Number(value), 0)

test('an answer names the schema and the level that it was served under', async () => {
  const { headers } = await server.ask('/api/v1/namespaces', { token: 'jane' })
  expect(headers['x-kubernetes-pf-flowschema-uid']).toBe(await uidOf('flowschemas', 'global-default'))
  expect(headers['x-kubernetes-pf-prioritylevel-uid']).toBe(await uidOf('prioritylevelconfigurations', 'global-default'))
  const own = await server.ask('/api/v1/namespaces', { token: 'admin' })
  expect(own.headers['x-kubernetes-pf-flowschema-uid']).toBe(await uidOf('flowschemas', 'exempt'))
})

test('seats come back, also from watches and from clients that hang up', async () => {
  const aborted = Array.from({ length: 20 }, async () => {
    const gone = new AbortController()
    setTimeout(() => gone.abort(), 50)
    await server.ask('/api/v1/namespaces?watch=1', { token: 'jane', signal: gone.signal }).catch(() => undefined)
  })
  await Promise.all(aborted)
  await eventually(async () => (await inUse()) === 0, { withinMs: 5_000 })
  expect((await server.ask('/api/v1/namespaces', { token: 'jane' })).code).toBe(200)
})

test('a flood is queued and refused, and heartbeats of a node go on', async () => {
  // A node has its connection.
  await server.ask('/api', { token: 'node' })
  let isOver = false
  const codes = new Map<number, number>()
  const greedy = Array.from({ length: 150 }, async () => {
    while (!isOver) {
      const { code, headers, body } = await server.ask('/api/v1/namespaces', { token: 'greedy' })
      codes.set(code, (codes.get(code) ?? 0) + 1)
      if (code !== 429) continue
      expect(headers['retry-after']).toBe('1')
      expect(body).toMatchObject({ reason: 'TooManyRequests', message: 'Too many requests, please try again later.' })
      // As a client that heeds no such word.
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  })
  const total = (): number => [...codes.values()].reduce((sum, count) => sum + count, 0)
  // The handshakes of all these connections are over.
  await eventually(() => total() > 1_500)
  const beats: number[] = []
  const path = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/a'
  for (let count = 0; count < 20; count++) {
    const began = performance.now()
    const headers = { 'content-type': 'application/merge-patch+json' }
    const { code } = await server.ask(path, { method: 'PATCH', token: 'node', headers, body: { spec: { leaseDurationSeconds: 40 + count } } })
    expect(code).toBe(200)
    beats.push(performance.now() - began)
  }
  isOver = true
  await Promise.all(greedy)
  expect(codes.get(200) ?? 0).toBeGreaterThan(0)
  expect(codes.get(429) ?? 0).toBeGreaterThan(0)
  // A node is late after forty seconds; here one heartbeat waits for its turn of the loop, and for no seat.
  expect(Math.max(...beats)).toBeLessThan(5_000)
  const text = await metrics.text()
  expect(text).toMatch(/apiserver_flowcontrol_rejected_requests_total\{[^}]*flow_schema="global-default"[^}]*reason="queue-full"[^}]*\} [1-9]/)
  expect(text).not.toMatch(/apiserver_flowcontrol_rejected_requests_total\{[^}]*flow_schema="system-node-high"/)
  await eventually(async () => (await inUse()) === 0, { withinMs: 5_000 })
})
