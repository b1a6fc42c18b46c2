// Schemas as they were sent, walked before anything is known of them.
import { spendSteps } from '@shiplog/cel/meter'
import type { JSONSchemaProps } from '@shiplog/api/generated/types/apiextensions-v1'
import type { JsonObject } from '@shiplog/api/kube-object'

export type Props = JSONSchemaProps & JsonObject

/** Not the zero value that Go cannot tell from absence. */
export const isGiven = (value: unknown): boolean =>
  value !== undefined && value !== null && value !== '' && value !== false && !(Array.isArray(value) && value.length === 0)

export const isObject = (value: unknown): value is Props =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const items = (value: unknown): readonly any[] => (Array.isArray(value) ? value : [])

export const entries = (value: unknown): [string, Props][] => (isObject(value) ? Object.entries(value) : [])

export const junctors = ['allOf', 'anyOf', 'oneOf'] as const

/** Of the meter, for one look at one schema without those below it. */
const schemaSteps = 50

/** Looks at the schema and all below it, those under `allOf` and its kin included. */
export const eachSchema = (schema: Props, look: (schema: Props) => void): void => {
  spendSteps(schemaSteps)
  look(schema)
  const { properties, items: ofItems, additionalProperties, not } = schema
  if (isObject(properties)) for (const name in properties) eachSchema(properties[name] as Props, look)
  for (const one of [ofItems, additionalProperties, not]) if (isObject(one)) eachSchema(one, look)
  for (const key of junctors) for (const one of items(schema[key])) eachSchema(one, look)
}
