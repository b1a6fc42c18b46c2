// The numbers that a scale subresource is made from must be such.
import { invalidValue } from '@shiplog/api/field-errors'
import type { CustomResourceSubresourceScale } from '@shiplog/api/generated/types/apiextensions-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { StatusCause } from '@shiplog/api/status'
import { isPlainObject } from '../schema/structural-schema.ts'
import { jsonTypeOf } from './value-rules.ts'

const replicasMax = 2 ** 31 - 1
const goTypes: Readonly<Record<string, string>> = {
  null: '<nil>',
  boolean: 'bool',
  integer: 'int64',
  number: 'float64',
  string: 'string',
  array: '[]interface {}',
  object: 'map[string]interface {}',
}

const accessorError = (path: string, value: unknown, wanted: string): string =>
  `${path} accessor error: ${value === null ? '<nil>' : typeof value === 'object' ? JSON.stringify(value) : String(value)} is of the type ${goTypes[jsonTypeOf(value)]}, expected ${wanted}`

/** The value that a path of dots leads to, or why there is none. */
export const valueAt = (object: JsonObject, path: string): { readonly value?: unknown; readonly problem?: string } => {
  let value: unknown = object
  const steps = path.replace(/^\./, '').split('.')
  for (let index = 0; index < steps.length; index++) {
    if (value === null) return {}
    if (!isPlainObject(value))
      return { problem: accessorError(`.${steps.slice(0, index + 1).join('.')}`, value, 'map[string]interface{}') }
    if (!Object.hasOwn(value, steps[index]!)) return {}
    value = value[steps[index]!]
  }
  return { value }
}

const validateReplicas = (object: JsonObject, path: string): StatusCause[] => {
  const { value, problem } = valueAt(object, path)
  if (problem !== undefined) return [invalidValue(path, 0, problem)]
  if (value === undefined) return []
  if (jsonTypeOf(value) !== 'integer')
    return [invalidValue(path, 0, accessorError(`.${path.replace(/^\./, '')}`, value, 'int64'))]
  if ((value as number) < 0) return [invalidValue(path, value, 'should be a non-negative integer')]
  if ((value as number) > replicasMax) return [invalidValue(path, value, `should be less than or equal to ${replicasMax}`)]
  return []
}

const validateSelector = (object: JsonObject, path: string | undefined): StatusCause[] => {
  if (!path) return []
  const { value, problem } = valueAt(object, path)
  if (problem !== undefined) return [invalidValue(path, '', problem)]
  return value === undefined || typeof value === 'string'
    ? []
    : [invalidValue(path, '', accessorError(`.${path.replace(/^\./, '')}`, value, 'string'))]
}

export const validateScaleSpec = (object: JsonObject, scale: CustomResourceSubresourceScale | undefined): StatusCause[] =>
  scale ? validateReplicas(object, scale.specReplicasPath) : []

export const validateScaleStatus = (
  object: JsonObject,
  scale: CustomResourceSubresourceScale | undefined,
): StatusCause[] =>
  scale
    ? [...validateReplicas(object, scale.statusReplicasPath), ...validateSelector(object, scale.labelSelectorPath)]
    : []
