// PV protection: a volume that is deleted stays while it is bound to a claim; then this takes off the finalizer that
// admission (StorageObjectInUseProtection) put on, and the volume goes.
import { settled, watchesResource, type Reconciler } from '@shiplog/reconcile/reconciler'
import { keyOfObject } from '@shiplog/reconcile/view'
import { dropFinalizer, isHeldBy } from '../shared/finalizers.ts'

const finalizer = 'kubernetes.io/pv-protection'
const volumes = { group: '', resource: 'persistentvolumes' } as const

export const pvProtectionReconciler: Reconciler = {
  name: 'persistentvolume-protection',
  component: 'pv-protection-controller',
  resources: [
    watchesResource(volumes.resource, (change) => {
      const volume = change.object
      return !change.deleted && isHeldBy(volume, finalizer) ? [keyOfObject(volume)] : []
    }),
  ],
  reconcile: (key, view) => {
    const volume = view.get(volumes.resource, key)
    if (!volume || !isHeldBy(volume, finalizer) || volume.status.phase === 'Bound') return settled
    return { commands: [dropFinalizer(volumes, volume, finalizer)] }
  },
}
