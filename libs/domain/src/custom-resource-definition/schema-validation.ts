// What the schema of a kind that users bring must be: structural, so that unknown fields can be told from known ones, and
// without what the API server does not do (k8s.io/apiextensions-apiserver/pkg/apiserver/schema/validation.go).
import { forbiddenField, invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { StatusCause } from '@shiplog/api/status'
import { entries, items } from '../fields.ts'

type Place = 'root' | 'property' | 'item'

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string']
const scalarReasons = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired']
const missingType: Readonly<Record<Place, string>> = {
  root: 'must not be empty at the root',
  property: 'must not be empty for specified object fields',
  item: 'must not be empty for specified array items',
}
/** Keywords of JSON schemas that the API server does not know. */
const unsupported = ['id', 'additionalItems', 'patternProperties', 'definitions', 'dependencies', '$ref']
/** What only says something of the value and so may not say what is known of it. */
const notNested: readonly (readonly [key: string, state: string])[] = [
  ['type', 'empty'],
  ['additionalProperties', 'undefined'],
  ['default', 'undefined'],
  ['title', 'empty'],
  ['description', 'empty'],
  ['nullable', 'false'],
  ['x-kubernetes-preserve-unknown-fields', 'false'],
  ['x-kubernetes-embedded-resource', 'false'],
  ['x-kubernetes-int-or-string', 'false'],
  ['x-kubernetes-list-map-keys', 'empty'],
  ['x-kubernetes-list-type', 'undefined'],
  ['x-kubernetes-map-type', 'undefined'],
]

const isGiven = (value: unknown): boolean =>
  value !== undefined && value !== null && value !== '' && value !== false && !(Array.isArray(value) && value.length === 0)

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** `allOf` and its kin at `field`: only values are judged there. */
const validateNested = (schema: JsonObject, field: string): StatusCause[] => [
  ...notNested.flatMap(([key, state]) =>
    isGiven(schema[key]) ? [forbiddenField(`${field}.${key}`, `must be ${state} to be structural`)] : [],
  ),
  ...entries(schema['properties']).flatMap(([name, one]) => validateNested(one, `${field}.properties[${name}]`)),
  ...(isObject(schema['items']) ? validateNested(schema['items'], `${field}.items`) : []),
  ...validateJunctors(schema, field),
]

const validateJunctors = (schema: JsonObject, field: string): StatusCause[] => [
  ...['allOf', 'anyOf', 'oneOf'].flatMap((list) =>
    items(schema[list]).flatMap((one, index) => validateNested(one, `${field}.${list}[${index}]`)),
  ),
  ...(isObject(schema['not']) ? validateNested(schema['not'], `${field}.not`) : []),
]

const validateMetadata = (schema: JsonObject, field: string): StatusCause[] => {
  const causes: StatusCause[] = []
  for (const name of ['kind', 'apiVersion']) {
    const one = schema['properties']?.[name]
    if (one && one.type !== 'string')
      causes.push(invalidValue(`${field}.properties[${name}].type`, one.type ?? '', 'must be string'))
  }
  const metadata: JsonObject | undefined = schema['properties']?.metadata
  if (!metadata) return causes
  const at = `${field}.properties[metadata]`
  if (metadata['type'] !== 'object') causes.push(invalidValue(`${at}.type`, metadata['type'] ?? '', 'must be object'))
  const others = Object.keys(metadata).filter((key) => !['type', 'description', 'properties'].includes(key))
  const names = Object.keys(metadata['properties'] ?? {}).filter((name) => name !== 'name' && name !== 'generateName')
  if (others.length + names.length > 0)
    causes.push(
      forbiddenField(
        at,
        'must not specify anything other than name and generateName, but metadata is implicitly specified',
      ),
    )
  return causes
}

const validateType = (schema: JsonObject, field: string, place: Place): StatusCause[] => {
  const type: string = schema['type'] ?? ''
  const embedded = schema['x-kubernetes-embedded-resource'] === true
  const open = schema['x-kubernetes-preserve-unknown-fields'] === true
  const at = `${field}.type`
  const causes: StatusCause[] = []
  if (type === 'array' && !schema['items']) causes.push(required(`${field}.items`, 'must be specified'))
  if (embedded && type !== 'object') {
    const sentence = 'must be object if x-kubernetes-embedded-resource is true'
    causes.push(type === '' ? required(at, sentence) : invalidValue(at, type, sentence))
  } else if (type === '' && schema['x-kubernetes-int-or-string'] !== true && !open)
    causes.push(required(at, missingType[place]))
  if (embedded && !open && Object.keys(schema['properties'] ?? {}).length === 0)
    causes.push(
      required(
        `${field}.properties`,
        'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
      ),
    )
  if (place === 'root' && type !== '' && type !== 'object') causes.push(invalidValue(at, type, 'must be object at the root'))
  return causes
}

/** Whether every field that may be there can be told from the schema. */
const validateStructure = (schema: JsonObject, field: string, place: Place): StatusCause[] => [
  ...validateType(schema, field, place),
  ...(place === 'root' && schema['additionalProperties']
    ? [forbiddenField(`${field}.additionalProperties`, 'must not be used at the root')]
    : []),
  ...(place === 'root' || schema['x-kubernetes-embedded-resource'] === true ? validateMetadata(schema, field) : []),
  ...entries(schema['properties']).flatMap(([name, one]) => validateStructure(one, `${field}.properties[${name}]`, 'property')),
  ...(isObject(schema['additionalProperties'])
    ? validateStructure(schema['additionalProperties'], `${field}.additionalProperties`, 'property')
    : []),
  ...(isObject(schema['items']) ? validateStructure(schema['items'], `${field}.items`, 'item') : []),
  ...validateJunctors(schema, field),
]

const oneOf = (schema: JsonObject, key: string, values: readonly string[], type: string, field: string): StatusCause[] => {
  const value = schema[key]
  if (typeof value !== 'string') return []
  const at = `${field}.type`
  const sentence = `must be ${type} if ${key} is specified`
  return [
    ...(schema['type'] === type
      ? []
      : [schema['type'] ? invalidValue(at, schema['type'], sentence) : required(at, sentence)]),
    ...(values.includes(value) ? [] : [notSupported(`${field}.${key}`, value, values)]),
  ]
}

const validateListKeys = (schema: JsonObject, field: string): StatusCause[] => {
  const keys = items(schema['x-kubernetes-list-map-keys'])
  const type = schema['x-kubernetes-list-type']
  const item: JsonObject | undefined = isObject(schema['items']) ? schema['items'] : undefined
  const causes: StatusCause[] = []
  const at = `${field}.x-kubernetes-list-map-keys`
  if (keys.length > 0 && type !== 'map') {
    const sentence = 'must be map if x-kubernetes-list-map-keys is non-empty'
    const place = `${field}.x-kubernetes-list-type`
    causes.push(typeof type === 'string' ? invalidValue(place, type, sentence) : required(place, sentence))
  }
  if (type !== 'map') return causes
  if (keys.length === 0) causes.push(required(at, 'must not be empty if x-kubernetes-list-type is map'))
  if (!schema['items'])
    causes.push(required(`${field}.items`, 'must have a schema if x-kubernetes-list-type is map'))
  if (!item) return causes
  if (item['type'] !== 'object')
    return [
      ...causes,
      invalidValue(
        `${field}.items.type`,
        item['type'] ?? '',
        "must be object if parent array's x-kubernetes-list-type is map",
      ),
    ]
  keys.forEach((key, index) => {
    const property = item['properties']?.[key]
    if (!property) causes.push(invalidValue(at, keys, 'entries must all be names of item properties'))
    else if (property.type === 'array' || property.type === 'object')
      causes.push(
        invalidValue(
          `${field}.items.properties[${key}].type`,
          item['type'],
          "must be a scalar type if parent array's x-kubernetes-list-type is map",
        ),
      )
    if (keys.indexOf(key) < index) causes.push(invalidValue(at, keys, 'must not contain duplicate entries'))
  })
  return causes
}

const hasLineBreak = (text: string): boolean => /[\r\n]/.test(text)

const validateRules = (rules: unknown, field: string): StatusCause[] =>
  items(rules).flatMap((one: JsonObject, index) => {
    const at = `${field}.x-kubernetes-validations[${index}]`
    const { rule = '', message = '', messageExpression = '', reason } = one
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
  })

/** Keywords, one by one, at every level. */
const validateKeywords = (schema: JsonObject, field: string): StatusCause[] => {
  const type: string = schema['type'] ?? ''
  const below: [JsonObject, string][] = [
    ...entries(schema['properties']).map(([name, one]): [JsonObject, string] => [one, `${field}.properties[${name}]`]),
    ...['allOf', 'oneOf', 'anyOf'].flatMap((list) =>
      items(schema[list]).map((one, index): [JsonObject, string] => [one, `${field}.${list}[${index}]`]),
    ),
    ...['additionalProperties', 'items', 'not'].flatMap((key): [JsonObject, string][] =>
      isObject(schema[key]) ? [[schema[key], `${field}.${key}`]] : [],
    ),
  ]
  return [
    ...(type !== '' && !types.includes(type) ? [notSupported(`${field}.type`, type, types)] : []),
    ...unsupported.flatMap((key) =>
      isGiven(schema[key]) ? [forbiddenField(`${field}.${key}`, `${key} is not supported`)] : [],
    ),
    ...(type === 'null'
      ? [forbiddenField(`${field}.type`, 'type cannot be set to null, use nullable as an alternative')]
      : []),
    ...(Array.isArray(schema['items'])
      ? [forbiddenField(`${field}.items`, 'items must be a schema object and not an array')]
      : []),
    ...(schema['uniqueItems'] === true
      ? [
          forbiddenField(
            `${field}.uniqueItems`,
            'uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
          ),
        ]
      : []),
    ...(isGiven(schema['additionalProperties']) && Object.keys(schema['properties'] ?? {}).length > 0 && schema['additionalProperties'] !== true
      ? [forbiddenField(`${field}.additionalProperties`, 'additionalProperties and properties are mutual exclusive')]
      : []),
    ...(schema['x-kubernetes-preserve-unknown-fields'] === false
      ? [invalidValue(`${field}.x-kubernetes-preserve-unknown-fields`, false, 'must be true or undefined')]
      : []),
    ...oneOf(schema, 'x-kubernetes-map-type', ['atomic', 'granular'], 'object', field),
    ...oneOf(schema, 'x-kubernetes-list-type', ['atomic', 'set', 'map'], 'array', field),
    ...validateListKeys(schema, field),
    ...validateRules(schema['x-kubernetes-validations'], field),
    ...below.flatMap(([one, at]) => validateKeywords(one, at)),
  ]
}

/** A whole schema at `field`. */
export const validateSchema = (schema: JsonObject, field: string): StatusCause[] => {
  // What has no structural form at all is told of only where the keywords say nothing of it.
  const formless = ['id', '$ref', 'additionalItems', 'patternProperties', 'definitions', 'dependencies'].some((key) =>
    hasKeyword(schema, key),
  )
  const causes = [
    ...(schema['nullable'] === true ? [forbiddenField(`${field}.nullable`, 'nullable cannot be true at the root')] : []),
    ...(formless || hasKeyword(schema, '$schema') ? [] : validateStructure(schema, field, 'root')),
    ...validateKeywords(schema, field),
  ]
  return causes.length === 0 && hasKeyword(schema, '$schema')
    ? [invalidValue(field, '', "OpenAPIV3Schema 'schema' is not supported")]
    : causes
}

const hasKeyword = (schema: JsonObject, key: string): boolean =>
  isGiven(schema[key]) ||
  entries(schema['properties']).some(([, one]) => hasKeyword(one, key)) ||
  [schema['items'], schema['additionalProperties']].some((one) => isObject(one) && hasKeyword(one, key))
