// The claim's side: find a volume, bind the volume to the claim, then the claim to the volume. Each step is a write that
// names the version it saw, so that of two claims only one gets a volume; a round does the next step that is missing.
import type { PersistentVolume, PersistentVolumeClaim } from '@shiplog/api/generated/types/core-v1'
import { jsonEqual } from '@shiplog/api/patch/json-patch'
import type { Command, EventRecord, ReconcileResult } from '@shiplog/reconcile/reconciler'
import { keyOfObject, type ObjectView } from '@shiplog/reconcile/view'
import { podsByClaimIndex } from '../shared/pods-by-claim.ts'
import { isFinished } from '../shared/pods.ts'
import {
  classOf,
  defaultClass,
  isFor,
  matchingVolume,
  mismatch,
  namesClass,
  waitsForConsumer,
  type VolumeLookup,
} from '@shiplog/scheduling/volumes/matching'
import { boundByController, phaseCommand, updateVolume } from './volume-rounds.ts'

const claims = { group: '', resource: 'persistentvolumeclaims' }
const bindCompleted = 'pv.kubernetes.io/bind-completed'
const selectedNode = 'volume.kubernetes.io/selected-node'
const storageProvisioners = [
  'volume.beta.kubernetes.io/storage-provisioner',
  'volume.kubernetes.io/storage-provisioner',
]
const inTreePrefix = 'kubernetes.io/'

export function reconcileClaim(key: string, view: ObjectView, nowMs: number): ReconcileResult {
  const claim = view.get('persistentvolumeclaims', key)
  if (!claim) return {}
  if (claim.metadata.annotations?.[bindCompleted] !== undefined) return keepBound(claim, view, nowMs)
  return claim.spec.volumeName ? bindNamed(claim, view, nowMs) : findVolume(claim, view, nowMs)
}

const lookupIn = (view: ObjectView): VolumeLookup => ({
  volumes: () => view.list('persistentvolumes'),
  storageClasses: () => view.list('storageclasses.storage.k8s.io'),
  storageClass: (name) => view.get('storageclasses.storage.k8s.io', `/${name}`),
})

const tell = (
  claim: PersistentVolumeClaim,
  type: EventRecord['type'],
  reason: string,
  message: string,
): EventRecord => ({
  object: claim,
  type,
  reason,
  message,
})

const updateClaim = (claim: PersistentVolumeClaim): Command => ({
  request: {
    verb: 'update',
    ...claims,
    namespace: claim.metadata.namespace!,
    name: claim.metadata.name,
    body: { ...claim },
  },
})

// ── status ───────────────────────────────────────────────────────────────────────────────────────────────────────────

type Phase = NonNullable<PersistentVolumeClaim['status']>['phase']

function statusCommand(
  claim: PersistentVolumeClaim,
  phase: NonNullable<Phase>,
  volume: PersistentVolume | undefined,
  event?: EventRecord,
): Command | undefined {
  const before = claim.status ?? {}
  const { accessModes: _modes, capacity: _capacity, currentVolumeAttributesClassName: _class, ...rest } = before
  const bound = volume && {
    ...(volume.spec.accessModes ? { accessModes: volume.spec.accessModes } : {}),
    // Later the capacity is for whoever expands the volume to tell.
    ...(before.phase === phase
      ? before.capacity && { capacity: before.capacity }
      : volume.spec.capacity && { capacity: volume.spec.capacity }),
    ...(before.phase === phase
      ? before.currentVolumeAttributesClassName && {
          currentVolumeAttributesClassName: before.currentVolumeAttributesClassName,
        }
      : volume.spec.volumeAttributesClassName && {
          currentVolumeAttributesClassName: volume.spec.volumeAttributesClassName,
        }),
  }
  const status = { ...rest, phase, ...bound }
  if (jsonEqual(status, before)) return undefined
  const { namespace, name } = claim.metadata
  return {
    request: {
      verb: 'update',
      ...claims,
      subresource: 'status',
      namespace: namespace!,
      name,
      body: { ...claim, status },
    },
    ...(event ? { event } : {}),
  }
}

