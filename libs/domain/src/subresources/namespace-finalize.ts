// namespaces/finalize: the only write that touches a namespace's own finalizers.
import type { Namespace } from '@shiplog/api/generated/types/core-v1'
import type { Draft } from '@shiplog/api/decoded'
import type { JsonObject } from '@shiplog/api/kube-object'
import { items } from '../fields.ts'

/** Keeps all of the namespace but `spec.finalizers`. */
export const prepareNamespaceFinalize = (draft: Draft<Namespace>, before: Draft<Namespace>): void => {
  const finalizers = items(draft.spec?.finalizers)
  const { managedFields, resourceVersion } = draft.metadata
  const fields: JsonObject = draft
  for (const key of Object.keys(fields)) if (!(key in before)) delete fields[key]
  for (const [key, value] of Object.entries(before)) if (key !== 'metadata') fields[key] = value
  draft.metadata = { ...before.metadata }
  if (managedFields) draft.metadata.managedFields = managedFields
  if (resourceVersion === undefined) delete draft.metadata.resourceVersion
  const { finalizers: _, ...spec } = before.spec ?? {}
  draft.spec = finalizers.length > 0 ? { ...spec, finalizers: [...finalizers] } : spec
}
