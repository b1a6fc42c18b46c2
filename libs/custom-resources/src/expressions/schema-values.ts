// Objects as expressions see them: read by their schema, and only where an expression looks.
import { parseDuration, parseTimestamp } from '@shiplog/cel/functions/times'
import {
  Duration,
  EvaluationError,
  keyOf as valueKey,
  Timestamp,
  Unknown,
  type ListValue,
  type MapValue,
  type Value,
} from '@shiplog/cel/values'
import { asResourceRoot, isPlainObject, valuesOf, type StructuralSchema } from '../schema/structural-schema.ts'
import { escapeName, isReserved } from './escape.ts'

const invalid = (detail: string): EvaluationError => new EvaluationError(`invalid data, ${detail}`)

const isInteger = (json: unknown): json is number | bigint => typeof json === 'bigint' || Number.isInteger(json)

/** The value of a piece of JSON under its schema. */
export const schemaValue = (json: unknown, schema: StructuralSchema): Value => {
  if (json === null || json === undefined) {
    if (schema.nullable) return null
    throw invalid('got null for schema with nullable=false')
  }
  if (schema.intOrString) {
    if (typeof json === 'string') return json
    if (isInteger(json)) return BigInt(json)
    throw invalid('expected XIntOrString value to be either a string or integer')
  }
  switch (schema.type) {
    case 'object':
      if (!isPlainObject(json)) throw invalid('expected a map for the provided schema with type=object')
      return objectValue(json, schema)
    case 'array':
      if (!Array.isArray(json)) throw invalid('expected an array for the provided schema with type=array')
      return arrayValue(json, schema)
    case 'string':
      if (typeof json !== 'string') throw invalid(`expected string, got ${typeof json}`)
      return textValue(json, schema.rules.format)
    case 'number':
      if (typeof json !== 'number' && typeof json !== 'bigint') throw invalid(`expected float, got ${typeof json}`)
      return Number(json)
    case 'integer':
      if (!isInteger(json)) throw invalid(`expected int, got ${typeof json}`)
      return BigInt(json)
    case 'boolean':
      if (typeof json !== 'boolean') throw invalid(`expected a bool, got ${typeof json}`)
      return json
    default:
      return new Unknown(json)
  }
}

const textValue = (text: string, format: string): Value => {
  switch (format) {
    case 'duration':
      return readDuration(text)
    case 'date':
      return parseTimestamp(`${text}T00:00:00Z`)
    case 'date-time':
      return new Timestamp(parseTimestamp(text.toUpperCase()).nanos)
    case 'byte':
      return Buffer.from(text, 'base64')
    default:
      return text
  }
}

const days: Readonly<Record<string, bigint>> = { d: 86_400n, w: 604_800n }

/** Go's form, and words as Scala has them: `2 days`. */
const readDuration = (text: string): Duration => {
  const worded = /^(\d+)\s*([a-zA-Z]+)$/.exec(text)
  const unit = worded?.[2]?.toLowerCase()[0] ?? ''
  if (worded && days[unit]) return new Duration(BigInt(worded[1]!) * days[unit] * 1_000_000_000n)
  return parseDuration(text)
}

const text: StructuralSchema = {
  ...{ type: 'string', description: '', title: '', default: undefined, example: undefined, externalDocs: undefined },
  ...{ nullable: false, properties: new Map(), items: undefined, additionalProperties: undefined },
  ...{ preserveUnknownFields: false, embeddedResource: false, intOrString: false, listMapKeys: [], listType: undefined },
  mapType: undefined,
  validations: [],
  rules: {
    ...{ format: '', maximum: undefined, exclusiveMaximum: false, minimum: undefined, exclusiveMinimum: false },
    ...{ maxLength: undefined, minLength: undefined, pattern: '', maxItems: undefined, minItems: undefined },
    ...{ uniqueItems: false, multipleOf: undefined, maxProperties: undefined, minProperties: undefined, required: [] },
    ...{ enum: undefined, allOf: [], anyOf: [], oneOf: [], not: undefined },
  },
}
const metadata: StructuralSchema = {
  ...text,
  type: 'object',
  properties: new Map([
    ['name', text],
    ['generateName', text],
  ]),
}
const metaSchemas: ReadonlyMap<string, StructuralSchema> = new Map([
  ['apiVersion', text],
  ['kind', text],
  ['metadata', metadata],
])

/** Names of fields by the names that expressions write; made once for a schema. */
const namesOf = (schema: StructuralSchema): ReadonlyMap<string, string> => {
  let names = known.get(schema)
  if (!names) {
    const all = [...schema.properties.keys(), ...(schema.embeddedResource ? metaSchemas.keys() : [])]
    names = new Map(all.map((name) => [escapeName(name) ?? '', name]))
    known.set(schema, names)
  }
  return names
}

const known = new WeakMap<StructuralSchema, ReadonlyMap<string, string>>()

const objectValue = (object: Record<string, unknown>, schema: StructuralSchema): MapValue => {
  const values = valuesOf(schema)
  const isMap = values !== undefined && schema.properties.size === 0 && !schema.embeddedResource
  const propertyOf = (name: string): StructuralSchema | undefined =>
    isMap ? values : ((schema.embeddedResource ? metaSchemas.get(name) : undefined) ?? schema.properties.get(name))
  const nameOf = (key: string): string | undefined => {
    if (isMap) return key
    const names = namesOf(schema)
    return names.get(key) ?? (isReserved(key) ? names.get(`__${key}__`) : undefined)
  }
  const read = (name: string): Value | undefined => {
    const property = propertyOf(name)
    if (property === undefined || !Object.hasOwn(object, name)) return undefined
    const json = object[name]
    return json === null && !property.nullable ? undefined : schemaValue(json, property)
  }
  return {
    kind: 'map',
    isObject: !isMap,
    get size() {
      return Object.keys(object).length
    },
    get: (key) => {
      const name = typeof key === 'string' ? nameOf(key) : undefined
      return name === undefined ? undefined : read(name)
    },
    keys: () =>
      Object.keys(object).flatMap((name) => (propertyOf(name) ? [isMap ? name : (escapeName(name) ?? name)] : [])),
  }
}

const arrayValue = (array: readonly unknown[], schema: StructuralSchema): ListValue => {
  const { items, listType } = schema
  if (!items) throw new EvaluationError('invalid array type, expected Items with a non-empty Schema')
  const list: ListValue = {
    kind: 'list',
    size: array.length,
    at: (index) => schemaValue(array[index], items),
  }
  if (listType === 'set') return { ...list, identity: valueKey }
  if (listType !== 'map') return list
  const keys = schema.listMapKeys.map((key) => escapeName(key) ?? key)
  return { ...list, identity: (item) => keys.map((key) => keyedBy(item, key)).join() }
}

const keyedBy = (item: Value, key: string): string => {
  const value = typeof item === 'object' && item !== null && 'kind' in item && item.kind === 'map' ? item.get(key) : undefined
  return value === undefined ? '' : JSON.stringify(valueKey(value))
}

/** `self` of a rule on a schema. */
export const selfValue = (json: unknown, schema: StructuralSchema, isResource: boolean): Value =>
  schemaValue(json, isResource ? asResourceRoot(schema) : schema)

