// Finalizers, as the controllers that hold objects by them ask about them and take them off.
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { Command } from '@shiplog/reconcile/reconciler'
import { isBeingDeleted, type ResourceName } from './ownership.ts'

export const hasFinalizer = (object: KubeObject, finalizer: string): boolean =>
  object.metadata.finalizers?.includes(finalizer) ?? false

/** Somebody wants it to go, and this finalizer holds it. */
export const isHeldBy = (object: KubeObject, finalizer: string): boolean =>
  isBeingDeleted(object) && hasFinalizer(object, finalizer)

/** Takes one finalizer off an object, provided that it is still as it was seen. */
export const dropFinalizer = (
  { group, resource }: ResourceName,
  { metadata }: KubeObject,
  finalizer: string,
): Command => {
  const { uid, resourceVersion, namespace, name } = metadata
  const kept = (metadata.finalizers ?? []).filter((one) => one !== finalizer)
  const body: JsonObject = { metadata: { uid, resourceVersion, finalizers: kept.length > 0 ? kept : null } }
  return {
    request: {
      verb: 'patch',
      group,
      resource,
      ...(namespace ? { namespace } : {}),
      name,
      patchType: 'application/merge-patch+json',
      body,
    },
  }
}
