// The agents of nodes whose pods run in containerd: one an agent, on the bus as its node and as nobody else. Loaded only when
// such nodes are asked for.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createBusApiClient } from '@shiplog/api-client/bus-api-client'
import { createBusFeed } from '@shiplog/api-client/bus-feed'
import type { ObjectFeed } from '@shiplog/feed/object-feed'
import { createFlowTable } from '@shiplog/kube-proxy/flow-table'
import { createKubeProxy, type ProxyNode } from '@shiplog/kube-proxy/kube-proxy'
import { podInterfaceDefault } from '@shiplog/network-policy/base-rules'
import { createNetworkPolicies } from '@shiplog/network-policy/network-policy'
import { createNft } from '@shiplog/node/packet-filter/nft'
import { type ContainerdNode, startContainerdNodes, whyNoContainerdNodes } from '@shiplog/node/containerd/containerd-nodes'
import { listenInside } from '@shiplog/node/containerd/listen-inside'
import { createNodeAddresses } from '@shiplog/node/node-addresses'
import { doorAddress, nodeAddress, nodeDevice } from '@shiplog/node/containerd/network'
import { type NodePrograms, provideNodePrograms } from '@shiplog/node/containerd/programs'
import type { RegistryMirror } from '@shiplog/node/containerd/registry-mirrors'
import { createCriClient } from '@shiplog/node/cri/cri-client'
import { diskBytes } from '@shiplog/node/machine'
import type { AddressPool } from '@shiplog/api/address-pool'
import type { IpRange } from '@shiplog/api/ip-address'
import { parseResolvConf } from '@shiplog/node-agent/hosts/cri/pod-names'
import { agentsOfNodes } from '@shiplog/node-agent/agents-of-nodes'
import { nodeSettings, sharedMachineArguments } from '@shiplog/node-agent/eviction/kubelet-arguments'
import { providersOf } from '@shiplog/node-agent/hosts/cri/credential-providers'
import { criHost } from '@shiplog/node-agent/hosts/cri/cri-backend'
import { createNodeAgent, type NodeAgent } from '@shiplog/node-agent/node-agent'
import { containerNode } from '@shiplog/node-agent/node-object'
import { podRangesOf } from '@shiplog/control-plane/pod-ranges'
import type { Clock } from '@shiplog/runtime/clock'
import type { MetricsRegistry } from '@shiplog/runtime/metrics'
import { secretDirectory } from '@shiplog/runtime/secret-files'
import type { Service } from '@shiplog/runtime/service'
import { clusterDomain, dnsAddress, dnsPrograms, type DnsReplica, dnsReplica } from './dns-part.ts'
import type { MachineAgentDeps } from './process-agent.ts'

export interface ContainerAgentsDeps extends MachineAgentDeps {
  readonly count: number
  /** Simulated nodes of the cluster: they come first in the ranges, and are what pods choose when they say nothing. */
  readonly simulatedNodes: number
  readonly progress: (line: string) => void
  /** Where the certificates of components are. */
  readonly pkiDirectory: string
  /** Addresses of Services; the cluster's DNS has the tenth. */
  readonly serviceRange: IpRange
  /** What the proxy of the nodes reads, and where it counts. */
  readonly feed: ObjectFeed
  readonly metrics: MetricsRegistry
  /** Addresses of load balancers that these nodes answer for. */
  readonly pool?: AddressPool | undefined
  /** Where images come from instead of where their names say. */
  readonly registryMirrors: readonly RegistryMirror[]
  /** By the kubelet's flags: `eviction-hard=memory.available<500Mi`. */
  readonly kubeletArguments: readonly string[]
}

export interface ContainerAgents {
  readonly service: Service
  readonly proxy: Service
  /** Before the agents: no pod starts without its rules. */
  readonly policies: Service
  readonly dns: readonly DnsReplica[]
  readonly nodes: readonly ContainerdNode[]
  /** By which other processes of this machine reach pods. */
  readonly doorSocket: string
  /** Lets nodes and pods reach the API. */
  serveApi(port: number): Promise<void>
}

const dnsReplicasMax = 2
const nodeNameOf = (index: number): string => `worker-${index}`
/** Upstream's default. */
const podsMax = 110

