// namespaces/finalize: the only write that touches a namespace's own finalizers.
import type { KubeObject } from '@shiplog/api/kube-object'
import { items } from '../fields.ts'

/** Keeps all of the namespace but `spec.finalizers`. */
export const prepareNamespaceFinalize = (draft: KubeObject, before: KubeObject): void => {
  const finalizers = items(draft['spec']?.finalizers)
  const { managedFields, resourceVersion } = draft.metadata
  for (const key of Object.keys(draft)) if (!(key in before)) delete draft[key]
  for (const [key, value] of Object.entries(before)) if (key !== 'metadata') draft[key] = value
  draft.metadata = { ...before.metadata }
  if (managedFields) draft.metadata.managedFields = managedFields
  if (resourceVersion === undefined) delete draft.metadata.resourceVersion
  draft['spec'] = { ...before['spec'] }
  if (finalizers.length > 0) draft['spec'].finalizers = [...finalizers]
  else delete draft['spec'].finalizers
}
