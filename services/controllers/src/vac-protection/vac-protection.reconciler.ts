// VolumeAttributesClass protection: a class gets a finalizer, and goes only when no claim asks for it or has it, and no volume
// is of it.
import type { PersistentVolume, PersistentVolumeClaim } from '@shiplog/api/generated/types/core-v1'
import { type Command, forResource, type Reconciler, settled, watchesResource } from '@shiplog/reconcile/reconciler'
import { keyOf, type ObjectView, viewIndex } from '@shiplog/reconcile/view'
import { dropFinalizer, hasFinalizer, isHeldBy } from '../shared/finalizers.ts'
import { isBeingDeleted } from '../shared/ownership.ts'

const classes = 'volumeattributesclasses.storage.k8s.io'
const address = { group: 'storage.k8s.io', resource: 'volumeattributesclasses' } as const
const finalizer = 'kubernetes.io/vac-protection'

/** What a claim asks for, what it has, and what it is being changed to. */
const classesOfClaim = ({ spec, status }: PersistentVolumeClaim): string[] => {
  const named = [
    spec.volumeAttributesClassName,
    status?.currentVolumeAttributesClassName,
    status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
  ]
  return [...new Set(named.flatMap((name) => (name ? [name] : [])))]
}
const classesOfVolume = ({ spec }: PersistentVolume): string[] =>
  spec.volumeAttributesClassName ? [spec.volumeAttributesClassName] : []

const claimsByClass = viewIndex('persistentvolumeclaims', 'claims by attributes class', classesOfClaim)
const volumesByClass = viewIndex('persistentvolumes', 'volumes by attributes class', classesOfVolume)

const isUsed = (view: ObjectView, name: string): boolean =>
  view.countIndex(claimsByClass, name) > 0 || view.countIndex(volumesByClass, name) > 0

/** A class that one of these let go of. */
const keysOf = (names: readonly string[]): string[] => names.map((name) => keyOf('', name))

export const vacProtectionReconciler: Reconciler = {
  name: 'vacprotection',
  component: 'volumeattributesclass-protection-controller',
  indexes: [claimsByClass, volumesByClass],
  resources: [
    forResource(classes),
    watchesResource('persistentvolumeclaims', (change, before) =>
      keysOf([...(before ? classesOfClaim(before) : []), ...(change.deleted ? classesOfClaim(change.object) : [])]),
    ),
    watchesResource('persistentvolumes', (change, before) =>
      keysOf([...(before ? classesOfVolume(before) : []), ...(change.deleted ? classesOfVolume(change.object) : [])]),
    ),
  ],
  reconcile(key, view) {
    const one = view.get(classes, key)
    if (!one) return settled
    const { name, uid, resourceVersion, finalizers = [] } = one.metadata
    if (isHeldBy(one, finalizer)) return isUsed(view, name) ? settled : { commands: [dropFinalizer(address, one, finalizer)] }
    if (isBeingDeleted(one) || hasFinalizer(one, finalizer)) return settled
    const body = { metadata: { uid, resourceVersion, finalizers: [...finalizers, finalizer] } }
    const add: Command = { request: { verb: 'patch', ...address, name, patchType: 'application/merge-patch+json', body } }
    return { commands: [add] }
  },
}
