// All nodes as pods that are alike see them, sorted by class and score: only the nodes that changed since the last such pod, or
// that are in another class since, are looked at again.
import type { Profile, Scorer } from '../framework/configuration.ts'
import { normalize } from '../framework/cycle.ts'
import { evaluate } from '../framework/evaluate.ts'
import { scoreMax } from '../framework/framework.ts'
import { type ScoredNode, topScores } from '../framework/schedule.ts'
import { comparePoints, nodePoint } from '../framework/tie-break.ts'
import type { NodeInfo } from '../snapshot/node-info.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { ClassBuckets } from './class-buckets.ts'
import type { CombinedClasses } from './combined-classes.ts'
import { nextMember, RankSet, sizeOf } from './rank-set.ts'

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

/** A normalized score of the nodes that pass: its raw values, and how often each occurs in each class of nodes. */
class Column {
  readonly scorer: ColumnScorer
  readonly raws: Float64Array
  readonly #counts: Map<number, number>[] = []
  lowest = 0
  highest = 0

  constructor(scorer: ColumnScorer, nodes: number) {
    this.scorer = scorer
    this.raws = new Float64Array(nodes)
  }

  count(rank: number, nodeClass: number, sign: 1 | -1): void {
    const raw = this.raws[rank]!
    while (this.#counts.length <= nodeClass) this.#counts.push(new Map())
    const counts = this.#counts[nodeClass]!
    const next = (counts.get(raw) ?? 0) + sign
    if (next === 0) counts.delete(raw)
    else counts.set(raw, next)
  }

  /**
   * 0…100. A node of a class that does not pass may lie outside the range, and gets any number in it: once its class passes, the
   * range is another one, and the score is found anew.
   */
  normalized(rank: number): number {
    const score = normalize(this.scorer.plugin, this.raws[rank]!, this)
    return score >= 0 ? Math.min(score, scoreMax) : 0
  }

  /** Finds the range anew, over the classes that pass; true when it is another one. */
  settle(classes: Iterable<number>): boolean {
    let lowest = Number.POSITIVE_INFINITY
    let highest = Number.NEGATIVE_INFINITY
    for (const nodeClass of classes) {
      for (const raw of this.#counts[nodeClass]?.keys() ?? []) {
        if (raw === this.scorer.plugin.unjudged) continue
        if (raw < lowest) lowest = raw
        if (raw > highest) highest = raw
      }
    }
    const changed = lowest !== this.lowest || highest !== this.highest
    this.lowest = lowest
    this.highest = highest
    return changed
  }
}

const rejectedTotal = -1
const noClass = -1

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
  /** Class, by rank. */
  readonly #classes: Int32Array
  /** Nodes by class and score; those of classes that do not pass are there, too. */
  readonly #buckets: ClassBuckets
  readonly #combined: CombinedClasses
  /** Class → how many of its nodes pass what judges nodes one by one. */
  readonly #sizes = new Map<number, number>()
  /** Class → what it adds to the score of its nodes; classes that do not pass are missing. */
  #passing: ReadonlyMap<number, number> = new Map()
  #seen = -1
  #feasible = 0

  constructor(pod: PodInfo, profile: Profile, order: Order, classes: CombinedClasses) {
    this.#pod = pod
    this.#active = profile.active(pod)
    this.#order = order
    const count = order.nodes.length
    this.#plain = this.#active.scorers.filter(({ plugin }) => !plugin.normalize)
    this.#columns = this.#active.scorers
      .filter(({ plugin }) => plugin.normalize)
      .map((scorer) => new Column({ ...scorer, score: (node) => scorer.plugin.score!(pod, node) }, count))
    this.#combined = classes
    this.#base = new Int32Array(count).fill(rejectedTotal)
    this.#classes = new Int32Array(count).fill(noClass)
    this.#buckets = new ClassBuckets(count)
  }

  get isCurrent(): boolean {
    return this.#combined.isCurrent
  }

  get feasible(): number {
    return this.#feasible
  }

