// LimitRanger: containers, pods and claims keep to the LimitRanges of their namespace, and get their defaults.
import type { LimitRange, PersistentVolumeClaim, Pod } from '@shiplog/api/generated/types/core-v1'
import { ApiError, forbidden } from '@shiplog/api/status'
import type { AdmissionAttributes, AdmissionPlugin, AdmissionView } from '../admission.ts'
import { claimFault, podFault, setLimitDefaults } from '../limit-range/enforce.ts'

/**
 * Pods when they are made or resized, claims when they are made or changed; what is going is left alone, and what has no spec
 * is refused later on.
 */
function concerns({ group, resource, subresource, operation, object, before }: AdmissionAttributes): boolean {
  if (group !== '' || !object || !('spec' in object) || before?.metadata.deletionTimestamp) return false
  if (resource === 'pods') return operation === 'CREATE' ? subresource === '' : subresource === 'resize'
  return resource === 'persistentvolumeclaims' && subresource === ''
}

const rangesOf = ({ namespace }: AdmissionAttributes, view: AdmissionView): readonly LimitRange[] =>
  view.list('limitranges', namespace) as unknown as readonly LimitRange[]

function admit(attributes: AdmissionAttributes, view: AdmissionView): void {
  if (attributes.resource !== 'pods' || !concerns(attributes)) return
  for (const range of rangesOf(attributes, view)) setLimitDefaults(range, attributes.object as unknown as Pod)
}

function validate(attributes: AdmissionAttributes, view: AdmissionView): void {
  if (!concerns(attributes)) return
  const { group, resource, name, object } = attributes
  for (const range of rangesOf(attributes, view)) {
    const fault =
      resource === 'pods'
        ? podFault(range, object as unknown as Pod)
        : claimFault(range, object as unknown as PersistentVolumeClaim)
    if (fault) throw new ApiError(forbidden({ group, resource }, name, fault))
  }
}

export const limitRanger: AdmissionPlugin = { name: 'LimitRanger', admit, validate }
