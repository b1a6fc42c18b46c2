// Keywords of a schema, one by one and at every level: which the API server knows, and what they may say
// (k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation).
import { forbiddenField, invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type { StatusCause } from '@shiplog/api/status'
import { structuralSchema } from '../schema/structural-schema.ts'
import { fieldPath, isBadPath } from './field-path.ts'
import { entries, isGiven, isObject, items, type Props } from './props.ts'

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string']
const scalarReasons = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired']
/** Keywords of JSON schemas that the API server does not know. */
const unsupported = ['id', 'additionalItems', 'patternProperties', 'definitions', 'dependencies', '$ref']
const metaFields: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata'])

interface Place {
  readonly field: string
  readonly isRoot: boolean
  /** Below apiVersion, kind or metadata of a resource. */
  readonly insideMeta: boolean
  /** Why no default may be here. */
  readonly noDefaults?: string
}

const oneOf = (schema: Props, key: string, values: readonly string[], type: string, field: string): StatusCause[] => {
  const value = schema[key]
  if (typeof value !== 'string') return []
  const at = `${field}.type`
  const sentence = `must be ${type} if ${key} is specified`
  return [
    ...(schema.type === type ? [] : [schema.type ? invalidValue(at, schema.type, sentence) : required(at, sentence)]),
    ...(values.includes(value) ? [] : [notSupported(`${field}.${key}`, value, values)]),
  ]
}

/** What is in a set is compared whole. */
const validateSetItems = (schema: Props, field: string): StatusCause[] => {
  const item = schema.items
  if (schema['x-kubernetes-list-type'] !== 'set' || schema.type !== 'array' || !isObject(item)) return []
  const sentence = 'must be atomic as item of a list with x-kubernetes-list-type=set'
  const listType = item['x-kubernetes-list-type'] ?? null
  if (item.type === 'array' && listType !== null && listType !== 'atomic')
    return [invalidValue(`${field}.items.x-kubernetes-list-type`, listType, sentence)]
  return item.type === 'object' && item['x-kubernetes-map-type'] !== 'atomic'
    ? [invalidValue(`${field}.items.x-kubernetes-map-type`, listType, sentence)]
    : []
}

const validateListKeys = (schema: Props, field: string): StatusCause[] => {
  const keys = items(schema['x-kubernetes-list-map-keys'])
  const type = schema['x-kubernetes-list-type']
  const item = isObject(schema.items) ? schema.items : undefined
  const causes: StatusCause[] = []
  const at = `${field}.x-kubernetes-list-map-keys`
  if (keys.length > 0 && type !== 'map') {
    const sentence = 'must be map if x-kubernetes-list-map-keys is non-empty'
    const place = `${field}.x-kubernetes-list-type`
    causes.push(typeof type === 'string' ? invalidValue(place, type, sentence) : required(place, sentence))
  }
  if (type !== 'map') return causes
  if (keys.length === 0) causes.push(required(at, 'must not be empty if x-kubernetes-list-type is map'))
  if (!schema.items) causes.push(required(`${field}.items`, 'must have a schema if x-kubernetes-list-type is map'))
  if (!item) return causes
  if (item.type !== 'object')
    return [
      ...causes,
      invalidValue(`${field}.items.type`, item.type ?? '', "must be object if parent array's x-kubernetes-list-type is map"),
    ]
  keys.forEach((key, index) => {
    const property = item.properties?.[key]
    if (!property) causes.push(invalidValue(at, keys, 'entries must all be names of item properties'))
    else if (property.type === 'array' || property.type === 'object')
      causes.push(
        invalidValue(
          `${field}.items.properties[${key}].type`,
          item.type,
          "must be a scalar type if parent array's x-kubernetes-list-type is map",
        ),
      )
    if (keys.indexOf(key) < index) causes.push(invalidValue(at, keys, 'must not contain duplicate entries'))
  })
  return causes
}

/** Items of sets and maps can be told apart: they are there, and so are their keys. */
const validateKeyedItems = (schema: Props, field: string): StatusCause[] => {
  const type = schema['x-kubernetes-list-type']
  const item = schema.items
  if (!isObject(item) || (type !== 'set' && type !== 'map')) return []
  const causes: StatusCause[] = []
  if (item.nullable === true)
    causes.push(forbiddenField(`${field}.items.nullable`, `cannot be nullable when x-kubernetes-list-type is ${type}`))
  if (type === 'set') return causes
  const needed = new Set(items(item.required))
  for (const key of items(schema['x-kubernetes-list-map-keys'])) {
    const property = item.properties?.[key]
    if (!property) continue
    const at = `${field}.items.properties[${key}]`
    if (!needed.has(key) && (property.default ?? undefined) === undefined)
      causes.push(
        required(
          `${at}.default`,
          'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
        ),
      )
    if (property.nullable === true)
      causes.push(
        forbiddenField(
          `${at}.nullable`,
          'this property is in x-kubernetes-list-map-keys, so it cannot be nullable',
        ),
      )
  }
  return causes
}

const hasLineBreak = (text: string): boolean => /[\r\n]/.test(text)

const validateRuleText = (one: Props, at: string): StatusCause[] => {
  const { rule = '', message = '', messageExpression = '', reason } = one as Record<string, string | undefined>
  const [trimmedRule, trimmedMessage] = [rule.trim(), message.trim()]
  const causes: StatusCause[] = []
  if (trimmedRule === '') causes.push(required(`${at}.rule`, 'rule is not specified'))
  else if (message !== '' && trimmedMessage === '')
    causes.push(invalidValue(`${at}.message`, message, 'must be non-empty if specified'))
  else if (hasLineBreak(trimmedMessage))
    causes.push(invalidValue(`${at}.message`, message, 'must not contain line breaks'))
  else if (hasLineBreak(trimmedRule) && trimmedMessage === '')
    causes.push(required(`${at}.message`, 'message must be specified if rule contains line breaks'))
  if (messageExpression !== '' && messageExpression.trim() === '')
    causes.push(required(`${at}.messageExpression`, 'messageExpression must be non-empty if specified'))
  if (typeof reason === 'string' && !scalarReasons.includes(reason))
    causes.push(notSupported(`${at}.reason`, reason, scalarReasons))
  return causes
}

const validateFieldPath = (path: unknown, schema: Props, at: string): StatusCause[] => {
  if (typeof path !== 'string' || path === '') return []
  const causes: StatusCause[] = []
  if (path.trim() === '') causes.push(invalidValue(at, path, 'must be non-empty if specified'))
  if (hasLineBreak(path)) causes.push(invalidValue(at, path, 'must not contain line breaks'))
  if (isBadPath(fieldPath(path, structuralSchema(schema)))) causes.push(invalidValue(at, path, 'must be a valid path'))
  return causes
}

const validateRules = (schema: Props, field: string): StatusCause[] =>
  items(schema['x-kubernetes-validations']).flatMap((one: Props, index) => {
    const at = `${field}.x-kubernetes-validations[${index}]`
    return [...validateRuleText(one, at), ...validateFieldPath(one['fieldPath'], schema, `${at}.fieldPath`)]
  })

const validateUnsupported = (schema: Props, field: string): StatusCause[] => [
  ...unsupported.flatMap((key) =>
    isGiven(schema[key]) ? [forbiddenField(`${field}.${key}`, `${key} is not supported`)] : [],
  ),
  ...(schema.type === 'null'
    ? [forbiddenField(`${field}.type`, 'type cannot be set to null, use nullable as an alternative')]
    : []),
  ...(Array.isArray(schema.items)
    ? [forbiddenField(`${field}.items`, 'items must be a schema object and not an array')]
    : []),
  ...(schema.uniqueItems === true
    ? [
        forbiddenField(
          `${field}.uniqueItems`,
          'uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
        ),
      ]
    : []),
  ...(isGiven(schema.additionalProperties) &&
  Object.keys(schema.properties ?? {}).length > 0 &&
  schema.additionalProperties !== true
    ? [forbiddenField(`${field}.additionalProperties`, 'additionalProperties and properties are mutual exclusive')]
    : []),
  ...(schema['x-kubernetes-preserve-unknown-fields'] === false
    ? [invalidValue(`${field}.x-kubernetes-preserve-unknown-fields`, false, 'must be true or undefined')]
    : []),
]

const validatePlace = (schema: Props, { field, noDefaults, insideMeta }: Place): StatusCause[] => [
  ...(noDefaults !== undefined && (schema.default ?? undefined) !== undefined
    ? [forbiddenField(`${field}.default`, `must not be set ${noDefaults}`)]
    : []),
  ...(insideMeta && schema['x-kubernetes-embedded-resource'] === true
    ? [forbiddenField(`${field}.x-kubernetes-embedded-resource`, 'must not be used inside of resource meta')]
    : []),
]

/** Keywords, one by one, at every level. */
export const validateKeywords = (schema: Props, field: string): StatusCause[] =>
  validateAt(schema, { field, isRoot: true, insideMeta: false })

const validateAt = (schema: Props, place: Place): StatusCause[] => {
  const { field } = place
  const { type = '' } = schema
  return [
    ...(type !== '' && !types.includes(type) ? [notSupported(`${field}.type`, type, types)] : []),
    ...validatePlace(schema, place),
    ...validateUnsupported(schema, field),
    ...oneOf(schema, 'x-kubernetes-map-type', ['atomic', 'granular'], 'object', field),
    ...validateSetItems(schema, field),
    ...oneOf(schema, 'x-kubernetes-list-type', ['atomic', 'set', 'map'], 'array', field),
    ...validateListKeys(schema, field),
    ...validateKeyedItems(schema, field),
    ...validateRules(schema, field),
    ...below(schema, place).flatMap(([one, at]) => validateAt(one, at)),
  ]
}

const below = (schema: Props, place: Place): [Props, Place][] => {
  const { field, isRoot } = place
  const within: Place = { ...place, isRoot: false }
  const additional: Place = place.insideMeta
    ? { ...within, noDefaults: 'inside additionalProperties applying to object metadata' }
    : within
  const property = (name: string): Place => {
    const isMeta = (isRoot || schema['x-kubernetes-embedded-resource'] === true) && metaFields.has(name)
    return {
      ...within,
      field: `${field}.properties[${name}]`,
      insideMeta: place.insideMeta || isMeta,
      ...(isMeta && isRoot ? { noDefaults: `in top-level ${name}` } : {}),
    }
  }
  return [
    ...entries(schema.properties).map(([name, one]): [Props, Place] => [one, property(name)]),
    ...['allOf', 'oneOf', 'anyOf'].flatMap((list) =>
      items(schema[list]).map((one, index): [Props, Place] => [one, { ...within, field: `${field}.${list}[${index}]` }]),
    ),
    ...(isObject(schema.additionalProperties)
      ? [[schema.additionalProperties, { ...additional, field: `${field}.additionalProperties` }] as [Props, Place]]
      : []),
    ...['items', 'not'].flatMap((key): [Props, Place][] =>
      isObject(schema[key]) ? [[schema[key], { ...within, field: `${field}.${key}` }]] : [],
    ),
  ]
}
