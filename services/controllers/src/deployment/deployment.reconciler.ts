// Deployment: rolls its pods from one template to the next by sizing ReplicaSets, one per template. The steps, numbers,
// reasons and sentences are upstream's (pkg/controller/deployment). One round works on drafts: first what the ReplicaSets
// should be, then what the Deployment's status should say, then one command for each object that differs.
//
//   round.ts               what a round looks at and collects
//   newest-replica-set.ts  the ReplicaSet of the present template, revisions
//   rollout.ts             RollingUpdate, Recreate, old revisions that go
//   scaling.ts             the Deployment's own size changed, or it is paused
//   rollout-status.ts      numbers and conditions
//   sizes.ts               sizes as they are and as they are wanted
import type { ReplicaSet } from '@shiplog/api/generated/types/apps-v1'
import { compileLabelSelector } from '@shiplog/api/selectors'
import {
  forResource,
  settled,
  watchesResource,
  type ReconcileContext,
  type Reconciler,
  type ReconcileResult,
} from '@shiplog/reconcile/reconciler'
import type { ObjectView } from '@shiplog/reconcile/view'
import {
  adopterKeys,
  claimChildren,
  controllerKeys,
  controllerOf,
  controllingObject,
  isBeingDeleted,
  labelSelectorOf,
  orphansIndex,
} from '../shared/ownership.ts'
import { isFinished } from '../shared/pods.ts'
import { byCreation, findNewReplicaSet, revisionAnnotation } from './revisions.ts'
import { recreate, rollingUpdate } from './rollout.ts'
import { calculateStatus, notePause, writeStatus } from './rollout-status.ts'
import type { Round } from './round.ts'
import { isScalingEvent, syncOnly } from './scaling.ts'
import { resizeCommands } from './sizes.ts'
import { isRollingUpdate } from './strategy.ts'

const deploymentKeys = (replicaSet: ReplicaSet): readonly string[] => controllerKeys(replicaSet, 'Deployment')

/** Rolls pods from template to template. */
export const deploymentReconciler: Reconciler = {
  name: 'deployment',
  component: 'deployment-controller',
  indexes: [orphansIndex('replicasets.apps')],
  resources: [
    forResource('deployments.apps'),
    watchesResource('replicasets.apps', (change, before, view) => {
      const replicaSet = change.object
      const keys = new Set([...deploymentKeys(replicaSet), ...(before ? deploymentKeys(before) : [])])
      if (!controllerOf(replicaSet)) {
        for (const key of adopterKeys(view, 'deployments.apps', replicaSet, labelSelectorOf)) keys.add(key)
      }
      return keys
    }),
    // Recreate waits until the last old pod is gone.
    watchesResource('pods', (change, _before, view) => {
      if (!change.deleted && !isFinished(change.object)) return []
      const replicaSet = controllingObject(view, 'replicasets.apps', 'ReplicaSet', change.object)
      const keys = replicaSet ? deploymentKeys(replicaSet) : []
      return keys.filter((key) => {
        const deployment = view.get('deployments.apps', key)
        return deployment !== undefined && !isRollingUpdate(deployment)
      })
    }),
  ],
  reconcile: reconcileDeployment,
}

function reconcileDeployment(key: string, view: ObjectView, context: ReconcileContext): ReconcileResult {
  const deployment = view.get('deployments.apps', key)
  if (!deployment) return settled
  const labelSelector = deployment.spec.selector
  if (!labelSelector.matchExpressions?.length && Object.keys(labelSelector.matchLabels ?? {}).length === 0) {
    const message = 'This deployment is selecting all pods. A non-empty selector is required.'
    return { events: [{ object: deployment, type: 'Warning', reason: 'SelectingAll', message }] }
  }
  const claim = claimChildren(view, deployment, 'replicasets.apps', compileLabelSelector(labelSelector))
  if (claim.commands.length > 0) return { commands: claim.commands }

  const newest = findNewReplicaSet(deployment, claim.children)
  const round: Round = {
    deployment,
    view,
    nowMs: context.nowMs,
    createFailure: context.failures.find(
      ({ request, status }) => request.verb === 'create' && status.code !== 409 && status.code !== 404,
    )?.status.message,
    all: claim.children,
    old: claim.children.filter((replicaSet) => replicaSet !== newest).sort(byCreation),
    newest,
    sizes: new Map(),
    newestAnnotations: undefined,
    newestMinReady: false,
    conditions: deployment.status.conditions ?? [],
    revision: deployment.metadata.annotations?.[revisionAnnotation],
    collisionCount: deployment.status.collisionCount,
    commands: [],
    events: [],
    requeueAfterMs: undefined,
  }
  if (isBeingDeleted(deployment)) {
    writeStatus(round, calculateStatus(round))
  } else {
    notePause(round)
    if (deployment.spec.paused || isScalingEvent(round)) syncOnly(round)
    else if (isRollingUpdate(deployment)) rollingUpdate(round)
    else recreate(round)
  }
  resizeCommands(round)
  return {
    commands: round.commands,
    events: round.events,
    ...(round.requeueAfterMs === undefined ? {} : { requeueAfterMs: round.requeueAfterMs }),
  }
}
