import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Service } from '@shiplog/api/generated/types/core-v1'
import type { Endpoint } from '@shiplog/api/generated/types/discovery-v1'
import { kubeProxyTable } from './base-rules.ts'
import { aService, anEndpoint, aSlice, httpPort, nodeHere, rulesFor } from './testing/objects.ts'
import { type Fate, type Packet, sendPacket } from '@shiplog/node/packet-filter/testing/packet-walk'

const podHere = '10.244.0.9'
const podElsewhere = '10.244.1.9'
const outside = '192.0.2.7'
const clusterIP = '10.96.0.20'
const far = { nodeName: 'there' }

const send = (service: Service, endpoints: readonly Endpoint[], packet: Partial<Packet>, pick?: (below: number) => number): Fate =>
  sendPacket(
    rulesFor([[service, [aSlice(service, endpoints)]]]),
    kubeProxyTable,
    { family: 'ip', source: podHere, destination: clusterIP, protocol: 'tcp', port: 80, ...packet },
    { nodeAddresses: nodeHere.addresses, ...(pick ? { pick } : {}) },
  )
/** All places where a packet may end. */
const targets = (service: Service, endpoints: readonly Endpoint[], packet: Partial<Packet> = {}): string[] =>
  [...new Set(Array.from({ length: 8 }, (_, turn) => send(service, endpoints, packet, (below) => turn % below).to))].sort()

const web = (more = {}, status?: Service['status']) =>
  aService('web', { clusterIP, clusterIPs: [clusterIP], ports: [{ ...httpPort, nodePort: 30_080 }], ...more }, status)

