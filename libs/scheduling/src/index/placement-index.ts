// The fast path: pods of one shape get the same verdicts and scores, so their nodes are kept sorted by score and only
// the nodes that changed since the last such pod are looked at again. Its decisions equal those of the plain path
// (schedule.ts); a property test holds the two against each other.
import type { Profile, Scorer } from '../framework/configuration.ts'
import { evaluate } from '../framework/evaluate.ts'
import type { NodeInfo } from '../snapshot/node-info.ts'
import type { PodInfo, PodShape } from '../snapshot/pod-info.ts'
import { RankSet } from './rank-set.ts'
import { type Decision, normalize, type ScoredNode, schedule, topScores } from '../framework/schedule.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { comparePoints, nodePoint, podPoint } from '../framework/tie-break.ts'

export interface PlacementIndex {
  /** The same decision as `schedule(pod, snapshot, profile, seed)`. */
  schedule(pod: PodInfo): Decision
}

/** How many nodes of how many shapes are kept sorted at most: some 30 bytes each. */
const indexedMax = 2_000_000
const shapesMin = 32

/** How many shapes are kept sorted at a time; the one that was used longest ago goes first. */
export const shapesIndexedMax = (nodes: number): number =>
  Math.max(shapesMin, Math.trunc(indexedMax / Math.max(nodes, 500)))

/** How many failures are remembered while nothing changes. */
const failuresMax = 1000

/** Nodes in the order of their points; rebuilt when a node comes or goes. */
interface Order {
  readonly version: number
  readonly nodes: readonly NodeInfo[]
  /** Slot → place in the order, or -1. */
  readonly ranks: Int32Array
}

export function createPlacementIndex(snapshot: Snapshot, profile: Profile, seed: number): PlacementIndex {
  let order: Order | undefined
  let shapes = new Map<PodShape, ShapeIndex>()
  const failures = new Map<string, Decision>()
  let failuresAt = ''

  const currentOrder = (): Order => {
    if (order === undefined || order.version !== snapshot.nodeSetVersion) {
      order = buildOrder(snapshot, seed)
      shapes = new Map()
    }
    return order
  }

  /** Failures cost a look at every node; while nothing changes, pods of the same shape fail in the same way. */
  const failed = (pod: PodInfo): Decision => {
    const at = `${snapshot.nodeSetVersion} ${snapshot.changeCount}`
    if (failuresAt !== at) {
      failures.clear()
      failuresAt = at
    }
    const key = `${pod.priority} ${pod.preemptionPolicy} ${pod.shape.signature}`
    let decision = failures.get(key)
    if (decision === undefined) {
      decision = schedule(pod, snapshot, profile, seed)
      if (failures.size < failuresMax) failures.set(key, decision)
    }
    return decision
  }

  return {
    schedule(pod) {
      // A pod that names its nodes looks at these alone: there is nothing to gain from an index.
      if (
        pod.nodeName !== '' ||
        profile.plugins.some((plugin) => plugin.preFilter?.(pod, snapshot.volumes) !== undefined)
      ) {
        return schedule(pod, snapshot, profile, seed)
      }
      const nodes = currentOrder()
      let index = shapes.get(pod.shape)
      if (index === undefined) {
        index = new ShapeIndex(pod, profile, nodes)
        if (shapes.size >= shapesIndexedMax(nodes.nodes.length)) shapes.delete(shapes.keys().next().value!)
      } else {
        shapes.delete(pod.shape)
      }
      shapes.set(pod.shape, index)
      index.refresh(snapshot)
      if (index.feasible === 0) return failed(pod)
      const top = index.best(podPoint(seed, pod.uid))
      return { node: top[0]!.node, feasible: index.feasible, evaluated: nodes.nodes.length, top, failure: undefined }
    },
  }
}

function buildOrder(snapshot: Snapshot, seed: number): Order {
  const ordered = [...snapshot.nodes()]
    .map((node) => ({ node, name: node.name, point: nodePoint(seed, node.name) }))
    .sort(comparePoints)
  const ranks = new Int32Array(snapshot.slotCount).fill(-1)
  for (const [rank, { node }] of ordered.entries()) ranks[node.slot] = rank
  return { version: snapshot.nodeSetVersion, nodes: ordered.map(({ node }) => node), ranks }
}

/** A normalized score of the nodes that pass: its raw values, and how often each occurs. */
class Column {
  readonly scorer: Scorer
  readonly raws: Float64Array
  readonly counts = new Map<number, number>()
  lowest = 0
  highest = 0

  constructor(scorer: Scorer, nodes: number) {
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

/** All nodes as pods of one shape see them. */
class ShapeIndex {
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

  constructor(pod: PodInfo, profile: Profile, order: Order) {
    this.#pod = pod
    this.#active = profile.active(pod)
    this.#order = order
    const count = order.nodes.length
    this.#plain = this.#active.scorers.filter(({ plugin }) => !plugin.normalize)
    this.#columns = this.#active.scorers
      .filter(({ plugin }) => plugin.normalize)
      .map((scorer) => new Column(scorer, count))
    this.#base = new Int32Array(count).fill(rejectedTotal)
    this.#totals = new Int32Array(count).fill(rejectedTotal)
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
    let rangeChanged = false
    for (const column of this.#columns) if (column.settle()) rangeChanged = true
    if (rangeChanged && !everything) for (let rank = 0; rank < nodes.length; rank++) this.#total(rank)
    else for (const rank of touched) this.#total(rank)
    while (this.#highest >= 0 && !this.#buckets[this.#highest]?.size) this.#highest--
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
    const isFeasible = evaluate(this.#active.filters, this.#pod, node) === undefined
    if (isFeasible) {
      let base = 0
      for (const { plugin, weight } of this.#plain) base += plugin.score!(this.#pod, node) * weight
      this.#base[rank] = base
      for (const column of this.#columns) {
        const raw = column.scorer.plugin.score!(this.#pod, node)
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
