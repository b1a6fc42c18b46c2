// DefaultPreemption: a pod that fits nowhere may take the place of pods of lower priority. Which node, and which pods, as
// upstream; where upstream takes the first of equally good nodes as they come, the seed and the pod's uid say the order.
import type { PodDisruptionBudget } from '@shiplog/api/generated/types/policy-v1'
import { compileLabelSelector } from '@shiplog/api/selectors'
import { fitError } from '../framework/fit-error.ts'
import type { Plugin } from '../framework/framework.ts'
import type { PostFilterQuestion, PostFilterResult } from '../framework/post-filter.ts'
import { podPoint } from '../framework/tie-break.ts'
import type { NodeInfo } from '../snapshot/node-info.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'

export interface PreemptionArguments {
  /** How many of the nodes that making room might help are tried: a share of them, but not fewer than a number. */
  readonly minCandidateNodesPercentage: number
  readonly minCandidateNodesAbsolute: number
}

export const defaultPreemptionArguments: PreemptionArguments = {
  minCandidateNodesPercentage: 10,
  minCandidateNodesAbsolute: 100,
}

const notHelpful = 'Preemption is not helpful for scheduling'
const noVictims = 'No preemption victims found for incoming pod'

export const createDefaultPreemption = (options: PreemptionArguments): Plugin => ({
  name: 'DefaultPreemption',
  postFilter: (question) => {
    const ineligible = whyNotEligible(question)
    if (ineligible !== undefined) return { message: `preemption: ${ineligible}`, clearsNomination: false }
    return preempt(question, options)
  },
})

function whyNotEligible({ pod, snapshot, rejected }: PostFilterQuestion): string | undefined {
  if (pod.preemptionPolicy === 'Never') return 'not eligible due to preemptionPolicy=Never.'
  if (pod.nominatedNode === '') return undefined
  const verdict = rejected.find(({ node }) => node.name === pod.nominatedNode)
  // Room that was made for it does not help it any more.
  if (verdict === undefined || !verdict.rejection.resolvable) return undefined
  const node = snapshot.node(pod.nominatedNode)
  const isLeaving = (one: PodInfo): boolean => one.priority < pod.priority && one.isPreempted
  return node?.pods.values().some(isLeaving) ? 'not eligible due to a terminating pod on the nominated node.' : undefined
}

/** What would have to go from a node. */
interface Candidate {
  readonly node: string
  /** The most important first. */
  readonly victims: readonly PodInfo[]
  /** Victims whose disruption budget has no room for it. */
  readonly violations: number
}

function preempt(question: PostFilterQuestion, options: PreemptionArguments): PostFilterResult {
  const { pod, snapshot, seed, rejected } = question
  const potential = rejected.filter(({ rejection }) => rejection.resolvable).map(({ node }) => node)
  const reasons = new Map<string, number>()
  const count = (reason: string, nodes = 1): void => void reasons.set(reason, (reasons.get(reason) ?? 0) + nodes)
  if (snapshot.nodeCount > potential.length) count(notHelpful, snapshot.nodeCount - potential.length)
  const candidates: Candidate[] = []
  const wanted = Math.min(
    potential.length,
    Math.max(
      Math.trunc((potential.length * options.minCandidateNodesPercentage) / 100),
      options.minCandidateNodesAbsolute,
    ),
  )
  const budgets = [...snapshot.objects.budgets()]
  for (const node of inOrder(potential, podPoint(seed, pod.uid))) {
    const found = selectVictims(question, node, budgets)
    if ('reasons' in found) for (const reason of found.reasons) count(reason)
    else candidates.push(found)
    if (candidates.length >= wanted && candidates.some(({ violations }) => violations === 0)) break
  }
  const best = pickCandidate(candidates)
  if (best === undefined) {
    const message = `preemption: ${fitError({ nodes: snapshot.nodeCount, reasons })}`
    return { message, clearsNomination: true }
  }
  return { message: undefined, preemption: { node: best.node, victims: best.victims }, clearsNomination: false }
}

