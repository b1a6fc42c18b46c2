// What makes a schema structural: every field that may be there, and its type, can be told from the schema without a value
// (k8s.io/apiextensions-apiserver/pkg/apiserver/schema/validation.go and complete.go).
import { spendSteps } from '@shiplog/cel/meter'
import { forbiddenField, invalidValue, required } from '@shiplog/api/field-errors'
import type { StatusCause } from '@shiplog/api/status'
import { isBadExpression, regularExpression } from '@shiplog/cel/regular-expression'
import { entries, isGiven, isObject, items, junctors, type Props } from './props.ts'

type Place = 'root' | 'property' | 'item'

const missingType: Readonly<Record<Place, string>> = {
  root: 'must not be empty at the root',
  property: 'must not be empty for specified object fields',
  item: 'must not be empty for specified array items',
}

/** What says which values there may be, and so may not stand where values are only judged. */
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
  ['x-kubernetes-validations', 'empty'],
]

/** All violations, in the order in which upstream sorts them. */
export const validateStructure = (schema: Props, field: string): StatusCause[] =>
  [...validateLevel(schema, field, 'root'), ...validateCompleteness(schema, schema, field, field)].sort((a, b) =>
    textOf(a) < textOf(b) ? -1 : 1,
  )

const textOf = (cause: StatusCause): string => `${cause.field}: ${cause.message}`

/** Of the meter, for all checks of one schema without those below it. */
const levelSteps = 1_000

const validateLevel = (schema: Props, field: string, place: Place): StatusCause[] => {
  spendSteps(levelSteps)
  return causesOf(schema, field, place)
}

const causesOf = (schema: Props, field: string, place: Place): StatusCause[] => [
  ...validateType(schema, field, place),
  ...validateAdditional(schema, field, place),
  ...(place === 'root' || schema['x-kubernetes-embedded-resource'] === true ? validateMeta(schema, field) : []),
  ...(place === 'root' ? validateRootMetadata(schema, field) : []),
  ...validateExtensions(schema, field),
  ...entries(schema.properties).flatMap(([name, one]) => validateLevel(one, `${field}.properties[${name}]`, 'property')),
  ...(isObject(schema.items) ? validateLevel(schema.items, `${field}.items`, 'item') : []),
  ...validateValueRules(schema, field),
]

const validateType = (schema: Props, field: string, place: Place): StatusCause[] => {
  const { type = '' } = schema
  const embedded = schema['x-kubernetes-embedded-resource'] === true
  const open = schema['x-kubernetes-preserve-unknown-fields'] === true
  const at = `${field}.type`
  const causes: StatusCause[] = []
  if (type === 'array' && !schema.items) causes.push(required(`${field}.items`, 'must be specified'))
  if (embedded && type !== 'object') {
    const sentence = 'must be object if x-kubernetes-embedded-resource is true'
    causes.push(type === '' ? required(at, sentence) : invalidValue(at, type, sentence))
  } else if (type === '' && schema['x-kubernetes-int-or-string'] !== true && !open)
    causes.push(required(at, missingType[place]))
  if (embedded && !open && Object.keys(schema.properties ?? {}).length === 0)
    causes.push(
      required(
        `${field}.properties`,
        'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
      ),
    )
  if (place === 'root' && type !== '' && type !== 'object') causes.push(invalidValue(at, type, 'must be object at the root'))
  return causes
}

const validateAdditional = (schema: Props, field: string, place: Place): StatusCause[] => {
  const additional = schema.additionalProperties
  if (additional === undefined || additional === null) return []
  const at = `${field}.additionalProperties`
  return [
    ...(place === 'root' ? [forbiddenField(at, 'must not be used at the root')] : []),
    ...(schema['x-kubernetes-embedded-resource'] === true
      ? [forbiddenField(at, 'must not be used if x-kubernetes-embedded-resource is set')]
      : []),
    ...(isObject(additional) ? validateLevel(additional, at, 'property') : []),
  ]
}

/** kind, apiVersion and metadata are what they are in every object. */
const validateMeta = (schema: Props, field: string): StatusCause[] => {
  const causes: StatusCause[] = []
  for (const name of ['kind', 'apiVersion']) {
    const one = schema.properties?.[name]
    if (one && one.type !== 'string')
      causes.push(invalidValue(`${field}.properties[${name}].type`, one.type ?? '', 'must be string'))
  }
  const metadata = schema.properties?.['metadata']
  if (metadata && metadata.type !== 'object')
    causes.push(invalidValue(`${field}.properties[metadata].type`, metadata.type ?? '', 'must be object'))
  return causes
}

