// StorageObjectInUseProtection: claims and volumes carry a finalizer, so that they do not vanish under a pod.
import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts'

const finalizers: Readonly<Record<string, string>> = {
  persistentvolumeclaims: 'kubernetes.io/pvc-protection',
  persistentvolumes: 'kubernetes.io/pv-protection',
}

const admit = (attributes: AdmissionAttributes): void => {
  const { group, resource, subresource, operation, object } = attributes
  const finalizer = finalizers[resource]
  if (group !== '' || !finalizer || subresource !== '' || operation !== 'CREATE' || !object) return
  const present = object.metadata.finalizers ?? []
  if (!present.includes(finalizer)) object.metadata.finalizers = [...present, finalizer]
}

export const storageObjectInUseProtection: AdmissionPlugin = { name: 'StorageObjectInUseProtection', admit }
