// One decision's preparation: what is known before any node is looked at, and the scores once it is known which nodes do.
import type { ActivePlugins, Profile } from './configuration.ts'
import type { Judges } from './evaluate.ts'
import type { CycleFilter, Plugin, ScoreRange } from './framework.ts'
import type { NodeInfo } from '../snapshot/node-info.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'

/** Why nodes were not looked at: a plugin knew that none can do, or plugins named those that can. */
export type Refused = { readonly plugin: string; readonly message: string } | { readonly restricting: readonly string[] }

export interface Cycle extends Judges {
  readonly profile: Profile
  readonly active: ActivePlugins
  readonly candidates: Iterable<NodeInfo>
  readonly refused: Refused | undefined
}

/** Asks the pre-filters. */
export function prepare(pod: PodInfo, snapshot: Snapshot, profile: Profile): Cycle {
  const active = profile.active(pod)
  let names: ReadonlySet<string> | undefined
  let refused: Refused | undefined
  const restricting: string[] = []
  const momentary: { plugin: string; filter: CycleFilter }[] = []
  for (const plugin of profile.plugins) {
    const result = plugin.preFilter?.(pod, snapshot)
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
  if (refused === undefined && names !== undefined) refused = { restricting }
  const candidates = candidatesOf(snapshot, refused, names)
  return { pod, snapshot, profile, active, filters: active.filters, momentary, candidates, refused }
}

function candidatesOf(
  snapshot: Snapshot,
  refused: Refused | undefined,
  names: ReadonlySet<string> | undefined,
): Iterable<NodeInfo> {
  if (refused !== undefined && 'message' in refused) return []
  if (names === undefined) return snapshot.nodes()
  return [...names].map((name) => snapshot.node(name)).filter((node) => node !== undefined)
}

/** A plugin's scores in one decision. */
export interface CycleScorer {
  readonly plugin: Plugin
  readonly weight: number
  readonly score: (node: NodeInfo) => number
}

/** Those that have something to say, once it is known which nodes do. */
export function scorersOf({ pod, snapshot, profile, active }: Cycle, feasible: readonly NodeInfo[]): CycleScorer[] {
  const scorers: CycleScorer[] = active.scorers.map(({ plugin, weight }) => ({
    plugin,
    weight,
    score: (node) => plugin.score!(pod, node),
  }))
  for (const { plugin, weight } of profile.cycleScorers) {
    const score = plugin.preScore!(pod, snapshot, feasible)
    if (score !== undefined) scorers.push({ plugin, weight, score })
  }
  return scorers
}

export function normalize(plugin: Plugin, raw: number, range: ScoreRange): number {
  if (plugin.unjudged !== undefined && raw === plugin.unjudged) return 0
  return plugin.normalize ? plugin.normalize(raw, range) : raw
}

export function rangeOf(plugin: Plugin, raws: readonly number[]): ScoreRange {
  let lowest = Number.POSITIVE_INFINITY
  let highest = Number.NEGATIVE_INFINITY
  for (const raw of raws) {
    if (raw === plugin.unjudged) continue
    if (raw < lowest) lowest = raw
    if (raw > highest) highest = raw
  }
  return { lowest, highest }
}

/** The weighted sums, in the order of the nodes. */
export function scoreNodes(scorers: readonly CycleScorer[], nodes: readonly NodeInfo[]): number[] {
  const totals = nodes.map(() => 0)
  for (const { plugin, weight, score } of scorers) {
    const raws = nodes.map(score)
    const range = rangeOf(plugin, raws)
    for (const [index, raw] of raws.entries()) totals[index]! += normalize(plugin, raw, range) * weight
  }
  return totals
}
