// What may differ from upstream, and why: differences.json. A key in it names a comparison, and may go on with the path of
// what differs in its answer; `*` stands for anything, so that one line covers a fault that every kind can suffer.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Differences {
  /** Whether the comparison of this name may differ at this path of the answer. */
  covers(name: string, path: string): boolean
  /** The lines that covered nothing: they must go. */
  unused(): readonly string[]
}

/** Of whole runs beside upstream: differences.json. */
export const readDifferences = (): Differences => readReasons('differences.json')

/** Of answers to combinations on record: combination-differences.json. */
export const readCombinationDifferences = (): Differences => readReasons('combination-differences.json')

/** Of answers to single wrong values on record: recorded-differences.json. */
export const readRecordedDifferences = (): Differences => readReasons('recorded-differences.json')

/** Of answers about custom resources on record: custom-resource-differences.json. */
export const readCustomResourceDifferences = (): Differences => readReasons('custom-resource-differences.json')

/** Of answers to unusual requests on record: unusual/differences.json. */
export const readUnusualDifferences = (): Differences => readReasons('unusual/differences.json')

function readReasons(file: string): Differences {
  const text = readFileSync(join(import.meta.dirname, file), 'utf8')
  const patterns = Object.keys(JSON.parse(text) as Record<string, string>)
  const used = new Set<string>()
  const rules = patterns.map((pattern) => ({
    pattern,
    regex: new RegExp(`^${pattern.split('*').map(literally).join('.*')}$`),
  }))
  return {
    covers: (name, path) => {
      const found = rules.filter(({ regex }) => regex.test(name) || regex.test(`${name} ${path}`))
      for (const { pattern } of found) used.add(pattern)
      return found.length > 0
    },
    unused: () => patterns.filter((pattern) => !used.has(pattern)),
  }
}

const literally = (text: string): string => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&')
