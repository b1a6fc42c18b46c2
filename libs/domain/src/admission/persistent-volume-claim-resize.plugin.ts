// PersistentVolumeClaimResize: a claim grows only when it is bound and its class lets volumes grow.
import type { PersistentVolumeClaim } from '@shiplog/api/generated/types/core-v1'
import { ApiError, forbidden } from '@shiplog/api/status'
import { type AdmissionAttributes, type AdmissionPlugin, type AdmissionView, lookUp } from '../admission.ts'
import { compareQuantities } from '../quantities.ts'

const classOf = ({ metadata, spec }: PersistentVolumeClaim): string =>
  metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? spec.storageClassName ?? ''

function validate(attributes: AdmissionAttributes, view: AdmissionView): void {
  const { group, resource, subresource, operation, name, object, before } = attributes
  if (operation !== 'UPDATE' || group !== '' || resource !== 'persistentvolumeclaims' || subresource !== '') return
  const [next, last] = [object, before] as unknown as [PersistentVolumeClaim, PersistentVolumeClaim]
  const size = ({ spec }: PersistentVolumeClaim): string => spec.resources?.requests?.['storage'] ?? '0'
  if ((compareQuantities(size(next), size(last)) ?? 0) <= 0) return
  const refuse = (why: string): ApiError => new ApiError(forbidden({ group, resource }, name, why))
  if (last.status?.phase !== 'Bound') throw refuse('Only bound persistent volume claims can be expanded')
  const className = classOf(next)
  const isSame = className === classOf(last)
  const storageClass = isSame ? lookUp(view, 'storageclasses.storage.k8s.io', '', className) : undefined
  if (storageClass?.allowVolumeExpansion !== true)
    throw refuse(
      'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
    )
}

export const persistentVolumeClaimResize: AdmissionPlugin = { name: 'PersistentVolumeClaimResize', validate }
