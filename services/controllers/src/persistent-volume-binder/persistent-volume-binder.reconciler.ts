// The persistent volume binder: claims get volumes that exist (pkg/controller/volume/persistentvolume upstream), and volumes
// whose claims are gone are kept or given up as their policy says. Making and deleting volumes is for drivers. A claim of a
// class that waits for its first consumer is bound when a pod that uses it has a node.
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '@shiplog/api/generated/types/core-v1'
import { readsResource, watchesResource, type ChangeOf, type Reconciler } from '@shiplog/reconcile/reconciler'
import { keyOf, keyOfObject, type ObjectView, viewIndex } from '@shiplog/reconcile/view'
import { claimKeysOf, podsByClaimIndex } from '../shared/pods-by-claim.ts'
import { reconcileClaim } from './claim-rounds.ts'
import { reconcileVolume } from './volume-rounds.ts'

const claimPrefix = 'claim '
const volumePrefix = 'volume '

/** Claims that wait for a volume. */
const unboundIndex = viewIndex('persistentvolumeclaims', 'unbound claims', (claim) =>
  claim.metadata.annotations?.['pv.kubernetes.io/bind-completed'] === undefined ? [''] : [],
)
/** Volumes by the claim that they are for. */
const volumesByClaimIndex = viewIndex('persistentvolumes', 'volumes by claim', ({ spec: { claimRef } }) =>
  claimRef ? [keyOf(claimRef.namespace, claimRef.name!)] : [],
)
const claimsByVolumeIndex = viewIndex('persistentvolumeclaims', 'claims by volume', ({ spec }) =>
  spec.volumeName ? [spec.volumeName] : [],
)

const claimKey = (claim: PersistentVolumeClaim): string => claimPrefix + keyOfObject(claim)

export const persistentVolumeBinderReconciler: Reconciler = {
  name: 'persistentvolume-binder',
  component: 'persistentvolume-controller',
  indexes: [unboundIndex, volumesByClaimIndex, claimsByVolumeIndex, podsByClaimIndex],
  resources: [
    watchesResource('persistentvolumeclaims', (change, _before, view) => {
      const key = keyOf(change.namespace, change.name)
      const volumes = [...view.byIndex(volumesByClaimIndex, key)].map((volume) => volumePrefix + keyOfObject(volume))
      return [claimPrefix + key, ...volumes]
    }),
    watchesResource('persistentvolumes', keysOfVolume),
    watchesResource('storageclasses.storage.k8s.io', (_change, _before, view) => unboundClaims(view)),
    watchesResource('pods', keysOfPod),
    readsResource('nodes'),
  ],
  reconcile: (key, view, { nowMs }) =>
    key.startsWith(claimPrefix)
      ? reconcileClaim(key.slice(claimPrefix.length), view, nowMs)
      : reconcileVolume(key.slice(volumePrefix.length), view, nowMs),
}

const unboundClaims = (view: ObjectView): string[] => [...view.byIndex(unboundIndex, '')].map(claimKey)

/** The volume, the claims that name it or that it names, and when it is free all that wait for one. */
function keysOfVolume(
  change: ChangeOf<'persistentvolumes'>,
  _before: PersistentVolume | undefined,
  view: ObjectView,
): Iterable<string> {
  const { metadata, spec, status } = change.object
  const keys = new Set([volumePrefix + keyOfObject(change.object)])
  if (spec.claimRef) keys.add(claimPrefix + keyOf(spec.claimRef.namespace, spec.claimRef.name!))
  for (const claim of view.byIndex(claimsByVolumeIndex, metadata.name)) keys.add(claimKey(claim))
  if (!change.deleted && !spec.claimRef && status.phase === 'Available')
    for (const key of unboundClaims(view)) keys.add(key)
  return keys
}

/** A pod that appears or gets its node may be the first consumer that its claims wait for. */
function* keysOfPod(change: ChangeOf<'pods'>, before: Pod | undefined, view: ObjectView): Iterable<string> {
  if (change.deleted || (before && before.spec.nodeName === change.object.spec.nodeName)) return
  for (const key of claimKeysOf(change.object)) {
    const claim = view.get('persistentvolumeclaims', key)
    if (claim && claim.metadata.annotations?.['pv.kubernetes.io/bind-completed'] === undefined) yield claimPrefix + key
  }
}
