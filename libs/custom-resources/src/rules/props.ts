// Schemas as they were sent, walked before anything is known of them.
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

/** Whether the schema or any below it is such, those under `allOf` and its kin included. */
export const someSchema = (schema: Props, is: (schema: Props) => boolean): boolean =>
  is(schema) ||
  entries(schema.properties).some(([, one]) => someSchema(one, is)) ||
  [schema.items, schema.additionalProperties, schema.not].some((one) => isObject(one) && someSchema(one, is)) ||
  junctors.some((key) => items(schema[key]).some((one) => someSchema(one, is)))
