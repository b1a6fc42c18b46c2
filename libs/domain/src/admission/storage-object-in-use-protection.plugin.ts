// StorageObjectInUseProtection: claims, volumes and attributes classes carry a finalizer, so that they do not vanish under
// who uses them.
import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts'

const finalizers: Readonly<Record<string, string>> = {
  persistentvolumeclaims: 'kubernetes.io/pvc-protection',
  persistentvolumes: 'kubernetes.io/pv-protection',
  'volumeattributesclasses.storage.k8s.io': 'kubernetes.io/vac-protection',
}

const admit = (attributes: AdmissionAttributes): void => {
  const { group, resource, subresource, operation, object } = attributes
  const finalizer = finalizers[group === '' ? resource : `${resource}.${group}`]
  if (!finalizer || subresource !== '' || operation !== 'CREATE' || !object) return
  const present = object.metadata.finalizers ?? []
  if (!present.includes(finalizer)) object.metadata.finalizers = [...present, finalizer]
}

export const storageObjectInUseProtection: AdmissionPlugin = { name: 'StorageObjectInUseProtection', admit }
