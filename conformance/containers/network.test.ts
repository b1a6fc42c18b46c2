// The network with real packets. NetworkPolicies: pods on two nodes call one another on every port, in both families, under policies of all
// kinds, and who gets through is compared with what the API's text says. Load balancers: addresses of a pool, from outside.
// Needs what nodes of containers need.
import { join } from 'node:path'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { isAllowed, type World } from '@shiplog/network-policy/testing/oracle'
import { createDial } from '@shiplog/node/containerd/door'
import { holders, inNamespace } from '@shiplog/node/containerd/holder'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../src/context.ts'
import { busyboxImage as image, type ContainerCluster, type Json, startContainerCluster, whyNoContainers } from './container-cluster.ts'

const why = await whyNoContainers()

const startTimeoutMs = 240_000
const ports = [80, 8080, 8081]
const places = [
  { namespace: 'x', name: 'a', node: 'worker-0' },
  { namespace: 'x', name: 'b', node: 'worker-1' },
  { namespace: 'x', name: 'c', node: 'worker-0' },
  { namespace: 'z', name: 'a', node: 'worker-1' },
  { namespace: 'z', name: 'b', node: 'worker-0' },
]
const ranges = ['--pod-cidr', '10.244.0.0/16,fd00:10:244::/56', '--service-cidr', '10.96.0.0/16,fd00:10:96::/112', '--load-balancer-pool', '172.30.9.1-172.30.9.9']

const container = (script: string, more: Json = {}): Json => ({ name: 'main', image, command: ['sh', '-c', script], ...more })
const pod = (namespace: string, name: string, spec: Json): Json => ({
  ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, labels: { pod: name } } },
  spec: { terminationGracePeriodSeconds: 0, restartPolicy: 'Never', ...spec },
})
const server = ({ namespace, name, node }: (typeof places)[number]): Json =>
  pod(namespace, name, {
    nodeName: node,
    containers: [
      container(`mkdir /www; echo ${namespace}/${name} > /www/i; httpd -p 80 -h /www; httpd -p 8081 -h /www; exec httpd -f -p 8080 -h /www`, {
        // One name, and another port with each second of them.
        ports: [{ name: 'web', containerPort: name === 'b' ? 8080 : 80 }],
        readinessProbe: { httpGet: { path: '/i', port: 80 }, periodSeconds: 1 },
      }),
    ],
  })
const policy = (namespace: string, name: string, spec: Json): Json => ({
  ...{ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name, namespace } },
  spec,
})
const namespace = (name: string, labels: Json): Json => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } })

