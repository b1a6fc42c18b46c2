// Paths to fields below a schema, as a rule's `fieldPath` and a selectable field name them: `.spec.name`, `.map['a.b']`.
import { schemaOfField, type StructuralSchema } from '../schema/structural-schema.ts'

export interface FieldPath {
  /** As errors show it: `spec.map[a.b]`. */
  readonly shown: string
  readonly names: readonly string[]
  readonly schema: StructuralSchema
}

export interface BadPath {
  readonly problem: string
}

export const isBadPath = (path: FieldPath | BadPath): path is BadPath => 'problem' in path

const escapes: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  "'": "'",
  '\\': '\\',
}

/** Parts between dots and brackets, these themselves, and texts in single quotes. */
const tokensOf = (path: string): string[] => path.match(/[.[\]]|'(?:[^'\\]|\\.)*'|[^.[\]]+/gs) ?? []

/** The schema that a path leads to, or why it leads nowhere. */
export const fieldPath = (path: string, from: StructuralSchema): FieldPath | BadPath => {
  const tokens = tokensOf(path)
  const names: string[] = []
  let shown = ''
  let schema = from
  for (let at = 0; at < tokens.length; ) {
    const opening = tokens[at]
    if (opening !== '.' && opening !== '[') return { problem: `expected [ or . but got: ${opening}` }
    const token = tokens[at + 1]
    if (token === undefined) return { problem: 'unexpected end of JSON path' }
    const name = opening === '.' ? token : unquoted(token)
    if (typeof name !== 'string') return name
    if (schema.properties.size === 0 && schema.additionalProperties === undefined)
      return { problem: 'does not refer to a valid field' }
    const named = schema.properties.size > 0
    const next = named ? schema.properties.get(name) : schemaOfField(schema, name)
    if (next === undefined) return { problem: 'does not refer to a valid field' }
    shown = named ? (shown === '' ? name : `${shown}.${name}`) : `${shown}[${name}]`
    names.push(name)
    schema = next
    at += 2
    if (opening === '.') continue
    if (tokens[at] === undefined) return { problem: 'unexpected end of JSON path' }
    if (tokens[at] !== ']') return { problem: `expected ] but got ${tokens[at]}` }
    at++
  }
  return { shown, names, schema }
}

const unquoted = (token: string): string | BadPath => {
  if (token.length < 2 || !token.startsWith("'") || !token.endsWith("'"))
    return { problem: `expected single quoted string but got ${token}` }
  let bad: BadPath | undefined
  const text = token.slice(1, -1).replace(/\\(.)/gs, (all, character: string) => {
    const meant = escapes[character]
    if (meant === undefined) bad ??= { problem: `invalid string literal: invalid escape char ${all}` }
    return meant ?? ''
  })
  return bad ?? text
}
