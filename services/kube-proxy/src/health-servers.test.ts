import { createServer, type Server } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { systemClock } from '@shiplog/runtime/clock'
import { silentLogger } from '@shiplog/runtime/logger'
import { eventually } from '@shiplog/testing/eventually'
import { healthPortOf, healthzAnswer, livezAnswer, serviceHealth } from './health-answers.ts'
import { createHealthServers, type HealthServers } from './health-servers.ts'
import { aService, anEndpoint, aSlice, httpPort, nodeHere } from './testing/objects.ts'
import { proxiedNodeOf } from './service-view.ts'

const balanced = (more = {}) =>
  aService('web', { type: 'LoadBalancer', clusterIP: '10.96.0.20', externalTrafficPolicy: 'Local', healthCheckNodePort: 31_000, ports: [httpPort], ...more })

describe('what a node tells load balancers', () => {
  test('is, of a Service that keeps its traffic on the node, how many endpoints are here', () => {
    const service = balanced()
    const here = serviceHealth(service, [aSlice(service, [anEndpoint('10.244.0.2'), anEndpoint('10.244.1.2', { nodeName: 'there' })])], nodeHere, true)
    expect(here).toEqual({
      code: 200,
      body: '{\n\t"service": {\n\t\t"namespace": "default",\n\t\t"name": "web"\n\t},\n\t"localEndpoints": 1,\n\t"serviceProxyHealthy": true\n}',
      headers: { 'content-type': 'application/json', 'x-content-type-options': 'nosniff', 'x-load-balancing-endpoint-weight': '1' },
    })
    const slices = [aSlice(service, [anEndpoint('10.244.1.2', { nodeName: 'there' })])]
    expect(serviceHealth(service, slices, nodeHere, true)).toMatchObject({ code: 503, headers: { 'x-load-balancing-endpoint-weight': '0' } })
    expect(serviceHealth(service, [aSlice(service, [anEndpoint('10.244.0.2')])], nodeHere, false).code).toBe(503)
  })

  test('has a port for those Services alone', () => {
    expect([balanced(), balanced({ externalTrafficPolicy: 'Cluster' }), balanced({ type: 'NodePort' })].map(healthPortOf)).toEqual([31_000, undefined, undefined])
  })

  test('is of the proxy whether rules are written, and of its node whether it stays', () => {
    const nowMs = Date.UTC(2026, 0, 2, 3, 4, 5, 6)
    const state = { isHealthy: true, isNodeEligible: true, lastSyncMs: nowMs - 60_000, nowMs }
    expect(healthzAnswer(state)).toMatchObject({
      code: 200,
      body: '{"lastUpdated": "2026-01-02 03:04:05.006 +0000 UTC","currentTime": "2026-01-02 03:04:05.006 +0000 UTC", "nodeEligible": true}',
    })
    const late = { ...state, isHealthy: false }
    expect(livezAnswer(late)).toMatchObject({
      code: 503,
      body: '{"lastUpdated": "2026-01-02 03:03:05.006 +0000 UTC","currentTime": "2026-01-02 03:04:05.006 +0000 UTC"}',
    })
    const leaving = { ...state, isNodeEligible: false }
    expect([healthzAnswer(leaving).code, livezAnswer(leaving).code]).toEqual([503, 200])
    const node = { metadata: { name: 'n' }, spec: { taints: [{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' }] } }
    expect(proxiedNodeOf(node as never).isEligible).toBe(false)
  })
})

describe('the ports of a node', () => {
  let servers: HealthServers | undefined
  afterEach(() => servers?.stop())

  test('open and close as they are wanted, answer what holds at the moment, and refuse other paths', async () => {
    const ports = new Map<number, number>()
    let fails = true
    const listen = (port: number): Promise<Server> =>
      new Promise((resolve, reject) => {
        if (fails) return reject(new Error('address already in use'))
        const socket = createServer()
        socket.listen(0, '127.0.0.1', () => {
          ports.set(port, (socket.address() as { port: number }).port)
          resolve(socket)
        })
      })
    // A moment is all it takes here.
    const clock = { ...systemClock, after: (_ms: number, callback: () => void) => systemClock.after(10, callback) }
    servers = createHealthServers({ listen, clock, log: silentLogger })
    let code: 200 | 503 = 200
    const ask = async (port: number, path: string): Promise<readonly [number, string]> => {
      const response = await fetch(`http://127.0.0.1:${ports.get(port)}${path}`)
      return [response.status, await response.text()]
    }
    servers.show(new Map([[1, (path) => (path === '/healthz' ? { code, body: 'so', headers: {} } : undefined)]]))
    await systemClock.sleep(30)
    expect(ports.size).toBe(0)
    fails = false
    await eventually(() => expect(ports.size).toBe(1))
    expect(await ask(1, '/healthz?verbose')).toEqual([200, 'so'])
    code = 503
    expect([await ask(1, '/healthz'), await ask(1, '/other')]).toEqual([[503, 'so'], [404, '404 page not found\n']])
    servers.show(new Map())
    await eventually(async () => expect(await ask(1, '/healthz').catch(() => 'closed')).toBe('closed'))
  })
})
