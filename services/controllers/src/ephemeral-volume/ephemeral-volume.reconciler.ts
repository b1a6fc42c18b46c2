// Ephemeral volumes: the claim that a pod's volume describes, owned by the pod, so that it goes with it.
import type { Pod, Volume } from '@shiplog/api/generated/types/core-v1'
import { cloneJson } from '@shiplog/api/clone-json'
import {
  forResource,
  settled,
  watchesResource,
  type Command,
  type EventRecord,
  type Reconciler,
} from '@shiplog/reconcile/reconciler'
import { keyOf, type ObjectView } from '@shiplog/reconcile/view'
import { controllerKeys, controllerReference, isBeingDeleted, isControlledBy } from '../shared/ownership.ts'
import { isFinished } from '../shared/pods.ts'
import { claimNameOf } from '../shared/pods-by-claim.ts'

export const ephemeralVolumeReconciler: Reconciler = {
  name: 'ephemeral-volume',
  component: 'ephemeral_volume',
  resources: [
    forResource('pods'),
    // One that is deleted while its pod lives is made again.
    watchesResource('persistentvolumeclaims', (change) => (change.deleted ? controllerKeys(change.object, 'Pod') : [])),
  ],
  reconcile: (key, view) => {
    const pod = view.get('pods', key)
    const volumes = pod?.spec.volumes?.filter(({ ephemeral }) => ephemeral) ?? []
    if (!pod || volumes.length === 0 || isBeingDeleted(pod) || isFinished(pod)) return settled
    const steps = volumes.map((volume) => stepFor(pod, volume, view))
    return {
      commands: steps.flatMap((step) => step?.command ?? []),
      events: steps.flatMap((step) => step?.event ?? []),
    }
  },
}

function stepFor(pod: Pod, volume: Volume, view: ObjectView): { command?: Command; event?: EventRecord } | undefined {
  const template = volume.ephemeral!.volumeClaimTemplate
  if (!template) return undefined
  const name = claimNameOf(pod, volume)!
  const namespace = pod.metadata.namespace!
  const failed = (message: string): EventRecord => ({
    object: pod,
    type: 'Warning',
    reason: 'FailedBinding',
    message: `ephemeral volume ${volume.name}: ${message}`,
  })
  const claim = view.get('persistentvolumeclaims', keyOf(namespace, name))
  if (claim) {
    if (isControlledBy(claim, pod)) return undefined
    const message = `PVC ${namespace}/${name} was not created for pod ${namespace}/${pod.metadata.name} (pod is not owner)`
    return { event: failed(message) }
  }
  const { labels, annotations } = template.metadata ?? {}
  const metadata = {
    name,
    namespace,
    ...(labels ? { labels } : {}),
    ...(annotations ? { annotations } : {}),
    ownerReferences: [controllerReference(pod)],
  }
  const body = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata, spec: cloneJson(template.spec) }
  return {
    command: {
      request: { verb: 'create', group: '', resource: 'persistentvolumeclaims', namespace, body },
      failureEvent: ({ message }) => failed(`create PVC ${namespace}/${name}: ${message}`),
    },
  }
}
