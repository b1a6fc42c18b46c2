// Whether a connection is allowed, read off the API's own text word by word and as slowly as it likes: nothing of it is
// shared with what makes the rules.
import type { Namespace, Pod } from '@shiplog/api/generated/types/core-v1'
import type { LabelSelector } from '@shiplog/api/generated/types/meta-v1'
import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '@shiplog/api/generated/types/networking-v1'

export interface World {
  readonly pods: readonly Pod[]
  readonly namespaces: readonly Namespace[]
  readonly policies: readonly NetworkPolicy[]
}

export interface Call {
  /** An address of a pod, or of somebody outside. */
  readonly from: string
  readonly to: string
  readonly protocol: 'TCP' | 'UDP' | 'SCTP'
  readonly port: number
}

export function isAllowed(world: World, call: Call): boolean {
  const sender = podAt(world, call.from)
  const receiver = podAt(world, call.to)
  if (sender !== undefined && sender === receiver) return true
  return allows(world, sender, 'Egress', call.to, receiver, call) && allows(world, receiver, 'Ingress', call.from, sender, call)
}

const addressesOf = ({ status }: Pod): string[] => (status?.podIPs ?? []).map(({ ip }) => ip)
const podAt = ({ pods }: World, address: string): Pod | undefined =>
  pods.find((pod) => !pod.spec.hostNetwork && addressesOf(pod).includes(address))

function allows(
  world: World,
  subject: Pod | undefined,
  direction: 'Ingress' | 'Egress',
  address: string,
  peer: Pod | undefined,
  call: Call,
): boolean {
  if (subject === undefined) return true
  const concerning = world.policies.filter(
    ({ metadata, spec }) =>
      metadata.namespace === subject.metadata.namespace &&
      selects(spec.podSelector, subject.metadata.labels ?? {}) &&
      typesOf(spec).includes(direction),
  )
  if (concerning.length === 0) return true
  const target = direction === 'Ingress' ? subject : podAt(world, call.to)
  return concerning.some(({ metadata, spec }) =>
    direction === 'Ingress'
      ? (spec.ingress ?? []).some(
          (rule) => isPeer(world, metadata.namespace!, rule.from, address, peer) && isPort(rule.ports, call, target),
        )
      : (spec.egress ?? []).some(
          (rule) => isPeer(world, metadata.namespace!, rule.to, address, peer) && isPort(rule.ports, call, target),
        ),
  )
}

function typesOf({ policyTypes, egress }: NetworkPolicy['spec']): readonly string[] {
  if (policyTypes && policyTypes.length > 0) return policyTypes
  return egress && egress.length > 0 ? ['Ingress', 'Egress'] : ['Ingress']
}

function isPeer(
  { namespaces }: World,
  own: string,
  peers: readonly NetworkPolicyPeer[] | undefined,
  address: string,
  pod: Pod | undefined,
): boolean {
  if (peers === undefined || peers.length === 0) return true
  return peers.some(({ podSelector, namespaceSelector, ipBlock }) => {
    if (ipBlock) return holds(ipBlock.cidr, address) && !(ipBlock.except ?? []).some((cidr) => holds(cidr, address))
    if (pod === undefined) return false
    const namespace = namespaces.find(({ metadata }) => metadata.name === pod.metadata.namespace)
    const isThere = namespaceSelector
      ? selects(namespaceSelector, namespace?.metadata.labels ?? {})
      : pod.metadata.namespace === own
    return isThere && (podSelector === undefined || selects(podSelector, pod.metadata.labels ?? {}))
  })
}

function isPort(ports: readonly NetworkPolicyPort[] | undefined, { protocol, port }: Call, target: Pod | undefined): boolean {
  if (ports === undefined || ports.length === 0) return true
  return ports.some((wanted) => {
    if ((wanted.protocol ?? 'TCP') !== protocol) return false
    if (wanted.port === undefined) return true
    if (typeof wanted.port === 'number') return port >= wanted.port && port <= (wanted.endPort ?? wanted.port)
    return (target?.spec.containers ?? []).some((container) =>
      (container.ports ?? []).some(
        (one) => one.name === wanted.port && (one.protocol ?? 'TCP') === protocol && one.containerPort === port,
      ),
    )
  })
}

function selects({ matchLabels = {}, matchExpressions = [] }: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  for (const [key, value] of Object.entries(matchLabels ?? {})) if (labels[key] !== value) return false
  for (const { key, operator, values } of matchExpressions ?? []) {
    const value = labels[key]
    if (operator === 'In' && (value === undefined || !values!.includes(value))) return false
    if (operator === 'NotIn' && value !== undefined && values!.includes(value)) return false
    if (operator === 'Exists' && value === undefined) return false
    if (operator === 'DoesNotExist' && value !== undefined) return false
  }
  return true
}

/** By the bits of both, written out. */
function holds(cidr: string, address: string): boolean {
  const [network = '', length = ''] = cidr.split('/')
  const [wanted, given] = [bitsOf(network), bitsOf(address)]
  return wanted.length === given.length && wanted.slice(0, Number(length)) === given.slice(0, Number(length))
}

function bitsOf(address: string): string {
  if (!address.includes(':')) return address.split('.').map((part) => Number(part).toString(2).padStart(8, '0')).join('')
  const [head = '', tail = ''] = address.split('::')
  const before = head.split(':').filter((part) => part !== '')
  const after = tail.split(':').filter((part) => part !== '')
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0')
  return [...before, ...zeros, ...after].map((part) => Number.parseInt(part, 16).toString(2).padStart(16, '0')).join('')
}
