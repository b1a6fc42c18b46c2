// The rules in a real kernel, in a network namespace of the test's own: what is written is what is read back, whatever
// changes; a start over right rules writes nothing; what somebody else changes is undone. Needs root and nft.
import { type ChildProcess, spawn } from 'node:child_process'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { whyNoContainerdNodes } from '@shiplog/node/containerd/containerd-nodes'
import { provideNodePrograms } from '@shiplog/node/containerd/programs'
import { silentLogger } from '@shiplog/runtime/logger'
import { systemClock } from '@shiplog/runtime/clock'
import { baseRules, kubeProxyTable } from './base-rules.ts'
import { serviceRules } from './service-rules.ts'
import { aService, anEndpoint, aSlice, httpPort, nodeHere } from './testing/objects.ts'
import { readListing } from '@shiplog/node/packet-filter/listing'
import { createNft } from '@shiplog/node/packet-filter/nft'
import type { PacketFilter } from '@shiplog/node/packet-filter/packet-filter'
import { createRuleKeeper, type RuleKeeper } from '@shiplog/node/packet-filter/rule-keeper'
import { changesBetween, type Command } from '@shiplog/node/packet-filter/ruleset'

const programs = whyNoContainerdNodes() === undefined ? await provideNodePrograms().catch(() => undefined) : undefined
if (programs === undefined) process.stderr.write('left out: rules in a kernel: no root, or no nft\n')

const tables = (['ip', 'ip6'] as const).map((family) => ({ family, table: kubeProxyTable }))

