// Pod garbage collection: pods that nobody else will ever remove. Those bound to a node that does not exist, those deleted
// before they were bound, those that finished long ago when there are too many, and those on a node that was declared out
// of service.
import type { Node, Pod } from '@shiplog/api/generated/types/core-v1'
import {
  settled,
  watchesResource,
  type Command,
  type ReconcileContext,
  type Reconciler,
  type ReconcileResult,
} from '@shiplog/reconcile/reconciler'
import { keyOf, keyOfObject, type ObjectView, viewIndex } from '@shiplog/reconcile/view'
import { findCondition, setCondition } from '../shared/conditions.ts'
import { isBeingDeleted } from '../shared/ownership.ts'
import { isFinished } from '../shared/pods.ts'
import { podsByNodeIndex } from '../shared/pods-by-node.ts'

/** How many finished pods may stay (--terminated-pod-gc-threshold). */
export const finishedPodsMax = 12_500
/** A missing node may still be on its way: so long its pods are left alone. */
export const missingNodeGraceMs = 40_000
const outOfServiceTaint = 'node.kubernetes.io/out-of-service'
/** The key under which finished pods are counted. */
const finishedKey = '#finished'

const finishedIndex = viewIndex('pods', 'finished pods', (pod) => (isFinished(pod) ? [finishedKey] : []))

/** Keys are pod keys, and one for all finished pods. */
export const createPodGarbageCollector = (finishedMax: number = finishedPodsMax): Reconciler => ({
  name: 'pod-garbage-collector',
  component: 'pod-garbage-collector-controller',
  indexes: [podsByNodeIndex, finishedIndex],
  resources: [
    watchesResource('pods', (change, _before, view) => {
      const pod = change.object
      if (change.deleted) return []
      const keys: string[] = []
      const nodeName = pod.spec.nodeName
      if (nodeName === undefined ? isBeingDeleted(pod) : !view.get('nodes', keyOf('', nodeName)))
        keys.push(keyOfObject(pod))
      else if (isBeingDeleted(pod)) keys.push(keyOfObject(pod))
      if (isFinished(pod) && view.countIndex(finishedIndex, finishedKey) > finishedMax) keys.push(finishedKey)
      return keys
    }),
    watchesResource('nodes', (change, before, view) => {
      const tainted = isOutOfService(change.object) && !(before && isOutOfService(before))
      if (!change.deleted && !tainted) return []
      return [...view.byIndex(podsByNodeIndex, change.name)].map(keyOfObject)
    }),
  ],
  reconcile: (key, view, context) => {
    if (key === finishedKey) return removeFinished(view, finishedMax)
    const pod = view.get('pods', key)
    return pod ? reconcilePod(pod, view, context) : settled
  },
})

const isOutOfService = (node: Node): boolean =>
  (node.spec.taints ?? []).some((taint) => taint.key === outOfServiceTaint)

function reconcilePod(pod: Pod, view: ObjectView, context: ReconcileContext): ReconcileResult {
  const nodeName = pod.spec.nodeName
  if (nodeName === undefined) {
    return isBeingDeleted(pod) ? remove(pod, 'PodGC: unscheduled pod that is terminating', context, false) : settled
  }
  const node = view.get('nodes', keyOf('', nodeName))
  if (!node) {
    const goneMs = view.deletedAtMs('nodes', keyOf('', nodeName)) ?? Date.parse(pod.metadata.creationTimestamp)
    const untilMs = Math.max(goneMs, context.startedMs) + missingNodeGraceMs - context.nowMs
    if (untilMs > 0) return { requeueAfterMs: untilMs }
    return remove(pod, 'PodGC: node no longer exists', context, true)
  }
  const ready = findCondition(node.status.conditions ?? [], 'Ready')
  if (isBeingDeleted(pod) && isOutOfService(node) && ready?.status !== 'True') {
    return remove(pod, 'PodGC: node is out-of-service', context, true)
  }
  return settled
}

/** Says why and fails the pod first, when it was not finished; removes it in the next round. */
function remove(pod: Pod, why: string, context: ReconcileContext, disrupts: boolean): ReconcileResult {
  if (disrupts && !isFinished(pod)) {
    const conditions = setCondition(
      pod.status.conditions ?? [],
      { type: 'DisruptionTarget', status: 'True', reason: 'DeletionByPodGC', message: why },
      context.nowMs,
    )
    return {
      commands: [
        {
          request: {
            verb: 'update',
            group: '',
            resource: 'pods',
            subresource: 'status',
            namespace: pod.metadata.namespace!,
            name: pod.metadata.name,
            body: { ...pod, status: { ...pod.status, phase: 'Failed', conditions } },
          },
        },
      ],
    }
  }
  return { commands: [forceDelete(pod)] }
}

const forceDelete = (pod: Pod): Command => ({
  request: {
    verb: 'delete',
    group: '',
    resource: 'pods',
    namespace: pod.metadata.namespace!,
    name: pod.metadata.name,
    body: {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      gracePeriodSeconds: 0,
      preconditions: { uid: pod.metadata.uid },
    },
  },
})

/** The oldest finished pods beyond the bound. */
function removeFinished(view: ObjectView, finishedMax: number): ReconcileResult {
  const surplus = view.countIndex(finishedIndex, finishedKey) - finishedMax
  if (surplus <= 0) return settled
  const order = (pod: Pod): string => `${pod.metadata.creationTimestamp} ${keyOfObject(pod)}`
  const oldest = [...view.byIndex(finishedIndex, finishedKey)].sort((a, b) => (order(a) < order(b) ? -1 : 1))
  return { commands: oldest.slice(0, surplus).map(forceDelete) }
}