  /** Looks again at the nodes that changed. */
  refresh(snapshot: Snapshot): void {
    const { nodes, ranks } = this.#order
    const behind = snapshot.changeCount - this.#seen
    if (behind === 0) return
    const everything = this.#seen < 0 || behind > nodes.length || !snapshot.remembers(this.#seen)
    const touched: number[] = []
    if (everything) for (let rank = 0; rank < nodes.length; rank++) touched.push(rank)
    else {
      for (const slot of snapshot.changedSince(this.#seen)) {
        const rank = ranks[slot]!
        if (rank >= 0) touched.push(rank)
      }
    }
    this.#seen = snapshot.changeCount
    for (const rank of touched) this.#evaluate(rank)
    this.#followMoved(touched)
    this.#passing = this.#combined.judge(this.#sizes)
    this.#feasible = 0
    for (const nodeClass of this.#passing.keys()) this.#feasible += this.#sizes.get(nodeClass)!
    let rangeChanged = false
    for (const column of this.#columns) if (column.settle(this.#passing.keys())) rangeChanged = true
    if (rangeChanged && !everything) for (let rank = 0; rank < nodes.length; rank++) this.#total(rank)
    else for (const rank of touched) this.#total(rank)
  }

  /** The best nodes for a pod with this point. */
  best(from: number): ScoredNode[] {
    const { nodes } = this.#order
    const found: ScoredNode[] = []
    for (const { score, sets } of this.#buckets.descending(this.#passing)) {
      const size = sizeOf(sets)
      const wanted = Math.min(topScores - found.length, size)
      let rank = RankSet.at(sets, from % size)
      for (let taken = 0; taken < wanted; taken++) {
        if (taken > 0) rank = nextMember(sets, rank + 1)
        if (rank < 0) rank = nextMember(sets, 0)
        found.push({ node: nodes[rank]!.name, score })
      }
      if (found.length >= topScores) break
    }
    return found
  }

  /** Verdict, class and raw scores of one node. */
  #evaluate(rank: number): void {
    const node = this.#order.nodes[rank]!
    if (this.#base[rank]! >= 0) this.#count(rank, -1)
    this.#classes[rank] = this.#combined.classOf(node)
    const isFeasible = evaluate(this.#active.filters, this.#pod, node) === undefined
    if (!isFeasible) {
      this.#base[rank] = rejectedTotal
      return
    }
    let base = 0
    for (const { plugin, weight } of this.#plain) base += plugin.score!(this.#pod, node) * weight
    this.#base[rank] = base
    for (const column of this.#columns) column.raws[rank] = column.scorer.score(node)
    this.#count(rank, 1)
  }

  /** Counts a node that passes, in its class. */
  #count(rank: number, sign: 1 | -1): void {
    const nodeClass = this.#classes[rank]!
    for (const column of this.#columns) column.count(rank, nodeClass, sign)
    const size = (this.#sizes.get(nodeClass) ?? 0) + sign
    if (size === 0) this.#sizes.delete(nodeClass)
    else this.#sizes.set(nodeClass, size)
  }

  /** Nodes that are in another class because of others; they are added to those that were touched. */
  #followMoved(touched: number[]): void {
    for (const node of this.#combined.moved() ?? this.#order.nodes) {
      const rank = this.#order.ranks[node.slot]!
      const nodeClass = this.#combined.classOf(node)
      if (nodeClass === this.#classes[rank]) continue
      const isFeasible = this.#base[rank]! >= 0
      if (isFeasible) this.#count(rank, -1)
      this.#classes[rank] = nodeClass
      if (isFeasible) this.#count(rank, 1)
      touched.push(rank)
    }
  }

  /** The score of the node itself, and with it its bucket. */
  #total(rank: number): void {
    let total = this.#base[rank]!
    if (total >= 0) {
      for (const column of this.#columns) total += column.normalized(rank) * column.scorer.weight
    }
    this.#buckets.put(rank, this.#classes[rank]!, total)
  }
}
