// StatefulSet: pods with numbers, names and claims of their own, made and removed in order, or all at once when the set is
// Parallel. The steps, reasons and sentences are upstream's (pkg/controller/statefulset). A pod's name comes back with the
// next pod of its number, so names cannot be used once only: what two runners decide from different pasts is kept right by
// the uid that each deletion names, and by `onceFor`.
import type { ControllerRevision, StatefulSet } from '@shiplog/api/generated/types/apps-v1'
import type { Pod, PodTemplateSpec } from '@shiplog/api/generated/types/core-v1'
import { scaledValue } from '@shiplog/api/int-or-string'
import { compileLabelSelector } from '@shiplog/api/selectors'
import {
  forResource,
  ownsResource,
  settled,
  watchesResource,
  type Command,
  type EventRecord,
  type ReconcileContext,
  type Reconciler,
  type ReconcileResult,
} from '@shiplog/reconcile/reconciler'
import { keyOf, type ObjectView } from '@shiplog/reconcile/view'
import {
  claimRevisions,
  revisionHash,
  revisionsOrphansIndex,
  statefulSetHashLabel,
  templateOf,
  truncateRevisions,
  updateRevisionOf,
} from '../shared/controller-revisions.ts'
import {
  adopterKeys,
  claimChildren,
  controllerKeys,
  controllerOf,
  isBeingDeleted,
  labelSelectorOf,
  orphansIndex,
} from '../shared/ownership.ts'
import { isFinished, untilAvailableMs } from '../shared/pods.ts'
import { claimsOf, type ClaimUser, isClaimStale, missingClaims, retainClaims, storageMatches } from './claims.ts'
import {
  identityMatches,
  isAvailable,
  isInRange,
  isRunningAndReady,
  isUnavailable,
  newPod,
  ordinalOf,
  parentAndOrdinal,
  podNameOf,
  replicasOf,
  revisionOfPod,
  startOf,
  withIdentity,
} from './ordinals.ts'
import { statusOf, writeStatus } from './stateful-set-status.ts'

const pods = { group: '', resource: 'pods' }

/** Keeps numbered pods. */
export const statefulSetReconciler: Reconciler = {
  name: 'statefulset',
  component: 'statefulset-controller',
  indexes: [orphansIndex('pods'), revisionsOrphansIndex],
  resources: [
    forResource('statefulsets.apps'),
    ownsResource('controllerrevisions.apps', 'StatefulSet'),
    watchesResource('pods', (change, before, view) => {
      const pod = change.object
      const keys = new Set([
        ...controllerKeys(pod, 'StatefulSet'),
        ...(before ? controllerKeys(before, 'StatefulSet') : []),
      ])
      if (!controllerOf(pod)) {
        for (const key of adopterKeys(view, 'statefulsets.apps', pod, labelSelectorOf)) keys.add(key)
      }
      return keys
    }),
    watchesResource('persistentvolumeclaims', (change, _before, view) =>
      setsOfClaim(change.namespace, change.name).filter((key) => view.get('statefulsets.apps', key) !== undefined),
    ),
  ],
  reconcile: reconcileStatefulSet,
}

/** The keys of all sets that a claim of this name could belong to: `data-my-db-2` is of `my-db` or of `db`. */
function setsOfClaim(namespace: string, name: string): string[] {
  const { parent } = parentAndOrdinal(name)
  const parts = parent.split('-')
  return parts.slice(1).map((_part, i) => keyOf(namespace, parts.slice(i + 1).join('-')))
}

/** What one round works with and collects. */
interface Round {
  readonly set: StatefulSet
  readonly view: ObjectView
  readonly nowMs: number
  /** One pod after the other, each only when those before it are available. */
  readonly isOrdered: boolean
  readonly current: ControllerRevision
  readonly update: ControllerRevision
  readonly children: readonly Pod[]
  /** Of the wanted numbers, in order; undefined where there is none. */
  readonly replicas: readonly (Pod | undefined)[]
  /** Pods of other numbers, the highest first. */
  readonly condemned: readonly Pod[]
  readonly commands: Command[]
  readonly events: EventRecord[]
  /** Pods that this round deletes or changes already. */
  readonly touched: Set<string>
  /** Pods of the current revision that this round gives up for the new one. */
  leaving: number
}

