// YAML bodies, read as sigs.k8s.io/yaml reads them: YAML 1.1's booleans and octal numbers, no dates, merge keys, string
// keys only. kubectl sends JSON even where it says YAML, so the parser is loaded when the first such body comes.
import { createRequire } from 'node:module'
import type { LoadOptions, Schema } from 'js-yaml'
import { DecodeError } from './decode-error.ts'
import type { DecodedText } from './decode-json.ts'
import { exactInteger } from '../exact-json.ts'

type JsYaml = typeof import('js-yaml')

const depthMaxYaml = 100
/** Aliases may make a short text mean a large value: "billion laughs". */
const valuesMax = 1_000_000

let parser: { load: JsYaml['loadAll']; schema: Schema } | undefined

/** Throws DecodeError for what is no YAML, more than one document, or no JSON value. */
export const decodeYaml = (text: string): DecodedText => {
  parser ??= loadParser()
  const { load, schema } = parser
  const options: LoadOptions = { schema, maxDepth: depthMaxYaml, maxTotalMergeKeys: 10_000 }
  const duplicates: string[] = []
  let documents: unknown[]
  try {
    documents = load(text, options)
  } catch (error) {
    const duplicate = duplicateKey(error, text)
    if (!duplicate) throw yamlError(error, text)
    duplicates.push(duplicate)
    try {
      documents = load(text, { ...options, json: true })
    } catch (second) {
      throw yamlError(second, text)
    }
  }
  const values = documents.filter((document) => document !== null && document !== undefined)
  if (values.length > 1) throw new DecodeError('error converting YAML to JSON: expected a single document')
  const budget = { left: valuesMax }
  return { value: values.length === 0 ? null : jsonValue(values[0], budget), duplicates }
}

const loadParser = (): NonNullable<typeof parser> => {
  const yaml = createRequire(import.meta.url)('js-yaml') as JsYaml
  // YAML 1.1 also reads 1:30 as a number of seconds; Go's parser does not, and times of day are common in annotations.
  const integer = yaml.defineScalarTag<number | bigint>('tag:yaml.org,2002:int', {
    implicit: true,
    resolve: (source) => integerOf(source) ?? yaml.NOT_RESOLVED,
    identify: () => false,
  })
  return { load: yaml.loadAll, schema: yaml.CORE_SCHEMA.withTags(yaml.boolYaml11Tag, yaml.mergeTag, integer) }
}

const integerForm = /^([-+]?)(?:0x([0-9a-fA-F]+)|0b([01]+)|0o?([0-7]+)|(0|[1-9][0-9]*))$/

/** `0644` is 420, `0x1F` 31, `1_000` 1000. */
const integerOf = (source: string): number | bigint | undefined => {
  const match = integerForm.exec(source.replaceAll('_', ''))
  if (!match || source.startsWith('_')) return undefined
  const [, sign, hexadecimal, binary, octal, decimal] = match
  const magnitude = hexadecimal ? `0x${hexadecimal}` : binary ? `0b${binary}` : octal ? `0o${octal}` : decimal!
  const value = BigInt(magnitude)
  return exactInteger(sign === '-' ? -value : value)
}

interface YamlException extends Error {
  readonly reason?: string
  readonly mark?: { readonly line: number; readonly column: number; readonly position: number }
}

const duplicateKey = (error: unknown, text: string): string | undefined => {
  const { reason, mark } = error as YamlException
  if (!reason?.includes('duplicated mapping key') || !mark) return undefined
  const key = /^\s*(?:"([^"]*)"|'([^']*)'|([^:\s]+))/.exec(text.split('\n')[mark.line]?.slice(mark.column) ?? '')
  const name = key?.[1] ?? key?.[2] ?? key?.[3] ?? ''
  return `yaml: unmarshal errors:\n  line ${mark.line + 1}: key ${JSON.stringify(name)} already set in map`
}

const yamlError = (error: unknown, text: string): DecodeError => {
  if (error instanceof DecodeError) return error
  const { reason, message, mark } = error as YamlException
  return new DecodeError(`yaml: ${mark ? `line ${mark.line + 1}: ` : ''}${goReason(reason ?? message, text)}`)
}

/** What our parser says and upstream's says otherwise. */
const goReason = (reason: string, text: string): string => {
  if (reason === 'unexpected end of the stream within a flow collection')
    return `did not find expected ',' or '${lastOpened(text) === '{' ? '}' : ']'}'`
  return reason
}

/** The bracket of a broken text that was opened last and not closed. */
const lastOpened = (text: string): string | undefined => {
  const open: string[] = []
  for (const [bracket] of text.matchAll(/[[\]{}]/g)) {
    if (bracket === '[' || bracket === '{') open.push(bracket)
    else open.pop()
  }
  return open.at(-1)
}

/** A copy that JSON could have given: no shared parts, no numbers that JSON has no word for. */
const jsonValue = (value: unknown, budget: { left: number }): unknown => {
  if (--budget.left < 0)
    throw new DecodeError('error converting YAML to JSON: yaml: document contains excessive aliasing')
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new DecodeError(`json: unsupported value: ${value}`)
    return value
  }
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item) => jsonValue(item, budget))
  // fromEntries defines keys, so that `__proto__` stays a plain one.
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, jsonValue(item, budget)]))
}
