// What may differ from upstream, and why: differences.json. A name in it may hold `*`, so that one line covers a fault
// that every kind can suffer.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Differences {
  /** Whether a comparison of this name may differ. */
  covers(name: string): boolean
  /** The lines that covered nothing: they must go. */
  unused(): readonly string[]
}

export function readDifferences(): Differences {
  const text = readFileSync(join(import.meta.dirname, 'differences.json'), 'utf8')
  const patterns = Object.keys(JSON.parse(text) as Record<string, string>)
  const used = new Set<string>()
  const rules = patterns.map((pattern) => ({
    pattern,
    regex: new RegExp(`^${pattern.split('*').map(literally).join('.*')}$`),
  }))
  return {
    covers: (name) => {
      const found = rules.filter(({ regex }) => regex.test(name))
      for (const { pattern } of found) used.add(pattern)
      return found.length > 0
    },
    unused: () => patterns.filter((pattern) => !used.has(pattern)),
  }
}

const literally = (text: string): string => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&')
