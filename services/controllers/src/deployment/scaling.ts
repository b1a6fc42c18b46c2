// A Deployment whose own size changes, or that is paused: sizes follow in proportion, and no rollout goes on.
import type { Deployment, ReplicaSet } from '@shiplog/api/generated/types/apps-v1'
import { syncRevisions } from './newest-replica-set.ts'
import { byCreation, desiredReplicasAnnotation, maxReplicasAnnotation } from './revisions.ts'
import { cleanUp } from './rollout.ts'
import { calculateStatus, writeStatus } from './rollout-status.ts'
import type { Round } from './round.ts'
import { available, isObserved } from './sizes.ts'
import { isRollingUpdate, maxSurgeOf, proportionalSizes, replicasOf } from './strategy.ts'

/** The Deployment's own size was changed since its ReplicaSets were sized. */
export function isScalingEvent(round: Round): boolean {
  const active = round.all.filter((replicaSet) => replicasOf(replicaSet) > 0)
  // Several active ones while recreating: there is nothing to share out, the rollout itself sizes them.
  if (!isRollingUpdate(round.deployment) && active.length > 1) return false
  return round.all.some((replicaSet) => {
    if (replicasOf(replicaSet) === 0) return false
    const desired = replicaSet.metadata.annotations?.[desiredReplicasAnnotation]
    return desired !== undefined && Number(desired) !== replicasOf(round.deployment)
  })
}

/** While paused, or right after scaling: sizes follow, but no rollout goes on. */
export function syncOnly(round: Round): void {
  syncRevisions(round, false)
  scale(round)
  if (round.deployment.spec.paused) cleanUp(round)
  writeStatus(round, calculateStatus(round))
}

function scale(round: Round): void {
  const { deployment, newest, old } = round
  const wanted = replicasOf(deployment)
  const active = round.all.filter((replicaSet) => replicasOf(replicaSet) > 0)
  const only = active.length === 1 ? active[0] : active.length === 0 ? (newest ?? old.at(-1)) : undefined
  if (only) {
    // Also when the size is right already: the annotation must say so, or this would be a scaling event for ever.
    round.sizes.set(only.metadata.name, wanted)
    return
  }
  if (active.length === 0) return
  if (newest && isSaturated(deployment, newest)) {
    for (const replicaSet of old) if (replicasOf(replicaSet) > 0) round.sizes.set(replicaSet.metadata.name, 0)
    return
  }
  if (!isRollingUpdate(deployment)) return
  const allowed = wanted > 0 ? wanted + maxSurgeOf(deployment) : 0
  const toAdd = allowed - active.reduce((sum, replicaSet) => sum + replicasOf(replicaSet), 0)
  const bySize = (a: ReplicaSet, b: ReplicaSet): number =>
    replicasOf(b) - replicasOf(a) || (toAdd > 0 ? byCreation(b, a) : byCreation(a, b))
  const sizeBefore = (replicaSet: ReplicaSet): number =>
    Number(replicaSet.metadata.annotations?.[maxReplicasAnnotation] ?? 0) || (deployment.status.replicas ?? 0)
  for (const [name, size] of proportionalSizes(deployment, [...active].sort(bySize), toAdd, sizeBefore)) {
    round.sizes.set(name, size)
  }
}

const isSaturated = (deployment: Deployment, newest: ReplicaSet): boolean =>
  replicasOf(newest) === replicasOf(deployment) &&
  Number(newest.metadata.annotations?.[desiredReplicasAnnotation]) === replicasOf(deployment) &&
  isObserved(newest) &&
  available(newest) === replicasOf(deployment)
