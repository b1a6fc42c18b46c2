// Subject filters with NATS wildcards, for the places where no NATS server does the matching: `*` stands for one token,
// `>` for one or more at the end.

/** Tells whether a subject passes. */
export type SubjectFilter = (subject: string) => boolean

/** Compiles filters into one predicate; no filters, or `>` among them, means everything. */
export function compileFilter(subjects: readonly string[] | undefined): SubjectFilter {
  if (subjects === undefined || subjects.length === 0 || subjects.includes('>')) return () => true
  const exact = new Set<string>()
  const prefixes: string[] = []
  const patterns: (readonly string[])[] = []
  for (const subject of subjects) {
    const tokens = subject.split('.')
    if (tokens.includes('*')) patterns.push(tokens)
    else if (tokens.at(-1) === '>') prefixes.push(subject.slice(0, -1))
    else exact.add(subject)
  }
  return (subject) => {
    if (exact.has(subject)) return true
    for (const prefix of prefixes) if (subject.length > prefix.length && subject.startsWith(prefix)) return true
    return patterns.length > 0 && patterns.some((pattern) => matches(pattern, subject.split('.')))
  }
}

function matches(pattern: readonly string[], tokens: readonly string[]): boolean {
  for (const [index, token] of pattern.entries()) {
    if (token === '>') return tokens.length > index
    if (tokens[index] === undefined || (token !== '*' && token !== tokens[index])) return false
  }
  return pattern.length === tokens.length
}

/**
 * Filters of which no two match the same subject, as a JetStream consumer wants them: those that another covers are left
 * out. Undefined when two overlap without one covering the other; then everything must be read and filtered here.
 */
export function disjointFilters(subjects: readonly string[]): readonly string[] | undefined {
  const patterns = [...new Set(subjects)].map((subject) => subject.split('.'))
  const kept = patterns.filter(
    (pattern, index) => !patterns.some((other, place) => place !== index && covers(other, pattern)),
  )
  const overlap = kept.some((pattern, index) => kept.slice(index + 1).some((other) => meet(pattern, other)))
  return overlap ? undefined : kept.map((pattern) => pattern.join('.'))
}

/** True when every subject that `pattern` matches is matched by `other`. */
function covers(other: readonly string[], pattern: readonly string[]): boolean {
  for (const [index, token] of other.entries()) {
    if (token === '>') return pattern.length > index
    const own = pattern[index]
    if (own === undefined || own === '>' || (token !== '*' && token !== own)) return false
  }
  return other.length === pattern.length
}

/** True when some subject is matched by both. */
function meet(one: readonly string[], two: readonly string[]): boolean {
  for (let index = 0; ; index += 1) {
    const [a, b] = [one[index], two[index]]
    if (a === undefined || b === undefined) return a === b
    if (a === '>' || b === '>') return true
    if (a !== '*' && b !== '*' && a !== b) return false
  }
}

/** The literal beginning that every match of a filter has, up to and with the last dot before a wildcard. */
export function literalPrefix(filter: string): string {
  const wildcard = filter.search(/[*>]/)
  return wildcard < 0 ? filter : filter.slice(0, wildcard)
}