/** By name, beginning somewhere: not every pod looks for victims on the same nodes. */
function inOrder(nodes: readonly NodeInfo[], from: number): readonly NodeInfo[] {
  if (nodes.length === 0) return nodes
  const ordered = nodes.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const start = from % ordered.length
  return [...ordered.slice(start), ...ordered.slice(0, start)]
}

/** The smallest set of pods whose going makes room: all of lower priority go, and come back as long as the pod fits. */
function selectVictims(
  { pod, fits }: PostFilterQuestion,
  node: NodeInfo,
  budgets: readonly PodDisruptionBudget[],
): Candidate | { readonly reasons: readonly string[] } {
  const lower = [...node.pods.values()].filter(({ priority }) => priority < pod.priority).sort(byImportance)
  if (lower.length === 0) return { reasons: [noVictims] }
  const tried = node.copy()
  const gone = new Set(lower)
  for (const one of lower) tried.remove(one.uid)
  const verdict = () => fits(tried, { added: [], removed: [...gone] })
  const still = verdict()
  if (still !== undefined) return { reasons: still.reasons }
  const { violating, others } = splitByBudgets(lower, budgets)
  const mayStay = (one: PodInfo): boolean => {
    tried.add(one)
    gone.delete(one)
    if (verdict() === undefined) return true
    tried.remove(one.uid)
    gone.add(one)
    return false
  }
  const violations = violating.filter((one) => !mayStay(one))
  const rest = others.filter((one) => !mayStay(one))
  if (violations.length + rest.length === 0) return { reasons: [`expected at least one victim pod on node "${node.name}"`] }
  return { node: node.name, victims: [...violations, ...rest].sort(byImportance), violations: violations.length }
}

const startOf = ({ startedMs }: PodInfo): number => startedMs ?? Number.MAX_SAFE_INTEGER

/** Higher priority first, then the one that has run longer. */
const byImportance = (a: PodInfo, b: PodInfo): number =>
  b.priority - a.priority || startOf(a) - startOf(b) || (a.uid < b.uid ? -1 : 1)

/** Pods whose going a budget has no room for, and the others; in the order given, which spends the budgets. */
function splitByBudgets(pods: readonly PodInfo[], budgets: readonly PodDisruptionBudget[]) {
  const allowed = budgets.map(({ status }) => status?.disruptionsAllowed ?? 0)
  const violating: PodInfo[] = []
  const others: PodInfo[] = []
  for (const pod of pods) {
    let isViolating = false
    for (const [index, budget] of budgets.entries()) {
      if (!isCovered(pod, budget)) continue
      allowed[index]!--
      if (allowed[index]! < 0) isViolating = true
    }
    ;(isViolating ? violating : others).push(pod)
  }
  return { violating, others }
}

function isCovered(pod: PodInfo, { metadata, spec, status }: PodDisruptionBudget): boolean {
  if (metadata.namespace !== pod.namespace || Object.keys(pod.labels).length === 0) return false
  const selector = compileLabelSelector(spec?.selector)
  if (selector.nothing || selector.everything || !selector.matches(pod.labels)) return false
  // The eviction of this one has been counted already.
  return !Object.hasOwn(status?.disruptedPods ?? {}, pod.name)
}

/** Upstream's order of what is better, each rule for those that are equal by the ones before. */
const rules: readonly ((candidate: Candidate) => number)[] = [
  ({ violations }) => -violations,
  ({ victims }) => -victims[0]!.priority,
  // So many are added for each that few victims of negative priority are better than many.
  ({ victims }) => -victims.reduce((sum, { priority }) => sum + priority + 2 ** 31, 0),
  ({ victims }) => -victims.length,
  ({ victims }) => {
    const highest = victims[0]!.priority
    return Math.min(...victims.filter(({ priority }) => priority === highest).map(startOf))
  },
]

function pickCandidate(candidates: readonly Candidate[]): Candidate | undefined {
  let left = candidates
  for (const rule of rules) {
    if (left.length <= 1) break
    const best = Math.max(...left.map(rule))
    left = left.filter((candidate) => rule(candidate) === best)
  }
  return left[0]
}