describe('traffic of a Service', () => {
  test('goes to each of its endpoints that is ready', () => {
    const endpoints = [anEndpoint('10.244.0.2'), anEndpoint('10.244.1.2', far), anEndpoint('10.244.0.3', { conditions: { ready: false } })]
    expect(targets(web(), endpoints)).toEqual(['10.244.0.2 8080', '10.244.1.2 8080'])
  })

  test('is refused where there are none, and so is what goes to a port that it has not', () => {
    expect(send(web(), [], {}).verdict).toBe('reject')
    expect(send(web(), [anEndpoint('10.244.0.2')], { port: 81 }).verdict).toBe('reject')
    expect(send(web({ type: 'NodePort' }), [], { source: outside, destination: '172.30.0.10', port: 30_080 }).verdict).toBe('reject')
  })

  test('of pods of the node shows who sent it; that of others and of the node itself comes from the node', () => {
    const endpoints = [anEndpoint('10.244.0.2')]
    expect(send(web(), endpoints, {}).isMasqueraded).toBe(false)
    expect(send(web(), endpoints, { source: podElsewhere }).isMasqueraded).toBe(true)
    expect(send(web(), endpoints, { source: '172.30.0.10', isOwn: true }).isMasqueraded).toBe(true)
  })

  test('of a pod that reaches itself comes from the node, so that it finds its way back', () => {
    const endpoints = [anEndpoint('10.244.0.2'), anEndpoint('10.244.0.3')]
    expect(send(web(), endpoints, { source: '10.244.0.2' }, () => 0)).toMatchObject({ to: '10.244.0.2 8080', isMasqueraded: true })
    expect(send(web(), endpoints, { source: '10.244.0.2' }, () => 1)).toMatchObject({ to: '10.244.0.3 8080', isMasqueraded: false })
  })

  test('goes to endpoints that end but still serve when no other is left', () => {
    const leaving = { conditions: { ready: false, serving: true, terminating: true } }
    expect(targets(web(), [anEndpoint('10.244.0.2', leaving), anEndpoint('10.244.0.3')])).toEqual(['10.244.0.3 8080'])
    expect(targets(web(), [anEndpoint('10.244.0.2', leaving)])).toEqual(['10.244.0.2 8080'])
  })

  test('stays with one endpoint for each client when it asks for it, until that is gone', () => {
    const service = web({ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 30 } } })
    const packet = { family: 'ip', source: podHere, destination: clusterIP, protocol: 'tcp', port: 80 } as const
    const memory = new Set<string>()
    const sent = (rules: ReturnType<typeof rulesFor>, pick: number): string =>
      sendPacket(rules, kubeProxyTable, packet, { memory, pick: () => pick }).to
    const both = rulesFor([[service, [aSlice(service, [anEndpoint('10.244.0.2'), anEndpoint('10.244.0.3')])]]])
    expect([sent(both, 1), sent(both, 0), sent(both, 0)]).toEqual(Array(3).fill('10.244.0.3 8080'))
    const one = rulesFor([[service, [aSlice(service, [anEndpoint('10.244.0.2')])]]])
    expect(sent(one, 0)).toBe('10.244.0.2 8080')
    expect([...both.sets.values()].filter(({ timeout }) => timeout !== undefined).map(({ timeout }) => timeout)).toEqual([30, 30])
  })

  test('from inside stays on the node with internalTrafficPolicy Local, and is dropped where the node has no endpoint', () => {
    const service = web({ internalTrafficPolicy: 'Local' })
    expect(targets(service, [anEndpoint('10.244.0.2'), anEndpoint('10.244.1.2', far)])).toEqual(['10.244.0.2 8080'])
    expect(send(service, [anEndpoint('10.244.1.2', far)], {}).verdict).toBe('drop')
    expect(send(service, [], {}).verdict).toBe('reject')
  })

  test('reaches a port of the node, from the node when it may go anywhere', () => {
    const service = web({ type: 'NodePort' })
    const packet = { source: outside, destination: '172.30.0.10', port: 30_080 }
    expect(send(service, [anEndpoint('10.244.1.2', far)], packet)).toEqual({ verdict: 'accept', to: '10.244.1.2 8080', isMasqueraded: true })
  })

  test('from outside keeps its sender and stays on the node with externalTrafficPolicy Local', () => {
    const service = web({ type: 'NodePort', externalTrafficPolicy: 'Local' })
    const packet = { source: outside, destination: '172.30.0.10', port: 30_080 }
    const endpoints = [anEndpoint('10.244.0.2'), anEndpoint('10.244.1.2', far)]
    expect(targets(service, endpoints, packet)).toEqual(['10.244.0.2 8080'])
    expect(send(service, endpoints, packet).isMasqueraded).toBe(false)
    // Pods of the node are inside: they may reach all.
    expect(targets(service, endpoints, { ...packet, source: podHere })).toHaveLength(2)
  })

  test('reaches external addresses and those of a load balancer, whose source ranges are kept', () => {
    const status = { loadBalancer: { ingress: [{ ip: '198.51.100.1' }, { ip: '198.51.100.2', ipMode: 'Proxy' }] } }
    const service = web({ type: 'LoadBalancer', externalIPs: ['198.51.100.9'], loadBalancerSourceRanges: ['192.0.2.0/24'] }, status)
    const endpoints = [anEndpoint('10.244.0.2')]
    const at = (destination: string, source = outside) => send(service, endpoints, { source, destination })
    expect(at('198.51.100.9', '203.0.113.1').to).toBe('10.244.0.2 8080')
    expect(at('198.51.100.1').to).toBe('10.244.0.2 8080')
    expect(at('198.51.100.1', '203.0.113.1').verdict).toBe('drop')
    expect(at('198.51.100.2').to).toBe('198.51.100.2 80')
  })

  test('follows hints for the node, then for its zone, and none that are not whole', () => {
    const zone = (name: string) => ({ hints: { forZones: [{ name }] } })
    const both = { hints: { forZones: [{ name: 'b' }], forNodes: [{ name: 'here' }] } }
    expect(targets(web(), [anEndpoint('10.244.0.2', zone('a')), anEndpoint('10.244.1.2', zone('b'))])).toEqual(['10.244.0.2 8080'])
    expect(targets(web(), [anEndpoint('10.244.0.2', zone('a')), anEndpoint('10.244.1.2')])).toHaveLength(2)
    expect(targets(web(), [anEndpoint('10.244.0.2', zone('c')), anEndpoint('10.244.1.2', zone('b'))])).toHaveLength(2)
    expect(targets(web(), [anEndpoint('10.244.0.2', both), anEndpoint('10.244.1.2', { hints: { forNodes: [{ name: 'there' }] } })])).toEqual([
      '10.244.0.2 8080',
    ])
  })

  test('of either family goes by addresses of that family', () => {
    const service = web({ clusterIPs: [clusterIP, 'fd00:96::14'] })
    const rules = rulesFor([
      [service, [aSlice(service, [anEndpoint('10.244.0.2')]), aSlice(service, [anEndpoint('fd00:244:0::2')], 8080, 'IPv6')]],
    ])
    const packet = { family: 'ip6', source: 'fd00:244::9', destination: 'fd00:96::14', protocol: 'tcp', port: 80 } as const
    expect(sendPacket(rules, kubeProxyTable, packet).to).toBe('fd00:244::2 8080')
  })

  test('of UDP and SCTP does not meet that of TCP on the same port', () => {
    const service = web({ ports: [httpPort, { name: 'u', port: 80, protocol: 'UDP' }, { name: 's', port: 80, protocol: 'SCTP' }] })
    const slice = { ...aSlice(service, [anEndpoint('10.244.0.2')]) }
    slice.ports = slice.ports!.map((port, index) => ({ ...port, port: 8_000 + index }))
    const rules = rulesFor([[service, [slice]]])
    const to = (protocol: Packet['protocol']): string =>
      sendPacket(rules, kubeProxyTable, { family: 'ip', source: podHere, destination: clusterIP, protocol, port: 80 }).to
    expect([to('tcp'), to('udp'), to('sctp')]).toEqual(['10.244.0.2 8000', '10.244.0.2 8001', '10.244.0.2 8002'])
  })

  test('has no rules when it is headless or names another host', () => {
    for (const service of [web({ clusterIP: 'None', clusterIPs: ['None'] }), web({ type: 'ExternalName', externalName: 'x.example' })])
      expect(rulesFor([[service, [aSlice(service, [anEndpoint('10.244.0.2')])]]])).toEqual(rulesFor([]))
  })
})

