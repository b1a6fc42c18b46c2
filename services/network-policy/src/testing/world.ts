// A small cluster of two nodes whose rules are kept by changes, as they are in life, and packets through both nodes.
import type { Namespace, Pod } from '@shiplog/api/generated/types/core-v1'
import type { NetworkPolicy, NetworkPolicySpec } from '@shiplog/api/generated/types/networking-v1'
import type { ObjectChange } from '@shiplog/feed/object-feed'
import { createDesiredRules, type DesiredRules } from '@shiplog/node/packet-filter/desired-rules'
import { sendPacket } from '@shiplog/node/packet-filter/testing/packet-walk'
import { policyTable } from '../base-rules.ts'
import { createNodeRules, type NodeRules } from '../node-rules.ts'
import { keptAwayBy, type Party } from '../verdict.ts'
import { createPolicyView, type PolicyView } from '../policy-view.ts'
import type { Call, World } from './oracle.ts'

export const nodeNames = ['one', 'two'] as const
export const agentAddress = '172.30.0.1'

export interface PodLook {
  readonly node?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly phase?: string
  readonly hostNetwork?: boolean
  readonly addresses?: readonly string[]
}

const ports = [
  { name: 'web', containerPort: 80, protocol: 'TCP' },
  { name: 'dns', containerPort: 53, protocol: 'UDP' },
  { name: 'alt', containerPort: 8080, protocol: 'TCP' },
] as const

export function aPod(namespace: string, name: string, index: number, look: PodLook = {}): Pod {
  const node = look.node ?? nodeNames[index % 2]!
  const host = index + 2
  const addresses = look.addresses ?? [`10.244.${nodeNames.indexOf(node as 'one')}.${host}`, `fd00:244::${host}`]
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, uid: `uid-${namespace}-${name}`, labels: look.labels ?? { app: name } },
    spec: {
      nodeName: node,
      ...(look.hostNetwork ? { hostNetwork: true } : {}),
      // The same name means another port with each.
      containers: [{ name: 'main', ports: ports.map((port) => ({ ...port, containerPort: port.containerPort + (index % 3) })) }],
    },
    status: { phase: look.phase ?? 'Running', podIPs: addresses.map((ip) => ({ ip })) },
  } as unknown as Pod
}

export const aNamespace = (name: string, labels: Readonly<Record<string, string>> = {}): Namespace =>
  ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, uid: `uid-${name}`, labels } }) as unknown as Namespace

export const aPolicy = (namespace: string, name: string, spec: NetworkPolicySpec): NetworkPolicy =>
  ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace, uid: `uid-${namespace}-${name}` },
    spec,
  }) as unknown as NetworkPolicy

const resourceOf = { Pod: 'pods', Namespace: 'namespaces', NetworkPolicy: 'networkpolicies.networking.k8s.io' } as const

type Known = Pod | Namespace | NetworkPolicy

const changeOf = (object: Known, deleted: boolean): ObjectChange =>
  ({ groupResource: resourceOf[object.kind], object, deleted }) as unknown as ObjectChange

export interface Played extends World {
  readonly view: PolicyView
  readonly desired: ReadonlyMap<string, DesiredRules>
  put(...objects: readonly Known[]): void
  remove(...objects: readonly Known[]): void
  /** Whether the nodes let the first packet of a connection through. */
  lets(call: Call): boolean
  /** Whether people are told that they do. */
  isTold(call: Call): boolean
}

export function playedWorld(): Played {
  const view = createPolicyView()
  const objects = new Map<string, Known>()
  const desired = new Map(nodeNames.map((name) => [name as string, createDesiredRules()]))
  const rules: NodeRules[] = nodeNames.map((name) =>
    createNodeRules({ name, podInterface: 'cni0', agentAddresses: [agentAddress] }, view, desired.get(name)!),
  )
  const change = (some: readonly Known[], isGone: boolean): void => {
    let touched = new Set<string>()
    for (const object of some) {
      const id = `${object.kind} ${object.metadata.namespace ?? ''}/${object.metadata.name}`
      if (isGone) objects.delete(id)
      else objects.set(id, object)
      touched = touched.union(view.apply(changeOf(object, isGone)))
    }
    for (const one of rules) one.update(touched)
  }
  const ofKind = <T extends Known>(kind: T['kind']): T[] => [...objects.values()].filter((one): one is T => one.kind === kind)
  const nodeOf = (address: string): string | undefined =>
    ofKind<Pod>('Pod').find(({ spec, status }) => !spec.hostNetwork && status?.podIPs?.some(({ ip }) => ip === address))?.spec.nodeName
  return {
    ...{ view, desired },
    get pods() {
      return ofKind<Pod>('Pod')
    },
    get namespaces() {
      return ofKind<Namespace>('Namespace')
    },
    get policies() {
      return ofKind<NetworkPolicy>('NetworkPolicy')
    },
    put: (...some) => change(some, false),
    remove: (...some) => change(some, true),
    isTold({ from, to, protocol, port }) {
      const party = (address: string): Party => {
        const pod = [...view.pods.values()].find(({ addresses }) => addresses.includes(address))
        if (pod === undefined) return { address, pod, namespaceLabels: {}, policies: [] }
        return { address, pod, namespaceLabels: view.labelsOf(pod.namespace), policies: view.policiesOf(pod) }
      }
      return keptAwayBy({ from: party(from), to: party(to), protocol: protocol.toLowerCase() as 'tcp', port }) === undefined
    },
    lets({ from, to, protocol, port }) {
      const [source, target] = [nodeOf(from), nodeOf(to)]
      const packet = {
        family: from.includes(':') ? ('ip6' as const) : ('ip' as const),
        ...{ source: from, destination: to, port },
        protocol: protocol.toLowerCase() as 'tcp',
      }
      return nodeNames
        .filter((node) => node === source || node === target)
        .every((node) => {
          const comesFrom = node === source ? 'cni0' : 'eth0'
          const goesTo = node === target ? 'cni0' : 'eth0'
          return sendPacket(desired.get(node)!.all, policyTable, { ...packet, comesFrom, goesTo }).verdict === 'accept'
        })
    },
  }
}
