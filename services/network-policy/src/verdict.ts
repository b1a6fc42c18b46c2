// Whether policies let one connection through, and which of them keep it away: for people who ask, one connection at a time.
// What a node does is in its rules (policy-rules.ts); that both say the same is tested. Pure.
import { familyOfIp, parseIp } from '@shiplog/api/ip-address'
import type { Protocol } from '@shiplog/node/packet-filter/statements'
import { spansOf } from './address-spans.ts'
import type { Labels, PolicyPod } from './pod.ts'
import type { Direction, Policy, PolicyRule } from './policy.ts'

/** One end of a connection: an address, and the pod that has it, if one has. */
export interface Party {
  readonly address: string
  readonly pod: PolicyPod | undefined
  /** Of the pod's namespace. */
  readonly namespaceLabels: Labels
  /** Those that select the pod. */
  readonly policies: readonly Policy[]
}

export interface Asked {
  readonly from: Party
  readonly to: Party
  readonly protocol: Protocol
  readonly port: number
}

export interface KeptAway {
  readonly direction: Direction
  /** Keys of the policies that concern it, none of which lets it through. */
  readonly policies: readonly string[]
}

/** Undefined when it passes. */
export function keptAwayBy(asked: Asked): KeptAway | undefined {
  const { from, to } = asked
  if (from.address === to.address || (from.pod !== undefined && from.pod.uid === to.pod?.uid)) return undefined
  return closedIn('egress', from, to, asked) ?? closedIn('ingress', to, from, asked)
}

function closedIn(direction: Direction, subject: Party, peer: Party, asked: Asked): KeptAway | undefined {
  const concerning = subject.policies.filter(({ rules }) => rules[direction] !== undefined)
  if (concerning.length === 0) return undefined
  const isAllowed = concerning.some(({ rules }) => rules[direction]!.some((rule) => isPeer(rule, peer) && isPort(rule, asked)))
  return isAllowed ? undefined : { direction, policies: concerning.map(({ key }) => key) }
}

function isPeer({ peers }: PolicyRule, { address, pod, namespaceLabels }: Party): boolean {
  if (peers === undefined) return true
  if (pod !== undefined && peers.selectors.some((selector) => selector.matches(pod, namespaceLabels))) return true
  const ip = parseIp(address)
  return ip !== undefined && spansOf(peers.blocks, familyOfIp(address)).some(({ first, last }) => ip.value >= first && ip.value <= last)
}

function isPort({ ports }: PolicyRule, { protocol, port, to }: Asked): boolean {
  if (ports === undefined) return true
  if (ports.spans.some((span) => span.protocol === protocol && port >= span.first && port <= span.last)) return true
  return ports.named.some(
    (named) =>
      named.protocol === protocol &&
      to.pod?.ports.some((own) => own.name === named.name && own.protocol === protocol && own.port === port) === true,
  )
}
