// DaemonSet: one pod on every node that it may run on. The scheduler places them; their affinity leaves it no choice. Steps,
// reasons and sentences are upstream's (pkg/controller/daemon). The names of a node's pods come from a counter over the set's
// uid and the node's name, so that two runners can never make two pods for one node.
import type { ControllerRevision, DaemonSet, DaemonSetStatus } from '@shiplog/api/generated/types/apps-v1'
import type { Node, Pod } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import { jsonEqual } from '@shiplog/api/patch/json-patch'
import { compileLabelSelector } from '@shiplog/api/selectors'
import {
  forResource,
  ownsResource,
  settled,
  watchesResource,
  type ChangeOf,
  type Command,
  type EventRecord,
  type ReconcileContext,
  type Reconciler,
  type ReconcileResult,
} from '@shiplog/reconcile/reconciler'
import { keyOf, keyOfObject, type ObjectView } from '@shiplog/reconcile/view'
import {
  claimRevisions,
  revisionHashLabel,
  revisionsOrphansIndex,
  truncateRevisions,
  updateRevisionOf,
} from '../shared/controller-revisions.ts'
import { canonicalJson, childName, fnv1a, nextChildNames, safeEncode } from '../shared/names.ts'
import {
  adopterKeys,
  claimChildren,
  controllerKeys,
  controllerOf,
  isBeingDeleted,
  labelSelectorOf,
  orphansIndex,
} from '../shared/ownership.ts'
import { createPodCommand, deletePodCommand } from '../shared/pod-commands.ts'
import { isReady, untilAvailableMs } from '../shared/pods.ts'
import { isUpdated, newDaemonPod, placementsOf, targetNodeOf } from './daemon-pods.ts'
import { allowsSurge, type DaemonNode, rollingUpdate } from './rolling-update.ts'

/** Pods made or removed in one round, as upstream's BurstReplicas. */
const burstReplicas = 250
/** How often in a row a failed pod may be replaced: at once, then after 1, 2, 4 … seconds, at most 15 minutes. */
const backoffFirstMs = 1_000
const backoffMaxMs = 15 * 60_000

const hashOf = (data: JsonObject, collisionCount: number): string =>
  safeEncode(String(fnv1a(`${canonicalJson(data)}${collisionCount > 0 ? collisionCount : ''}`)))

/** Keeps one pod on every node. */
export const daemonSetReconciler: Reconciler = {
  name: 'daemonset',
  component: 'daemonset-controller',
  indexes: [orphansIndex('pods'), revisionsOrphansIndex],
  resources: [
    forResource('daemonsets.apps'),
    ownsResource('controllerrevisions.apps', 'DaemonSet'),
    watchesResource('pods', (change, before, view) => {
      const pod = change.object
      const keys = new Set([
        ...controllerKeys(pod, 'DaemonSet'),
        ...(before ? controllerKeys(before, 'DaemonSet') : []),
      ])
      if (!controllerOf(pod)) {
        for (const key of adopterKeys(view, 'daemonsets.apps', pod, labelSelectorOf)) keys.add(key)
      }
      return keys
    }),
    watchesResource('nodes', setsOfNode),
  ],
  reconcile: reconcileDaemonSet,
}

/** All sets, when a node comes, goes, or gets other labels or taints; its heartbeats concern none. */
function* setsOfNode(change: ChangeOf<'nodes'>, before: Node | undefined, view: ObjectView): Iterable<string> {
  const isSame =
    before !== undefined &&
    !change.deleted &&
    jsonEqual(before.metadata.labels, change.object.metadata.labels) &&
    jsonEqual(before.spec.taints, change.object.spec.taints)
  if (isSame) return
  for (const set of view.list('daemonsets.apps')) yield keyOfObject(set)
}

interface Round {
  readonly set: DaemonSet
  readonly view: ObjectView
  readonly nowMs: number
  readonly hash: string
  readonly nodes: readonly DaemonNode[]
  readonly isAvailable: (pod: Pod) => boolean
  readonly remove: Pod[]
  readonly create: string[]
  readonly events: EventRecord[]
  requeueAfterMs: number | undefined
}