function reconcileStatefulSet(key: string, view: ObjectView, context: ReconcileContext): ReconcileResult {
  const set = view.get('statefulsets.apps', key)
  if (!set) return settled
  const selector = compileLabelSelector(set.spec.selector)
  const history = claimRevisions(view, set, selector)
  if (history.commands.length > 0) return { commands: history.commands }
  const eligible = (pod: Pod): boolean => parentAndOrdinal(pod.metadata.name).parent === set.metadata.name
  const claim = claimChildren(view, set, 'pods', selector, { eligible })
  if (claim.commands.length > 0) return { commands: claim.commands }
  const { revisions } = history
  const found = updateRevisionOf(view, set, revisions, {
    collisionCount: set.status.collisionCount ?? 0,
    hashLabel: statefulSetHashLabel,
    hash: revisionHash,
  })
  // A round that makes a revision does nothing else: pods are made of what is stored.
  if ('command' in found) return { commands: [found.command] }
  const update = found.revision
  const current = revisions.find(({ metadata }) => metadata.name === set.status.currentRevision) ?? update
  const children = claim.children.filter(eligible)
  const round = beginRound(set, view, context.nowMs, { current, update, children })
  if (!isBeingDeleted(set)) syncPods(round)
  const status = statusOf(set, children, {
    current: current.metadata.name,
    update: update.metadata.name,
    collisionCount: found.collisionCount,
    leaving: round.leaving,
    nowMs: context.nowMs,
  })
  const live = new Set([current.metadata.name, update.metadata.name, ...children.map(revisionOfPod)])
  const truncated = truncateRevisions(revisions, live, set.spec.revisionHistoryLimit ?? 10)
  const requeueAfterMs = untilNextAvailableMs(set, children, context.nowMs)
  return {
    // The status goes first: after failures commands are sent one, two, four … at a time until one is refused again.
    commands: [...writeStatus(set, status), ...round.commands, ...truncated],
    events: round.events,
    ...(requeueAfterMs === undefined ? {} : { requeueAfterMs }),
  }
}

function beginRound(
  set: StatefulSet,
  view: ObjectView,
  nowMs: number,
  known: Pick<Round, 'current' | 'update' | 'children'>,
): Round {
  const byOrdinal = new Map(known.children.map((pod) => [ordinalOf(pod), pod]))
  const start = startOf(set)
  return {
    set,
    view,
    nowMs,
    ...known,
    isOrdered: set.spec.podManagementPolicy !== 'Parallel',
    replicas: Array.from({ length: replicasOf(set) }, (_, i) => byOrdinal.get(start + i)),
    condemned: known.children
      .filter((pod) => ordinalOf(pod) >= 0 && !isInRange(set, ordinalOf(pod)))
      .sort((a, b) => ordinalOf(b) - ordinalOf(a)),
    commands: [],
    events: [],
    touched: new Set(),
    leaving: 0,
  }
}

function untilNextAvailableMs(set: StatefulSet, children: readonly Pod[], nowMs: number): number | undefined {
  const minReadySeconds = set.spec.minReadySeconds ?? 0
  const waits = children.map((pod) => untilAvailableMs(pod, minReadySeconds, nowMs) ?? 0).filter((ms) => ms > 0)
  return waits.length > 0 ? Math.min(...waits) : undefined
}

/** Wanted pods first, then those that must go, then the update: an ordered set stops where it has to wait. */
function syncPods(round: Round): void {
  const { isOrdered, replicas, condemned } = round
  for (const [i, pod] of replicas.entries()) {
    if (keepReplica(round, startOf(round.set) + i, pod) && isOrdered) return
  }
  const firstUnavailable = [...replicas, ...[...condemned].reverse()].find(
    (pod) => pod && isUnavailable(pod, round.set, round.nowMs),
  )
  // A claim must know that it goes with its pod before the pod goes.
  const before = round.commands.length
  for (const pod of condemned) retain(round, pod)
  if (round.commands.length > before) return
  for (const pod of condemned) {
    if (removeCondemned(round, pod, firstUnavailable) && isOrdered) return
  }
  if (round.set.spec.updateStrategy.type !== 'OnDelete') updatePods(round)
}

// ── one pod ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const verbs = { Create: 'create', Delete: 'delete', Update: 'update' } as const

/** A command on a pod, with upstream's Event about it. */
function podCommand(
  set: StatefulSet,
  verb: keyof typeof verbs,
  name: string,
  request: Pick<Command['request'], 'body'>,
  more: Pick<Command, 'onceFor'> = {},
): Command {
  const what = `${verb} Pod ${name} in StatefulSet ${set.metadata.name}`
  return {
    request: {
      verb: verbs[verb],
      ...pods,
      namespace: set.metadata.namespace!,
      ...(verb === 'Create' ? {} : { name }),
      ...request,
    },
    event: { object: set, type: 'Normal', reason: `Successful${verb}`, message: `${what} successful` },
    failureEvent: ({ message }) => ({
      object: set,
      type: 'Warning',
      reason: `Failed${verb}`,
      message: `${what} failed error: ${message}`,
    }),
    ...more,
  }
}

/** Which pod goes is decided once: another runner may see another pod in its place. */
function deletePod(round: Round, pod: Pod): void {
  const { name, uid } = pod.metadata
  if (isBeingDeleted(pod) || round.touched.has(name)) return
  round.touched.add(name)
  const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid } }
  round.commands.push(podCommand(round.set, 'Delete', name, { body }, { onceFor: round.set.metadata.uid }))
}

