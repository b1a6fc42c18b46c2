// A set of small integers that answers "the first member at or after x" fast: a bitmap with a summary above it.

export class RankSet {
  readonly #words: Int32Array
  readonly #summary: Int32Array
  #size = 0

  constructor(capacity: number) {
    this.#words = new Int32Array((capacity + 31) >>> 5)
    this.#summary = new Int32Array((this.#words.length + 31) >>> 5)
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
    this.#size++
  }

  delete(rank: number): void {
    const word = rank >>> 5
    const bit = 1 << (rank & 31)
    if (!(this.#words[word]! & bit)) return
    this.#words[word]! &= ~bit
    if (this.#words[word] === 0) this.#summary[word >>> 5]! &= ~(1 << (word & 31))
    this.#size--
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

const lowestBit = (bits: number): number => 31 - Math.clz32(bits & -bits)
