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
      const found = differencesOf(upstream, ours, '')
      if (found.length === 0) return
      const unexpected = found.filter(({ path }) => !differences.covers(name, path))
      if (unexpected.length === 0) {
        onPurpose++
        return
      }
      different++
      say(`── ${name}`)
      for (const one of unexpected) {
        say(`   ${one.path}: upstream ${canonical(one.upstream) ?? 'nothing'}`)
        say(`   ${one.path}: ours     ${canonical(one.ours) ?? 'nothing'}`)
      }
    },
    finish() {
      const unused = filters.length === 0 ? differences.unused() : []
      for (const pattern of unused) say(`nothing differs, although differences.json says so: ${pattern}`)
      say(`${compared} answers compared, ${different} differ unexpectedly, ${onPurpose} on purpose`)
      return different === 0 && unused.length === 0
    },
  }
}

interface Difference {
  readonly path: string
  readonly upstream: unknown
  readonly ours: unknown
}

/** Where two values differ: `.spec.replicas`. */
function differencesOf(upstream: unknown, ours: unknown, path: string): Difference[] {
  if (canonical(upstream) === canonical(ours)) return []
  const isParent = (value: unknown): value is Record<string, unknown> => value !== null && typeof value === 'object'
  if (!isParent(upstream) || !isParent(ours) || Array.isArray(upstream) !== Array.isArray(ours))
    return [{ path, upstream, ours }]
  const keys = new Set([...Object.keys(upstream), ...Object.keys(ours)])
  return [...keys].flatMap((key) => differencesOf(upstream[key], ours[key], `${path}.${key}`))
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
      // How old a row of a Table is.
      .replace(/"\d+s"/g, '"<age>"')
      .replace(/current: \d+/g, 'current: <version>')
      .replace(/(NOT_OK|kube-api-access)-[a-z0-9]{5}/g, '$1-<random>'),
  )
