// The rules of one node, changed by as little as a change asks for. A node has the chains of those policies alone that select
// one of its pods, the sets that these name, and in the sets whoever belongs there, wherever in the cluster. No I/O.
import type { DesiredRules } from '@shiplog/node/packet-filter/desired-rules'
import type { PolicyNode } from './base-rules.ts'
import { baseRules } from './base-rules.ts'
import type { PolicyPod } from './pod.ts'
import type { NamedPort, PeerSelector, Policy } from './policy.ts'
import { namedPortParts, podParts, policyParts, selectorParts } from './policy-rules.ts'
import type { PolicyView } from './policy-view.ts'

export interface NodeRules {
  /** Makes the rules again for what changed; says whether any were touched. */
  update(touched: ReadonlySet<string>): boolean
  readonly policies: number
}

/** Rules change hands: of two pods with one address the newer one has it, as the older one has ended. */
const newestFirst = ({ createdAt }: PolicyPod): string => String(Number.MAX_SAFE_INTEGER - (Date.parse(createdAt) || 0))

export function createNodeRules(node: PolicyNode, view: PolicyView, desired: DesiredRules): NodeRules {
  let policies = new Map<string, Policy>()
  let selectors = new Map<string, PeerSelector>()
  let ports = new Map<string, NamedPort>()
  desired.set('', '', baseRules(node))

  const belongs = (selector: PeerSelector, pod: PolicyPod): boolean =>
    pod.addresses.length > 0 && selector.matches(pod, view.labelsOf(pod.namespace))
  const has = ({ name, protocol }: NamedPort, pod: PolicyPod): boolean =>
    !pod.isOnHostNetwork && pod.ports.some((port) => port.name === name && port.protocol === protocol)

  function place(uid: string): void {
    const pod = view.pods.get(uid)
    const isOurs = pod?.nodeName === node.name && !pod.isOnHostNetwork
    const parts = pod && pod.addresses.length > 0
      ? podParts({
          pod,
          selectors: [...selectors.values()].filter((selector) => belongs(selector, pod)),
          namedPorts: [...ports.values()].filter((port) => has(port, pod)),
          policies: isOurs ? view.policiesOf(pod) : undefined,
        })
      : {}
    if ((parts.elements ?? []).length === 0) desired.remove(`pod ${uid}`)
    else desired.set(`pod ${uid}`, newestFirst(pod!), parts)
  }

  return {
    get policies() {
      return policies.size
    },
    update(touched) {
      const due = new Set(touched)
      const wanted = new Map<string, Policy>()
      for (const pod of view.podsOf(node.name)) for (const policy of view.policiesOf(pod)) wanted.set(policy.key, policy)
      const changed = exchange(policies, wanted, (key) => desired.remove(`policy ${key}`), (policy) =>
        desired.set(`policy ${policy.key}`, '', policyParts(policy)),
      )
      policies = wanted
      if (changed > 0) {
        const nextSelectors = new Map([...wanted.values()].flatMap((one) => one.selectors).map((one) => [one.key, one]))
        const nextPorts = new Map([...wanted.values()].flatMap((one) => one.namedPorts).map((one) => [one.key, one]))
        const news = [...differing(selectors, nextSelectors)]
        const newPorts = [...differing(ports, nextPorts)]
        // Who was in a set that is no more, and who is to be in a new one, is placed anew.
        for (const pod of view.pods.values())
          if (news.some((one) => belongs(one, pod)) || newPorts.some((one) => has(one, pod))) due.add(pod.uid)
        exchange(selectors, nextSelectors, (key) => desired.remove(`peers ${key}`), (one) =>
          desired.set(`peers ${one.key}`, '', selectorParts(one)),
        )
        exchange(ports, nextPorts, (key) => desired.remove(`port ${key}`), (one) =>
          desired.set(`port ${one.key}`, '', namedPortParts(one)),
        )
        selectors = nextSelectors
        ports = nextPorts
      }
      for (const uid of due) place(uid)
      return changed > 0 || due.size > 0
    },
  }
}

/** Those that are in one and not in the other. */
function* differing<T>(before: ReadonlyMap<string, T>, after: ReadonlyMap<string, T>): Iterable<T> {
  for (const [key, item] of before) if (!after.has(key)) yield item
  for (const [key, item] of after) if (!before.has(key)) yield item
}

/** Takes away what is no more and gives what is new or another now; says how many there were of these. */
function exchange<T extends { readonly key: string }>(
  before: ReadonlyMap<string, T>,
  after: ReadonlyMap<string, T>,
  takeAway: (key: string) => void,
  give: (item: T) => void,
): number {
  let count = 0
  for (const key of before.keys()) {
    if (after.has(key)) continue
    takeAway(key)
    count++
  }
  for (const [key, item] of after) {
    if (before.get(key) === item) continue
    give(item)
    count++
  }
  return count
}
