// The node of a machine with a container runtime of its own: the agent does what a kubelet would, as root, beside containerd or
// any other runtime that speaks CRI and makes cgroups by path.
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { createCriClient } from '@shiplog/node/cri/cri-client'
import { diskBytes, thisMachine } from '@shiplog/node/machine'
import type { Clock } from '@shiplog/runtime/clock'
import type { Environment } from '@shiplog/runtime/environment'
import type { Ids } from '@shiplog/runtime/ids'
import { secretDirectory } from '@shiplog/runtime/secret-files'
import { nodeSettings } from './eviction/kubelet-arguments.ts'
import { providersOf } from './hosts/cri/credential-providers.ts'
import { criHost } from './hosts/cri/cri-backend.ts'
import type { NodeAgentDeps } from './node-agent.ts'
import { containerNode } from './node-object.ts'

const defaultEndpoint = 'unix:///run/containerd/containerd.sock'
/** The tenth address of the default range of Services. */
const defaultDns = '10.96.0.10'

export type ServedNode = Pick<NodeAgentDeps, 'host' | 'eviction' | 'staticPods'> & { readonly extraNodes: NonNullable<NodeAgentDeps['extraNodes']> }

/**
 * Reads SHIPLOG_NODE_DIR, SHIPLOG_CRI_ENDPOINT, SHIPLOG_NODE_IP, SHIPLOG_CLUSTER_DNS, SHIPLOG_CLUSTER_DOMAIN and
 * SHIPLOG_KUBELET_ARGS. Rejects when the runtime does not answer.
 */
export async function criNodeFromEnvironment(env: Environment, name: string, { clock, ids }: { readonly clock: Clock; readonly ids: Ids }): Promise<ServedNode> {
  if (env.list('SHIPLOG_NODE_NAMES').length > 1) throw new Error('SHIPLOG_NODE_NAMES: a container runtime is one node')
  const root = env.required('SHIPLOG_NODE_DIR')
  if (!root.startsWith('/')) throw new Error(`SHIPLOG_NODE_DIR is ${root}: an absolute path, please`)
  const directory = join(root, name)
  secretDirectory(root)
  secretDirectory(directory)
  const client = createCriClient(env.optional('SHIPLOG_CRI_ENDPOINT') ?? defaultEndpoint, clock)
  const { runtimeName, runtimeVersion } = await client.version()
  const { eviction, imageCollection, credentialProviders } = nodeSettings(env.parsed('SHIPLOG_KUBELET_ARGS', (text) => text.split(/\s+/)) ?? [])
  const machine = thisMachine()
  const internalIP = env.optional('SHIPLOG_NODE_IP') ?? machine.internalIP
  return {
    host: criHost(
      {
        ...providersOf(credentialProviders),
        ...{ client, runtimeName, imageCollection, runtimeVersion: runtimeVersion.replace(/^v/, ''), cgroupParent: '' },
        mounts: { directory, holderPid: process.pid },
        names: {
          clusterDomain: env.optional('SHIPLOG_CLUSTER_DOMAIN') ?? 'cluster.local',
          clusterDns: env.optional('SHIPLOG_CLUSTER_DNS') ?? defaultDns,
          resolvConf: textOf('/etc/resolv.conf'),
          hosts: textOf('/etc/hosts'),
        },
        network: { dial },
      },
      ids,
    ),
    // Ranges of pods are given by the cluster, or known to the network of the machine alone.
    extraNodes: [containerNode(name, { ...machine, diskBytes: diskBytes(directory) }, { internalIP, podCIDRs: [], isTainted: false })],
    eviction,
    staticPods: { directory: join(directory, 'manifests') },
  }
}

const dial = (host: string, port: number, signal?: AbortSignal): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host, port, allowHalfOpen: true })
    const giveUp = (): void => void socket.destroy(new Error('given up'))
    signal?.addEventListener('abort', giveUp, { once: true })
    socket.once('error', reject)
    socket.once('connect', () => {
      signal?.removeEventListener('abort', giveUp)
      socket.off('error', reject)
      resolve(socket)
    })
  })

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
