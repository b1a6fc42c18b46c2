// What is there without any policy: two hooks that every packet passes on its way through the node, first as one that a pod
// sends, then as one that a pod gets, and the maps that lead to the rules of pods. Packets between two pods of a node pass
// here as well, as the node has bridged packets pass by the rules of IP.
//
// A pod of the node that is not among the known ones reaches nobody and is reached by nobody: what nobody has made rules for
// yet is closed, not open. Answers to what was let through pass; what the node itself sends never comes by here. Pure.
import type { Chain, Element, NamedSet, RulesetParts } from '@shiplog/node/packet-filter/ruleset'
import {
  accept,
  addressType,
  comesFrom,
  daddr,
  drop,
  type Family,
  familyOf,
  goesTo,
  inSet,
  isAnswer,
  isNeighborTalk,
  notInSet,
  type Rule,
  saddr,
  type Statement,
  verdictOf,
} from '@shiplog/node/packet-filter/statements'

export const policyTable = 'network-policy'

export const names = {
  sent: 'from-pods',
  received: 'to-pods',
  sentByPod: 'egress-pods',
  receivedByPod: 'ingress-pods',
  known: 'known-pods',
  trusted: 'node-sources',
} as const

/** After what kube-proxy does, and one after the other. */
const sentPriority = 0
const receivedPriority = 10

export interface PolicyNode {
  readonly name: string
  /** Where pods of the node are plugged in: `cni0`, or `cali*`. */
  readonly podInterface: string
  /** From where the node's agent speaks when it does not do so from the node itself. */
  readonly agentAddresses?: readonly string[]
}

/** The bridge of our CNI configuration. */
export const podInterfaceDefault = 'cni0'

export const families: readonly Family[] = ['ip', 'ip6']

export function baseRules({ podInterface, agentAddresses = [] }: PolicyNode): RulesetParts {
  return {
    chains: families.flatMap((family) => chainsOf(family, podInterface)),
    sets: families.flatMap(setsOf),
    elements: agentAddresses.map((address): Element => ({
      ...{ family: familyOf(address), table: policyTable, set: names.trusted },
      key: address,
    })),
  }
}

function chainsOf(family: Family, podInterface: string): Chain[] {
  const at = { family, table: policyTable }
  const always: Rule[] = [[isAnswer, accept], ...(family === 'ip6' ? [[isNeighborTalk, accept]] : [])]
  const unknown = (at: Statement, isUnknown: Statement): Rule => [at, isUnknown, drop]
  return [
    {
      ...{ ...at, name: names.sent, hook: { type: 'filter', hook: 'forward', prio: sentPriority } },
      rules: [
        ...always,
        unknown(comesFrom(podInterface), notInSet(saddr(family), names.known)),
        [verdictOf([saddr(family)], names.sentByPod)],
      ],
    },
    {
      ...{ ...at, name: names.received, hook: { type: 'filter', hook: 'forward', prio: receivedPriority } },
      rules: [
        ...always,
        unknown(goesTo(podInterface), notInSet(daddr(family), names.known)),
        [inSet(saddr(family), names.trusted), accept],
        [verdictOf([daddr(family)], names.receivedByPod)],
      ],
    },
  ]
}

function setsOf(family: Family): NamedSet[] {
  const at = { family, table: policyTable, type: addressType[family] }
  return [
    ...[names.sentByPod, names.receivedByPod].map((name): NamedSet => ({ ...at, name, isMap: true })),
    ...[names.known, names.trusted].map((name): NamedSet => ({ ...at, name, isMap: false })),
  ]
}
