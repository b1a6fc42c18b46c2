// What controllers of pods send: the creation and the deletion of one pod, with the Event objects that upstream's
// PodControl writes about them.
import type { KubeObject } from '@shiplog/api/kube-object'
import type { Command } from '@shiplog/reconcile/reconciler'
import type { NewPod } from './pod-from-template.ts'

const pods = { group: '', resource: 'pods', version: 'v1' }

/** Creates a pod whose name was derived: refused when the name was used before, so that no runner fills a gap twice. */
export const createPodCommand = (owner: KubeObject, pod: NewPod): Command => ({
  request: { verb: 'create', ...pods, namespace: owner.metadata.namespace!, body: pod, onlyNew: true },
  event: { object: owner, type: 'Normal', reason: 'SuccessfulCreate', message: `Created pod: ${pod.metadata.name}` },
  failureEvent: (status) => ({
    object: owner,
    type: 'Warning',
    reason: 'FailedCreate',
    message: `Error creating: ${status.message}`,
  }),
})

/**
 * Deletes a pod. `chosen`: it was picked from several. Another runner may see the same pods from another past and pick
 * others, so of two such rounds for one owner only one is carried out; where all go there is no choice.
 */
export const deletePodCommand = (owner: KubeObject, pod: KubeObject, chosen: boolean): Command => ({
  request: {
    verb: 'delete',
    ...pods,
    namespace: pod.metadata.namespace!,
    name: pod.metadata.name,
    body: { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid: pod.metadata.uid } },
  },
  ...(chosen ? { onceFor: owner.metadata.uid } : {}),
  event: { object: owner, type: 'Normal', reason: 'SuccessfulDelete', message: `Deleted pod: ${pod.metadata.name}` },
  failureEvent: (status) => ({
    object: owner,
    type: 'Warning',
    reason: 'FailedDelete',
    message: `Error deleting: ${status.message}`,
  }),
})
