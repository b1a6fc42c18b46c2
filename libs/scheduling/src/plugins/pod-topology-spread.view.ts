// How the pods that a constraint selects are spread over topology domains, for one decision: read from counters per node, so
// that it costs a walk over nodes and not over pods. Rules as upstream's PodTopologySpread.
import { type CompiledSelector, compileLabelSelector, compileRequirements, nothingSelector } from '@shiplog/api/selectors'
import { createPodCounts, type PodGroup } from '../counts/pod-counts.ts'
import type { PodChanges, Rejection } from '../framework/framework.ts'
import type { NodeInfo } from '../snapshot/node-info.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import type { SpreadConstraint } from './spread-constraints.ts'
import { isTolerated } from './tolerations.ts'

export const hostname = 'kubernetes.io/hostname'
const reason = "node(s) didn't match pod topology spread constraints"
const mismatch: Rejection = { reasons: [reason], resolvable: true }
const missingLabel: Rejection = { reasons: [`${reason} (missing required label)`], resolvable: false }

/** A constraint of a pod with what it selects. */
export interface BoundConstraint extends SpreadConstraint {
  readonly selector: CompiledSelector
}

/** The selector of a constraint, with the pod's own values of the labels that it names. */
export function bindConstraint(constraint: SpreadConstraint, pod: PodInfo): BoundConstraint {
  const selector = selectorOf(constraint)
  const own = constraint.matchLabelKeys.filter((key) => Object.hasOwn(pod.labels, key))
  if (own.length === 0 || selector.nothing) return { ...constraint, selector }
  const requirements = own.map((key) => ({ key, operator: '=' as const, values: [pod.labels[key]!] }))
  return { ...constraint, selector: compileRequirements([...requirements, ...selector.requirements]) }
}

function selectorOf({ labelSelector }: SpreadConstraint): CompiledSelector {
  try {
    return compileLabelSelector(labelSelector)
  } catch {
    return nothingSelector
  }
}

/** Pods of a namespace that a constraint counts: an empty selector counts none, and pods that are being deleted are gone. */
export function groupOf(snapshot: Snapshot, namespace: string, selector: CompiledSelector): PodGroup {
  return snapshot.stateOf(createPodCounts).group({
    key: JSON.stringify(['spread', namespace, selector.everything || selector.nothing ? '' : selector.requirements]),
    countsTerminating: false,
    selects: (pod) => pod.namespace === namespace && isCounted(selector, pod),
    dependsOnNamespaces: false,
  })
}

const isCounted = (selector: CompiledSelector, { labels }: { readonly labels: PodInfo['labels'] }): boolean =>
  !selector.everything && selector.matches(labels)

export function hasAllKeys(node: NodeInfo, constraints: readonly SpreadConstraint[]): boolean {
  for (const { topologyKey } of constraints) if (!Object.hasOwn(node.labels, topologyKey)) return false
  return true
}

/** Whether the constraint counts what is on the node. */
export function includes(constraint: SpreadConstraint, pod: PodInfo, node: NodeInfo): boolean {
  if (constraint.honorsAffinity && pod.shape.required !== undefined && !pod.shape.required.matches(node)) return false
  return !constraint.honorsTaints || !node.taints.some((taint) => repels(taint.effect) && !isTolerated(pod.shape.tolerations, taint))
}

const repels = (effect: string): boolean => effect === 'NoSchedule' || effect === 'NoExecute'

/** The pods in each domain of one constraint, and the least of them. */
interface Spread {
  readonly constraint: BoundConstraint
  readonly counts: ReadonlyMap<string, number>
  readonly lowest: string | undefined
  readonly secondLowest: number
  /** 1 when the pod counts itself. */
  readonly itself: number
}

/** Judges nodes by constraints that must hold (DoNotSchedule). */
export function spreadFilter(pod: PodInfo, snapshot: Snapshot, constraints: readonly BoundConstraint[]) {
  const spreads = constraints.map((constraint) => spreadOf(pod, snapshot, constraint, constraints))
  return (node: NodeInfo, changes?: PodChanges): Rejection | undefined => {
    for (const spread of spreads) {
      const { constraint } = spread
      if (!Object.hasOwn(node.labels, constraint.topologyKey)) return missingLabel
      const delta = changes === undefined ? 0 : changeOf(pod, node, constraint, constraints, changes)
      const value = node.labels[constraint.topologyKey]!
      const matching = (spread.counts.get(value) ?? 0) + delta
      if (matching + spread.itself - leastOf(spread, value, delta) > constraint.maxSkew) return mismatch
    }
    return undefined
  }
}

