// The strategies: how a rollout gets on, and what is removed when it is done.
import type { ReplicaSet } from '@shiplog/api/generated/types/apps-v1'
import { isBeingDeleted } from '../shared/ownership.ts'
import { isFinished } from '../shared/pods.ts'
import { sizeForNewest, syncRevisions } from './newest-replica-set.ts'
import { byRevision } from './revisions.ts'
import { isComplete, syncRolloutStatus } from './rollout-status.ts'
import { replicaSets, type Round, unlimited } from './round.ts'
import { available, isObserved, resize, sizeOf, sumStatus, totalSize } from './sizes.ts'
import { maxUnavailableOf, replicasOf } from './strategy.ts'

export function rollingUpdate(round: Round): void {
  syncRevisions(round, true)
  const { newest, deployment } = round
  if (!newest) {
    syncRolloutStatus(round)
    return
  }
  const wanted = replicasOf(deployment)
  const size = replicasOf(newest)
  const target = size > wanted ? wanted : size < wanted ? sizeForNewest(round, size) : size
  const changed = resize(round, newest, target) || scaleDownOld(round, newest)
  if (!changed && isComplete(deployment, deployment.status)) cleanUp(round)
  syncRolloutStatus(round)
}

/** Takes pods from old ReplicaSets: first those that are not available anyway, then as many as the new ones allow. */
function scaleDownOld(round: Round, newest: ReplicaSet): boolean {
  const { deployment, old, all } = round
  if (totalSize(round, old) === 0) return false
  // Numbers from before the last change of a size would allow to remove what is removed already. Each ReplicaSet soon
  // says that it has seen its size, and that wakes the Deployment.
  if (!all.every(isObserved)) return false
  const minAvailable = replicasOf(deployment) - maxUnavailableOf(deployment)
  const newestUnavailable = replicasOf(newest) - available(newest)
  const scaledDownMax = totalSize(round, all) - minAvailable - newestUnavailable
  if (scaledDownMax <= 0) return false
  let changed = false
  let cleaned = 0
  for (const replicaSet of old) {
    if (cleaned >= scaledDownMax) break
    const size = replicasOf(replicaSet)
    const unhealthy = size - available(replicaSet)
    if (size === 0 || unhealthy <= 0) continue
    const count = Math.min(scaledDownMax - cleaned, unhealthy)
    cleaned += count
    changed = resize(round, replicaSet, size - count) || changed
  }
  const spare = all.reduce((sum, replicaSet) => sum + available(replicaSet), 0) - minAvailable
  let taken = 0
  for (const replicaSet of old) {
    if (taken >= spare) break
    const size = sizeOf(round, replicaSet)
    if (size === 0) continue
    const count = Math.min(size, spare - taken)
    taken += count
    changed = resize(round, replicaSet, size - count) || changed
  }
  return changed
}

export function recreate(round: Round): void {
  syncRevisions(round, false)
  let scaledDown = false
  for (const replicaSet of round.old) scaledDown = resize(round, replicaSet, 0) || scaledDown
  if (!scaledDown && !oldPodsRun(round)) {
    if (round.newest) resize(round, round.newest, replicasOf(round.deployment))
    else syncRevisions(round, true)
    if (round.newest && isComplete(round.deployment, round.deployment.status)) cleanUp(round)
  }
  syncRolloutStatus(round)
}

function oldPodsRun(round: Round): boolean {
  // One that has not seen yet that it is to have none may still be making some.
  if (!round.old.every(isObserved) || sumStatus(round.old, 'replicas') > 0) return true
  for (const replicaSet of round.old) {
    for (const pod of round.view.listOwned('pods', replicaSet.metadata.uid)) if (!isFinished(pod)) return true
  }
  return false
}

/** Removes ReplicaSets beyond revisionHistoryLimit, the oldest revisions first. */
export function cleanUp(round: Round): void {
  const limit = round.deployment.spec.revisionHistoryLimit
  if (limit === undefined || limit === unlimited) return
  const candidates = round.old.filter((replicaSet) => !isBeingDeleted(replicaSet))
  const surplus = candidates.length - limit
  if (surplus <= 0) return
  for (const replicaSet of candidates.sort(byRevision).slice(0, surplus)) {
    const { metadata } = replicaSet
    if ((replicaSet.status.replicas ?? 0) !== 0 || sizeOf(round, replicaSet) !== 0) continue
    if (!isObserved(replicaSet)) continue
    round.commands.push({
      request: {
        verb: 'delete',
        ...replicaSets,
        namespace: metadata.namespace!,
        name: metadata.name,
        body: { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid: metadata.uid } },
      },
    })
    round.sizes.delete(metadata.name)
  }
}
