// One decision: filter every node, score those that are left, take the best. This is the plain path: it looks at all
// nodes for each pod, and it is the definition of what the faster path (placement-index.ts) must give. Its result
// depends on the pod, the snapshot, the profile and the seed, and on nothing else.
import type { Profile, Scorer } from './configuration.ts'
import { fitError, noNodesAvailable } from './fit-error.ts'
import { evaluate, type RejectedNode } from './evaluate.ts'
import type { Plugin, Rejection, ScoreRange } from './framework.ts'
import type { NodeInfo } from '../snapshot/node-info.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'
import { preemptionNote } from './preemption-note.ts'
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

export interface Failure {
  /** Upstream's sentence, as the condition and the Event object carry it. */
  readonly message: string
  /** Names of the plugins that rejected nodes, sorted; empty when there was no node at all. */
  readonly plugins: readonly string[]
  /** How many nodes each plugin rejected, and for which reason. A node may count for several reasons of one plugin. */
  readonly rejections: readonly { readonly plugin: string; readonly reason: string; readonly nodes: number }[]
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
  const { active, candidates, refused, momentary } = prepare(pod, snapshot, profile)
  const rejected: RejectedNode[] = []
  const feasible: NodeInfo[] = []
  for (const node of candidates) {
    const verdict = evaluate(active.filters, pod, node) ?? evaluateNow(momentary, node)
    if (verdict === undefined) feasible.push(node)
    else rejected.push(verdict)
  }
  const evaluated = feasible.length + rejected.length
  if (feasible.length === 0) {
    const failure = explainFailure(pod, snapshot, profile, rejected, refused)
    return { node: undefined, feasible: 0, evaluated, top: [], failure }
  }
  const totals = scoreNodes(active.scorers, pod, feasible)
  const from = podPoint(seed, pod.uid)
  const byScore = Map.groupBy(
    feasible.map((node, index) => ({ name: node.name, point: nodePoint(seed, node.name), score: totals[index]! })),
    ({ score }) => score,
  )
  const top: ScoredNode[] = []
  for (const score of [...byScore.keys()].sort((a, b) => b - a)) {
    if (top.length >= topScores) break
    const tied = orderTies(byScore.get(score)!, from, ties)
    for (const { name } of tied.slice(0, topScores - top.length)) top.push({ node: name, score })
  }
  return { node: top[0]!.node, feasible: feasible.length, evaluated, top, failure: undefined }
}

/** What one plugin said about one node. */
export interface NodeExplanation {
  readonly node: string
  /** All filters, not only the first that rejects; `reasons` is empty for one that let the node pass. */
  readonly filters: readonly { readonly plugin: string; readonly reasons: readonly string[] }[]
  /** For nodes that passed. */
  readonly scores: readonly {
    readonly plugin: string
    readonly raw: number
    readonly normalized: number
    readonly weighted: number
  }[]
  readonly total: number | undefined
}

export interface Explanation {
  readonly decision: Decision
  /** Sorted by name. */
  readonly nodes: readonly NodeExplanation[]
}

/** The same decision with every verdict and every score of every node. */
export function explain(
  pod: PodInfo,
  snapshot: Snapshot,
  profile: Profile,
  seed: number,
  ties: TieRule = tieRule,
): Explanation {
  const { active, candidates, momentary } = prepare(pod, snapshot, profile)
  const passed = [...candidates].filter(
    (node) => (evaluate(active.filters, pod, node) ?? evaluateNow(momentary, node)) === undefined,
  )
  const raws = active.scorers.map(({ plugin }) => passed.map((node) => plugin.score!(pod, node)))
  const ranges = raws.map(rangeOf)
  const totals = scoreNodes(active.scorers, pod, passed)
  const place = new Map(passed.map((node, index) => [node, index]))
  return {
    decision: schedule(pod, snapshot, profile, seed, ties),
    nodes: [...snapshot.nodes()]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map((node) => {
        const index = place.get(node)
        return {
          node: node.name,
          filters: [
            ...active.filters.map((plugin) => ({
              plugin: plugin.name,
              reasons: plugin.filter!(pod, node)?.reasons ?? [],
            })),
            ...momentary.map(({ plugin, filter }) => ({ plugin, reasons: filter(node)?.reasons ?? [] })),
          ],
          scores:
            index === undefined
              ? []
              : active.scorers.map((scorer, which) => {
                  const raw = raws[which]![index]!
                  const normalized = normalize(scorer.plugin, raw, ranges[which]!)
                  return { plugin: scorer.plugin.name, raw, normalized, weighted: normalized * scorer.weight }
                }),
          total: index === undefined ? undefined : totals[index],
        }
      }),
  }
}

