// A binary heap whose entries may go stale: who takes something out elsewhere leaves its entry behind, and the heap
// skips it, or sweeps when too many have gathered.

/** Stale entries are swept when the heap holds more than this and has doubled since the last sweep. */
const sweepAboveEntries = 1024

export class Heap<T> {
  #entries: T[] = []
  readonly #compare: (a: T, b: T) => number
  readonly #isStale: (entry: T) => boolean
  #sweepAt = sweepAboveEntries

  constructor(compare: (a: T, b: T) => number, isStale: (entry: T) => boolean) {
    this.#compare = compare
    this.#isStale = isStale
  }

  push(entry: T): void {
    if (this.#entries.length >= this.#sweepAt) this.#sweep()
    this.#entries.push(entry)
    this.#rise(this.#entries.length - 1)
  }

  /** The first entry, without taking it. */
  peek(): T | undefined {
    while (this.#entries.length > 0 && this.#isStale(this.#entries[0]!)) this.#take()
    return this.#entries[0]
  }

  pop(): T | undefined {
    return this.peek() === undefined ? undefined : this.#take()
  }

  #take(): T {
    const first = this.#entries[0]!
    const last = this.#entries.pop()!
    if (this.#entries.length > 0) {
      this.#entries[0] = last
      this.#sink(0)
    }
    return first
  }

  #sweep(): void {
    this.#entries = this.#entries.filter((entry) => !this.#isStale(entry)).sort(this.#compare)
    this.#sweepAt = Math.max(sweepAboveEntries, this.#entries.length * 2)
  }

  #rise(start: number): void {
    const entries = this.#entries
    const entry = entries[start]!
    let place = start
    while (place > 0) {
      const parent = (place - 1) >> 1
      if (this.#compare(entry, entries[parent]!) >= 0) break
      entries[place] = entries[parent]!
      place = parent
    }
    entries[place] = entry
  }

  #sink(start: number): void {
    const entries = this.#entries
    const entry = entries[start]!
    let place = start
    for (;;) {
      let child = place * 2 + 1
      if (child >= entries.length) break
      if (child + 1 < entries.length && this.#compare(entries[child + 1]!, entries[child]!) < 0) child++
      if (this.#compare(entries[child]!, entry) >= 0) break
      entries[place] = entries[child]!
      place = child
    }
    entries[place] = entry
  }
}