function spreadOf(
  pod: PodInfo,
  snapshot: Snapshot,
  constraint: BoundConstraint,
  all: readonly BoundConstraint[],
): Spread {
  const group = groupOf(snapshot, pod.namespace, constraint.selector)
  const counts = new Map<string, number>()
  for (const node of snapshot.nodes()) {
    if (!hasAllKeys(node, all) || !includes(constraint, pod, node)) continue
    const value = node.labels[constraint.topologyKey]!
    counts.set(value, (counts.get(value) ?? 0) + group.on(node))
  }
  let lowest: string | undefined
  let least = Number.POSITIVE_INFINITY
  let secondLowest = Number.POSITIVE_INFINITY
  for (const [value, count] of counts) {
    if (count < least) {
      secondLowest = least
      least = count
      lowest = value
    } else if (count < secondLowest) secondLowest = count
  }
  return { constraint, counts, lowest, secondLowest, itself: constraint.selector.matches(pod.labels) ? 1 : 0 }
}

/** The fewest pods of any domain, when one domain has `delta` more. Too few domains count as if there was an empty one. */
function leastOf({ constraint, counts, lowest, secondLowest }: Spread, value: string, delta: number): number {
  if (lowest === undefined || counts.size < constraint.minDomains) return 0
  if (delta === 0) return counts.get(lowest)!
  const changed = (counts.get(value) ?? 0) + delta
  return Math.min(changed, value === lowest ? secondLowest : counts.get(lowest)!)
}

/** How many more pods the node's domain has with the changes. */
function changeOf(
  pod: PodInfo,
  node: NodeInfo,
  constraint: BoundConstraint,
  all: readonly BoundConstraint[],
  { added, removed }: PodChanges,
): number {
  if (!hasAllKeys(node, all) || !includes(constraint, pod, node)) return 0
  let delta = 0
  const counts = (one: PodInfo): boolean =>
    !one.isTerminating && one.namespace === pod.namespace && isCounted(constraint.selector, one)
  for (const one of added) if (counts(one)) delta++
  for (const one of removed) if (counts(one)) delta--
  return delta
}

/** The raw score of nodes that lack a label that some constraint needs. */
export const unjudged = -1

/** Scores nodes by constraints that should hold (ScheduleAnyway): the more pods of the kind are near, the worse. */
export function spreadScore(
  pod: PodInfo,
  snapshot: Snapshot,
  constraints: readonly BoundConstraint[],
  requiresAll: boolean,
  feasible: readonly NodeInfo[],
) {
  const judged = requiresAll ? feasible.filter((node) => hasAllKeys(node, constraints)) : feasible
  const parts = constraints.map((constraint) => {
    const group = groupOf(snapshot, pod.namespace, constraint.selector)
    const isPerNode = constraint.topologyKey === hostname
    const counts = isPerNode ? undefined : countDomains(pod, snapshot, { constraint, constraints, group, judged, requiresAll })
    const weight = Math.log((counts?.size ?? judged.length) + 2)
    return { constraint, group, counts, weight }
  })
  return (node: NodeInfo): number => {
    if (requiresAll && !hasAllKeys(node, constraints)) return unjudged
    let score = 0
    for (const { constraint, group, counts, weight } of parts) {
      if (!Object.hasOwn(node.labels, constraint.topologyKey)) continue
      const pods = counts === undefined ? group.on(node) : counts.get(node.labels[constraint.topologyKey]!)!
      score += pods * weight + (constraint.maxSkew - 1)
    }
    return Math.round(score)
  }
}

interface Counting {
  readonly constraint: BoundConstraint
  readonly constraints: readonly BoundConstraint[]
  readonly group: PodGroup
  readonly judged: readonly NodeInfo[]
  readonly requiresAll: boolean
}

/** Pods in the domains that have a node that would do. Without a label a node is in the domain ''. */
function countDomains(pod: PodInfo, snapshot: Snapshot, counting: Counting): ReadonlyMap<string, number> {
  const { constraint, constraints, group, judged, requiresAll } = counting
  const domainOf = (node: NodeInfo): string => node.labels[constraint.topologyKey] ?? ''
  const counts = new Map<string, number>()
  for (const node of judged) counts.set(domainOf(node), 0)
  for (const node of snapshot.nodes()) {
    const value = domainOf(node)
    const before = counts.get(value)
    if (before === undefined || (requiresAll && !hasAllKeys(node, constraints))) continue
    if (includes(constraint, pod, node)) counts.set(value, before + group.on(node))
  }
  return counts
}
