import { describe, expect, test } from 'vitest'
import { readFlows, staleFlows, udpTargets } from './conntrack.ts'
import { aService, anEndpoint, aSlice, nodeHere } from './testing/objects.ts'

const line = (answerer: string, port = 53) =>
  `ipv4     2 udp      17 27 src=10.244.0.9 dst=10.96.0.10 sport=4000 dport=53 src=${answerer} dst=10.244.0.9 sport=${port} dport=4000 [ASSURED] mark=0 use=1`
const dns = aService('dns', { clusterIP: '10.96.0.10', clusterIPs: ['10.96.0.10'], type: 'NodePort', ports: [{ port: 53, protocol: 'UDP', nodePort: 30_053 }] })
const targets = (...addresses: string[]) =>
  udpTargets([[dns, [aSlice(dns, addresses.map((address) => anEndpoint(address)), 5_353)]]], nodeHere)

describe('connections of UDP', () => {
  test('are read from the kernel, and those of TCP are not', () => {
    const tcp = 'ipv4     2 tcp      6 100 ESTABLISHED src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2 src=2.2.2.2 dst=1.1.1.1 sport=2 dport=1 mark=0 use=1'
    const flow = { source: '10.244.0.9', sourcePort: 4000, destination: '10.96.0.10', destinationPort: 53, answerer: '10.244.0.2', answererPort: 5353 }
    expect(readFlows(`${tcp}\n${line('10.244.0.2', 5353)}\n`)).toEqual([{ family: 'ipv4', ...flow }])
  })

  test('are forgotten when their endpoint is gone, or when they never met one, and kept otherwise', () => {
    const flows = readFlows([line('10.244.0.2', 5353), line('10.244.0.3', 5353), line('10.96.0.10')].join('\n'))
    expect(staleFlows(flows, targets('10.244.0.3', '10.244.0.4')).map(({ answerer }) => answerer)).toEqual(['10.244.0.2', '10.96.0.10'])
    expect(staleFlows(flows, targets()).map(({ answerer }) => answerer)).toEqual(['10.244.0.2', '10.244.0.3'])
    expect(staleFlows(flows, new Map())).toEqual([])
  })

  test('to a port of the node count, too', () => {
    expect([...targets('10.244.0.3').keys()]).toEqual(['10.96.0.10 53', '172.30.0.10 30053'])
  })
})
