// ReplicaSet and ReplicationController: exactly spec.replicas active pods. As upstream they are one controller for two kinds,
// which differ in the form of their selector and in what their status tells. Pods get names from a counter over the owner's
// uid (shared/names.ts), so that racing or restarted runners can never make one too many.
import type { ReplicaSet, ReplicaSetCondition, ReplicaSetStatus } from '@shiplog/api/generated/types/apps-v1'
import type { Pod, ReplicationController } from '@shiplog/api/generated/types/core-v1'
import { type CompiledSelector, compileLabelMap, compileLabelSelector } from '@shiplog/api/selectors'
import { jsonEqual } from '@shiplog/api/patch/json-patch'
import {
  forResource,
  settled,
  watchesResource,
  type Command,
  type ReconcileContext,
  type Reconciler,
  type ReconcileResult,
} from '@shiplog/reconcile/reconciler'
import { keyOf, type ObjectView } from '@shiplog/reconcile/view'
import { rfc3339 } from '@shiplog/runtime/clock'
import {
  adopterKeys,
  claimChildren,
  controllerKeys,
  controllerOf,
  isBeingDeleted,
  orphansIndex,
} from '../shared/ownership.ts'
import { createPodCommand, deletePodCommand } from '../shared/pod-commands.ts'
import { isActive, isReady, isTerminating, untilAvailableMs } from '../shared/pods.ts'
import { podFromTemplate } from '../shared/pod-from-template.ts'
import { nextChildNames } from '../shared/names.ts'
import { comparePodsForDeletion } from './pod-ranking.ts'

/** Pods made or removed in one round, as upstream's BurstReplicas. */
export const burstReplicas = 500

const nameProbesMax = 256

type ReplicaResource = 'replicasets.apps' | 'replicationcontrollers'

/** What the two kinds differ in. */
interface ReplicaKind {
  readonly kind: string
  readonly group: string
  readonly resource: string
  readonly groupResource: ReplicaResource
  /** Fields of the status beside those that both have. */
  moreStatus(terminating: number): Partial<ReplicaSetStatus>
}

const replicaSets: ReplicaKind = {
  kind: 'ReplicaSet',
  group: 'apps',
  resource: 'replicasets',
  groupResource: 'replicasets.apps',
  moreStatus: (terminating) => ({ terminatingReplicas: terminating }),
}

const replicationControllers: ReplicaKind = {
  kind: 'ReplicationController',
  group: '',
  resource: 'replicationcontrollers',
  groupResource: 'replicationcontrollers',
  moreStatus: () => ({}),
}

/** A ReplicationController selects by plain labels, a ReplicaSet by a label selector. */
const selectorOf = (owner: ReplicaSet | ReplicationController): CompiledSelector =>
  owner.kind === 'ReplicaSet' ? compileLabelSelector(owner.spec.selector) : compileLabelMap(owner.spec.selector)

const createReconciler = (names: Pick<Reconciler, 'name' | 'component'>, of: ReplicaKind): Reconciler => ({
  ...names,
  indexes: [orphansIndex('pods')],
  resources: [
    forResource(of.groupResource),
    watchesResource('pods', (change, before, view) => {
      const pod = change.object
      const keys = new Set(controllerKeys(pod, of.kind))
      if (before && before.metadata.ownerReferences !== pod.metadata.ownerReferences) {
        for (const key of controllerKeys(before, of.kind)) keys.add(key)
      }
      const wasOrphan = before !== undefined && !controllerOf(before)
      // An orphan wakes those who may adopt it when it appears, is released or gets other labels; not at each status.
      if (!controllerOf(pod) && !(wasOrphan && jsonEqual(before.metadata.labels, pod.metadata.labels))) {
        for (const key of adopterKeys(view, of.groupResource, pod, selectorOf)) keys.add(key)
      }
      return keys
    }),
  ],
  reconcile: (key, view, context) => reconcileReplicas(of, key, view, context),
})

/** Keeps `spec.replicas` pods of a ReplicaSet alive. */
export const replicaSetReconciler: Reconciler = createReconciler(
  { name: 'replicaset', component: 'replicaset-controller' },
  replicaSets,
)

/** The same for ReplicationControllers. */
export const replicationControllerReconciler: Reconciler = createReconciler(
  { name: 'replicationmanager', component: 'replication-controller' },
  replicationControllers,
)

function reconcileReplicas(of: ReplicaKind, key: string, view: ObjectView, context: ReconcileContext): ReconcileResult {
  const owner = view.get(of.groupResource, key)
  if (!owner) return settled
  const claim = claimChildren(view, owner, 'pods', selectorOf(owner), { eligible: isActive })
  if (claim.commands.length > 0) return { commands: claim.commands }
  const active = claim.children.filter(isActive)
  const manage = isBeingDeleted(owner) ? [] : manageReplicas(owner, active, view, context)
  const { status, requeueAfterMs } = statusOf(of, owner, claim.children, active, context)
  // The status goes first: after failures commands are sent one, two, four … at a time until one is refused again.
  const commands: Command[] = []
  if (!jsonEqual(status, owner.status ?? {})) {
    commands.push({
      request: {
        verb: 'update',
        group: of.group,
        resource: of.resource,
        subresource: 'status',
        namespace: owner.metadata.namespace!,
        name: owner.metadata.name,
        body: { ...owner, status },
      },
    })
  }
  commands.push(...manage)
  return { commands, ...(requeueAfterMs === undefined ? {} : { requeueAfterMs }) }
}