function reconcileDaemonSet(key: string, view: ObjectView, { nowMs }: ReconcileContext): ReconcileResult {
  const set = view.get('daemonsets.apps', key)
  if (!set) return settled
  const { matchExpressions, matchLabels } = set.spec.selector
  if (!matchExpressions?.length && Object.keys(matchLabels ?? {}).length === 0) {
    const message = 'This daemon set is selecting all pods. A non-empty selector is required.'
    return { events: [{ object: set, type: 'Warning', reason: 'SelectingAll', message }] }
  }
  if (isBeingDeleted(set)) return settled
  const selector = compileLabelSelector(set.spec.selector)
  const history = claimRevisions(view, set, selector)
  if (history.commands.length > 0) return { commands: history.commands }
  const claim = claimChildren(view, set, 'pods', selector)
  if (claim.commands.length > 0) return { commands: claim.commands }
  const collisionCount = set.status.collisionCount ?? 0
  const options = { collisionCount, hashLabel: revisionHashLabel, hash: hashOf }
  const found = updateRevisionOf(view, set, history.revisions, options)
  if ('command' in found) return { commands: [found.command] }
  const hash = found.revision.metadata.labels?.[revisionHashLabel] ?? found.revision.metadata.name
  const round = beginRound(set, view, nowMs, hash, claim.children)
  manage(round)
  if (round.remove.length + round.create.length === 0) {
    const steps = rollingUpdate(set, round.nodes, hash, round.isAvailable)
    round.remove.push(...steps.remove)
    round.create.push(...steps.create)
  }
  // A count of collisions is only there once there was one.
  const counted = found.collisionCount > 0 ? found.collisionCount : undefined
  return {
    commands: [...writeStatus(round, counted), ...podCommands(round), ...truncate(round, history.revisions)],
    events: round.events,
    ...(round.requeueAfterMs === undefined ? {} : { requeueAfterMs: round.requeueAfterMs }),
  }
}

const isGone = (pod: Pod): boolean =>
  isBeingDeleted(pod) && (pod.status.phase === 'Succeeded' || pod.status.phase === 'Failed')

function beginRound(set: DaemonSet, view: ObjectView, nowMs: number, hash: string, children: readonly Pod[]): Round {
  const podsOf = Map.groupBy(
    children.filter((pod) => !isGone(pod)),
    (pod) => targetNodeOf(pod) ?? '',
  )
  const placementOf = placementsOf(set)
  const existing = [...view.list('nodes')].map(
    (node): DaemonNode => ({
      name: node.metadata.name,
      placement: placementOf(node),
      pods: (podsOf.get(node.metadata.name) ?? []).sort(byPrecedence),
    }),
  )
  const known = new Set(existing.map(({ name }) => name))
  const vanished = [...podsOf]
    .filter(([name]) => name !== '' && !known.has(name))
    .map(([name, pods]): DaemonNode => ({ name, placement: undefined, pods }))
  const minReadySeconds = set.spec.minReadySeconds ?? 0
  return {
    set,
    view,
    nowMs,
    hash,
    nodes: [...existing, ...vanished].sort((a, b) => (a.name < b.name ? -1 : 1)),
    isAvailable: (pod) => untilAvailableMs(pod, minReadySeconds, nowMs) === 0,
    remove: [],
    create: [],
    events: [],
    requeueAfterMs: soonest(children.map((pod) => untilAvailableMs(pod, minReadySeconds, nowMs) ?? 0)),
  }
}

const soonest = (waits: readonly number[]): number | undefined => {
  const left = waits.filter((ms) => ms > 0)
  return left.length > 0 ? Math.min(...left) : undefined
}

/** Which of several pods of a node counts: one that is placed, then the oldest. */
function byPrecedence(a: Pod, b: Pod): number {
  const placed = Number(Boolean(b.spec.nodeName)) - Number(Boolean(a.spec.nodeName))
  if (placed !== 0) return placed
  const [one, other] = [a.metadata, b.metadata]
  if (one.creationTimestamp !== other.creationTimestamp) return one.creationTimestamp < other.creationTimestamp ? -1 : 1
  return one.name < other.name ? -1 : 1
}

// ── one pod a node ───────────────────────────────────────────────────────────────────────────────────────────────────

function manage(round: Round): void {
  for (const node of round.nodes) {
    const { placement, pods } = node
    // Of a node that does not exist only what was never placed is removed here; the rest is for the pod garbage collector.
    if (!placement) round.remove.push(...pods.filter((pod) => !pod.spec.nodeName && !isBeingDeleted(pod)))
    else if (placement.runs && pods.length === 0) round.create.push(node.name)
    else if (placement.stays) keepOne(round, node)
    else round.remove.push(...pods.filter((pod) => !isBeingDeleted(pod)))
  }
}

function keepOne(round: Round, node: DaemonNode): void {
  const running: Pod[] = []
  for (const pod of node.pods) {
    if (isBeingDeleted(pod)) continue
    if (pod.status.phase === 'Failed') replaceFailed(round, node, pod)
    else if (pod.status.phase === 'Succeeded') {
      round.remove.push(pod)
      tell(
        round,
        'Normal',
        'SucceededDaemonPod',
        `Found succeeded daemon pod ${keyOfObject(pod)} on node ${node.name}, will try to delete it`,
      )
    } else running.push(pod)
  }
  if (!allowsSurge(round.set)) round.remove.push(...running.slice(1))
  else if (running.length === 0) {
    if (node.placement?.runs) round.create.push(node.name)
  } else keepPair(round, running)
}

const tell = (round: Round, type: EventRecord['type'], reason: string, message: string): void =>
  void round.events.push({ object: round.set, type, reason, message })

/** With a surge a node may have one old and one new pod, until the new one is available or the old one no longer ready. */
function keepPair(round: Round, running: readonly Pod[]): void {
  if (running.length === 1) return
  const isFresh = (pod: Pod): boolean => pod.metadata.labels?.[revisionHashLabel] === round.hash
  const fresh = running.find(isFresh)
  const old = running.find((pod) => !isFresh(pod))
  round.remove.push(...running.filter((pod) => pod !== fresh && pod !== old))
  if (fresh && old && (!isReady(old) || round.isAvailable(fresh))) round.remove.push(old)
}

