import type { NodeAddresses } from '@shiplog/node/node-addresses'
import { parseAddressPool } from '@shiplog/api/address-pool'
import { systemClock } from '@shiplog/runtime/clock'
import { silentLogger } from '@shiplog/runtime/logger'
import { eventually } from '@shiplog/testing/eventually'
import { describe, expect, test } from 'vitest'
import { createAddressAnnouncer } from './address-announcer.ts'
import { announcedAddresses, mayAnnounce } from './announced-addresses.ts'
import { aService, anEndpoint, aSlice, httpPort } from './testing/objects.ts'

const pool = parseAddressPool('172.30.1.0/24')
const nodes = ['one', 'two', 'three']
const balanced = (address: string, more = {}, name = `s-${address}`) =>
  aService(name, { type: 'LoadBalancer', clusterIP: '10.96.0.9', ports: [httpPort], ...more }, { loadBalancer: { ingress: [{ ip: address, ipMode: 'VIP' }] } })
type Entry = readonly [ReturnType<typeof balanced>, ReturnType<typeof aSlice>[]]
const announcedBy = (node: string, services: readonly Entry[], candidates = nodes): string[] =>
  announcedAddresses({ node, candidates, services, pool })

describe('an address of a pool', () => {
  const many = Array.from({ length: 60 }, (_, index): Entry => [balanced(`172.30.1.${index + 1}`), []])

  test('is answered for by one node, and a node that goes moves no other’s addresses', () => {
    const before = nodes.map((node) => announcedBy(node, many))
    expect(before.flat()).toHaveLength(60)
    expect(new Set(before.flat()).size).toBe(60)
    for (const some of before) expect(some.length).toBeGreaterThan(5)
    const after = ['one', 'two'].map((node) => announcedBy(node, many, ['one', 'two']))
    expect(after.flat().sort()).toEqual(before.flat().sort())
    for (const [index, some] of after.entries()) expect(some).toEqual(expect.arrayContaining(before[index]!))
  })

  test('of a Service that keeps its traffic on the node is answered for where an endpoint is', () => {
    const service = balanced('172.30.1.1', { externalTrafficPolicy: 'Local' })
    const at = (...places: readonly string[]): string[] => {
      const slices = [aSlice(service, places.map((nodeName, index) => anEndpoint(`10.244.0.${index + 2}`, { nodeName })))]
      return nodes.filter((node) => announcedBy(node, [[service, slices]]).length > 0)
    }
    expect([at('two'), at('three'), at()]).toEqual([['two'], ['three'], []])
  })

  test('that is none of the pool, or that another balancer passes on, is nobody’s', () => {
    const others = [balanced('192.0.2.1'), { ...balanced('172.30.1.1'), status: { loadBalancer: { ingress: [{ ip: '172.30.1.1', ipMode: 'Proxy' }] } } }]
    for (const node of nodes) expect(announcedBy(node, others.map((service) => [service, []]))).toEqual([])
  })

  test('is for nodes that are ready, stay, and are not left out', () => {
    const node = (more: object = {}, status = 'True') =>
      mayAnnounce({ metadata: { name: 'n' }, status: { conditions: [{ type: 'Ready', status }] }, ...more } as never)
    expect([node(), node({}, 'Unknown')]).toEqual([true, false])
    expect(node({ metadata: { labels: { 'node.kubernetes.io/exclude-from-external-load-balancers': '' } } })).toBe(false)
    expect(node({ spec: { taints: [{ key: 'ToBeDeletedByClusterAutoscaler' }] } })).toBe(false)
  })
})

test('a node takes on what it answers for, gives up the rest, and tries again what failed', async () => {
  const held = new Set(['172.30.1.9'])
  let fails = true
  const addresses: NodeAddresses = {
    list: async () => [...held],
    add: async (address) => {
      if (fails) throw new Error('no device')
      held.add(address)
    },
    remove: async (address) => void held.delete(address),
  }
  let check = (): void => undefined
  const every = (_ms: number, callback: () => void): Disposable => {
    check = callback
    return { [Symbol.dispose]: () => undefined }
  }
  const clock = { ...systemClock, every }
  const announcer = createAddressAnnouncer({ addresses, clock, log: silentLogger })
  announcer.show(['172.30.1.1', 'fd00::1'])
  await eventually(() => held.size === 0)
  fails = false
  check()
  await eventually(() => expect([...held]).toEqual(['172.30.1.1']))
  held.clear()
  check()
  await eventually(() => expect([...held]).toEqual(['172.30.1.1']))
  await announcer.stop()
})