const validateRootMetadata = (schema: Props, field: string): StatusCause[] => {
  const metadata: Props | undefined = schema.properties?.['metadata']
  if (!metadata) return []
  const others = Object.keys(metadata).filter(
    (key) => !['type', 'default', 'properties'].includes(key) && isGiven(metadata[key]),
  )
  const names = Object.keys(metadata.properties ?? {}).filter((name) => name !== 'name' && name !== 'generateName')
  return others.length + names.length === 0
    ? []
    : [
        forbiddenField(
          `${field}.properties[metadata]`,
          'must not specify anything other than name and generateName, but metadata is implicitly specified',
        ),
      ]
}

const validateExtensions = (schema: Props, field: string): StatusCause[] =>
  schema['x-kubernetes-int-or-string'] === true
    ? ['x-kubernetes-preserve-unknown-fields', 'x-kubernetes-embedded-resource'].flatMap((key) =>
        schema[key] === true
          ? [invalidValue(`${field}.${key}`, true, 'must be false if x-kubernetes-int-or-string is true')]
          : [],
      )
    : []

/** `anyOf: [{type: integer}, {type: string}]`: the one place where a nested schema may name types. */
const isEitherType = (schemas: unknown): boolean => {
  const types = items(schemas).map((one) => (Object.keys(one).filter((key) => isGiven(one[key])).length === 1 ? one.type : ''))
  return types.length === 2 && types[0] === 'integer' && types[1] === 'string'
}

const validateValueRules = (schema: Props, field: string): StatusCause[] => {
  const skipsAny = isEitherType(schema.anyOf)
  const skipsFirst = isEitherType(items(schema.allOf)[0]?.anyOf)
  return validateJunctors(schema, field, skipsAny, skipsFirst)
}

const validateJunctors = (schema: Props, field: string, skipsAny: boolean, skipsFirst: boolean): StatusCause[] => [
  ...junctors.flatMap((list) =>
    items(schema[list]).flatMap((one, index) =>
      list === 'anyOf' && skipsAny
        ? []
        : validateNested(one, `${field}.${list}[${index}]`, list === 'allOf' && index === 0 && skipsFirst),
    ),
  ),
  ...(isObject(schema.not) ? validateNested(schema.not, `${field}.not`, false) : []),
  ...validatePattern(schema, field),
]

const validatePattern = ({ pattern }: Props, field: string): StatusCause[] => {
  if (!pattern) return []
  const expression = regularExpression(pattern)
  return isBadExpression(expression)
    ? [
        invalidValue(
          `${field}.pattern`,
          pattern,
          `must be a valid regular expression, but isn't: ${expression.problem}`,
        ),
      ]
    : []
}

/** `allOf` and its kin at `field`: only values are judged there. */
const validateNested = (schema: Props, field: string, skipsAny: boolean): StatusCause[] => [
  ...notNested.flatMap(([key, state]) =>
    isGiven(schema[key]) ? [forbiddenField(`${field}.${key}`, `must be ${state} to be structural`)] : [],
  ),
  ...entries(schema.properties).flatMap(([name, one]) => validateNested(one, `${field}.properties[${name}]`, false)),
  ...(isObject(schema.properties) && Object.hasOwn(schema.properties, 'metadata')
    ? [forbiddenField(`${field}.properties[metadata]`, 'must not be specified in a nested context')]
    : []),
  ...(isObject(schema.items) ? validateNested(schema.items, `${field}.items`, false) : []),
  ...validateJunctors(schema, field, skipsAny, false),
]

/** Whatever a nested schema judges must be in the structure, too. */
const validateCompleteness = (rules: Props, schema: Props, field: string, at: string): StatusCause[] => [
  ...(isObject(rules.not) ? validateNestedCompleteness(rules.not, schema, field, `${at}.not`) : []),
  ...junctors.flatMap((list) =>
    items(rules[list]).flatMap((one, index) => validateNestedCompleteness(one, schema, field, `${at}.${list}[${index}]`)),
  ),
]

const validateNestedCompleteness = (
  rules: Props,
  schema: Props | undefined,
  field: string,
  at: string,
): StatusCause[] => {
  if (!schema) return [required(field, `because it is defined in ${at}`)]
  return [
    ...validateCompleteness(rules, schema, field, at),
    ...(isObject(rules.items)
      ? validateNestedCompleteness(
          rules.items,
          isObject(schema.items) ? schema.items : undefined,
          `${field}.items`,
          `${at}.items`,
        )
      : []),
    ...entries(rules.properties).flatMap(([name, one]) => {
      const property = isObject(schema.properties) && Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined
      return validateNestedCompleteness(one, property, `${field}.properties[${name}]`, `${at}.properties[${name}]`)
    }),
  ]
}