test('whatever Services there are, a new connection ends at one of the endpoints that may take it, or is refused', () => {
  const endpoint = fc.record({
    address: fc.integer({ min: 2, max: 9 }).map((host) => `10.244.0.${host}`),
    nodeName: fc.constantFrom('here', 'there'),
    conditions: fc.record({ ready: fc.boolean(), serving: fc.boolean(), terminating: fc.boolean() }),
  })
  const service = fc.record({
    type: fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer'),
    internalTrafficPolicy: fc.constantFrom('Cluster', 'Local'),
    externalTrafficPolicy: fc.constantFrom('Cluster', 'Local'),
    sessionAffinity: fc.constantFrom('None', 'ClientIP'),
  })
  fc.assert(
    fc.property(service, fc.array(endpoint, { maxLength: 6 }), fc.boolean(), fc.nat(), (spec, drawn, byNodePort, choice) => {
      const unique = [...new Map(drawn.map((one) => [one.address, one])).values()]
      const endpoints = unique.map(({ address, ...more }) => anEndpoint(address, more))
      const asked = byNodePort && spec.type !== 'ClusterIP' ? { source: outside, destination: '172.30.0.10', port: 30_080 } : {}
      const fate = send(web(spec as Service['spec']), endpoints, asked, (below) => choice % below)
      const stays = ('port' in asked ? spec.externalTrafficPolicy : spec.internalTrafficPolicy) === 'Local'
      const near = unique.filter(({ nodeName }) => !stays || nodeName === nodeHere.name)
      const ready = near.filter(({ conditions }) => conditions.ready)
      const fit = ready.length > 0 ? ready : near.filter(({ conditions }) => conditions.serving && conditions.terminating)
      if (fit.length === 0) return fate.verdict !== 'accept'
      return fate.verdict === 'accept' && fit.some(({ address }) => fate.to === `${address} 8080`)
    }),
    { numRuns: 500 },
  )
})
