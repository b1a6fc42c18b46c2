// A set of small integers that answers "the first member at or after x" and "the nth member" fast: a bitmap with a summary
// and counts above it.

export class RankSet {
  readonly #words: Int32Array
  readonly #summary: Int32Array
  /** Members below each word of the summary. */
  readonly #counts: Int32Array
  #size = 0

  constructor(capacity: number) {
    this.#words = new Int32Array((capacity + 31) >>> 5)
    this.#summary = new Int32Array((this.#words.length + 31) >>> 5)
    this.#counts = new Int32Array(this.#summary.length)
  }

  get size(): number {
    return this.#size
  }

  add(rank: number): void {
    const word = rank >>> 5
    const bit = 1 << (rank & 31)
    if (this.#words[word]! & bit) return
    this.#words[word]! |= bit
    this.#summary[word >>> 5]! |= 1 << (word & 31)
    this.#counts[word >>> 5]!++
    this.#size++
  }

  delete(rank: number): void {
    const word = rank >>> 5
    const bit = 1 << (rank & 31)
    if (!(this.#words[word]! & bit)) return
    this.#words[word]! &= ~bit
    if (this.#words[word] === 0) this.#summary[word >>> 5]! &= ~(1 << (word & 31))
    this.#counts[word >>> 5]!--
    this.#size--
  }

  /** Of disjoint sets of one capacity together: the member in the nth place (from 0), or -1. */
  static at(sets: readonly RankSet[], place: number): number {
    if (place >= sizeOf(sets)) return -1
    let left = place
    let block = 0
    for (; ; block++) {
      let here = 0
      for (const set of sets) here += set.#counts[block]!
      if (left < here) break
      left -= here
    }
    for (let word = block << 5; ; word++) {
      let bits = 0
      for (const set of sets) bits |= set.#words[word]!
      const here = countBits(bits)
      if (left >= here) {
        left -= here
        continue
      }
      for (; left > 0; left--) bits &= bits - 1
      return (word << 5) + lowestBit(bits)
    }
  }

  /** The first member that is at least `from`, or -1. */
  next(from: number): number {
    const first = from >>> 5
    if (first >= this.#words.length) return -1
    const here = this.#words[first]! & (-1 << (from & 31))
    if (here !== 0) return (first << 5) + lowestBit(here)
    const after = first + 1
    for (let index = after >>> 5; index < this.#summary.length; index++) {
      let words = this.#summary[index]!
      if (index === after >>> 5) words &= -1 << (after & 31)
      if (words === 0) continue
      const word = (index << 5) + lowestBit(words)
      return (word << 5) + lowestBit(this.#words[word]!)
    }
    return -1
  }
}

/** Of disjoint sets together: how many members. */
export function sizeOf(sets: readonly RankSet[]): number {
  let size = 0
  for (const set of sets) size += set.size
  return size
}

/** Of several sets together: the first member that is at least `from`, or -1. */
export function nextMember(sets: readonly RankSet[], from: number): number {
  let first = -1
  for (const set of sets) {
    const rank = set.next(from)
    if (rank >= 0 && (first < 0 || rank < first)) first = rank
  }
  return first
}

const lowestBit = (bits: number): number => 31 - Math.clz32(bits & -bits)

function countBits(bits: number): number {
  let sums = bits - ((bits >>> 1) & 0x55555555)
  sums = (sums & 0x33333333) + ((sums >>> 2) & 0x33333333)
  return Math.imul((sums + (sums >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}
