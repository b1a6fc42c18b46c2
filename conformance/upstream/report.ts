// Counts what is compared with upstream and prints what differs unexpectedly.
import type { Differences } from './differences.ts'

export interface Report {
  /** Whether a comparison of this name was asked for. */
  wants(name: string): boolean
  compare(name: string, upstream: unknown, ours: unknown): void
  /** Prints the sum; true when nothing differs that may not. */
  finish(): boolean
}

export function createReport(options: {
  readonly filters: readonly string[]
  readonly differences: Differences
  readonly say: (line: string) => void
}): Report {
  const { filters, differences, say } = options
  let compared = 0
  let different = 0
  let onPurpose = 0
  return {
    wants: (name) => filters.length === 0 || filters.some((filter) => name.includes(filter)),
    compare(name, upstream, ours) {
      compared++
      if (canonical(upstream) === canonical(ours)) return
      if (differences.covers(name)) {
        onPurpose++
        return
      }
      different++
      say(`── ${name}\n   upstream ${canonical(upstream)}\n   ours     ${canonical(ours)}`)
    },
    finish() {
      const unused = filters.length === 0 ? differences.unused() : []
      for (const pattern of unused) say(`nothing differs, although differences.json says so: ${pattern}`)
      say(`${compared} answers compared, ${different} differ unexpectedly, ${onPurpose} on purpose`)
      return different === 0 && unused.length === 0
    },
  }
}

/** Equal for equal values, whatever the order of their keys. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_key, item: unknown) =>
    item !== null && typeof item === 'object' && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  )

/** A value without what differs from run to run: ids, times, versions, generated names. */
export const blank = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value ?? null)
      .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<uid>')
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
      .replace(/current: \d+/g, 'current: <version>')
      .replace(/NOT_OK-[a-z0-9]{5}/g, 'NOT_OK-<random>'),
  )
