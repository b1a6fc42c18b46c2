// Deployment: rolls its pods from one template to the next by sizing ReplicaSets, one per template. The steps, numbers,
// reasons and sentences are upstream's (pkg/controller/deployment). One round works on drafts: first what the ReplicaSets
// should be, then what the Deployment's status should say, then one command for each object that differs.
import type {
  Deployment,
  DeploymentCondition,
  DeploymentStatus,
  ReplicaSet,
} from '@shiplog/api/generated/types/apps-v1'
import { compileLabelSelector } from '@shiplog/api/selectors'
import { jsonEqual } from '@shiplog/api/patch/json-patch'
import {
  forResource,
  settled,
  watchesResource,
  type Command,
  type EventRecord,
  type ReconcileContext,
  type Reconciler,
  type ReconcileResult,
} from '@shiplog/reconcile/reconciler'
import { keyOf, type ObjectView } from '@shiplog/reconcile/view'
import { type Condition, findCondition } from '../shared/conditions.ts'
import {
  adopterKeys,
  controllingObject,
  claimChildren,
  controllerKeys,
  controllerOf,
  controllerReference,
  isBeingDeleted,
  labelSelectorOf,
  orphansIndex,
} from '../shared/ownership.ts'
import { isFinished } from '../shared/pods.ts'
import { reasons, removeDeploymentCondition, renewProgress, setDeploymentCondition } from './deployment-conditions.ts'
import {
  byCreation,
  byRevision,
  desiredReplicasAnnotation,
  findNewReplicaSet,
  maxReplicasAnnotation,
  newReplicaSetAnnotations,
  replicasAnnotations,
  revisionAnnotation,
  revisionOf,
  templateHash,
  templateHashLabel,
} from './revisions.ts'
import { isRollingUpdate, maxSurgeOf, maxUnavailableOf, proportionalSizes, replicasOf } from './strategy.ts'

const replicaSets = { group: 'apps', resource: 'replicasets' }
/** What "no deadline" is written as. */
const noDeadlineSeconds = 2_147_483_647

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

