// Nodes in buckets by their class and their own score. What a class adds to the score of its nodes, or that it does not pass at
// all, is said when the best are asked for: it may change with every decision without moving a node.
import { RankSet } from './rank-set.ts'

/** Nodes, by rank, that have the same score. */
export interface Level {
  readonly score: number
  /** Disjoint. */
  readonly sets: readonly RankSet[]
}

interface Buckets {
  /** Score of the node itself → the nodes that have it. */
  readonly sets: (RankSet | undefined)[]
  size: number
  /** At least the highest score that some node has. */
  highest: number
}

const nowhere = -1
/** Empty sets that are kept for the next bucket. */
const spareMax = 64

export class ClassBuckets {
  readonly #capacity: number
  readonly #classes = new Map<number, Buckets>()
  /** Where each node is, by rank. */
  readonly #classOf: Int32Array
  readonly #scoreOf: Int32Array
  readonly #spare: RankSet[] = []

  constructor(capacity: number) {
    this.#capacity = capacity
    this.#classOf = new Int32Array(capacity)
    this.#scoreOf = new Int32Array(capacity).fill(nowhere)
  }

  /** Puts a node where it belongs; a negative score: nowhere. */
  put(rank: number, nodeClass: number, score: number): void {
    const before = this.#scoreOf[rank]!
    if (before === score && (score < 0 || this.#classOf[rank] === nodeClass)) return
    if (before >= 0) this.#take(rank, this.#classOf[rank]!, before)
    this.#classOf[rank] = nodeClass
    this.#scoreOf[rank] = score
    if (score >= 0) this.#add(rank, nodeClass, score)
  }

  /** The scores that nodes have, the highest first: `added` by class is what comes to the nodes' own; other classes do not count. */
  *descending(added: ReadonlyMap<number, number>): Generator<Level> {
    const cursors: { readonly buckets: Buckets; readonly add: number; at: number }[] = []
    for (const [nodeClass, add] of added) {
      const buckets = this.#classes.get(nodeClass)
      if (buckets !== undefined) cursors.push({ buckets, add, at: settleHighest(buckets) })
    }
    for (;;) {
      let score = Number.NEGATIVE_INFINITY
      for (const { at, add } of cursors) if (at >= 0 && at + add > score) score = at + add
      if (score === Number.NEGATIVE_INFINITY) return
      const best = cursors.filter(({ at, add }) => at >= 0 && at + add === score)
      yield { score, sets: best.map(({ buckets, at }) => buckets.sets[at]!) }
      for (const cursor of best) cursor.at = below(cursor.buckets, cursor.at)
    }
  }

  #add(rank: number, nodeClass: number, score: number): void {
    let buckets = this.#classes.get(nodeClass)
    if (buckets === undefined) this.#classes.set(nodeClass, (buckets = { sets: [], size: 0, highest: -1 }))
    while (buckets.sets.length <= score) buckets.sets.push(undefined)
    const set = (buckets.sets[score] ??= this.#spare.pop() ?? new RankSet(this.#capacity))
    set.add(rank)
    buckets.size++
    if (score > buckets.highest) buckets.highest = score
  }

  #take(rank: number, nodeClass: number, score: number): void {
    const buckets = this.#classes.get(nodeClass)!
    const set = buckets.sets[score]!
    set.delete(rank)
    buckets.size--
    if (set.size === 0) {
      buckets.sets[score] = undefined
      if (this.#spare.length < spareMax) this.#spare.push(set)
    }
    if (buckets.size === 0) this.#classes.delete(nodeClass)
  }
}

function below({ sets }: Buckets, score: number): number {
  let at = score - 1
  while (at >= 0 && sets[at] === undefined) at--
  return at
}

function settleHighest(buckets: Buckets): number {
  if (buckets.sets[buckets.highest] === undefined) buckets.highest = below(buckets, buckets.highest)
  return buckets.highest
}
