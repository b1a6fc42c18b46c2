// The numbers of a rolling update: maxSurge and maxUnavailable as counts, and the shares of proportional scaling.
import type { Deployment, ReplicaSet } from '@shiplog/api/generated/types/apps-v1'
import { scaledValue } from '@shiplog/api/int-or-string'

export const isRollingUpdate = (deployment: Deployment): boolean =>
  (deployment.spec.strategy?.type ?? 'RollingUpdate') === 'RollingUpdate'

export const replicasOf = (object: Deployment | ReplicaSet): number => object.spec.replicas ?? 1

/** Both as upstream's ResolveFenceposts: surge rounds up, unavailable down, and they are never both 0. */
function fenceposts(deployment: Deployment): { readonly surge: number; readonly unavailable: number } {
  const replicas = replicasOf(deployment)
  const rolling = deployment.spec.strategy?.rollingUpdate
  const surge = scaledValue(rolling?.maxSurge ?? 0, replicas, true) ?? 0
  const unavailable = scaledValue(rolling?.maxUnavailable ?? 0, replicas, false) ?? 0
  return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable }
}

/** Pods above the wanted number that an update may make; 0 unless it rolls. */
export const maxSurgeOf = (deployment: Deployment): number =>
  isRollingUpdate(deployment) ? fenceposts(deployment).surge : 0

/** Pods below the wanted number that an update may leave; 0 unless it rolls. */
export function maxUnavailableOf(deployment: Deployment): number {
  if (!isRollingUpdate(deployment) || replicasOf(deployment) === 0) return 0
  return Math.min(fenceposts(deployment).unavailable, replicasOf(deployment))
}

/** Rounds half away from zero, as Go's math.Round. */
const roundAway = (value: number): number => Math.sign(value) * Math.round(Math.abs(value))

/**
 * Shares a change of size out over ReplicaSets in proportion to theirs; what rounding leaves goes to the first. The order
 * of the list is the order of precedence. `sizeBefore` is the most that a ReplicaSet's Deployment could have had.
 */
export function proportionalSizes(
  deployment: Deployment,
  replicaSets: readonly ReplicaSet[],
  toAdd: number,
  sizeBefore: (replicaSet: ReplicaSet) => number,
): ReadonlyMap<string, number> {
  const limit = replicasOf(deployment) === 0 ? 0 : replicasOf(deployment) + maxSurgeOf(deployment)
  const sizes = new Map<string, number>()
  let added = 0
  for (const replicaSet of replicaSets) {
    const size = replicasOf(replicaSet)
    let share = 0
    if (toAdd !== 0 && size !== 0 && toAdd !== added) {
      const before = sizeBefore(replicaSet)
      const wanted = replicasOf(deployment) === 0 ? -size : before === 0 ? 0 : roundAway((size * limit) / before) - size
      share = toAdd > 0 ? Math.min(wanted, toAdd - added) : Math.max(wanted, toAdd - added)
    }
    sizes.set(replicaSet.metadata.name, size + share)
    added += share
  }
  const first = replicaSets[0]
  if (first && toAdd !== added) {
    sizes.set(first.metadata.name, Math.max(0, sizes.get(first.metadata.name)! + toAdd - added))
  }
  return sizes
}
