import { parseIpRanges } from '@shiplog/api/ip-address'
import { describe, expect, test } from 'vitest'
import { controlPlaneNode, nodeObject, processNode, simulatedNode } from './node-object.ts'
import { machinePodRanges, podRangesOf, simulatedAddresses } from '@shiplog/control-plane/pod-ranges'

const both = parseIpRanges('10.20.0.0/16,fd00:10:244::/56')

describe('the pods of a node', () => {
  test('have a part of each range, the primary family first', () => {
    expect(podRangesOf(0, 110)).toEqual(['10.244.0.0/24'])
    expect(podRangesOf(3, 110, both)).toEqual(['10.20.3.0/24', 'fd00:10:244:3::/64'])
    expect(podRangesOf(3, 110, parseIpRanges('fd00:10:244::/56,10.20.0.0/16'))).toEqual([
      'fd00:10:244:3::/64',
      '10.20.3.0/24',
    ])
    expect(podRangesOf(1, 110, parseIpRanges('fd00:10:244::/96'))).toEqual(['fd00:10:244::1:0/112'])
  })

  test('have a larger part when there are more of them', () => {
    expect(podRangesOf(1, 500, both)[0]).toBe('10.20.2.0/23')
  })

  test('never have what belongs to the nodes of this machine, or to another node', () => {
    expect(machinePodRanges('controlPlane', both)).toEqual(['10.20.255.0/24', 'fd00:10:244:ff::/64'])
    expect(machinePodRanges('process', both)).toEqual(['10.20.254.0/24', 'fd00:10:244:fe::/64'])
    expect(podRangesOf(253, 110, both)[0]).toBe('10.20.253.0/24')
    expect(() => podRangesOf(254, 110, both)).toThrow('no pod addresses left for node 254')
    expect(() => podRangesOf(126, 500, both)).not.toThrow()
    expect(() => podRangesOf(127, 500, both)).toThrow('no pod addresses left')
    expect(new Set(Array.from({ length: 254 }, (_, index) => podRangesOf(index, 110, both).join())).size).toBe(254)
  })

  test('need more than a range for one node', () => {
    expect(() => machinePodRanges('process', parseIpRanges('10.20.0.0/24'))).toThrow('too small')
    expect(() => podRangesOf(0, 110, parseIpRanges('10.20.0.0/26'))).toThrow('no pod addresses left')
  })
})

test('a node has an address of each family, and says so', () => {
  expect(simulatedAddresses(254)).toEqual(['172.18.1.0'])
  const node = nodeObject(simulatedNode('node-2', both), { bootID: 'b', runtimeVersion: 'r' }, 0)
  expect(node['spec']).toMatchObject({
    podCIDR: '10.20.2.0/24',
    podCIDRs: ['10.20.2.0/24', 'fd00:10:244:2::/64'],
  })
  expect(node['status'].addresses).toEqual([
    { address: '172.18.0.4', type: 'InternalIP' },
    { address: 'fd00:172:18::4', type: 'InternalIP' },
    { address: 'node-2', type: 'Hostname' },
  ])
})

test('a node of this machine has pods of both families, and the address that the machine has', () => {
  const machine = {
    cpus: 6,
    memoryBytes: 8 * 2 ** 30,
    diskBytes: 100 * 2 ** 30,
    kernelVersion: '6.1.0',
    osImage: 'Debian',
    architecture: 'x64',
    internalIP: '192.0.2.2',
  }
  for (const node of [controlPlaneNode(machine, both), processNode('box', machine, both)]) {
    expect(node.podCIDRs).toHaveLength(2)
    expect(node.internalIPs).toEqual(['192.0.2.2'])
  }
})
