// A decision told in full: every verdict and every score of every node.
import type { Profile } from './configuration.ts'
import { normalize, prepare, rangeOf, scorersOf } from './cycle.ts'
import { judge, type RejectedNode } from './evaluate.ts'
import { type Decision, schedule } from './schedule.ts'
import type { NodeInfo } from '../snapshot/node-info.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { type TieRule, tieRule } from './tie-break.ts'

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
export function explain(...question: Parameters<typeof explainInSteps>): Explanation {
  const steps = explainInSteps(...question)
  for (;;) {
    const { done, value } = steps.next()
    if (done) return value
  }
}

/** Nodes that are looked at in one step: a step takes about a millisecond. */
const nodesPerStep = 100

/** As `explain`, for whoever shares a thread with others: between two steps they may have a turn, and the snapshot stays as it is. */
export function* explainInSteps(
  pod: PodInfo,
  snapshot: Snapshot,
  profile: Profile,
  seed: number,
  ties: TieRule = tieRule,
): Generator<undefined, Explanation> {
  const cycle = prepare(pod, snapshot, profile)
  const verdicts = new Map<NodeInfo, RejectedNode | undefined>()
  for (const node of cycle.candidates) {
    verdicts.set(node, judge(cycle, node))
    if (verdicts.size % nodesPerStep === 0) yield
  }
  const passed = [...verdicts.keys()].filter((node) => verdicts.get(node) === undefined)
  const scorers = passed.length === 0 ? [] : scorersOf(cycle, passed)
  const raws: number[][] = []
  for (const { score } of scorers) {
    raws.push(passed.map(score))
    yield
  }
  const ranges = scorers.map(({ plugin }, which) => rangeOf(plugin, raws[which]!))
  const place = new Map(passed.map((node, index) => [node, index]))
  const scoresOf = (index: number) =>
    scorers.map(({ plugin, weight }, which) => {
      const raw = raws[which]![index]!
      const normalized = normalize(plugin, raw, ranges[which]!)
      return { plugin: plugin.name, raw, normalized, weighted: normalized * weight }
    })
  const decision = schedule(pod, snapshot, profile, seed, ties)
  yield
  const nodes: NodeExplanation[] = []
  for (const node of [...snapshot.nodes()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const index = place.get(node)
    const scores = index === undefined ? [] : scoresOf(index)
    nodes.push({
      node: node.name,
      filters: withVerdict(verdicts.get(node), [
        ...cycle.filters.map(({ name, filter }) => ({ plugin: name, reasons: filter!(pod, node)?.reasons ?? [] })),
        ...cycle.momentary.map(({ plugin, filter }) => ({ plugin, reasons: filter(node)?.reasons ?? [] })),
      ]),
      scores,
      total: index === undefined ? undefined : scores.reduce((sum, { weighted }) => sum + weighted, 0),
    })
    if (nodes.length % nodesPerStep === 0) yield
  }
  return { decision, nodes }
}

type FilterExplanations = NodeExplanation['filters']

/** A node that only nominated pods keep from this one is rejected by none of the filters as it is: then the verdict is told. */
function withVerdict(verdict: RejectedNode | undefined, filters: FilterExplanations): FilterExplanations {
  if (verdict === undefined || filters.some(({ reasons }) => reasons.length > 0)) return filters
  const { reasons } = verdict.rejection
  const told = reasons.map((reason) => `${reason} (with the pods that are nominated for it)`)
  return filters.map((one) => (one.plugin === verdict.plugin ? { ...one, reasons: told } : one))
}