describe.skipIf(why !== undefined)('the network', () => {
  let cluster: ContainerCluster
  let calls = 0
  /** Of the first node and of the second; the network between them, from where the outside is. */
  let holderOf: (name: string) => number

  const k = (...args: string[]): Promise<string> => cluster.k(...args)
  const apply = (...objects: Json[]): Promise<void> => cluster.apply(...objects)
  const itemsOf = async (resource: string): Promise<Json[]> => JSON.parse(await k('get', resource, '-A', '-o', 'json')).items
  const world = async (): Promise<World> => {
    const [pods, namespaces, policies] = await Promise.all(['pods', 'namespaces', 'networkpolicies'].map(itemsOf))
    return { pods: pods!.filter(({ metadata }) => ['x', 'z'].includes(metadata.namespace)), namespaces: namespaces!, policies: policies! }
  }
  const addressesOf = ({ status }: Pod): string[] => (status?.podIPs ?? []).map(({ ip }) => ip)
  /** All connections of one pod at once: those that came about. The link between the nodes is of IPv4 alone. */
  async function reached(from: Pod, pods: readonly Pod[]): Promise<{ targets: string[][]; open: Set<string> }> {
    const targets = pods.flatMap((to) =>
      addressesOf(to)
        .filter((address) => !address.includes(':') || to.spec.nodeName === from.spec.nodeName)
        .flatMap((address) => ports.map((port) => [address, String(port)])),
    )
    const script = targets
      .map(([address, port]) => `(nc -w 1 ${address} ${port} </dev/null >/dev/null 2>&1 && echo ${address} ${port}) &`)
      .join('\n')
    const out = await k('exec', '-n', from.metadata.namespace!, from.metadata.name, '--', 'sh', '-c', `${script}\nwait`)
    return { targets, open: new Set(out.trim().split('\n')) }
  }
  /** What differs from the API's text, over all pairs of pods and ports. */
  async function differences(): Promise<string[]> {
    const now = await world()
    const servers = now.pods.filter(({ metadata }) => metadata.name.length === 1)
    const found = await Promise.all(
      servers.map(async (from) => {
        const { targets, open } = await reached(from, servers)
        calls += targets.length
        return targets.flatMap(([to, port]) => {
          const source = addressesOf(from).find((address) => address.includes(':') === to!.includes(':'))!
          const expected = isAllowed(now, { from: source, to: to!, protocol: 'TCP', port: Number(port) })
          return open.has(`${to} ${port}`) === expected ? [] : [`${source} to ${to}:${port} is ${expected ? 'kept away' : 'let through'}`]
        })
      }),
    )
    return found.flat()
  }
  const asTheTextSays = (): Promise<void> => eventually(async () => expect(await differences()).toEqual([]))
  const messageOf = async (space: string, name: string): Promise<string> => {
    await k('wait', '-n', space, '--for=jsonpath={.status.phase}=Succeeded', `pod/${name}`, '--timeout=60s')
    return JSON.parse(await k('get', 'pod', '-n', space, name, '-o', 'json')).status.containerStatuses[0].state.terminated.message
  }

  beforeAll(async () => {
    cluster = await startContainerCluster(['--nodes', '2', ...ranges])
    holderOf = (name) => holders().get(join(cluster.dataDir, 'containers', name))!
    await apply(namespace('x', { team: 'x' }), namespace('z', { team: 'z' }), ...places.map(server))
    await k('wait', '-A', '--for=condition=Ready', 'pod', '-l', 'pod', '--timeout=90s')
  }, startTimeoutMs)
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]()
  }, startTimeoutMs)

  test('policies let through what the API says, from every pod to every port of every pod, as they come, change and go', async () => {
    await apply(
      policy('x', 'closed', { podSelector: {}, policyTypes: ['Ingress'] }),
      policy('x', 'by-name', { podSelector: {}, ingress: [{ from: [{ podSelector: { matchLabels: { pod: 'a' } } }], ports: [{ port: 'web' }] }] }),
      policy('x', 'by-team', { podSelector: { matchLabels: { pod: 'a' } }, ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: 'z' } } }] }] }),
      policy('z', 'out', {
        ...{ podSelector: { matchLabels: { pod: 'b' } }, policyTypes: ['Egress'] },
        egress: [{ to: [{ namespaceSelector: {}, podSelector: { matchExpressions: [{ key: 'pod', operator: 'In', values: ['a'] }] } }], ports: [{ port: 8080, endPort: 8081 }] }],
      }),
    )
    await asTheTextSays()
    const [first] = (await world()).pods
    await apply(
      namespace('z', { team: 'other' }),
      policy('z', 'blocks', {
        ...{ podSelector: {}, policyTypes: ['Ingress'] },
        ingress: [{ from: [{ ipBlock: { cidr: '10.244.0.0/16', except: [`${first!.status!.podIP}/32`] } }, { ipBlock: { cidr: 'fd00:10:244::/56' } }] }],
      }),
    )
    await asTheTextSays()
    await k('delete', 'networkpolicy', '-n', 'x', '--all')
    await asTheTextSays()
    expect(calls).toBeGreaterThanOrEqual(300)
  }, 150_000)

  test('policies hold from the first packet of a pod, and what they allow works from the first one, too', async () => {
    const target = (await world()).pods.find(({ metadata }) => metadata.namespace === 'z' && metadata.name === 'a')!.status!.podIP
    const tries = (count: number): string =>
      `for i in $(seq ${count}); do nc -w 1 ${target} 80 </dev/null >/dev/null 2>&1 && n=$((n+1)); done; echo reached \${n:-0} > /dev/termination-log`
    const caller = (space: string, name: string, count: number, node: string): Json =>
      pod(space, name, { nodeName: node, containers: [container(tries(count))] })
    await k('delete', 'networkpolicy', '-n', 'z', '--all')
    await apply(
      policy('x', 'no-way-out', { podSelector: { matchLabels: { pod: 'shut' } }, policyTypes: ['Egress'] }),
      caller('x', 'shut', 2, 'worker-0'),
      caller('x', 'free', 1, 'worker-0'),
      caller('x', 'near', 1, 'worker-1'),
    )
    expect(await Promise.all(['shut', 'free', 'near'].map((name) => messageOf('x', name)))).toEqual(['reached 0\n', 'reached 1\n', 'reached 1\n'])
  }, 90_000)

  test('policies see pods behind Services, and leave probes of the node and the cluster’s DNS to those who may', async () => {
    await apply(
      policy('x', 'closed', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] }),
      policy('x', 'to-b', { podSelector: { matchLabels: { pod: 'a' } }, policyTypes: ['Egress'], egress: [{ to: [{ podSelector: { matchLabels: { pod: 'b' } } }] }] }),
      policy('x', 'from-a', { podSelector: { matchLabels: { pod: 'b' } }, ingress: [{ from: [{ podSelector: { matchLabels: { pod: 'a' } } }], ports: [{ port: 80 }] }] }),
      policy('x', 'names', {
        ...{ podSelector: { matchLabels: { pod: 'a' } }, policyTypes: ['Egress'] },
        egress: [{ to: [{ namespaceSelector: {}, podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } } }], ports: [{ protocol: 'UDP', port: 53 }, { port: 53 }] }],
      }),
      { apiVersion: 'v1', kind: 'Service', metadata: { name: 'b', namespace: 'x' }, spec: { selector: { pod: 'b' }, ports: [{ port: 5000, targetPort: 80 }] } },
      { apiVersion: 'v1', kind: 'Service', metadata: { name: 'c', namespace: 'x' }, spec: { selector: { pod: 'c' }, ports: [{ port: 5000, targetPort: 80 }] } },
      server({ namespace: 'x', name: 'probed', node: 'worker-1' }),
    )
    const ask = async (from: string, url: string): Promise<string> =>
      (await cluster.run(['exec', '-n', 'x', from, '--', 'wget', '-q', '-T', '3', '-O', '-', url])).stdout
    await eventually(async () => expect(await ask('a', 'http://b.x.svc.cluster.local:5000/i')).toBe('x/b\n'))
    const { clusterIP } = JSON.parse(await k('get', 'service', '-n', 'x', 'b', '-o', 'json')).spec
    expect(await Promise.all([ask('a', 'http://c:5000/i'), ask('c', `http://${clusterIP}:5000/i`)])).toEqual(['', ''])
    await k('wait', '-n', 'x', '--for=condition=Ready', 'pod/probed', 'pod/a', 'pod/b', '--timeout=60s')
  }, 90_000)

  test('load balancers have an address that one node answers for, and another when that one is left out', async () => {
    const balancer = (name: string, selector: Json, more: Json = {}): Json => ({
      ...{ apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'z' } },
      spec: { type: 'LoadBalancer', selector, ports: [{ port: 5000, targetPort: 80 }], ...more },
    })
    await k('delete', 'networkpolicy', '-A', '--all')
    await apply(balancer('all', {}), balancer('near', { pod: 'a' }, { externalTrafficPolicy: 'Local' }))
    await k('patch', 'service', '-n', 'z', 'all', '--type=merge', '-p', JSON.stringify({ spec: { selector: { pod: 'b' } } }))
    for (const name of ['all', 'near'])
      await k('wait', '-n', 'z', `service/${name}`, '--for=jsonpath={.status.loadBalancer.ingress[0].ip}', '--timeout=30s')
    const service = async (name: string): Promise<Json> => JSON.parse(await k('get', 'service', '-n', 'z', name, '-o', 'json'))
    const [all, near] = await Promise.all(['all', 'near'].map(service))
    const addresses = [all, near].map(({ status }) => status.loadBalancer.ingress[0].ip)
    expect([...addresses].sort()).toEqual(['172.30.9.1', '172.30.9.2'])
    const dial = createDial(holderOf('door'))
    const ask = (host: string, port: number, path = '/i'): Promise<string> =>
      dial(host, port).then((socket) => new Promise<string>((resolve, reject) => {
        let text = ''
        socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1'))).on('error', reject)
        socket.on('end', () => {
          socket.destroy()
          resolve(`${text.split(' ')[1]} ${text.split('\r\n\r\n')[1] ?? ''}`)
        })
        socket.write(`GET ${path} HTTP/1.0\r\nHost: x\r\n\r\n`)
      }))
    await eventually(async () => expect(await ask(addresses[0]!, 5000)).toBe('200 z/b\n'))
    await eventually(async () => expect(await ask(addresses[1]!, 5000)).toBe('200 z/a\n'))
    const holdersOf = async (address: string): Promise<string[]> => {
      const shown = await Promise.all(['worker-0', 'worker-1'].map((node) => inNamespace(holderOf(node), 'net', 'ip -4 -o addr show dev eth0')))
      return ['worker-0', 'worker-1'].filter((_, index) => shown[index]!.includes(` ${address}/32 `))
    }
    // The one pod of `near` is there, and only that node says that it has an endpoint.
    expect(await holdersOf(addresses[1]!)).toEqual(['worker-1'])
    const { healthCheckNodePort } = near.spec
    const health = await Promise.all(['172.30.0.10', '172.30.0.11'].map((host) => ask(host, healthCheckNodePort, '/')))
    expect(health.map((text) => [text.slice(0, 3), JSON.parse(text.slice(4)).localEndpoints])).toEqual([['503', 0], ['200', 1]])
    expect(await ask('172.30.0.10', 10_256, '/healthz')).toMatch(/^200 .*"nodeEligible": true/)
    const [first] = await holdersOf(addresses[0]!)
    const label = 'node.kubernetes.io/exclude-from-external-load-balancers'
    await k('label', 'node', first!, `${label}=`)
    await eventually(async () => expect(await holdersOf(addresses[0]!)).toEqual([first === 'worker-0' ? 'worker-1' : 'worker-0']))
    expect(await ask(addresses[0]!, 5000)).toBe('200 z/b\n')
    await k('delete', 'service', '-n', 'z', 'all', 'near')
    await eventually(async () => expect(await Promise.all(addresses.map((one) => holdersOf(one)))).toEqual([[], []]))
  }, 90_000)
})
