// Sizes of the ReplicaSets of a Deployment: as they are, as a round wants them, and the commands that change them.
import type { ReplicaSet } from '@shiplog/api/generated/types/apps-v1'
import { jsonEqual } from '@shiplog/api/patch/json-patch'
import { replicasAnnotations } from './revisions.ts'
import { replicaSets, type Round } from './round.ts'
import { replicasOf } from './strategy.ts'

/** The size that a ReplicaSet has, or will have after this round. */
export const sizeOf = (round: Round, replicaSet: ReplicaSet): number =>
  round.sizes.get(replicaSet.metadata.name) ?? replicasOf(replicaSet)

export const totalSize = (round: Round, list: readonly ReplicaSet[]): number =>
  list.reduce((sum, replicaSet) => sum + sizeOf(round, replicaSet), 0)

/** The status speaks of the ReplicaSet as it is now, not of one that was larger or smaller. */
export const isObserved = ({ metadata, status }: ReplicaSet): boolean =>
  (status.observedGeneration ?? 0) >= (metadata.generation ?? 0)

/**
 * How many available pods the ReplicaSet will keep: its status counts those that it had when it looked, and from then on
 * it removes what is beyond its size. Only of use when the status is of this size (`isObserved`).
 */
export const available = (replicaSet: ReplicaSet): number =>
  Math.min(replicaSet.status.availableReplicas ?? 0, replicasOf(replicaSet))

/** The counts in the status of a ReplicaSet. */
type ReplicaCount = 'replicas' | 'readyReplicas' | 'availableReplicas' | 'terminatingReplicas'

export const sumStatus = (list: readonly ReplicaSet[], field: ReplicaCount): number =>
  list.reduce((sum, replicaSet) => sum + (replicaSet.status[field] ?? 0), 0)

/** Wants a size; true when that is a change. */
export function resize(round: Round, replicaSet: ReplicaSet, size: number): boolean {
  if (sizeOf(round, replicaSet) === size) return false
  round.sizes.set(replicaSet.metadata.name, size)
  return true
}

/** One update for each ReplicaSet that differs: its size, its annotations, its minReadySeconds. */
export function resizeCommands(round: Round): void {
  const { deployment } = round
  for (const replicaSet of round.all) {
    const wanted = round.sizes.get(replicaSet.metadata.name)
    const before = replicasOf(replicaSet)
    const scales = wanted !== undefined && wanted !== before
    const isNewest = replicaSet === round.newest
    const annotations = {
      ...((isNewest ? round.newestAnnotations : undefined) ?? replicaSet.metadata.annotations),
      ...(wanted === undefined ? {} : replicasAnnotations(deployment, replicasOf(deployment))),
    }
    const minReady = isNewest && round.newestMinReady
    if (!scales && !minReady && jsonEqual(annotations, replicaSet.metadata.annotations ?? {})) continue
    const direction = (wanted ?? 0) > before ? 'up' : 'down'
    round.commands.push({
      request: {
        verb: 'update',
        ...replicaSets,
        namespace: deployment.metadata.namespace!,
        name: replicaSet.metadata.name,
        body: {
          ...replicaSet,
          metadata: { ...replicaSet.metadata, annotations },
          spec: {
            ...replicaSet.spec,
            ...(scales ? { replicas: wanted } : {}),
            ...(minReady ? { minReadySeconds: deployment.spec.minReadySeconds ?? 0 } : {}),
          },
        },
      },
      ...(scales
        ? {
            event: {
              object: deployment,
              type: 'Normal' as const,
              reason: 'ScalingReplicaSet',
              message: `Scaled ${direction} replica set ${replicaSet.metadata.name} from ${before} to ${wanted}`,
            },
          }
        : {}),
    })
  }
}
