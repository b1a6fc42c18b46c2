// A real cluster on two ranges, and one of IPv6 alone: Services, nodes, pods and endpoints have what the ranges give them.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ApiClient } from '@shiplog/api/api-client'
import { type IpRanges, parseIpRanges } from '@shiplog/api/ip-address'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { silentLogger } from '@shiplog/runtime/logger'
import { eventually } from '@shiplog/testing/eventually'
import { afterEach, expect, test } from 'vitest'
import { type RunningCluster, startCluster } from './cluster.ts'

const running: RunningCluster[] = []
const directories: string[] = []
const services = { group: '', resource: 'services', namespace: 'default' }

async function up(serviceRanges: IpRanges, podRanges: IpRanges): Promise<ApiClient> {
  const dataDir = mkdtempSync(join(tmpdir(), 'shiplog-dual-stack-'))
  directories.push(dataDir)
  const cluster = await startCluster({
    ...{ dataDir, serviceRanges, podRanges },
    port: 0,
    log: 'embedded',
    simulatedNodes: 2,
    logger: silentLogger,
    findNatsServer: () => Promise.resolve(undefined),
  })
  running.push(cluster)
  return cluster.gateway.clientFor({ name: 'ann', groups: ['system:masters', 'system:authenticated'] })
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((cluster) => cluster.stop()))
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true })
})

async function must(client: ApiClient, request: Parameters<ApiClient['request']>[0]): Promise<KubeObject> {
  const result = await client.request(request)
  if (!result.ok) throw new Error(result.status.message)
  return result.object as unknown as KubeObject
}


const web = (policy?: string): JsonObject => ({
  metadata: { name: 'web', labels: { app: 'web' } },
  spec: { selector: { app: 'web' }, ports: [{ port: 80 }], ...(policy ? { ipFamilyPolicy: policy } : {}) },
})

/** A pod and what stands behind its Service, by family, once all of it is there. */
async function endpointsOf(client: ApiClient, families: number): Promise<{ pod: KubeObject; slices: JsonObject }> {
  const pods = { group: '', resource: 'pods', namespace: 'default' }
  const body = { metadata: { name: 'web', labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'x' }] } }
  // Its account comes a moment after the cluster is ready.
  await eventually(async () => ((await client.request({ ...pods, verb: 'create', body })).ok ? true : undefined))
  const pod = await eventually(async () => {
    const found = await must(client, { ...pods, verb: 'get', name: 'web' })
    return found['status'].phase === 'Running' ? found : undefined
  })
  const slices = await eventually(async () => {
    const query = { labelSelector: 'kubernetes.io/service-name=web' }
    const at = { group: 'discovery.k8s.io', resource: 'endpointslices', namespace: 'default' }
    const list = await must(client, { ...at, verb: 'list', query })
    const full = (list['items'] as KubeObject[]).filter((slice) => slice['endpoints']?.length > 0)
    if (full.length < families) return undefined
    return Object.fromEntries(full.map((slice) => [slice['addressType'], slice['endpoints'][0].addresses]))
  })
  return { pod, slices }
}

test('a cluster of two ranges gives Services, nodes and pods an address of each family', async () => {
  const client = await up(parseIpRanges('10.96.0.0/16,fd00:10:96::/112'), parseIpRanges('10.20.0.0/16,fd00:20::/56'))
  const kubernetes = await must(client, { ...services, verb: 'get', name: 'kubernetes' })
  expect(kubernetes['spec']).toMatchObject({ clusterIPs: ['10.96.0.1'], ipFamilies: ['IPv4'] })
  const node = await must(client, { verb: 'get', group: '', resource: 'nodes', name: 'node-1' })
  expect(node['spec'].podCIDRs).toEqual(['10.20.1.0/24', 'fd00:20:0:1::/64'])

  const made = await must(client, { ...services, verb: 'create', body: web('RequireDualStack') })
  const [ipv4, ipv6] = made['spec'].clusterIPs as string[]
  expect(ipv4).toMatch(/^10\.96\./)
  expect(ipv6).toMatch(/^fd00:10:96::/)

  const { pod, slices } = await endpointsOf(client, 2)
  const podIPs = (pod['status'].podIPs as { ip: string }[]).map(({ ip }) => ip)
  expect(podIPs).toEqual([expect.stringMatching(/^10\.20\./), expect.stringMatching(/^fd00:20:/)])
  expect(slices).toEqual({ IPv4: [podIPs[0]], IPv6: [podIPs[1]] })

  // What one holds nobody else gets, and what is given up is free again.
  const other = { metadata: { name: 'other' }, spec: { ...web()['spec'], clusterIP: ipv6 } }
  const held = await client.request({ ...services, verb: 'create', body: other })
  expect(held.ok ? '' : held.status.message).toContain(
    `failed to allocate IP ${ipv6}: provided IP is already allocated`,
  )
  const patch = { spec: { ipFamilyPolicy: 'SingleStack' } }
  const patchType = 'application/merge-patch+json'
  const single = await must(client, { ...services, verb: 'patch', name: 'web', patchType, body: patch })
  expect(single['spec']).toMatchObject({ clusterIPs: [ipv4], ipFamilies: ['IPv4'] })
  const taken = await must(client, { ...services, verb: 'create', body: other })
  expect(taken['spec']).toMatchObject({ clusterIPs: [ipv6], ipFamilies: ['IPv6'], ipFamilyPolicy: 'SingleStack' })
}, 60_000)

test('a cluster of IPv6 alone has no other addresses, and refuses to require them', async () => {
  const client = await up(parseIpRanges('fd00:10:96::/112'), parseIpRanges('fd00:20::/56'))
  const kubernetes = await must(client, { ...services, verb: 'get', name: 'kubernetes' })
  expect(kubernetes['spec']).toMatchObject({ clusterIPs: ['fd00:10:96::1'], ipFamilies: ['IPv6'] })
  const refused = await client.request({ ...services, verb: 'create', body: web('RequireDualStack') })
  expect(refused.ok ? '' : refused.status.message).toBe(
    'Service "web" is invalid: spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services',
  )
  await must(client, { ...services, verb: 'create', body: web() })
  const { pod, slices } = await endpointsOf(client, 1)
  expect(pod['status'].podIPs).toHaveLength(1)
  expect(slices).toEqual({ IPv6: [pod['status'].podIP] })
}, 60_000)