function manageReplicas(
  replicaSet: ReplicaSet | ReplicationController,
  active: readonly Pod[],
  view: ObjectView,
  context: ReconcileContext,
): readonly Command[] {
  const wanted = replicaSet.spec.replicas ?? 1
  const missing = wanted - active.length
  if (missing > 0) return createPods(replicaSet, Math.min(missing, burstReplicas), view, context)
  if (missing < 0) return deletePods(replicaSet, active, Math.min(-missing, burstReplicas), view, context)
  return []
}

/**
 * A runner that has just started knows the names of pods that live, not of those that have come and gone. When it meets
 * such names, it also asks for further ones without taking them (a dry run), twice as many each time.
 */
function createPods(
  replicaSet: ReplicaSet | ReplicationController,
  count: number,
  view: ObjectView,
  context: ReconcileContext,
): readonly Command[] {
  const namespace = replicaSet.metadata.namespace!
  const taken = (name: string): boolean => {
    const key = keyOf(namespace, name)
    return view.get('pods', key) !== undefined || view.deletedAtMs('pods', key) !== undefined
  }
  const probes = context.usedNameRounds === 0 ? 0 : Math.min(2 ** context.usedNameRounds, nameProbesMax)
  const names = nextChildNames(`${replicaSet.metadata.name}-`, replicaSet.metadata.uid, count + probes, taken)
  return names.map((name, i) => {
    const command = createPodCommand(replicaSet, podFromTemplate(replicaSet, replicaSet.spec.template!, name))
    return i < count ? command : { request: { ...command.request, query: { dryRun: 'All' } } }
  })
}

function deletePods(
  replicaSet: ReplicaSet | ReplicationController,
  active: readonly Pod[],
  count: number,
  view: ObjectView,
  context: ReconcileContext,
): readonly Command[] {
  let victims = active
  if (count < active.length) {
    const perNode = podsPerNode(replicaSet, view)
    const rank = (pod: Pod): number => perNode.get(pod.spec.nodeName ?? '') ?? 0
    victims = [...active].sort(comparePodsForDeletion(rank, context.nowMs)).slice(0, count)
  }
  return victims.map((pod) => deletePodCommand(replicaSet, pod, count < active.length))
}

/** How many active pods of this ReplicaSet and its siblings (other revisions of one Deployment) stand on each node. */
function podsPerNode(replicaSet: ReplicaSet | ReplicationController, view: ObjectView): ReadonlyMap<string, number> {
  const controller = controllerOf(replicaSet)
  const family = new Set([replicaSet.metadata.uid])
  if (controller) {
    for (const sibling of view.listOwned('replicasets.apps', controller.uid)) family.add(sibling.metadata.uid)
  }
  const perNode = new Map<string, number>()
  for (const uid of family) {
    for (const pod of view.listOwned('pods', uid)) {
      const node = pod.spec.nodeName
      if (!node || !isActive(pod)) continue
      perNode.set(node, (perNode.get(node) ?? 0) + 1)
    }
  }
  return perNode
}

function statusOf(
  of: ReplicaKind,
  replicaSet: ReplicaSet | ReplicationController,
  children: readonly Pod[],
  active: readonly Pod[],
  context: ReconcileContext,
): { readonly status: ReplicaSetStatus; readonly requeueAfterMs: number | undefined } {
  const { spec } = replicaSet
  const minReadySeconds = spec.minReadySeconds ?? 0
  const template = compileLabelMap(spec.template?.metadata.labels)
  let fullyLabeled = 0
  let ready = 0
  let available = 0
  let soonestMs: number | undefined
  for (const pod of active) {
    if (template.matches(pod.metadata.labels)) fullyLabeled++
    if (!isReady(pod)) continue
    ready++
    const untilMs = untilAvailableMs(pod, minReadySeconds, context.nowMs)
    if (untilMs === 0) available++
    else if (untilMs !== undefined) soonestMs = Math.min(soonestMs ?? untilMs, untilMs)
  }
  const terminating = children.filter(isTerminating).length
  const conditions = failureConditions(replicaSet, context, active.length)
  // Zeros are left out, as upstream's serialization leaves them out; `replicas` is always there.
  const status: ReplicaSetStatus = {
    ...(conditions.length > 0 ? { conditions } : {}),
    replicas: active.length,
    ...(fullyLabeled > 0 ? { fullyLabeledReplicas: fullyLabeled } : {}),
    ...(ready > 0 ? { readyReplicas: ready } : {}),
    ...(available > 0 ? { availableReplicas: available } : {}),
    ...of.moreStatus(terminating),
    observedGeneration: replicaSet.metadata.generation ?? 0,
  }
  return { status, requeueAfterMs: soonestMs }
}

/** ReplicaFailure stands while commands of the last round were refused for a reason that is not a mere race. */
function failureConditions(
  replicaSet: ReplicaSet | ReplicationController,
  context: ReconcileContext,
  activeCount: number,
): ReplicaSetCondition[] {
  const before = replicaSet.status.conditions ?? []
  const others = before.filter((condition) => condition.type !== 'ReplicaFailure')
  const missing = (replicaSet.spec.replicas ?? 1) - activeCount
  const failure = context.failures.find(
    ({ request, status }) => request.resource === 'pods' && status.code !== 409 && status.code !== 404,
  )
  if (!failure || missing === 0) return others
  const known = before.find((condition) => condition.type === 'ReplicaFailure')
  const reason = missing > 0 ? 'FailedCreate' : 'FailedDelete'
  if (known && known.reason === reason) return before
  return [
    ...others,
    {
      type: 'ReplicaFailure',
      status: 'True',
      lastTransitionTime: rfc3339(context.nowMs),
      reason,
      message: failure.status.message ?? '',
    },
  ]
}
