// What a Deployment's status says of its rollout: the numbers, whether it gets on, is done, or is stuck.
import type { Deployment, DeploymentStatus } from '@shiplog/api/generated/types/apps-v1'
import { jsonEqual } from '@shiplog/api/patch/json-patch'
import { type Condition, findCondition } from '../shared/conditions.ts'
import { reasons, removeDeploymentCondition, renewProgress } from './deployment-conditions.ts'
import { revisionAnnotation } from './revisions.ts'
import { hasDeadline, note, type Round, unlimited } from './round.ts'
import { sumStatus, totalSize } from './sizes.ts'
import { maxUnavailableOf, replicasOf } from './strategy.ts'

/** A pause stops the deadline's clock; resuming starts it anew. */
export function notePause(round: Round): void {
  if (!hasDeadline(round.deployment)) return
  const current = findCondition(round.conditions, 'Progressing')
  if (current?.reason === reasons.timedOut) return
  const paused = Boolean(round.deployment.spec.paused)
  const saysPaused = current?.reason === reasons.paused
  if (paused === saysPaused) return
  note(round, {
    type: 'Progressing',
    status: 'Unknown',
    reason: paused ? reasons.paused : reasons.resumed,
    message: paused ? 'Deployment is paused' : 'Deployment is resumed',
  })
}

/** The numbers and the Available condition, from the ReplicaSets' own status. */
export function calculateStatus(round: Round): DeploymentStatus {
  const { deployment, all, newest } = round
  const availableReplicas = sumStatus(all, 'availableReplicas')
  const wanted = replicasOf(deployment)
  const enough = availableReplicas >= wanted - maxUnavailableOf(deployment)
  note(round, {
    type: 'Available',
    status: enough ? 'True' : 'False',
    reason: enough ? reasons.minimumAvailable : reasons.minimumUnavailable,
    message: enough ? 'Deployment has minimum availability.' : 'Deployment does not have minimum availability.',
  })
  const unavailable = Math.max(0, totalSize(round, all) - availableReplicas)
  const positive = (field: DeploymentCount, value: number): DeploymentStatus => (value > 0 ? { [field]: value } : {})
  return {
    observedGeneration: deployment.metadata.generation ?? 0,
    ...positive('replicas', sumStatus(all, 'replicas')),
    ...positive('updatedReplicas', newest ? sumStatus([newest], 'replicas') : 0),
    ...positive('readyReplicas', sumStatus(all, 'readyReplicas')),
    ...positive('availableReplicas', availableReplicas),
    ...positive('unavailableReplicas', unavailable),
    terminatingReplicas: sumStatus(all, 'terminatingReplicas'),
    ...(round.collisionCount === undefined ? {} : { collisionCount: round.collisionCount }),
  }
}

/** The numbers in the status of a Deployment; each is absent when 0. */
type DeploymentCount =
  | 'replicas'
  | 'updatedReplicas'
  | 'readyReplicas'
  | 'availableReplicas'
  | 'unavailableReplicas'
  | 'observedGeneration'

const count = (status: DeploymentStatus, field: DeploymentCount): number => status[field] ?? 0

/** Everything is of the new template and available. */
export const isComplete = (deployment: Deployment, status: DeploymentStatus): boolean =>
  count(status, 'updatedReplicas') === replicasOf(deployment) &&
  count(status, 'replicas') === replicasOf(deployment) &&
  count(status, 'availableReplicas') === replicasOf(deployment) &&
  count(status, 'observedGeneration') >= (deployment.metadata.generation ?? 0)

const madeProgress = (before: DeploymentStatus, after: DeploymentStatus): boolean => {
  const oldOnes = (status: DeploymentStatus): number => count(status, 'replicas') - count(status, 'updatedReplicas')
  return (
    count(after, 'updatedReplicas') > count(before, 'updatedReplicas') ||
    oldOnes(after) < oldOnes(before) ||
    count(after, 'readyReplicas') > count(before, 'readyReplicas') ||
    count(after, 'availableReplicas') > count(before, 'availableReplicas')
  )
}

