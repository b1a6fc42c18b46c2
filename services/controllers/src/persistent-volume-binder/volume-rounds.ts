// The volume's side: its phase, and what becomes of it when its claim is gone.
import type { PersistentVolume } from '@shiplog/api/generated/types/core-v1'
import type { Command, EventRecord, ReconcileResult } from '@shiplog/reconcile/reconciler'
import { keyOf, type ObjectView } from '@shiplog/reconcile/view'
import { rfc3339 } from '@shiplog/runtime/clock'
import { sameMode } from '@shiplog/scheduling/volumes/matching'

const volumes = { group: '', resource: 'persistentvolumes' }
export const boundByController = 'pv.kubernetes.io/bound-by-controller'
const provisionedBy = 'pv.kubernetes.io/provisioned-by'
const migratedTo = 'pv.kubernetes.io/migrated-to'

type Phase = NonNullable<PersistentVolume['status']['phase']>

export const updateVolume = (volume: PersistentVolume): Command => ({
  request: { verb: 'update', ...volumes, name: volume.metadata.name, body: { ...volume } },
})

/** Sets the phase; undefined when it is set already. */
export function phaseCommand(
  volume: PersistentVolume,
  phase: Phase,
  nowMs: number,
  event?: Pick<EventRecord, 'reason' | 'message'>,
): Command | undefined {
  if (volume.status.phase === phase) return undefined
  const { message: _message, ...rest } = volume.status
  const message = event ? { message: event.message } : {}
  const status = { ...rest, phase, ...message, lastPhaseTransitionTime: rfc3339(nowMs) }
  return {
    request: {
      verb: 'update',
      ...volumes,
      subresource: 'status',
      name: volume.metadata.name,
      body: { ...volume, status },
    },
    ...(event ? { event: { object: volume, type: 'Warning' as const, ...event } } : {}),
  }
}

const only = (command: Command | undefined): ReconcileResult => (command ? { commands: [command] } : {})

export function reconcileVolume(name: string, view: ObjectView, nowMs: number): ReconcileResult {
  const volume = view.get('persistentvolumes', name)
  if (!volume) return {}
  const { claimRef } = volume.spec
  // Kept for a claim by name: the claim takes it when it comes.
  if (!claimRef?.uid) return only(phaseCommand(volume, 'Available', nowMs))
  const found = view.get('persistentvolumeclaims', keyOf(claimRef.namespace, claimRef.name!))
  const claim = found?.metadata.uid === claimRef.uid ? found : undefined
  if (!claim) return released(volume, nowMs)
  const { volumeName } = claim.spec
  if (volumeName === volume.metadata.name) return only(phaseCommand(volume, 'Bound', nowMs))
  if (volumeName) {
    // The claim has another volume.
    const { persistentVolumeReclaimPolicy: policy } = volume.spec
    const isProvisioned = volume.metadata.annotations?.[provisionedBy] !== undefined && policy === 'Delete'
    return isProvisioned ? released(volume, nowMs) : { commands: [unbind(volume)] }
  }
  if (sameMode(volume, claim)) return {}
  const why = 'due to incompatible volumeMode.'
  const reason = 'VolumeMismatch'
  const [volumeText, claimText] = [
    `Cannot bind PersistentVolume to requested PersistentVolumeClaim "${claim.metadata.name}" ${why}`,
    `Cannot bind PersistentVolume "${volume.metadata.name}" to requested PersistentVolumeClaim ${why}`,
  ]
  return {
    events: [
      { object: volume, type: 'Warning', reason, message: volumeText },
      { object: claim, type: 'Warning', reason, message: claimText },
    ],
  }
}

/** A volume that this controller bound is free again; one that somebody kept for a claim stays kept by name. */
function unbind(volume: PersistentVolume): Command {
  const { claimRef, ...spec } = volume.spec
  const { [boundByController]: own, ...annotations } = volume.metadata.annotations ?? {}
  if (own === undefined) {
    const { uid: _uid, ...named } = claimRef!
    return updateVolume({ ...volume, spec: { ...spec, claimRef: named } })
  }
  return updateVolume({ ...volume, metadata: { ...volume.metadata, annotations }, spec })
}

/** Its claim is gone: the policy says what becomes of it. What nobody here can delete says so. */
function released(volume: PersistentVolume, nowMs: number): ReconcileResult {
  const { phase } = volume.status
  if (phase !== 'Released' && phase !== 'Failed') return only(phaseCommand(volume, 'Released', nowMs))
  const { persistentVolumeReclaimPolicy: policy = 'Retain' } = volume.spec
  if (policy === 'Recycle') {
    const message = 'No recycler plugin found for the volume!'
    return only(phaseCommand(volume, 'Failed', nowMs, { reason: 'VolumeFailedRecycle', message }))
  }
  if (policy !== 'Delete' || isDeletedByDriver(volume)) return {}
  const message = `error getting deleter volume plugin for volume "${volume.metadata.name}": no deletable volume plugin matched`
  return only(phaseCommand(volume, 'Failed', nowMs, { reason: 'VolumeFailedDelete', message }))
}

/** A driver outside made it and deletes it. */
function isDeletedByDriver({ metadata, spec }: PersistentVolume): boolean {
  const provisioner = metadata.annotations?.[provisionedBy]
  if (provisioner) return !provisioner.startsWith('kubernetes.io/')
  return metadata.annotations?.[migratedTo] !== undefined || spec.csi !== undefined
}
