// ConfigMaps: texts and bytes by key, 1 MiB at most, immutable when they say so.
import { forbiddenField, invalidValue, tooLong } from '@shiplog/api/field-errors'
import type { ConfigMap } from '@shiplog/api/generated/types/core-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Draft } from '@shiplog/api/decoded'
import { deepEqual } from '../deep-equal.ts'
import type { Strategy } from '../strategy.ts'
import { byRule, entries } from '../fields.ts'
import { configMapKey } from '../names.ts'
import { base64Bytes, dataBytesMax, textBytes } from './data-size.ts'

const validate = (configMap: Draft<ConfigMap>): StatusCause[] => {
  const causes: StatusCause[] = []
  const binary = configMap.binaryData ?? {}
  for (const [key] of entries(configMap.data)) {
    causes.push(...byRule(configMapKey, key, `data[${key}]`))
    if (Object.hasOwn(binary, key))
      causes.push(invalidValue(`data[${key}]`, key, 'duplicate of key present in binaryData'))
  }
  for (const [key] of entries(binary)) causes.push(...byRule(configMapKey, key, `binaryData[${key}]`))
  if (textBytes(configMap.data) + base64Bytes(binary) > dataBytesMax) causes.push(tooLong('[]', dataBytesMax))
  return causes
}

/** What `immutable: true` forbids, for ConfigMaps and Secrets. */
export const validateImmutability = <Kind extends { immutable?: boolean | undefined }>(
  next: Kind,
  before: Kind,
  fields: readonly (keyof Kind & string)[],
): StatusCause[] => {
  if (before.immutable !== true) return []
  const causes: StatusCause[] = []
  if (next.immutable !== true) causes.push(forbiddenField('immutable', 'field is immutable when `immutable` is set'))
  // An entry that says nothing is one.
  for (const field of fields)
    if (!deepEqual(next[field] ?? {}, before[field] ?? {}))
      causes.push(forbiddenField(field, 'field is immutable when `immutable` is set'))
  return causes
}

export const configMapStrategy: Strategy<ConfigMap> = {
  hasGeneration: false,
  validate,
  validateUpdate: (next, before) => validateImmutability(next, before, ['data', 'binaryData']),
}
