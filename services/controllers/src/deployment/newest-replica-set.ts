// The ReplicaSet of a Deployment's template, its revision, and its making.
import { jsonEqual } from '@shiplog/api/patch/json-patch'
import { keyOf } from '@shiplog/reconcile/view'
import { findCondition } from '../shared/conditions.ts'
import { controllerReference } from '../shared/ownership.ts'
import { reasons } from './deployment-conditions.ts'
import { newReplicaSetAnnotations, revisionAnnotation, revisionOf, templateHash, templateHashLabel } from './revisions.ts'
import { hasDeadline, note, replicaSets, type Round } from './round.ts'
import { totalSize } from './sizes.ts'
import { isRollingUpdate, maxSurgeOf, replicasOf } from './strategy.ts'

/** Notes what the newest ReplicaSet's revision and annotations should be; creates it when it is missing and wanted. */
export function syncRevisions(round: Round, createIfMissing: boolean): void {
  const { deployment, newest } = round
  const revision = round.old.map(revisionOf).reduce((most, one) => (one > most ? one : most), 0n) + 1n
  if (newest) {
    const annotations = newReplicaSetAnnotations(deployment, newest, revision)
    if (!jsonEqual(annotations, newest.metadata.annotations ?? {})) round.newestAnnotations = annotations
    round.newestMinReady = (newest.spec.minReadySeconds ?? 0) !== (deployment.spec.minReadySeconds ?? 0)
    round.revision = annotations[revisionAnnotation] ?? round.revision
    if (hasDeadline(deployment) && !findCondition(round.conditions, 'Progressing')) {
      note(round, {
        type: 'Progressing',
        status: 'True',
        reason: reasons.foundNewReplicaSet,
        message: `Found new replica set "${newest.metadata.name}"`,
      })
    }
    return
  }
  if (createIfMissing) createNewest(round, revision)
}

function createNewest(round: Round, revision: bigint): void {
  const { deployment, view } = round
  const template = deployment.spec.template
  const hash = templateHash(template, round.collisionCount ?? 0)
  const name = `${deployment.metadata.name}-${hash}`
  const namespace = deployment.metadata.namespace!
  if (view.get('replicasets.apps', keyOf(namespace, name))) {
    // Ours with this template would have been found: another template, or another owner, has the same hash.
    round.collisionCount = (round.collisionCount ?? 0) + 1
    return
  }
  const replicas = sizeForNewest(round, 0)
  const labels = { ...template.metadata?.labels, [templateHashLabel]: hash }
  const selector = deployment.spec.selector
  const annotations = newReplicaSetAnnotations(deployment, undefined, revision)
  round.revision = annotations[revisionAnnotation]
  round.commands.push({
    request: {
      verb: 'create',
      ...replicaSets,
      namespace,
      body: {
        apiVersion: 'apps/v1',
        kind: 'ReplicaSet',
        metadata: { name, namespace, labels, annotations, ownerReferences: [controllerReference(deployment)] },
        spec: {
          replicas,
          ...(deployment.spec.minReadySeconds ? { minReadySeconds: deployment.spec.minReadySeconds } : {}),
          selector: { ...selector, matchLabels: { ...selector.matchLabels, [templateHashLabel]: hash } },
          template: { ...template, metadata: { ...template.metadata, labels } },
        },
      },
    },
    ...(replicas > 0
      ? {
          event: {
            object: deployment,
            type: 'Normal' as const,
            reason: 'ScalingReplicaSet',
            message: `Scaled up replica set ${name} from 0 to ${replicas}`,
          },
        }
      : {}),
    failureEvent: (status) => ({
      object: deployment,
      type: 'Warning',
      reason: reasons.failedReplicaSetCreate,
      message: `Failed to create new replica set "${name}": ${status.message}`,
    }),
  })
  const { createFailure } = round
  if (!hasDeadline(deployment)) return
  note(round, {
    type: 'Progressing',
    status: createFailure === undefined ? 'True' : 'False',
    reason: createFailure === undefined ? reasons.newReplicaSet : reasons.failedReplicaSetCreate,
    message: createFailure ?? `Created new replica set "${name}"`,
  })
}

/** How large the newest ReplicaSet may be now. */
export function sizeForNewest(round: Round, size: number): number {
  const wanted = replicasOf(round.deployment)
  if (!isRollingUpdate(round.deployment)) return wanted
  const room = wanted + maxSurgeOf(round.deployment) - totalSize(round, round.all)
  return room <= 0 ? size : size + Math.min(room, wanted - size)
}