const ownerOnNode = (set: DaemonSet, node: string): string => `${set.metadata.uid} ${node}`

/**
 * A pod that fails again and again is replaced ever more slowly. How often it did is told by the deletions of its
 * predecessors on the node, as far as the view remembers them; a runner that has just started begins anew, as upstream's.
 */
function replaceFailed(round: Round, node: DaemonNode, pod: Pod): void {
  const { set, view, nowMs } = round
  let replaced = 0
  let lastMs = 0
  for (let serial = 0; ; serial++) {
    const name = childName(`${set.metadata.name}-`, ownerOnNode(set, node.name), serial)
    const atMs = view.deletedAtMs('pods', keyOf(set.metadata.namespace, name))
    if (atMs === undefined) break
    // A long time without a failure is forgiven.
    replaced = atMs - lastMs > 2 * backoffMaxMs ? 1 : replaced + 1
    lastMs = atMs
  }
  const waitMs = replaced === 0 ? 0 : Math.min(backoffFirstMs * 2 ** (replaced - 1), backoffMaxMs)
  const leftMs = lastMs + waitMs - nowMs
  if (replaced > 0 && leftMs > 0) {
    round.requeueAfterMs = Math.min(round.requeueAfterMs ?? leftMs, leftMs)
    return
  }
  round.remove.push(pod)
  tell(
    round,
    'Warning',
    'FailedDaemonPod',
    `Found failed daemon pod ${keyOfObject(pod)} on node ${node.name}, will try to kill it`,
  )
}

function podCommands({ set, view, hash, create, remove }: Round): readonly Command[] {
  const namespace = set.metadata.namespace!
  const taken = (name: string): boolean => {
    const key = keyOf(namespace, name)
    return view.get('pods', key) !== undefined || view.deletedAtMs('pods', key) !== undefined
  }
  const created = create.slice(0, burstReplicas).map((node) => {
    const [name] = nextChildNames(`${set.metadata.name}-`, ownerOnNode(set, node), 1, taken)
    return createPodCommand(set, newDaemonPod(set, name!, node, hash))
  })
  return [...created, ...remove.slice(0, burstReplicas).map((pod) => deletePodCommand(set, pod, true))]
}

function truncate(round: Round, revisions: readonly ControllerRevision[]): readonly Command[] {
  const { set, hash, nodes } = round
  const hashes = new Set([
    hash,
    ...nodes.flatMap(({ pods }) => pods.map((pod) => pod.metadata.labels?.[revisionHashLabel])),
  ])
  const live = revisions.filter(({ metadata }) => hashes.has(metadata.labels?.[revisionHashLabel]))
  // As upstream, those that still have pods count among those that are kept.
  const old = revisions.filter(({ metadata }) => metadata.labels?.[revisionHashLabel] !== hash)
  const liveOld = old.filter((revision) => live.includes(revision))
  const limit = Math.max(0, (set.spec.revisionHistoryLimit ?? 10) - liveOld.length)
  return truncateRevisions(revisions, new Set(live.map(({ metadata }) => metadata.name)), limit)
}

// ── status ───────────────────────────────────────────────────────────────────────────────────────────────────────────

function statusOf({ set, nodes, hash, isAvailable }: Round, collisionCount: number | undefined): DaemonSetStatus {
  const wanted = nodes.filter(({ placement }) => placement?.runs)
  const shown = wanted.flatMap(({ pods }) => pods[0] ?? [])
  const misplaced = nodes.filter(({ placement, pods }) => placement && !placement.runs && pods.length > 0)
  const ready = shown.filter(isReady)
  const available = ready.filter(isAvailable).length
  const updated = shown.filter((pod) => isUpdated(set, pod, hash)).length
  const unavailable = wanted.length - available
  const { conditions } = set.status
  return {
    currentNumberScheduled: shown.length,
    numberMisscheduled: misplaced.length,
    desiredNumberScheduled: wanted.length,
    numberReady: ready.length,
    observedGeneration: set.metadata.generation ?? 0,
    ...(updated > 0 ? { updatedNumberScheduled: updated } : {}),
    ...(available > 0 ? { numberAvailable: available } : {}),
    ...(unavailable > 0 ? { numberUnavailable: unavailable } : {}),
    ...(collisionCount === undefined ? {} : { collisionCount }),
    ...(conditions ? { conditions } : {}),
  }
}

function writeStatus(round: Round, collisionCount: number | undefined): readonly Command[] {
  const { set } = round
  const status = statusOf(round, collisionCount)
  if (jsonEqual(status, set.status)) return []
  return [
    {
      request: {
        verb: 'update',
        group: 'apps',
        resource: 'daemonsets',
        subresource: 'status',
        namespace: set.metadata.namespace!,
        name: set.metadata.name,
        body: { ...set, status },
      },
    },
  ]
}
