// One decision: filter every node, score those that are left, take the best. This is the plain path: it looks at all
// nodes for each pod, and it is the definition of what the faster path (placement-index.ts) must give. Its result
// depends on the pod, the snapshot, the profile and the seed, and on nothing else.
import type { Profile } from './configuration.ts'
import { type Cycle, prepare, scoreNodes, scorersOf } from './cycle.ts'
import { judge, type RejectedNode } from './evaluate.ts'
import { explainFailure, type Failure } from './failure.ts'
import type { NodeInfo } from '../snapshot/node-info.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { nodePoint, orderTies, podPoint, type TieRule, tieRule } from './tie-break.ts'

export interface ScoredNode {
  readonly node: string
  readonly score: number
}

export interface Decision {
  /** The chosen node, or undefined: then `failure` tells why. */
  readonly node: string | undefined
  /** How many nodes passed the filters. */
  readonly feasible: number
  /** How many nodes were looked at. */
  readonly evaluated: number
  /** The best nodes, the chosen one first. */
  readonly top: readonly ScoredNode[]
  readonly failure: Failure | undefined
}

/** How many of the best nodes a decision names. */
export const topScores = 3

/** Decides where the pod goes. Ties are broken by another rule than today's only to compute an old decision again. */
export function schedule(
  pod: PodInfo,
  snapshot: Snapshot,
  profile: Profile,
  seed: number,
  ties: TieRule = tieRule,
): Decision {
  const cycle = prepare(pod, snapshot, profile)
  const nominated = nominatedNode(cycle)
  if (nominated !== undefined) return choose(cycle, [nominated], 1, seed, ties)
  const rejected: RejectedNode[] = []
  const feasible: NodeInfo[] = []
  for (const node of cycle.candidates) {
    const verdict = judge(cycle, node)
    if (verdict === undefined) feasible.push(node)
    else rejected.push(verdict)
  }
  const evaluated = feasible.length + rejected.length
  if (feasible.length > 0) return choose(cycle, feasible, evaluated, seed, ties)
  return { node: undefined, feasible: 0, evaluated, top: [], failure: explainFailure(cycle, rejected, seed) }
}

/** The nodes that pass the filters: what extenders are asked about. */
export function feasibleNodes(pod: PodInfo, snapshot: Snapshot, profile: Profile): readonly string[] {
  const cycle = prepare(pod, snapshot, profile)
  const names: string[] = []
  for (const node of cycle.candidates) if (judge(cycle, node) === undefined) names.push(node.name)
  return names
}

/** The node where victims made room for this pod, if it does: then no other is looked at. */
function nominatedNode(cycle: Cycle): NodeInfo | undefined {
  const { pod, snapshot, refused } = cycle
  if (pod.nominatedNode === '' || (refused !== undefined && 'message' in refused)) return undefined
  const node = snapshot.node(pod.nominatedNode)
  return node !== undefined && judge(cycle, node) === undefined ? node : undefined
}

function choose(cycle: Cycle, feasible: readonly NodeInfo[], evaluated: number, seed: number, ties: TieRule): Decision {
  const totals = scoreNodes(scorersOf(cycle, feasible), feasible)
  const from = podPoint(seed, cycle.pod.uid)
  const top: ScoredNode[] = []
  for (const score of [...new Set(totals)].sort((a, b) => b - a)) {
    if (top.length >= topScores) break
    // Only nodes that may be named get a point: it is a hash of the name.
    const best = feasible.filter((_node, index) => totals[index] === score)
    const points = best.map(({ name }) => ({ name, point: nodePoint(seed, name) }))
    for (const { name } of orderTies(points, from, ties).slice(0, topScores - top.length)) top.push({ node: name, score })
  }
  return { node: top[0]!.node, feasible: feasible.length, evaluated, top, failure: undefined }
}