const pending = (claim: PersistentVolumeClaim, event?: EventRecord): ReconcileResult => {
  const command = statusCommand(claim, 'Pending', undefined)
  return { ...(command ? { commands: [command] } : {}), ...(event ? { events: [event] } : {}) }
}

const lost = (claim: PersistentVolumeClaim, reason: string, message: string): ReconcileResult => {
  if (claim.status?.phase === 'Lost') return {}
  const command = statusCommand(claim, 'Lost', undefined, tell(claim, 'Warning', reason, message))
  return command ? { commands: [command] } : {}
}

// ── an unbound claim ─────────────────────────────────────────────────────────────────────────────────────────────────

/** The pods that use a claim and still run or will. */
const usersOf = (claim: PersistentVolumeClaim, view: ObjectView) =>
  [...view.byIndex(podsByClaimIndex, keyOfObject(claim))].filter((pod) => !isFinished(pod))

function findVolume(claim: PersistentVolumeClaim, view: ObjectView, nowMs: number): ReconcileResult {
  const lookup = lookupIn(view)
  const waits = waitsForConsumer(lookup, claim)
  const users = usersOf(claim, view)
  // A pod that has its node is the first consumer: the volume must be usable there.
  const placed = users.find((pod) => pod.spec.nodeName)?.spec.nodeName
  const object = waits && placed ? view.get('nodes', `/${placed}`) : undefined
  const node = object && { name: object.metadata.name, labels: object.metadata.labels ?? {} }
  const volume = matchingVolume(lookup, claim, { waits, node })
  if (volume) return bind(volume, claim, nowMs)
  if (!namesClass(claim)) {
    const fallback = defaultClass(lookup)
    if (fallback) {
      const spec = { ...claim.spec, storageClassName: fallback.metadata.name }
      return { commands: [updateClaim({ ...claim, spec })] }
    }
  }
  if (waits && !node && claim.metadata.annotations?.[selectedNode] === undefined) {
    return pending(
      claim,
      waiting(
        claim,
        users.map(({ metadata }) => metadata.name),
      ),
    )
  }
  if (classOf(claim) !== '') return provision(claim, view)
  const message = 'no persistent volumes available for this claim and no storage class is set'
  return pending(claim, tell(claim, 'Normal', 'FailedBinding', message))
}

function waiting(claim: PersistentVolumeClaim, pods: readonly string[]): EventRecord {
  if (pods.length === 0) {
    const message = 'waiting for first consumer to be created before binding'
    return tell(claim, 'Normal', 'WaitForFirstConsumer', message)
  }
  const which = pods.length === 1 ? `pod ${pods[0]}` : `pods ${pods.join(',')}`
  return tell(claim, 'Normal', 'WaitForPodScheduled', `waiting for ${which} to be scheduled`)
}

/** Volumes are made by drivers outside; the claim says which one is waited for. */
function provision(claim: PersistentVolumeClaim, view: ObjectView): ReconcileResult {
  const storageClass = lookupIn(view).storageClass(classOf(claim))
  const failed = (message: string): ReconcileResult =>
    pending(claim, tell(claim, 'Warning', 'ProvisioningFailed', message))
  if (!storageClass) return failed(`storageclass.storage.k8s.io "${classOf(claim)}" not found`)
  const { provisioner } = storageClass
  if (provisioner.startsWith(inTreePrefix)) return failed('no provisionable volume plugin matched')
  const annotations = { ...claim.metadata.annotations }
  for (const name of storageProvisioners) annotations[name] = provisioner
  if (!jsonEqual(annotations, claim.metadata.annotations ?? {})) {
    return { commands: [updateClaim({ ...claim, metadata: { ...claim.metadata, annotations } })] }
  }
  const message =
    `Waiting for a volume to be created either by the external provisioner '${provisioner}' ` +
    'or manually by the system administrator. If volume creation is delayed, please verify that ' +
    'the provisioner is running and correctly registered.'
  return pending(claim, tell(claim, 'Normal', 'ExternalProvisioning', message))
}

