import type { JsonObject } from '@shiplog/api/kube-object'
import { describe, expect, test } from 'vitest'
import { explainService, type NetworkWorld } from './service-explanation.ts'

const node = (name: string, zone = 'a'): JsonObject => ({
  metadata: { name, labels: { 'topology.kubernetes.io/zone': zone } },
  spec: { podCIDRs: ['10.244.0.0/24'] },
})
const pod = (name: string, nodeName: string, ip: string, more: JsonObject = {}): JsonObject => ({
  kind: 'Pod',
  metadata: { name, namespace: 'x', uid: `uid-${name}`, labels: { app: 'web', pod: name } },
  spec: { nodeName, containers: [{ name: 'main', ports: [{ name: 'http', containerPort: 8080 }] }] },
  status: { phase: 'Running', podIPs: ip === '' ? [] : [{ ip }], conditions: [{ type: 'Ready', status: 'True' }], ...more },
})
const service = (more: JsonObject = {}): JsonObject => ({
  metadata: { name: 'web', namespace: 'x', uid: 'uid-service' },
  spec: { type: 'ClusterIP', clusterIP: '10.96.0.9', clusterIPs: ['10.96.0.9'], selector: { app: 'web' }, ports: [{ name: 'http', port: 80, protocol: 'TCP' }], ...more },
  status: { loadBalancer: {} },
})
const slice = (...endpoints: JsonObject[]): JsonObject => ({
  metadata: { name: 'web-1', namespace: 'x', labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: 'IPv4',
  ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
  endpoints,
})
const endpoint = (name: string, nodeName: string, ip: string, more: JsonObject = {}): JsonObject => ({
  ...{ addresses: [ip], nodeName, targetRef: { kind: 'Pod', name, uid: `uid-${name}` } },
  conditions: { ready: true, serving: true, terminating: false },
  ...more,
})
const policy = (name: string, spec: JsonObject): JsonObject => ({ metadata: { name, namespace: 'x', uid: `uid-${name}` }, spec })
const closed = policy('closed', { podSelector: { matchLabels: { pod: 'a' } }, policyTypes: ['Ingress'], ingress: [{ from: [{ podSelector: { matchLabels: { pod: 'b' } } }] }] })

const worldOf = (of: { services?: JsonObject[]; pods?: JsonObject[]; slices?: JsonObject[]; policies?: JsonObject[] }): NetworkWorld => ({
  objects: new Map([
    ['services', of.services ?? [service()]],
    ['pods', of.pods ?? [pod('a', 'one', '10.244.0.2'), pod('b', 'two', '10.244.1.2')]],
    ['namespaces', [{ metadata: { name: 'x', labels: {} } }]],
    ['nodes', [node('one'), node('two', 'b')]],
    ['endpointslices.discovery.k8s.io', of.slices ?? [slice(endpoint('a', 'one', '10.244.0.2'), endpoint('b', 'two', '10.244.1.2'))]],
    ['networkpolicies.networking.k8s.io', of.policies ?? []],
  ]),
})
const asked = { namespace: 'x', name: 'web' }
const told = (world: NetworkWorld, from?: string) =>
  explainService(world, { ...asked, from }).ports[0]!.endpoints.map(({ pod: name, receives, reasons }) => [name, receives, ...reasons])

describe('the traffic of a Service', () => {
  test('goes to those who are ready; who is not says why, and so does who has no endpoint', () => {
    const notReady = { conditions: [{ type: 'Ready', status: 'False', message: 'containers with unready status: [main]' }] }
    const world = worldOf({
      pods: [pod('a', 'one', '10.244.0.2'), pod('b', 'two', '10.244.1.2', notReady), pod('c', 'one', ''), pod('d', 'one', '10.244.0.4', { phase: 'Failed' })],
      slices: [slice(endpoint('a', 'one', '10.244.0.2'), endpoint('b', 'two', '10.244.1.2', { conditions: { ready: false } }))],
    })
    expect(told(world)).toEqual([['a', true], ['b', false, 'it is not ready: containers with unready status: [main]']])
    expect(explainService(world, asked).without).toEqual([
      { pod: 'c', reason: 'it has no address yet' },
      { pod: 'd', reason: 'it is over (Failed)' },
    ])
  })

  test('differs from node to node where a policy of traffic or hints say so', () => {
    const local = worldOf({ services: [service({ internalTrafficPolicy: 'Local' })], slices: [slice(endpoint('a', 'one', '10.244.0.2'))] })
    const explained = explainService(local, asked)
    expect(explained.ports[0]!.byNode).toEqual([
      { node: 'one', inside: ['10.244.0.2:8080'], outside: undefined },
      { node: 'two', inside: [], outside: undefined },
    ])
    expect(explained.notes).toEqual(['internalTrafficPolicy is Local: from inside only endpoints of the same node are reached'])
    const hinted = (zone: string): JsonObject => ({ hints: { forZones: [{ name: zone }] } })
    const zones = worldOf({ slices: [slice(endpoint('a', 'one', '10.244.0.2', hinted('a')), endpoint('b', 'two', '10.244.1.2', hinted('b')))] })
    expect(told(zones)).toEqual([['a', true, 'only from one'], ['b', true, 'only from two']])
    expect(told(zones, 'a')).toEqual([['a', true], ['b', false, 'hints keep it for b']])
  })

  test('is limited by policies: how many may, and whether one pod does', () => {
    const world = worldOf({ policies: [closed], pods: ['a', 'b', 'c'].map((name, index) => pod(name, 'one', `10.244.0.${index + 2}`)), slices: [slice(endpoint('a', 'one', '10.244.0.2'))] })
    expect(told(world)).toEqual([['a', true, 'ingress is limited by x/closed: 1 of 2 other pods may']])
    expect(told(world, 'b')).toEqual([['a', true]])
    expect(told(world, 'c')).toEqual([['a', false, 'ingress is closed by x/closed']])
  })

  test('of what is not there is refused', () => {
    expect(() => explainService(worldOf({}), { namespace: 'x', name: 'none' })).toThrow('services "none" not found in namespace x')
    expect(() => explainService(worldOf({}), { ...asked, from: 'none' })).toThrow('pods "none" not found in namespace x')
  })
})
