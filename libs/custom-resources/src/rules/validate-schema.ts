// What the schema of a kind that users bring must be, as the API server says it when it is written.
import { forbiddenField, invalidValue } from '@shiplog/api/field-errors'
import type { JSONSchemaProps } from '@shiplog/api/generated/types/apiextensions-v1'
import type { StatusCause } from '@shiplog/api/status'
import { expressions } from '../expressions/late.ts'
import { hasRules, structuralSchema } from '../schema/structural-schema.ts'
import { shownJson } from '../validation/go-text.ts'
import type { MetadataRules } from '../values/embedded-resources.ts'
import { validateDefaults } from './defaults.ts'
import { validateKeywords } from './keywords.ts'
import { eachSchema, isGiven, type Props } from './props.ts'
import { validateStructure } from './structure.ts'

export interface SchemaCheck {
  readonly field: string
  /** The kind has a status subresource: its schema is taken out of the whole one. */
  readonly hasStatus: boolean
  readonly metadata: MetadataRules
  /** The schema was stored before: what one of its expressions may cost then is no longer asked. */
  readonly isUnchanged?: boolean
}

/** Keywords for which there is no structural form at all: told of only where nothing else is. */
const formless: readonly (readonly [is: (schema: Props) => boolean, sentence: string])[] = [
  ...['id', '$schema', '$ref', 'patternProperties', 'dependencies', 'additionalItems', 'definitions'].map(
    (key): readonly [(schema: Props) => boolean, string] => [
      (schema) => isGiven(schema[key]),
      `OpenAPIV3Schema '${key === '$schema' ? 'schema' : key}' is not supported`,
    ],
  ),
  [(schema) => Array.isArray(schema.items), "OpenAPIV3Schema 'items' must be a schema, but is an array"],
  [
    (schema) => schema['x-kubernetes-preserve-unknown-fields'] === false,
    "internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined",
  ],
]

/** Why a schema has no structural form: of several reasons the first. */
const whyFormless = (schema: Props): string | undefined => {
  let first = formless.length
  eachSchema(schema, (one) => {
    for (let at = 0; at < first; at++) if (formless[at]![0](one)) first = at
  })
  return formless[first]?.[1]
}

/** All that is wrong with a whole schema at `field`; with its rules' expressions, where the rest is right. */
export const validateSchema = (given: JSONSchemaProps, check: SchemaCheck): StatusCause[] => {
  const schema = given as Props
  const { field } = check
  const why = whyFormless(schema)
  const structure = why === undefined ? validateStructure(schema, field) : []
  const causes = [
    ...(check.hasStatus ? validateRootKeys(schema, field) : []),
    ...(schema.nullable === true ? [forbiddenField(`${field}.nullable`, 'nullable cannot be true at the root')] : []),
    ...structure,
    ...(why === undefined && structure.length === 0
      ? validateDefaults(structuralSchema(schema), field, check.metadata)
      : []),
    ...validateKeywords(schema, field),
  ]
  if (causes.length > 0) return causes
  if (why !== undefined) return [invalidValue(field, '', why)]
  // What an expression means cannot be told from a schema that is wrong.
  return hasRules(structuralSchema(schema)) ? expressions().validateRuleExpressions(schema, field, check) : []
}

/** The violations that the condition `NonStructuralSchema` tells of; none for a schema that may be served in full. */
export const structuralViolations = (given: JSONSchemaProps, field: string): StatusCause[] => {
  const why = whyFormless(given as Props)
  return why === undefined ? validateStructure(given as Props, field) : [invalidValue(field, '', why)]
}

/** In the names of Go's fields. */
const rootKeys = [
  ...['Description', 'Type', 'Format', 'Title', 'Maximum', 'ExclusiveMaximum', 'Minimum', 'ExclusiveMinimum'],
  ...['MaxLength', 'MinLength', 'Pattern', 'MaxItems', 'MinItems', 'UniqueItems', 'MultipleOf', 'Required', 'Items'],
  ...['Properties', 'ExternalDocs', 'Example', 'XPreserveUnknownFields', 'XValidations'],
]
const goNames: Readonly<Record<string, string>> = {
  'x-kubernetes-preserve-unknown-fields': 'XPreserveUnknownFields',
  'x-kubernetes-validations': 'XValidations',
}

const validateRootKeys = (schema: Props, field: string): StatusCause[] => {
  const given = Object.keys(schema).filter((key) => isGiven(schema[key]))
  if (schema.type && schema.type !== 'object')
    return [
      invalidValue(
        `${field}.type`,
        schema.type,
        'only "object" is allowed as the type at the root of the schema if the status subresource is enabled',
      ),
    ]
  const allowed = (key: string): boolean => rootKeys.includes(goNames[key] ?? `${key[0]!.toUpperCase()}${key.slice(1)}`)
  return given.every(allowed)
    ? []
    : [
        invalidValue(
          field,
          shownJson(schema),
          `only [${rootKeys.join(' ')}] fields are allowed at the root of the schema if the status subresource is enabled`,
        ),
      ]
}