/** What one round decides, collected before it becomes commands. */
interface Round {
  readonly deployment: Deployment
  readonly view: ObjectView
  readonly nowMs: number
  /** Why the last try to create a ReplicaSet was refused, other than by a race. */
  readonly createFailure: string | undefined
  readonly all: readonly ReplicaSet[]
  /** In order of creation. */
  readonly old: readonly ReplicaSet[]
  readonly newest: ReplicaSet | undefined
  /** Wanted sizes of ReplicaSets that change theirs, by name. */
  readonly sizes: Map<string, number>
  /** Wanted changes of the newest ReplicaSet beside its size. */
  newestAnnotations: Record<string, string> | undefined
  newestMinReady: boolean
  conditions: readonly DeploymentCondition[]
  /** The revision that the Deployment should show. */
  revision: string | undefined
  collisionCount: number | undefined
  readonly commands: Command[]
  readonly events: EventRecord[]
  requeueAfterMs: number | undefined
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

// ── sizes ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The size that a ReplicaSet has, or will have after this round. */
const sizeOf = (round: Round, replicaSet: ReplicaSet): number =>
  round.sizes.get(replicaSet.metadata.name) ?? replicasOf(replicaSet)

const totalSize = (round: Round, list: readonly ReplicaSet[]): number =>
  list.reduce((sum, replicaSet) => sum + sizeOf(round, replicaSet), 0)

/** The status speaks of the ReplicaSet as it is now, not of one that was larger or smaller. */
const isObserved = ({ metadata, status }: ReplicaSet): boolean =>
  (status.observedGeneration ?? 0) >= (metadata.generation ?? 0)

/**
 * How many available pods the ReplicaSet will keep: its status counts those that it had when it looked, and from then on
 * it removes what is beyond its size. Only of use when the status is of this size (`isObserved`).
 */
const available = (replicaSet: ReplicaSet): number =>
  Math.min(replicaSet.status.availableReplicas ?? 0, replicasOf(replicaSet))

/** The counts in the status of a ReplicaSet. */
type ReplicaCount = 'replicas' | 'readyReplicas' | 'availableReplicas' | 'terminatingReplicas'

const sumStatus = (list: readonly ReplicaSet[], field: ReplicaCount): number =>
  list.reduce((sum, replicaSet) => sum + (replicaSet.status[field] ?? 0), 0)

/** Wants a size; true when that is a change. */
function resize(round: Round, replicaSet: ReplicaSet, size: number): boolean {
  if (sizeOf(round, replicaSet) === size) return false
  round.sizes.set(replicaSet.metadata.name, size)
  return true
}

/** One update for each ReplicaSet that differs: its size, its annotations, its minReadySeconds. */
function resizeCommands(round: Round): void {
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

// ── the newest ReplicaSet and revisions ──────────────────────────────────────────────────────────────────────────────

/** Notes what the newest ReplicaSet's revision and annotations should be; creates it when it is missing and wanted. */
function syncRevisions(round: Round, createIfMissing: boolean): void {
  const { deployment, newest } = round
  const revision = round.old.map(revisionOf).reduce((most, one) => (one > most ? one : most), 0n) + 1n
  if (newest) {
    const annotations = newReplicaSetAnnotations(deployment, newest, revision)
    if (!jsonEqual(annotations, newest.metadata.annotations ?? {})) round.newestAnnotations = annotations
    round.newestMinReady = (newest.spec.minReadySeconds ?? 0) !== (deployment.spec.minReadySeconds ?? 0)
    round.revision = annotations[revisionAnnotation] ?? round.revision
    if (hasDeadline(deployment) && !findCondition(round.conditions, 'Progressing')) {
      progress(round, {
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
  progress(round, {
    type: 'Progressing',
    status: createFailure === undefined ? 'True' : 'False',
    reason: createFailure === undefined ? reasons.newReplicaSet : reasons.failedReplicaSetCreate,
    message: createFailure ?? `Created new replica set "${name}"`,
  })
}

/** How large the newest ReplicaSet may be now. */
function sizeForNewest(round: Round, size: number): number {
  const wanted = replicasOf(round.deployment)
  if (!isRollingUpdate(round.deployment)) return wanted
  const room = wanted + maxSurgeOf(round.deployment) - totalSize(round, round.all)
  return room <= 0 ? size : size + Math.min(room, wanted - size)
}

// ── strategies ───────────────────────────────────────────────────────────────────────────────────────────────────────

function rollingUpdate(round: Round): void {
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

function recreate(round: Round): void {
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

/** The Deployment's own size was changed since its ReplicaSets were sized. */
function isScalingEvent(round: Round): boolean {
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
function syncOnly(round: Round): void {
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

/** Removes ReplicaSets beyond revisionHistoryLimit, the oldest revisions first. */
function cleanUp(round: Round): void {
  const limit = round.deployment.spec.revisionHistoryLimit
  if (limit === undefined || limit === noDeadlineSeconds) return
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

// ── status ───────────────────────────────────────────────────────────────────────────────────────────────────────────

const hasDeadline = (deployment: Deployment): boolean => {
  const seconds = deployment.spec.progressDeadlineSeconds
  return seconds !== undefined && seconds !== noDeadlineSeconds
}

function progress(round: Round, condition: Condition): void {
  round.conditions = setDeploymentCondition(round.conditions, condition, round.nowMs)
}

/** A pause stops the deadline's clock; resuming starts it anew. */
function notePause(round: Round): void {
  if (!hasDeadline(round.deployment)) return
  const current = findCondition(round.conditions, 'Progressing')
  if (current?.reason === reasons.timedOut) return
  const paused = Boolean(round.deployment.spec.paused)
  const saysPaused = current?.reason === reasons.paused
  if (paused === saysPaused) return
  progress(round, {
    type: 'Progressing',
    status: 'Unknown',
    reason: paused ? reasons.paused : reasons.resumed,
    message: paused ? 'Deployment is paused' : 'Deployment is resumed',
  })
}

/** The numbers and the Available condition, from the ReplicaSets' own status. */
function calculateStatus(round: Round): DeploymentStatus {
  const { deployment, all, newest } = round
  const availableReplicas = sumStatus(all, 'availableReplicas')
  const wanted = replicasOf(deployment)
  const enough = availableReplicas >= wanted - maxUnavailableOf(deployment)
  progress(round, {
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
const isComplete = (deployment: Deployment, status: DeploymentStatus): boolean =>
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
  return fromMs + (round.deployment.spec.progressDeadlineSeconds ?? noDeadlineSeconds) * 1000 - round.nowMs
}

/** The status during a rollout: beside the numbers, whether it gets on, is done, or is stuck. */
function syncRolloutStatus(round: Round): void {
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
        progress(round, {
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
          progress(round, {
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
    progress(round, {
      type: 'ReplicaFailure',
      status: 'True',
      reason: failure.reason ?? '',
      message: failure.message ?? '',
    })
  }
}

/** One write for status and revision: as upstream, the annotation goes by the status subresource, so no generation moves. */
function writeStatus(round: Round, numbers: DeploymentStatus): void {
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
