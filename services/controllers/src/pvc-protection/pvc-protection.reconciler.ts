// PVC protection: a claim that is deleted stays while a pod uses it; then this takes off the finalizer that admission
// (StorageObjectInUseProtection) put on, and the claim goes. The view is a consistent prefix of the log, so a pod that was
// there before the deletion is in it: no live list is needed to be sure.
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import { settled, watchesResource, type Reconciler } from '@shiplog/reconcile/reconciler'
import { keyOfObject, type ObjectView } from '@shiplog/reconcile/view'
import { dropFinalizer, isHeldBy } from '../shared/finalizers.ts'
import { isBeingDeleted, isControlledBy } from '../shared/ownership.ts'
import { claimKeysOf, claimNameOf, podsByClaimIndex } from '../shared/pods-by-claim.ts'

const finalizer = 'kubernetes.io/pvc-protection'
const claims = { group: '', resource: 'persistentvolumeclaims' } as const

/** Nothing of it runs any more; it only waits for finalizers, perhaps for one that waits for its ephemeral claims. */
const isShutDown = (pod: Pod): boolean => isBeingDeleted(pod) && pod.metadata.deletionGracePeriodSeconds === 0

/** A pod uses a claim from when it has a node until it is gone, as upstream; a claim made for another pod's volume is not its own. */
function uses(pod: Pod, claim: KubeObject): boolean {
  if (!pod.spec.nodeName) return false
  return (pod.spec.volumes ?? []).some((volume) => {
    if (claimNameOf(pod, volume) !== claim.metadata.name) return false
    return volume.persistentVolumeClaim ? true : !isShutDown(pod) && isControlledBy(claim, pod)
  })
}

function* heldClaimKeys(pod: Pod, view: ObjectView): Iterable<string> {
  for (const key of claimKeysOf(pod)) {
    const claim = view.get(claims.resource, key)
    if (claim && isHeldBy(claim, finalizer)) yield key
  }
}

export const pvcProtectionReconciler: Reconciler = {
  name: 'persistentvolumeclaim-protection',
  component: 'pvc-protection-controller',
  indexes: [podsByClaimIndex],
  resources: [
    watchesResource(claims.resource, (change) => {
      const claim = change.object
      return !change.deleted && isHeldBy(claim, finalizer) ? [keyOfObject(claim)] : []
    }),
    watchesResource('pods', (change, before, view) => {
      const pod = change.object
      const keys = heldClaimKeys(pod, view)
      // A name that changed hands unseen: the former bearer may have been what a claim waited for.
      if (!before || before.metadata.uid === pod.metadata.uid) return keys
      return new Set([...keys, ...heldClaimKeys(before, view)])
    }),
  ],
  reconcile: (key, view) => {
    const claim = view.get(claims.resource, key)
    if (!claim || !isHeldBy(claim, finalizer)) return settled
    for (const pod of view.byIndex(podsByClaimIndex, key)) if (uses(pod, claim)) return settled
    return { commands: [dropFinalizer(claims, claim, finalizer)] }
  },
}
