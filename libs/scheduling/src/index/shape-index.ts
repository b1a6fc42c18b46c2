// All nodes as pods that are alike see them, sorted by score: only the nodes that changed since the last such pod, or that a
// tracker judges differently since, are looked at again.
import type { Profile, Scorer } from '../framework/configuration.ts'
import { normalize } from '../framework/cycle.ts'
import { evaluate } from '../framework/evaluate.ts'
import type { Plugin, Tracker } from '../framework/framework.ts'
import { type ScoredNode, topScores } from '../framework/schedule.ts'
import { comparePoints, nodePoint } from '../framework/tie-break.ts'
import type { NodeInfo } from '../snapshot/node-info.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { RankSet } from './rank-set.ts'

/** Nodes in the order of their points; rebuilt when a node comes or goes. */
export interface Order {
  readonly version: number
  readonly nodes: readonly NodeInfo[]
  /** Slot → place in the order, or -1. */
  readonly ranks: Int32Array
}

export function buildOrder(snapshot: Snapshot, seed: number): Order {
  const ordered = [...snapshot.nodes()]
    .map((node) => ({ node, name: node.name, point: nodePoint(seed, node.name) }))
    .sort(comparePoints)
  const ranks = new Int32Array(snapshot.slotCount).fill(-1)
  for (const [rank, { node }] of ordered.entries()) ranks[node.slot] = rank
  return { version: snapshot.nodeSetVersion, nodes: ordered.map(({ node }) => node), ranks }
}

interface ColumnScorer extends Scorer {
  readonly score: (node: NodeInfo) => number
}

export interface Tracking {
  readonly plugin: Plugin
  readonly tracker: Tracker
}

type Trackings = readonly Tracking[]

/** A normalized score of the nodes that pass: its raw values, and how often each occurs. */
class Column {
  readonly scorer: ColumnScorer
  readonly raws: Float64Array
  readonly counts = new Map<number, number>()
  lowest = 0
  highest = 0

  constructor(scorer: ColumnScorer, nodes: number) {
    this.scorer = scorer
    this.raws = new Float64Array(nodes)
  }

  count(raw: number, sign: 1 | -1): void {
    const next = (this.counts.get(raw) ?? 0) + sign
    if (next === 0) this.counts.delete(raw)
    else this.counts.set(raw, next)
  }

  /** Finds the range anew; true when it is another one. */
  settle(): boolean {
    let lowest = Number.POSITIVE_INFINITY
    let highest = Number.NEGATIVE_INFINITY
    for (const raw of this.counts.keys()) {
      if (raw === this.scorer.plugin.unjudged) continue
      if (raw < lowest) lowest = raw
      if (raw > highest) highest = raw
    }
    const changed = lowest !== this.lowest || highest !== this.highest
    this.lowest = lowest
    this.highest = highest
    return changed
  }
}

const rejectedTotal = -1

/** All nodes as pods of one shape and equal signs see them. */
export class ShapeIndex {
  /** A pod of the shape: which one does not matter. */
  readonly #pod: PodInfo
  readonly #active: ReturnType<Profile['active']>
  readonly #order: Order
  readonly #columns: Column[]
  /** Scores that need no range. */
  readonly #plain: readonly Scorer[]
  /** Weighted sum of the plain scores, by rank; -1 for a rejected node. */
  readonly #base: Int32Array
  /** The whole score, by rank; -1 for a node in no bucket. */
  readonly #totals: Int32Array
  /** Score → the nodes that have it. */
  readonly #buckets: (RankSet | undefined)[] = []
  #highest = -1
  #seen = -1
  #feasible = 0
  readonly #trackings: Trackings

