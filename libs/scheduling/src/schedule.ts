// One decision: filter every node, score those that are left, take the best. This is the plain path: it looks at all
// nodes for each pod, and it is the definition of what the faster path (placement-index.ts) must give. Its result
// depends on the pod, the snapshot, the profile and the seed, and on nothing else.
import type { Profile, Scorer } from './configuration.ts'
import { fitError, noNodesAvailable } from './fit-error.ts'
import type { Plugin, Rejection, ScoreRange } from './framework.ts'
import type { NodeInfo } from './node-info.ts'
import type { PodInfo } from './pod-info.ts'
import { preemptionNote } from './preemption-note.ts'
import type { Snapshot } from './snapshot.ts'
import { compareTies, nodePoint, podPoint } from './tie-break.ts'

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

/** Decides where the pod goes. */
export function schedule(pod: PodInfo, snapshot: Snapshot, profile: Profile, seed: number): Decision {
  const { active, candidates, refused } = prepare(pod, snapshot, profile)
  const rejected = new Map<NodeInfo, Rejection & { plugin: string }>()
  const feasible: NodeInfo[] = []
  for (const node of candidates) {
    const rejection = evaluate(active.filters, pod, node)
    if (rejection === undefined) feasible.push(node)
    else rejected.set(node, rejection)
  }
  if (feasible.length === 0) {
    return {
      node: undefined,
      feasible: 0,
      evaluated: rejected.size,
      top: [],
      failure: explainFailure(pod, snapshot, profile, rejected, refused),
    }
  }
  const totals = scoreNodes(active.scorers, pod, feasible)
  const from = podPoint(seed, pod.uid)
  const ranked = feasible
    .map((node, index) => ({ name: node.name, point: nodePoint(seed, node.name), score: totals[index]! }))
    .sort((a, b) => b.score - a.score || compareTies(a, b, from))
    .slice(0, topScores)
  return {
    node: ranked[0]!.name,
    feasible: feasible.length,
    evaluated: feasible.length + rejected.size,
    top: ranked.map(({ name, score }) => ({ node: name, score })),
    failure: undefined,
  }
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
export function explain(pod: PodInfo, snapshot: Snapshot, profile: Profile, seed: number): Explanation {
  const { active, candidates } = prepare(pod, snapshot, profile)
  const passed = [...candidates].filter((node) => evaluate(active.filters, pod, node) === undefined)
  const raws = active.scorers.map(({ plugin }) => passed.map((node) => plugin.score!(pod, node)))
  const ranges = raws.map(rangeOf)
  const totals = scoreNodes(active.scorers, pod, passed)
  const place = new Map(passed.map((node, index) => [node, index]))
  return {
    decision: schedule(pod, snapshot, profile, seed),
    nodes: [...snapshot.nodes()]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map((node) => {
        const index = place.get(node)
        return {
          node: node.name,
          filters: active.filters.map((plugin) => ({
            plugin: plugin.name,
            reasons: plugin.filter!(pod, node)?.reasons ?? [],
          })),
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
  for (const plugin of profile.plugins) {
    const result = plugin.preFilter?.(pod)
    if (result === undefined) continue
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
  return { active, candidates, refused: refused ?? (names === undefined ? undefined : { restricting }) }
}

type Refused = ReturnType<typeof prepare>['refused']

/** The first filter's verdict against the node. */
export function evaluate(
  filters: readonly Plugin[],
  pod: PodInfo,
  node: NodeInfo,
): (Rejection & { plugin: string }) | undefined {
  for (const plugin of filters) {
    const rejection = plugin.filter!(pod, node)
    if (rejection !== undefined) return { plugin: plugin.name, ...rejection }
  }
  return undefined
}

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
  rejected: ReadonlyMap<NodeInfo, Rejection & { plugin: string }>,
  refused: Refused,
): Failure {
  const nodes = snapshot.nodeCount
  if (nodes === 0) return { message: noNodesAvailable, plugins: [], rejections: [] }
  const reasons = new Map<string, number>()
  const perPlugin = new Map<string, { plugin: string; reason: string; nodes: number }>()
  const count = (plugin: string, reason: string, by: number): void => {
    reasons.set(reason, (reasons.get(reason) ?? 0) + by)
    const key = `${plugin} ${reason}`
    const entry = perPlugin.get(key) ?? { plugin, reason, nodes: 0 }
    entry.nodes += by
    perPlugin.set(key, entry)
  }
  for (const rejection of rejected.values()) {
    for (const reason of rejection.reasons) count(rejection.plugin, reason, 1)
  }
  const absent = nodes - rejected.size
  let preFilter: string | undefined
  if (refused !== undefined && 'message' in refused) {
    preFilter = refused.message
    count(refused.plugin, refused.message, nodes)
  } else if (refused !== undefined && absent > 0) {
    count(refused.restricting.join(' '), `node(s) didn't satisfy plugin(s) [${refused.restricting.join(' ')}]`, absent)
  }
  const rejections = [...perPlugin.values()].sort((a, b) =>
    a.plugin !== b.plugin ? (a.plugin < b.plugin ? -1 : 1) : a.reason < b.reason ? -1 : 1,
  )
  return {
    message: fitError({
      nodes,
      preFilter,
      reasons,
      postFilter: preemptionNote({ pod, active: profile.active(pod), nodes, rejected }),
    }),
    plugins: [...new Set(rejections.flatMap(({ plugin }) => plugin.split(' ')))].sort(),
    rejections,
  }
}