/** What is known before any node is looked at. */
export function prepare(pod: PodInfo, snapshot: Snapshot, profile: Profile) {
  const active = profile.active(pod)
  let names: ReadonlySet<string> | undefined
  let refused: { plugin: string; message: string } | undefined
  const restricting: string[] = []
  const momentary: MomentaryFilter[] = []
  for (const plugin of profile.plugins) {
    const result = plugin.preFilter?.(pod, snapshot.volumes)
    if (result === undefined) continue
    if ('filter' in result) {
      momentary.push({ plugin: plugin.name, filter: result.filter })
      continue
    }
    if ('rejected' in result) {
      refused = { plugin: plugin.name, message: result.rejected }
      break
    }
    names = names === undefined ? result.names : names.intersection(result.names)
    restricting.push(plugin.name)
  }
  const candidates: Iterable<NodeInfo> =
    refused !== undefined
      ? []
      : names === undefined
        ? snapshot.nodes()
        : [...names].map((name) => snapshot.node(name)).filter((node) => node !== undefined)
  return { active, candidates, refused: refused ?? (names === undefined ? undefined : { restricting }), momentary }
}

/** A filter that holds for one decision. */
interface MomentaryFilter {
  readonly plugin: string
  readonly filter: (node: NodeInfo) => Rejection | undefined
}

function evaluateNow(filters: readonly MomentaryFilter[], node: NodeInfo): RejectedNode | undefined {
  for (const { plugin, filter } of filters) {
    const rejection = filter(node)
    if (rejection !== undefined) return { node, plugin, rejection }
  }
  return undefined
}

type Refused = ReturnType<typeof prepare>['refused']

export const normalize = (plugin: Plugin, raw: number, range: ScoreRange): number =>
  plugin.normalize ? plugin.normalize(raw, range) : raw

const rangeOf = (raws: readonly number[]): ScoreRange =>
  raws.reduce((range, raw) => ({ lowest: Math.min(range.lowest, raw), highest: Math.max(range.highest, raw) }), {
    lowest: Number.POSITIVE_INFINITY,
    highest: Number.NEGATIVE_INFINITY,
  })

function scoreNodes(scorers: readonly Scorer[], pod: PodInfo, nodes: readonly NodeInfo[]): number[] {
  const totals = nodes.map(() => 0)
  for (const { plugin, weight } of scorers) {
    const raws = nodes.map((node) => plugin.score!(pod, node))
    const range = rangeOf(raws)
    for (const [index, raw] of raws.entries()) totals[index]! += normalize(plugin, raw, range) * weight
  }
  return totals
}

function explainFailure(
  pod: PodInfo,
  snapshot: Snapshot,
  profile: Profile,
  rejected: readonly RejectedNode[],
  refused: Refused,
): Failure {
  const nodes = snapshot.nodeCount
  if (nodes === 0) return { message: noNodesAvailable, plugins: [], rejections: [] }
  const perPlugin = new Map<string, Map<string, number>>()
  const count = (plugin: string, reason: string, by: number): void => {
    let reasons = perPlugin.get(plugin)
    if (reasons === undefined) perPlugin.set(plugin, (reasons = new Map()))
    reasons.set(reason, (reasons.get(reason) ?? 0) + by)
  }
  for (const { plugin, rejection } of rejected) for (const reason of rejection.reasons) count(plugin, reason, 1)
  const absent = nodes - rejected.length
  let preFilter: string | undefined
  if (refused !== undefined && 'message' in refused) {
    preFilter = refused.message
    count(refused.plugin, refused.message, nodes)
  } else if (refused !== undefined && absent > 0) {
    const names = refused.restricting.join(' ')
    count(refused.restricting[0]!, `node(s) didn't satisfy plugin(s) [${names}]`, absent)
  }
  const reasons = new Map<string, number>()
  const rejections: { plugin: string; reason: string; nodes: number }[] = []
  for (const plugin of [...perPlugin.keys()].sort()) {
    for (const reason of [...perPlugin.get(plugin)!.keys()].sort()) {
      const by = perPlugin.get(plugin)!.get(reason)!
      rejections.push({ plugin, reason, nodes: by })
      reasons.set(reason, (reasons.get(reason) ?? 0) + by)
    }
  }
  const restricting = refused !== undefined && 'restricting' in refused && absent > 0 ? refused.restricting : []
  return {
    message: fitError({
      nodes,
      preFilter,
      reasons,
      postFilter: preemptionNote({ pod, active: profile.active(pod), nodes, rejected }),
    }),
    plugins: [...new Set([...perPlugin.keys(), ...restricting])].sort(),
    rejections,
  }
}
