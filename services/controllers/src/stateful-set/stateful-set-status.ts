// What a StatefulSet's status says of its pods.
import type { StatefulSet, StatefulSetStatus } from '@shiplog/api/generated/types/apps-v1'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { Command } from '@shiplog/reconcile/reconciler'
import { isBeingDeleted } from '../shared/ownership.ts'
import { isAvailable, isRunningAndReady, replicasOf, revisionOfPod } from './ordinals.ts'

export interface StatusFacts {
  readonly current: string
  readonly update: string
  readonly collisionCount: number
  /** Pods of the current revision that this round deletes. */
  readonly leaving: number
  readonly nowMs: number
}

type Counts = Required<
  Pick<StatefulSetStatus, 'replicas' | 'readyReplicas' | 'availableReplicas' | 'currentReplicas' | 'updatedReplicas'>
>

function countPods(set: StatefulSet, pods: readonly Pod[], facts: StatusFacts): Counts {
  const ready = pods.filter(isRunningAndReady)
  const staying = pods.filter((pod) => !isBeingDeleted(pod))
  return {
    replicas: pods.length,
    readyReplicas: ready.length,
    availableReplicas: ready.filter((pod) => isAvailable(pod, set, facts.nowMs)).length,
    currentReplicas: staying.filter((pod) => revisionOfPod(pod) === facts.current).length - facts.leaving,
    updatedReplicas: staying.filter((pod) => revisionOfPod(pod) === facts.update).length,
  }
}

/** The status; with the last pod updated and ready, the update revision becomes the current one. */
export function statusOf(set: StatefulSet, pods: readonly Pod[], facts: StatusFacts): StatefulSetStatus {
  const counts = countPods(set, pods, facts)
  const wanted = replicasOf(set)
  const isComplete =
    set.spec.updateStrategy.type === 'RollingUpdate' &&
    counts.updatedReplicas === wanted &&
    counts.readyReplicas === wanted &&
    counts.replicas === wanted
  const current = isComplete ? counts.updatedReplicas : counts.currentReplicas
  const positive = (field: keyof Counts, value: number): Partial<Counts> => (value === 0 ? {} : { [field]: value })
  return {
    observedGeneration: set.metadata.generation ?? 0,
    replicas: counts.replicas,
    ...positive('readyReplicas', counts.readyReplicas),
    ...positive('currentReplicas', current),
    ...positive('updatedReplicas', counts.updatedReplicas),
    currentRevision: isComplete ? facts.update : facts.current,
    updateRevision: facts.update,
    collisionCount: facts.collisionCount,
    availableReplicas: counts.availableReplicas,
  }
}

const compared = [
  'replicas',
  'currentReplicas',
  'readyReplicas',
  'updatedReplicas',
  'availableReplicas',
] as const satisfies readonly (keyof StatefulSetStatus)[]

/** As upstream: conditions that somebody else wrote are no reason to write, and neither is a count of collisions. */
const differs = (before: StatefulSetStatus, after: StatefulSetStatus): boolean =>
  (after.observedGeneration ?? 0) > (before.observedGeneration ?? 0) ||
  compared.some((field) => (before[field] ?? 0) !== (after[field] ?? 0)) ||
  before.currentRevision !== after.currentRevision ||
  before.updateRevision !== after.updateRevision

export function writeStatus(set: StatefulSet, status: StatefulSetStatus): readonly Command[] {
  if (!differs(set.status, status)) return []
  return [
    {
      request: {
        verb: 'update',
        group: 'apps',
        resource: 'statefulsets',
        subresource: 'status',
        namespace: set.metadata.namespace!,
        name: set.metadata.name,
        body: { ...set, status },
      },
    },
  ]
}
