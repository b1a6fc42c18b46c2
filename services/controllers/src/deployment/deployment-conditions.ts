// The conditions of a Deployment, with upstream's reasons and its rule for changing them.
import type { DeploymentCondition } from '@shiplog/api/generated/types/apps-v1'
import { rfc3339 } from '@shiplog/runtime/clock'
import { type Condition, findCondition } from '../shared/conditions.ts'

export const reasons = {
  newReplicaSet: 'NewReplicaSetCreated',
  foundNewReplicaSet: 'FoundNewReplicaSet',
  replicaSetUpdated: 'ReplicaSetUpdated',
  newReplicaSetAvailable: 'NewReplicaSetAvailable',
  failedReplicaSetCreate: 'ReplicaSetCreateError',
  timedOut: 'ProgressDeadlineExceeded',
  paused: 'DeploymentPaused',
  resumed: 'DeploymentResumed',
  minimumAvailable: 'MinimumReplicasAvailable',
  minimumUnavailable: 'MinimumReplicasUnavailable',
} as const

/** A condition with both of its times, as new. */
const written = (next: Condition, now: string): DeploymentCondition => ({
  type: next.type,
  status: next.status,
  lastUpdateTime: now,
  lastTransitionTime: now,
  reason: next.reason,
  message: next.message,
})

/** The transition time stays while the status does. */
function keepTransition(fresh: DeploymentCondition, before: DeploymentCondition | undefined): void {
  if (before?.status === fresh.status && before.lastTransitionTime !== undefined) {
    fresh.lastTransitionTime = before.lastTransitionTime
  }
}

/** Replaces the condition unless status and reason are the same; the transition time is kept while the status is. */
export function setDeploymentCondition(
  conditions: readonly DeploymentCondition[],
  next: Condition,
  nowMs: number,
): readonly DeploymentCondition[] {
  const before = findCondition(conditions, next.type)
  if (before?.status === next.status && before?.reason === next.reason) return conditions
  const fresh = written(next, rfc3339(nowMs))
  keepTransition(fresh, before)
  return [...removeDeploymentCondition(conditions, next.type), fresh]
}

/** Says that there was progress just now: always written, so that the deadline counts from here. */
export function renewProgress(
  conditions: readonly DeploymentCondition[],
  next: Condition,
  nowMs: number,
): readonly DeploymentCondition[] {
  const before = findCondition(conditions, next.type)
  const fresh = written(next, rfc3339(nowMs))
  keepTransition(fresh, before)
  return [...removeDeploymentCondition(conditions, next.type), fresh]
}

export const removeDeploymentCondition = (
  conditions: readonly DeploymentCondition[],
  type: string,
): readonly DeploymentCondition[] =>
  conditions.some((condition) => condition.type === type)
    ? conditions.filter((condition) => condition.type !== type)
    : conditions
