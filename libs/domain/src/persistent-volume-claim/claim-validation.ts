// What a claim's spec must say, also inside StatefulSets and ephemeral volumes.
import { forbiddenField, invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type { PersistentVolumeClaimSpec, TypedObjectReference } from '@shiplog/api/generated/types/core-v1'
import { validateLabelSelector } from '@shiplog/api/selectors'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded } from '@shiplog/api/decoded'
import { byRule, items, optionalName } from '../fields.ts'
import { dns1123Subdomain } from '../names.ts'
import { nanosOf } from '../quantities.ts'

/** How volumes may be mounted. */
export const accessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod']
/** What volumes hold. */
export const volumeModes = ['Block', 'Filesystem']

export const validateClaimSpec = (spec: Decoded<PersistentVolumeClaimSpec>, field: string): StatusCause[] => {
  const causes: StatusCause[] = []
  const modes = items(spec.accessModes)
  if (modes.length === 0) causes.push(required(`${field}.accessModes`, 'at least 1 access mode is required'))
  causes.push(...validateLabelSelector(spec.selector, `${field}.selector`))
  for (const mode of modes)
    if (!accessModes.includes(mode)) causes.push(notSupported(`${field}.accessModes`, mode, accessModes))
  if (
    modes.includes('ReadWriteOncePod') &&
    modes.some((mode) => mode !== 'ReadWriteOncePod' && accessModes.includes(mode))
  )
    causes.push(forbiddenField(`${field}.accessModes`, 'may not use ReadWriteOncePod with other access modes'))
  const storage = spec.resources?.requests?.['storage']
  if (storage === undefined) causes.push(required(`${field}.resources[storage]`))
  else {
    const nanos = nanosOf(storage)
    if (nanos !== undefined && nanos <= 0n)
      causes.push(invalidValue(`${field}.resources[storage]`, String(storage), 'must be greater than zero'))
  }
  for (const key of ['storageClassName', 'volumeAttributesClassName'] as const)
    causes.push(...optionalName(dns1123Subdomain, spec[key], `${field}.${key}`))
  if (typeof spec.volumeMode === 'string' && !volumeModes.includes(spec.volumeMode))
    causes.push(notSupported(`${field}.volumeMode`, spec.volumeMode, volumeModes))
  for (const key of ['dataSource', 'dataSourceRef'] as const) {
    const source = spec[key]
    if (!source) continue
    for (const part of ['name', 'kind'] as const) if (!source[part]) causes.push(required(`${field}.${key}.${part}`))
    if (source.apiGroup) causes.push(...byRule(dns1123Subdomain, source.apiGroup, `${field}.${key}.apiGroup`))
    if (!source.apiGroup && source.kind !== 'PersistentVolumeClaim')
      causes.push(
        invalidValue(
          `${field}.${key}`,
          source.kind ?? '',
          "must be 'PersistentVolumeClaim' when referencing the default apiGroup",
        ),
      )
  }
  const { dataSource: source, dataSourceRef: reference } = spec
  // Upstream shows where the value is instead of the value, and that has no form.
  if (source && reference?.namespace)
    causes.push(invalidValue(field, {}, 'may not be specified when dataSourceRef.namespace is specified'))
  else if (source && reference && !sameSource(source, reference))
    causes.push(invalidValue(field, {}, 'must match dataSourceRef'))
  return causes
}

type Source = Decoded<TypedObjectReference>

const sameSource = (one: Source, other: Source): boolean =>
  (['apiGroup', 'kind', 'name'] as const).every((key) => (one[key] ?? null) === (other[key] ?? null))