/** The claim names its volume. */
function bindNamed(claim: PersistentVolumeClaim, view: ObjectView, nowMs: number): ReconcileResult {
  const name = claim.spec.volumeName!
  const volume = view.get('persistentvolumes', `/${name}`)
  if (!volume) return pending(claim)
  if (!volume.spec.claimRef) {
    const why = mismatch(volume, claim)
    if (why === undefined) return bind(volume, claim, nowMs)
    return pending(claim, tell(claim, 'Warning', 'VolumeMismatch', `Cannot bind to requested volume "${name}": ${why}`))
  }
  if (isFor(volume, claim)) return bind(volume, claim, nowMs)
  return pending(claim, tell(claim, 'Warning', 'FailedBinding', `volume "${name}" already bound to a different claim.`))
}

// ── binding ──────────────────────────────────────────────────────────────────────────────────────────────────────────

function bind(volume: PersistentVolume, claim: PersistentVolumeClaim, nowMs: number): ReconcileResult {
  const { claimRef } = volume.spec
  if (claimRef?.uid !== claim.metadata.uid) return { commands: [bindVolume(volume, claim)] }
  const commands: Command[] = []
  const phase = phaseCommand(volume, 'Bound', nowMs)
  if (phase) commands.push(phase)
  const bound = boundClaim(claim, volume)
  const step = bound ? updateClaim(bound) : statusCommand(claim, 'Bound', volume)
  if (step) commands.push(step)
  return { commands }
}

function bindVolume(volume: PersistentVolume, claim: PersistentVolumeClaim): Command {
  const { namespace, name, uid, resourceVersion } = claim.metadata
  const annotations = {
    ...volume.metadata.annotations,
    ...(isFor(volume, claim) ? {} : { [boundByController]: 'yes' }),
  }
  const claimRef = {
    kind: 'PersistentVolumeClaim',
    namespace: namespace!,
    name,
    uid,
    apiVersion: 'v1',
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  }
  return updateVolume({
    ...volume,
    metadata: { ...volume.metadata, ...(Object.keys(annotations).length > 0 ? { annotations } : {}) },
    spec: { ...volume.spec, claimRef },
  })
}

/** The claim with its volume named; undefined when it is so already. */
function boundClaim(claim: PersistentVolumeClaim, volume: PersistentVolume): PersistentVolumeClaim | undefined {
  const isNamed = claim.spec.volumeName === volume.metadata.name
  const { annotations } = claim.metadata
  if (isNamed && annotations?.[bindCompleted] !== undefined) return undefined
  return {
    ...claim,
    metadata: {
      ...claim.metadata,
      annotations: { ...annotations, ...(isNamed ? {} : { [boundByController]: 'yes' }), [bindCompleted]: 'yes' },
    },
    spec: { ...claim.spec, volumeName: volume.metadata.name },
  }
}

function keepBound(claim: PersistentVolumeClaim, view: ObjectView, nowMs: number): ReconcileResult {
  const { volumeName } = claim.spec
  if (!volumeName) {
    const message = 'Bound claim has lost reference to PersistentVolume. Data on the volume is lost!'
    return lost(claim, 'ClaimLost', message)
  }
  const volume = view.get('persistentvolumes', `/${volumeName}`)
  if (!volume) return lost(claim, 'ClaimLost', 'Bound claim has lost its PersistentVolume. Data on the volume is lost!')
  const { claimRef } = volume.spec
  if (!claimRef || claimRef.uid === claim.metadata.uid) return bind(volume, claim, nowMs)
  return lost(claim, 'ClaimMisbound', 'Two claims are bound to the same volume, this one is bound incorrectly')
}
