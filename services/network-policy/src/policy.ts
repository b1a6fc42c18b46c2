// A NetworkPolicy as the rules need it: whom it concerns, which directions, and for each rule who may and on which ports.
// What is left out in a policy (no peers, no ports) means everybody and everything. Pure.
import { createHash } from 'node:crypto'
import type {
  IPBlock,
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
} from '@shiplog/api/generated/types/networking-v1'
import type { LabelSelector } from '@shiplog/api/generated/types/meta-v1'
import { compileLabelSelector, type CompiledSelector, everythingSelector } from '@shiplog/api/selectors'
import type { Protocol } from '@shiplog/node/packet-filter/statements'
import type { Labels, PolicyPod } from './pod.ts'

export type Direction = 'ingress' | 'egress'
export const directions: readonly Direction[] = ['ingress', 'egress']

/** Pods of one namespace, or of those with certain labels, that have certain labels themselves. */
export interface PeerSelector {
  /** The same for selectors that mean the same. */
  readonly key: string
  matches(pod: PolicyPod, namespaceLabels: Labels): boolean
}

export interface NamedPort {
  readonly key: string
  readonly name: string
  readonly protocol: Protocol
}

export interface PortSpan {
  readonly protocol: Protocol
  readonly first: number
  readonly last: number
}

export interface PolicyRule {
  /** Undefined: everybody. */
  readonly peers: { readonly selectors: readonly PeerSelector[]; readonly blocks: readonly IPBlock[] } | undefined
  /** Undefined: every protocol and port. */
  readonly ports: { readonly spans: readonly PortSpan[]; readonly named: readonly NamedPort[] } | undefined
}

export interface Policy {
  /** `namespace/name`. */
  readonly key: string
  readonly namespace: string
  selects(pod: PolicyPod): boolean
  /** Directions that it says something of: nothing else comes through there. */
  readonly rules: Readonly<Partial<Record<Direction, readonly PolicyRule[]>>>
  readonly selectors: readonly PeerSelector[]
  readonly namedPorts: readonly NamedPort[]
}

const lastPort = 65_535
const hashCharacters = 16

export const shortHash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, hashCharacters)

/** Throws where a selector cannot be read: the gateway stores none of these. */
export function readPolicy({ metadata, spec }: NetworkPolicy): Policy {
  const namespace = metadata.namespace ?? ''
  const wanted = compileLabelSelector(spec.podSelector ?? {})
  const egress = spec.egress ?? []
  const types = spec.policyTypes?.length ? spec.policyTypes : egress.length > 0 ? ['Ingress', 'Egress'] : ['Ingress']
  const rules: Partial<Record<Direction, readonly PolicyRule[]>> = {}
  if (types.includes('Ingress'))
    rules.ingress = (spec.ingress ?? []).map(({ from, ports }) => readRule(namespace, from, ports))
  if (types.includes('Egress')) rules.egress = egress.map(({ to, ports }) => readRule(namespace, to, ports))
  const all = Object.values(rules).flat()
  return {
    ...{ key: `${namespace}/${metadata.name}`, namespace, rules },
    selects: (pod) => pod.namespace === namespace && !pod.isOnHostNetwork && wanted.matches(pod.labels),
    selectors: byKey(all.flatMap(({ peers }) => peers?.selectors ?? [])),
    namedPorts: byKey(all.flatMap(({ ports }) => ports?.named ?? [])),
  }
}

const byKey = <T extends { readonly key: string }>(items: readonly T[]): T[] => [
  ...new Map(items.map((item) => [item.key, item])).values(),
]

function readRule(
  namespace: string,
  peers: readonly NetworkPolicyPeer[] | null = [],
  ports: readonly NetworkPolicyPort[] | null = [],
): PolicyRule {
  const selectors = (peers ?? []).filter(({ ipBlock }) => !ipBlock).map((peer) => readPeer(namespace, peer))
  const blocks = (peers ?? []).flatMap(({ ipBlock }) => ipBlock ?? [])
  return {
    peers: peers?.length ? { selectors: byKey(selectors), blocks } : undefined,
    ports: ports?.length ? readPorts(ports) : undefined,
  }
}

/** Without a selector of namespaces a peer is of the policy's own; one without a selector of pods is every pod there. */
function readPeer(namespace: string, { podSelector, namespaceSelector }: NetworkPolicyPeer): PeerSelector {
  const pods: CompiledSelector = podSelector ? compileLabelSelector(podSelector) : everythingSelector
  const key = shortHash(JSON.stringify([namespaceSelector ? textOf(namespaceSelector) : [namespace], textOf(podSelector ?? {})]))
  if (!namespaceSelector)
    return { key, matches: (pod) => pod.namespace === namespace && !pod.isOnHostNetwork && pods.matches(pod.labels) }
  const namespaces = compileLabelSelector(namespaceSelector)
  return {
    key,
    matches: (pod, namespaceLabels) =>
      !pod.isOnHostNetwork && namespaces.matches(namespaceLabels) && pods.matches(pod.labels),
  }
}

/** One text for selectors that say the same in the same order. */
const textOf = ({ matchLabels, matchExpressions }: LabelSelector): unknown => [
  Object.entries(matchLabels ?? {}).sort(([left], [right]) => (left < right ? -1 : 1)),
  (matchExpressions ?? []).map(({ key, operator, values }) => [key, operator, values ?? []]),
]

function readPorts(ports: readonly NetworkPolicyPort[]): NonNullable<PolicyRule['ports']> {
  const spans: PortSpan[] = []
  const named: NamedPort[] = []
  for (const { protocol: upper = 'TCP', port, endPort } of ports) {
    const protocol = upper.toLowerCase() as Protocol
    if (typeof port === 'string') named.push({ key: shortHash(`${port}/${protocol}`), name: port, protocol })
    else if (port === undefined) spans.push({ protocol, first: 0, last: lastPort })
    else spans.push({ protocol, first: port, last: endPort ?? port })
  }
  return { spans: joinedPorts(spans), named: byKey(named) }
}

function joinedPorts(spans: readonly PortSpan[]): PortSpan[] {
  const all: PortSpan[] = []
  const order = (span: PortSpan): number => ['tcp', 'udp', 'sctp'].indexOf(span.protocol) * (lastPort + 1) + span.first
  for (const span of [...spans].sort((one, other) => order(one) - order(other))) {
    const before = all.at(-1)
    if (before?.protocol !== span.protocol || span.first > before.last + 1) all.push(span)
    else if (span.last > before.last) all[all.length - 1] = { ...before, last: span.last }
  }
  return all
}

/** Every port of the protocol. */
export const isWholeProtocol = ({ first, last }: PortSpan): boolean => first === 0 && last === lastPort