describe.skipIf(programs === undefined)('rules in a kernel', () => {
  let holder: ChildProcess
  let filter: PacketFilter
  let keeper: RuleKeeper
  let applied: Command[] = []

  const start = (): RuleKeeper =>
    createRuleKeeper({
      filter: {
        ...filter,
        async apply(commands) {
          applied.push(...commands)
          await filter.apply(commands)
        },
      },
      ...{ tables, clock: systemClock, log: silentLogger },
    })
  const difference = async (): Promise<readonly Command[]> => {
    const texts = await Promise.all(tables.map(({ family, table }) => filter.list(family, table)))
    return changesBetween(readListing(...texts.filter((text) => text !== undefined)), keeper.desired.all)
  }
  const web = aService('web', {
    ...{ clusterIP: '10.96.0.20', clusterIPs: ['10.96.0.20', 'fd00:96::14'], type: 'LoadBalancer', sessionAffinity: 'ClientIP' },
    ...{ externalTrafficPolicy: 'Local', loadBalancerSourceRanges: ['192.0.2.0/24', '10.0.0.0/8', '10.1.0.0/16', '203.0.113.7/32'] },
    ports: [{ ...httpPort, nodePort: 30_080 }, { name: 's', port: 132, protocol: 'SCTP' }, { name: 'u', port: 53, protocol: 'UDP' }],
  }, { loadBalancer: { ingress: [{ ip: '198.51.100.1' }] } })
  const put = (endpoints: readonly string[], service = web): void => {
    const slices = [
      aSlice(service, endpoints.map((address) => anEndpoint(address))),
      aSlice(service, endpoints.map((_, index) => anEndpoint(`fd00:244::${index + 2}`)), 8080, 'IPv6'),
    ]
    keeper.desired.set(service.metadata.name, '1', serviceRules({ service, slices, node: nodeHere }))
  }

  beforeAll(async () => {
    holder = spawn('unshare', ['--net', 'sleep', '300'], { stdio: 'ignore' })
    await systemClock.sleep(200)
    filter = createNft({ nft: programs!.nft, namespacePid: holder.pid! })
  })
  afterAll(async () => {
    await keeper?.stop()
    holder?.kill('SIGKILL')
  })
  beforeEach(async () => {
    await keeper?.stop()
    applied = []
    keeper = start()
    keeper.desired.set('', '', baseRules(nodeHere.addresses))
    put(['10.244.0.2', '10.244.1.2'])
    await keeper.changed()
    expect(keeper.state.lastFault).toBeUndefined()
  })

  test('are read back as they were written', async () => {
    expect(await difference()).toEqual([])
    expect(applied.length).toBeGreaterThan(0)
  })

  test('change by no more than what changed', async () => {
    applied = []
    put(['10.244.0.2', '10.244.1.2', '10.244.1.3'])
    await keeper.changed()
    const touched = applied.flatMap((command) => JSON.stringify(command).match(/"(?:chain|name)":"([^"]+)"/)?.[1] ?? [])
    expect(touched.filter((name) => name.startsWith('endpoint-') && !/__(10\.244\.1\.3|fd00:244::4)/.test(name))).toEqual([])
    expect(touched).not.toContain('services')
    expect(await difference()).toEqual([])
  })

  test('of a life before are left alone when they are right', async () => {
    await keeper.stop()
    applied = []
    keeper = start()
    keeper.desired.set('', '', baseRules(nodeHere.addresses))
    put(['10.244.0.2', '10.244.1.2'])
    await keeper.changed()
    expect(applied).toEqual([])
    put(['10.244.0.2'])
    await keeper.changed()
    expect(await difference()).toEqual([])
  })

  test('that somebody else changes come back, and what they add goes', async () => {
    const at = { family: 'ip', table: kubeProxyTable } as const
    await filter.apply([
      { flush: { chain: { ...at, name: 'services' } } },
      { add: { chain: { ...at, name: 'stranger' } } },
      { add: { element: { ...at, name: 'cluster-ips', elem: ['10.96.0.99'] } } },
    ])
    expect(await keeper.check()).toBeGreaterThan(0)
    expect(await difference()).toEqual([])
    await filter.apply([{ delete: { table: { family: 'ip', name: kubeProxyTable } } }])
    expect(await keeper.check()).toBeGreaterThan(0)
    expect(await difference()).toEqual([])
    expect(await keeper.check()).toBe(0)
  })

  test('go on after a transaction that the kernel refuses', async () => {
    const at = { family: 'ip', table: kubeProxyTable } as const
    await filter.apply([{ delete: { table: { family: 'ip', name: kubeProxyTable } } }])
    await filter.apply([{ add: { table: { family: 'ip', name: kubeProxyTable } } }, { add: { chain: { ...at, name: 'services' } } }])
    put(['10.244.0.2'])
    await keeper.changed()
    expect(await difference()).toEqual([])
  })

  test('of two Services with one address are those of the older, and then of the other', async () => {
    const holder = JSON.stringify({ concat: ['198.51.100.7', 'tcp', 80] })
    const claim = (name: string, rank: string, host: string): void => {
      const service = aService(name, { clusterIP: host, clusterIPs: [host], externalIPs: ['198.51.100.7'], ports: [httpPort] })
      keeper.desired.set(name, rank, serviceRules({ service, slices: [aSlice(service, [anEndpoint('10.244.0.2')])], node: nodeHere }))
    }
    const target = async (): Promise<string> =>
      JSON.stringify([...readListing((await filter.list('ip', kubeProxyTable))!).elements.values()].find(({ key }) => JSON.stringify(key) === holder)?.verdict)
    claim('young', '2', '10.96.0.31')
    claim('old', '1', '10.96.0.30')
    await keeper.changed()
    expect(await target()).toContain('default/old/')
    expect(keeper.desired.conflictsOf('young')).toHaveLength(1)
    keeper.desired.remove('old')
    await keeper.changed()
    expect(await target()).toContain('default/young/')
    keeper.desired.remove('young')
    await keeper.changed()
    expect(await difference()).toEqual([])
  })

  test('stay what is wanted through any changes', async () => {
    const change = fc.record({
      name: fc.constantFrom('a', 'b', 'c'),
      hosts: fc.array(fc.integer({ min: 2, max: 6 }), { maxLength: 4 }),
      isGone: fc.boolean(),
      type: fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer'),
      sticky: fc.constantFrom('None', 'ClientIP'),
      local: fc.constantFrom('Cluster', 'Local'),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(change, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 6 }), async (turns) => {
        for (const turn of turns) {
          for (const { name, hosts, isGone, type, sticky, local } of turn) {
            if (isGone) keeper.desired.remove(name)
            else {
              const clusterIP = `10.96.1.${name.charCodeAt(0)}`
              const ports = [{ ...httpPort, nodePort: 30_100 + name.charCodeAt(0) }]
              const spec = { clusterIP, clusterIPs: [clusterIP], type, sessionAffinity: sticky, externalTrafficPolicy: local, internalTrafficPolicy: local, ports }
              put([...new Set(hosts)].map((host) => `10.244.0.${host}`), aService(name, spec as never))
            }
          }
          await keeper.changed()
          expect(keeper.state.lastFault).toBeUndefined()
          expect(await difference()).toEqual([])
        }
      }),
      { numRuns: 8 },
    )
  }, 60_000)
})
