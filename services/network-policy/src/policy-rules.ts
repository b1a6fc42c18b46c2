// From a policy to the chain that lets through what it allows, and from a pod to its place in the maps and sets. A chain of
// a policy is there once, whatever the number of its pods; who its peers are is in sets, so that a pod that comes or goes
// changes elements and no rule. Pure.
import { familyOfIp } from '@shiplog/api/ip-address'
import type { Chain, Element, NamedSet, RulesetParts } from '@shiplog/node/packet-filter/ruleset'
import {
  accept,
  addressType,
  daddr,
  dport,
  drop,
  type Family,
  familyOf,
  goto,
  inSet,
  isAmong,
  isEqual,
  isPortAmong,
  isProtocol,
  type Json,
  jump,
  l4proto,
  type Rule,
  saddr,
  type Statement,
} from '@shiplog/node/packet-filter/statements'
import { isEverything, spansOf, spanText } from './address-spans.ts'
import { families, names, policyTable as table } from './base-rules.ts'
import type { PolicyPod } from './pod.ts'
import {
  type Direction,
  directions,
  isWholeProtocol,
  type NamedPort,
  type PeerSelector,
  type Policy,
  type PolicyRule,
  type PortSpan,
  shortHash,
} from './policy.ts'

const nameBytesMax = 180

const nameOf = (kind: string, id: string, text: string): string => `${kind}-${shortHash(id)}-${text}`.slice(0, nameBytesMax)
const policyChain = (direction: Direction, key: string): string => nameOf(`policy-${direction}`, key, key)
const podChain = (direction: Direction, { uid, key }: PolicyPod): string => nameOf(`pod-${direction}`, uid, key)
const peerSet = ({ key }: PeerSelector): string => `peers-${key}`
const portSet = ({ key }: NamedPort): string => `port-${key}`

const familyText = (family: Family): 'IPv4' | 'IPv6' => (family === 'ip' ? 'IPv4' : 'IPv6')

/** The chains of a policy. */
export const policyParts = ({ key, rules }: Policy): RulesetParts => ({
  chains: directions.flatMap((direction) =>
    rules[direction] === undefined
      ? []
      : families.map((family): Chain => ({
          ...{ family, table, name: policyChain(direction, key) },
          rules: rules[direction]!.flatMap((rule) => ruleOf(rule, direction, family)),
        })),
  ),
})

/** Each way to be a peer with each way to be a port. */
function ruleOf({ peers, ports }: PolicyRule, direction: Direction, family: Family): Rule[] {
  const address = direction === 'ingress' ? saddr(family) : daddr(family)
  const byPeer = peers === undefined ? [[]] : peerMatches(peers, address, family)
  const byPort = ports === undefined ? [[]] : portMatches(ports, family)
  return byPeer.flatMap((peer) => byPort.map((port): Rule => [...peer, ...port, accept]))
}

function peerMatches(
  { selectors, blocks }: NonNullable<PolicyRule['peers']>,
  address: Json,
  family: Family,
): Statement[][] {
  const spans = spansOf(blocks, familyText(family))
  const inBlocks: Statement[][] =
    spans.length === 0
      ? []
      : spans.some((span) => isEverything(span, familyText(family)))
        ? [[]]
        : [[isAmong(address, spans.map((span) => spanText(span, familyText(family))))]]
  return [...inBlocks, ...selectors.map((selector) => [inSet(address, peerSet(selector))])]
}

function portMatches({ spans, named }: NonNullable<PolicyRule['ports']>, family: Family): Statement[][] {
  const whole = spans.filter(isWholeProtocol)
  const some = Map.groupBy(spans.filter((span) => !isWholeProtocol(span)), ({ protocol }) => protocol)
  return [
    ...whole.map(({ protocol }) => [isProtocol(protocol)]),
    ...[...some].map(([protocol, of]) => [isPortAmong(protocol, of.map(portText))]),
    ...named.map((port) => [inSet({ concat: [daddr(family), l4proto, dport] }, portSet(port))]),
  ]
}

const portText = ({ first, last }: PortSpan): Json => (first === last ? first : { range: [first, last] })

/** An empty set for a selector; pods put themselves in. */
export const selectorParts = (selector: PeerSelector): RulesetParts => ({
  sets: families.map((family): NamedSet => ({
    ...{ family, table, name: peerSet(selector), isMap: false },
    type: addressType[family],
  })),
})

/** The same for a port that policies call by its name: whoever has such a port, and which it is. */
export const namedPortParts = (port: NamedPort): RulesetParts => ({
  sets: families.map((family): NamedSet => ({
    ...{ family, table, name: portSet(port), isMap: false },
    type: [addressType[family], 'inet_proto', 'inet_service'],
  })),
})

export interface PodPlace {
  readonly pod: PolicyPod
  /** Sets that are there on this node and that the pod belongs to. */
  readonly selectors: readonly PeerSelector[]
  readonly namedPorts: readonly NamedPort[]
  /** Policies that select it, when it is a pod of this node; undefined when it is another's. */
  readonly policies: readonly Policy[] | undefined
}

export function podParts({ pod, selectors, namedPorts, policies }: PodPlace): RulesetParts {
  const elements: Element[] = []
  for (const address of pod.addresses) {
    const at = { family: familyOf(address), table }
    for (const selector of selectors) elements.push({ ...at, set: peerSet(selector), key: address })
    for (const port of namedPorts)
      for (const own of pod.ports)
        if (own.name === port.name && own.protocol === port.protocol)
          elements.push({ ...at, set: portSet(port), key: { concat: [address, own.protocol, own.port] } })
  }
  return policies === undefined ? { elements } : { elements: [...elements, ...ownElements(pod, policies)], chains: ownChains(pod, policies) }
}

const concerning = (policies: readonly Policy[], direction: Direction): readonly Policy[] =>
  policies.filter(({ rules }) => rules[direction] !== undefined)

/** The pod is known, and where a policy concerns it, its packets go by its own chain. */
function ownElements(pod: PolicyPod, policies: readonly Policy[]): Element[] {
  return pod.addresses.flatMap((address) => {
    const at = { family: familyOf(address), table, key: address }
    const led = directions.flatMap((direction): Element[] =>
      concerning(policies, direction).length === 0
        ? []
        : [{
            ...{ ...at, verdict: goto(podChain(direction, pod)) },
            set: direction === 'ingress' ? names.receivedByPod : names.sentByPod,
          }],
    )
    return [{ ...at, set: names.known }, ...led]
  })
}

/** A pod may always talk to itself; then whatever one of its policies allows, and nothing else. */
function ownChains(pod: PolicyPod, policies: readonly Policy[]): Chain[] {
  return directions.flatMap((direction) => {
    const some = concerning(policies, direction)
    if (some.length === 0) return []
    return families.flatMap((family): Chain[] => {
      const own = pod.addresses.filter((address) => familyOfIp(address) === familyText(family))
      if (own.length === 0) return []
      const peer = direction === 'ingress' ? saddr(family) : daddr(family)
      return [
        {
          ...{ family, table, name: podChain(direction, pod) },
          rules: [
            ...own.map((address): Rule => [isEqual(peer, address), accept]),
            ...some.map(({ key }): Rule => [jump(policyChain(direction, key))]),
            [drop],
          ],
        },
      ]
    })
  })
}