  constructor(pod: PodInfo, profile: Profile, order: Order, trackings: Trackings) {
    this.#pod = pod
    this.#trackings = trackings
    this.#active = profile.active(pod)
    this.#order = order
    const count = order.nodes.length
    this.#plain = this.#active.scorers.filter(({ plugin }) => !plugin.normalize)
    const tracked = profile.cycleScorers.flatMap((scorer) => {
      const score = trackings.find(({ plugin }) => plugin === scorer.plugin)?.tracker.score
      return score ? [{ ...scorer, score }] : []
    })
    this.#columns = [
      ...this.#active.scorers
        .filter(({ plugin }) => plugin.normalize)
        .map((scorer) => ({ ...scorer, score: (node: NodeInfo) => scorer.plugin.score!(pod, node) })),
      ...tracked,
    ].map((scorer) => new Column(scorer, count))
    this.#base = new Int32Array(count).fill(rejectedTotal)
    this.#totals = new Int32Array(count).fill(rejectedTotal)
  }

  get isCurrent(): boolean {
    return this.#trackings.every(({ tracker }) => tracker.isCurrent)
  }

  get feasible(): number {
    return this.#feasible
  }

  /** Looks again at the nodes that changed. */
  refresh(snapshot: Snapshot): void {
    const { nodes, ranks } = this.#order
    const behind = snapshot.changeCount - this.#seen
    const judged = this.#judgedAnew()
    if (behind === 0 && judged?.length === 0) return
    const everything =
      judged === undefined || this.#seen < 0 || behind > nodes.length || !snapshot.remembers(this.#seen)
    const touched: number[] = []
    if (everything) for (let rank = 0; rank < nodes.length; rank++) touched.push(rank)
    else {
      for (const slot of snapshot.changedSince(this.#seen)) {
        const rank = ranks[slot]!
        if (rank >= 0) touched.push(rank)
      }
      for (const node of judged) touched.push(ranks[node.slot]!)
    }
    this.#seen = snapshot.changeCount
    for (const rank of touched) this.#evaluate(rank)
    let rangeChanged = false
    for (const column of this.#columns) if (column.settle()) rangeChanged = true
    if (rangeChanged && !everything) for (let rank = 0; rank < nodes.length; rank++) this.#total(rank)
    else for (const rank of touched) this.#total(rank)
    while (this.#highest >= 0 && !this.#buckets[this.#highest]?.size) this.#highest--
  }

  /** The nodes that trackers judge differently by now; undefined for all. */
  #judgedAnew(): readonly NodeInfo[] | undefined {
    const nodes: NodeInfo[] = []
    let areAll = false
    for (const { tracker } of this.#trackings) {
      const changed = tracker.changed()
      if (changed === undefined) areAll = true
      else nodes.push(...changed)
    }
    return areAll ? undefined : nodes
  }

  /** The best nodes for a pod with this point. */
  best(from: number): ScoredNode[] {
    const { nodes } = this.#order
    const found: ScoredNode[] = []
    for (let score = this.#highest; score >= 0 && found.length < topScores; score--) {
      const bucket = this.#buckets[score]
      if (!bucket?.size) continue
      const wanted = Math.min(topScores - found.length, bucket.size)
      let rank = bucket.at(from % bucket.size)
      for (let taken = 0; taken < wanted; taken++) {
        if (taken > 0) rank = bucket.next(rank + 1)
        if (rank < 0) rank = bucket.next(0)
        found.push({ node: nodes[rank]!.name, score })
      }
    }
    return found
  }

  /** Verdict and raw scores of one node. */
  #evaluate(rank: number): void {
    const node = this.#order.nodes[rank]!
    const wasFeasible = this.#base[rank]! >= 0
    if (wasFeasible) for (const column of this.#columns) column.count(column.raws[rank]!, -1)
    const isFeasible =
      evaluate(this.#active.filters, this.#pod, node) === undefined &&
      this.#trackings.every(({ tracker }) => tracker.filter?.(node) === undefined)
    if (isFeasible) {
      let base = 0
      for (const { plugin, weight } of this.#plain) base += plugin.score!(this.#pod, node) * weight
      this.#base[rank] = base
      for (const column of this.#columns) {
        const raw = column.scorer.score(node)
        column.raws[rank] = raw
        column.count(raw, 1)
      }
    } else {
      this.#base[rank] = rejectedTotal
    }
    if (isFeasible !== wasFeasible) this.#feasible += isFeasible ? 1 : -1
  }

  /** The whole score of one node, and with it its bucket. */
  #total(rank: number): void {
    let total = this.#base[rank]!
    if (total >= 0) {
      for (const column of this.#columns) {
        total += normalize(column.scorer.plugin, column.raws[rank]!, column) * column.scorer.weight
      }
    }
    const before = this.#totals[rank]!
    if (total === before) return
    if (before >= 0) this.#buckets[before]!.delete(rank)
    this.#totals[rank] = total
    if (total < 0) return
    let bucket = this.#buckets[total]
    if (bucket === undefined) {
      bucket = new RankSet(this.#order.nodes.length)
      while (this.#buckets.length <= total) this.#buckets.push(undefined)
      this.#buckets[total] = bucket
    }
    bucket.add(rank)
    if (total > this.#highest) this.#highest = total
  }
}