/** Makes, mends or replaces the pod of a wanted number. True: an ordered set waits for it. */
function keepReplica(round: Round, ordinal: number, pod: Pod | undefined): boolean {
  const { set, nowMs, isOrdered } = round
  if (!pod) return createReplica(round, ordinal)
  if (isFinished(pod)) {
    deletePod(round, pod)
    return true
  }
  if (pod.status.phase === 'Pending') claimMissing(round, pod.metadata.name, ordinal)
  const isWaitedFor = isBeingDeleted(pod) || !isRunningAndReady(pod) || !isAvailable(pod, set, nowMs)
  if (isWaitedFor && isOrdered) return true
  retain(round, pod)
  if (!identityMatches(set, pod) || !storageMatches(set, pod, ordinal)) {
    if (!claimMissing(round, pod.metadata.name, ordinal)) return true
    round.touched.add(pod.metadata.name)
    round.commands.push(podCommand(set, 'Update', pod.metadata.name, { body: withIdentity(set, pod) }))
  }
  return false
}

const userOf = (set: StatefulSet, ordinal: number, pod?: Pod): ClaimUser => ({
  name: podNameOf(set, ordinal),
  uid: pod?.metadata.uid,
  inRange: isInRange(set, ordinal),
})

function retain(round: Round, pod: Pod): void {
  const ordinal = ordinalOf(pod)
  const { commands, events } = retainClaims(round.view, round.set, ordinal, userOf(round.set, ordinal, pod))
  round.commands.push(...commands)
  round.events.push(...events)
}

/** Creates the claims that a pod lacks; true when none is missing and none is going. */
function claimMissing(round: Round, name: string, ordinal: number): boolean {
  const { set } = round
  const { commands, leaving } = missingClaims(round.view, set, name, ordinal)
  round.commands.push(...commands)
  if (leaving.length > 0) {
    const why = leaving.map((claim) => `pvc ${claim} is being deleted`)
    const error = why.length === 1 ? why[0]! : `[${why.join(', ')}]`
    const message = `Create Pod ${name} in StatefulSet ${set.metadata.name} failed error: ${error}`
    round.events.push({ object: set, type: 'Warning', reason: 'FailedCreate', message })
  }
  return commands.length === 0 && leaving.length === 0
}

/** Claims come first, in a round of their own: a pod is only made when those that it names are there. */
function createReplica(round: Round, ordinal: number): true {
  const { set, view, current, update } = round
  const name = podNameOf(set, ordinal)
  const user = userOf(set, ordinal)
  if (claimsOf(view, set, ordinal).some((claim) => isClaimStale(claim, set, user))) return true
  if (!claimMissing(round, name, ordinal)) return true
  const revision = isKeptBack(set, ordinal) ? current : update
  const template: PodTemplateSpec = templateOf(revision)
  const body = newPod(set, template, revision.metadata.name, ordinal)
  round.commands.push(podCommand(set, 'Create', name, { body }))
  const { commands, events } = retainClaims(view, set, ordinal, user)
  round.commands.push(...commands)
  round.events.push(...events)
  return true
}

/** A pod below the partition is made of the current revision, not of the new one. */
function isKeptBack(set: StatefulSet, ordinal: number): boolean {
  const { type, rollingUpdate } = set.spec.updateStrategy
  const kept = rollingUpdate
    ? (rollingUpdate.partition ?? 0)
    : type === 'RollingUpdate'
      ? (set.status.currentReplicas ?? 0)
      : 0
  return ordinal < startOf(set) + kept
}

/** Deletes a pod beyond the wanted numbers. True: an ordered set waits for it. */
function removeCondemned(round: Round, pod: Pod, firstUnavailable: Pod | undefined): boolean {
  const { set, nowMs, isOrdered } = round
  if (isBeingDeleted(pod)) return isOrdered
  const isHealthy = isRunningAndReady(pod) && isAvailable(pod, set, nowMs)
  if (!isHealthy && isOrdered && pod !== firstUnavailable) return true
  deletePod(round, pod)
  return true
}

// ── updates ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Gives up pods of old revisions, the highest number first, as many as may be unavailable; none below the partition. */
function updatePods(round: Round): void {
  const { set, replicas, nowMs } = round
  const { partition = 0, maxUnavailable } = set.spec.updateStrategy.rollingUpdate ?? {}
  const isOld = (pod: Pod): boolean => revisionOfPod(pod) !== round.update.metadata.name && !isBeingDeleted(pod)
  const giveUp = (pod: Pod): void => {
    deletePod(round, pod)
    if (revisionOfPod(pod) === round.current.metadata.name) round.leaving++
  }
  if (maxUnavailable === undefined) {
    for (const pod of replicas.slice(partition).reverse()) {
      if (pod && isOld(pod)) {
        giveUp(pod)
        return
      }
      if (isUnavailable(pod, set, nowMs)) return
    }
    return
  }
  const allowed = Math.max(1, scaledValue(maxUnavailable, replicasOf(set), false) ?? 1)
  const unavailable = replicas.filter((pod) => isUnavailable(pod, set, nowMs)).length
  const old = replicas.slice(partition).filter((pod): pod is Pod => pod !== undefined && isOld(pod))
  for (const pod of old.reverse().slice(0, Math.max(0, allowed - unavailable))) giveUp(pod)
}