/** Milliseconds until the deadline for progress; undefined when none runs. */
function untilDeadlineMs(round: Round): number | undefined {
  const current = findCondition(round.conditions, 'Progressing')
  if (!current || current.reason === reasons.newReplicaSetAvailable || current.reason === reasons.timedOut) {
    return undefined
  }
  const fromMs = Date.parse(current.lastUpdateTime ?? current.lastTransitionTime ?? '')
  return fromMs + (round.deployment.spec.progressDeadlineSeconds ?? unlimited) * 1000 - round.nowMs
}

/** The status during a rollout: beside the numbers, whether it gets on, is done, or is stuck. */
export function syncRolloutStatus(round: Round): void {
  const { deployment, newest } = round
  const before = deployment.status
  const status = calculateStatus(round)
  if (!hasDeadline(deployment)) {
    round.conditions = removeDeploymentCondition(round.conditions, 'Progressing')
  } else {
    const current = findCondition(round.conditions, 'Progressing')
    const wasComplete =
      count(status, 'replicas') === count(status, 'updatedReplicas') &&
      current?.reason === reasons.newReplicaSetAvailable
    if (!wasComplete) {
      const subject = newest ? `ReplicaSet "${newest.metadata.name}"` : `Deployment "${deployment.metadata.name}"`
      // Before there is a set of this template nothing is complete, though nothing may be wanted.
      if (newest && isComplete(deployment, status)) {
        note(round, {
          type: 'Progressing',
          status: 'True',
          reason: reasons.newReplicaSetAvailable,
          message: `${subject} has successfully progressed.`,
        })
      } else if (madeProgress(before, status)) {
        const condition: Condition = {
          type: 'Progressing',
          status: 'True',
          reason: reasons.replicaSetUpdated,
          message: `${subject} is progressing.`,
        }
        round.conditions = renewProgress(round.conditions, condition, round.nowMs)
      } else {
        const untilMs = untilDeadlineMs(round)
        if (untilMs !== undefined && untilMs < 0) {
          note(round, {
            type: 'Progressing',
            status: 'False',
            reason: reasons.timedOut,
            message: `${subject} has timed out progressing.`,
          })
        }
      }
    }
  }
  reportReplicaFailure(round)
  writeStatus(round, status)
  if (!hasDeadline(deployment) || isComplete(deployment, status)) return
  const untilMs = untilDeadlineMs(round)
  if (untilMs !== undefined) round.requeueAfterMs = Math.max(0, untilMs) + 1000
}

/** A ReplicaSet that cannot make its pods says why; its Deployment repeats it. */
function reportReplicaFailure(round: Round): void {
  const failing = [...(round.newest ? [round.newest] : []), ...round.old]
  const failure = failing
    .map((replicaSet) => findCondition(replicaSet.status.conditions ?? [], 'ReplicaFailure'))
    .find((condition) => condition?.status === 'True')
  if (!failure) round.conditions = removeDeploymentCondition(round.conditions, 'ReplicaFailure')
  else {
    note(round, {
      type: 'ReplicaFailure',
      status: 'True',
      reason: failure.reason ?? '',
      message: failure.message ?? '',
    })
  }
}

/** One write for status and revision: as upstream, the annotation goes by the status subresource, so no generation moves. */
export function writeStatus(round: Round, numbers: DeploymentStatus): void {
  const { deployment, revision } = round
  const status = { ...numbers, ...(round.conditions.length > 0 ? { conditions: round.conditions } : {}) }
  const revisionChanges = revision !== deployment.metadata.annotations?.[revisionAnnotation]
  if (!revisionChanges && jsonEqual(status, deployment.status)) return
  // First of all: after failures commands are sent one, two, four … at a time until one is refused again.
  round.commands.unshift({
    request: {
      verb: 'update',
      group: 'apps',
      resource: 'deployments',
      subresource: 'status',
      namespace: deployment.metadata.namespace!,
      name: deployment.metadata.name,
      body: {
        ...deployment,
        ...(revisionChanges
          ? {
              metadata: {
                ...deployment.metadata,
                annotations: { ...deployment.metadata.annotations, [revisionAnnotation]: revision! },
              },
            }
          : {}),
        status,
      },
    },
  })
}