/** Rejects with one line for people where the machine cannot have such nodes. */
export async function createContainerAgents(deps: ContainerAgentsDeps): Promise<ContainerAgents> {
  const { bus, clock, ids, machine, directory, progress, count } = deps
  const why = whyNoContainerdNodes()
  if (why !== undefined) throw new Error(`--node containerd: ${why}`)
  const programs: NodePrograms = await provideNodePrograms({ progress })
  secretDirectory(directory)
  const configs = Array.from({ length: count }, (_, index) =>
    containerNode(nodeNameOf(index), { ...machine, diskBytes: diskBytes(directory) }, {
      podCIDRs: podRangesOf(deps.simulatedNodes + index, podsMax, deps.podRanges),
      internalIP: nodeAddress(index),
      isTainted: deps.simulatedNodes > 0,
    }),
  )
  const resolvConf = resolverOfMachine()
  const replicas = Math.min(count, dnsReplicasMax)
  const servers = parseResolvConf(resolvConf).servers
  const networkPrograms = dnsPrograms({ replicas, pkiDirectory: deps.pkiDirectory, servers })
  const started = await startContainerdNodes({ directory, nodes: configs, programs, clock, networkPrograms, registryMirrors: deps.registryMirrors })
  if (!started.hasWayOut) progress('pods reach one another and the API, and nothing outside: this machine has no way out, or no pasta')
  const policies = createNetworkPolicies({
    ...{ feed: deps.feed, clock, metrics: deps.metrics, log: deps.logger },
    nodes: started.nodes.map(({ name, holderPid: namespacePid }) => ({
      ...{ name, podInterface: podInterfaceDefault },
      filter: createNft({ nft: programs.nft, namespacePid }),
      // Agents reach pods by way of the door: what comes from there counts as from the node.
      agentAddresses: [doorAddress],
    })),
  })
  const agents = new Map<string, NodeAgent>()
  const settings = nodeSettings([...sharedMachineArguments, ...deps.kubeletArguments])
  const providers = providersOf(settings.credentialProviders)
  const clients = started.nodes.map(({ criSocket }) => createCriClient(criSocket, clock))
  for (const [index, config] of configs.entries()) {
    const node = started.nodes[index]!
    const log = deps.logger.child({ component: deps.name, node: config.name })
    const agent = createNodeAgent({
      ...{ bus, clock, ids, log },
      name: deps.name,
      feed: createBusFeed({ bus, clock, ids, log, node: config.name }),
      client: createBusApiClient({ bus, clock, user: `system:node:${config.name}` }),
      host: criHost(
        {
          client: clients[index]!,
          runtimeName: 'containerd',
          runtimeVersion: node.containerdVersion,
          mounts: { directory: node.directory, holderPid: node.holderPid },
          cgroupParent: node.cgroupParent,
          names: { clusterDomain, clusterDns: dnsAddress(deps.serviceRange), resolvConf, hosts: textOf('/etc/hosts') },
          network: { dial: started.dial },
          admitToNetwork: policies.admit,
          imageCollection: settings.imageCollection,
          ...providers,
        },
        ids,
      ),
      nodes: { count: 0 },
      extraNodes: [config],
      eviction: settings.eviction,
      staticPods: { directory: join(node.directory, 'manifests') },
    })
    agents.set(config.name, agent)
  }
  progress(
    `nodes ${configs.map(({ name }) => name).join(', ')}: pods run in containerd ${programs.containerdVersion} (${programs.how})`,
  )
  const all = agentsOfNodes(agents)
  let api: Disposable | undefined
  const service: Service = {
    ...all,
    name: deps.name,
    async stop() {
      await all.stop()
      for (const client of clients) client.close()
      api?.[Symbol.dispose]()
      await started.stop()
    },
  }
  return {
    ...{ service, policies },
    proxy: createKubeProxy({
      ...{ feed: deps.feed, clock, metrics: deps.metrics, log: deps.logger },
      ...{ pool: deps.pool, announcers: started.nodes.map(({ name }) => name) },
      nodes: started.nodes.map((node) => proxyNode(node, programs, clock)),
    }),
    dns: Array.from({ length: replicas }, (_, index) => dnsReplica(index, { dial: started.dial, clock })),
    nodes: started.nodes,
    doorSocket: started.doorSocket,
    async serveApi(port) {
      api = await started.serveApi(port)
    },
  }
}

function proxyNode({ name, holderPid: namespacePid }: ContainerdNode, { nft, conntrack }: NodePrograms, clock: Clock): ProxyNode {
  return {
    name,
    filter: createNft({ nft, namespacePid }),
    listen: (port) => listenInside(namespacePid, port, clock),
    addresses: createNodeAddresses({ device: nodeDevice, namespacePid }),
    ...(conntrack === undefined ? {} : { flows: createFlowTable({ conntrack, namespacePid }) }),
  }
}

/** A resolver on the loopback of the machine is none for anybody else: who it asks itself is what counts. */
function resolverOfMachine(): string {
  const text = textOf('/etc/resolv.conf')
  const isLoopback = parseResolvConf(text).servers.every((server) => server.startsWith('127.') || server === '::1')
  return (isLoopback && textOf('/run/systemd/resolve/resolv.conf')) || text
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
