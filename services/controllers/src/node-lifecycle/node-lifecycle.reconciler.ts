// Node life cycle: a node whose Lease is no longer renewed becomes Unknown, gets the taints that keep new pods away and
// drive its pods off after their toleration, and loses them when it is back. Upstream's numbers, reasons and sentences.
import type { Node, NodeCondition, Pod, PodCondition, Taint } from '@shiplog/api/generated/types/core-v1'
import { jsonEqual } from '@shiplog/api/patch/json-patch'
import {
  forResource,
  readsResource,
  settled,
  watchesResource,
  type Command,
  type ReconcileContext,
  type Reconciler,
  type ReconcileResult,
} from '@shiplog/reconcile/reconciler'
import { keyOf, type ObjectView } from '@shiplog/reconcile/view'
import { rfc3339 } from '@shiplog/runtime/clock'
import { findCondition, setCondition } from '../shared/conditions.ts'
import { isBeingDeleted } from '../shared/ownership.ts'
import { podCondition } from '../shared/pods.ts'
import { podsByNodeIndex } from '../shared/pods-by-node.ts'
import { evictionTimeMs } from './taint-eviction.ts'

/** Without a sign of life for so long a node is Unknown (--node-monitor-grace-period). */
export const nodeGraceMs = 50_000
/** A new node has so long for its first sign of life (--node-startup-grace-period). */
export const nodeStartupGraceMs = 60_000

const leaseNamespace = 'kube-node-lease'
const notReady = 'node.kubernetes.io/not-ready'
const unreachable = 'node.kubernetes.io/unreachable'
const unschedulable = 'node.kubernetes.io/unschedulable'
/** Conditions that speak of a kubelet's life; all become Unknown with it. */
const kubeletConditions = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure']
/** Conditions that keep new pods away while they hold. */
const pressureTaints: Readonly<Record<string, string>> = {
  MemoryPressure: 'node.kubernetes.io/memory-pressure',
  DiskPressure: 'node.kubernetes.io/disk-pressure',
  PIDPressure: 'node.kubernetes.io/pid-pressure',
  NetworkUnavailable: 'node.kubernetes.io/network-unavailable',
}
/** The NoSchedule taints that this controller puts and takes. */
const managedKeys: ReadonlySet<string> = new Set([
  notReady,
  unreachable,
  unschedulable,
  ...Object.values(pressureTaints),
])

const nodeResource = { group: '', resource: 'nodes' }

/** Keys are node keys (`/node-0`). */
export const nodeLifecycleReconciler: Reconciler = {
  name: 'nodelifecycle',
  component: 'node-controller',
  indexes: [podsByNodeIndex],
  resources: [
    forResource('nodes'),
    // A renewal is looked at when the grace period ends; it wakes nobody before.
    readsResource('leases.coordination.k8s.io'),
    watchesResource('pods', (change, before, view) => {
      const nodeName = change.object.spec.nodeName
      if (!nodeName || change.deleted || before?.spec.nodeName === nodeName) return []
      // A pod that has just been bound matters when something drives pods off its node.
      const node = view.get('nodes', keyOf('', nodeName))
      return node && noExecuteTaints(node).length > 0 ? [keyOf('', nodeName)] : []
    }),
  ],
  reconcile: (key, view, context) => {
    const node = view.get('nodes', key)
    return node ? reconcileNode(node, view, context) : settled
  },
}

const conditionsOf = (node: Node): readonly NodeCondition[] => node.status.conditions ?? []

const taintsOf = (node: Node): readonly Taint[] => node.spec.taints ?? []

const noExecuteTaints = (node: Node): readonly Taint[] => taintsOf(node).filter((taint) => taint.effect === 'NoExecute')

/**
 * The last sign of life: a renewed Lease, or a status that the kubelet posted. Upstream counts from when it sees a node
 * first; so that a restart does not forget, that is here when the node was made, or when this controller began.
 */
function lastSeenMs(node: Node, view: ObjectView, context: ReconcileContext): number {
  const lease = view.get('leases.coordination.k8s.io', keyOf(leaseNamespace, node.metadata.name))
  const renewed = lease?.spec.renewTime
  const heartbeat = findCondition(conditionsOf(node), 'Ready')?.lastHeartbeatTime
  const signs = [renewed, heartbeat, node.metadata.creationTimestamp].map((time) => (time ? Date.parse(time) : 0))
  return Math.max(...signs, context.startedMs)
}

function reconcileNode(node: Node, view: ObjectView, context: ReconcileContext): ReconcileResult {
  const ready = findCondition(conditionsOf(node), 'Ready')
  const seenMs = lastSeenMs(node, view, context)
  const bornMs = Date.parse(node.metadata.creationTimestamp)
  const silentFromMs = ready ? seenMs + nodeGraceMs : Math.max(seenMs + nodeGraceMs, bornMs + nodeStartupGraceMs)
  const silent = context.nowMs >= silentFromMs
  if (silent && ready?.status !== 'Unknown') return markUnknown(node, context)

  const commands: Command[] = []
  const taints = wantedTaints(node, view, context)
  if (!jsonEqual(taints, taintsOf(node))) commands.push(writeTaints(node, taints))
  let wakeMs = silent ? undefined : silentFromMs
  const driving = noExecuteTaints(node)
  const lost = ready !== undefined && ready.status !== 'True'
  if (lost || driving.length > 0) {
    for (const pod of view.byIndex(podsByNodeIndex, node.metadata.name)) {
      const atMs = isBeingDeleted(pod) ? undefined : evictionTimeMs(pod, driving, context.nowMs)
      const due = atMs !== undefined && atMs <= context.nowMs
      const command = movePod(pod, lost, due, context)
      if (command) commands.push(command)
      // What has been told that it goes, goes in the next round.
      if (command && due && command.request.verb !== 'delete') wakeMs = context.nowMs
      else if (atMs !== undefined && !due) wakeMs = Math.min(wakeMs ?? atMs, atMs)
    }
  }
  return {
    commands,
    ...(wakeMs === undefined ? {} : { requeueAfterMs: Math.max(1, wakeMs - context.nowMs) }),
  }
}

/** The kubelet has fallen silent: nothing that it said is known any more. */
function markUnknown(node: Node, context: ReconcileContext): ReconcileResult {
  const now = rfc3339(context.nowMs)
  const before = conditionsOf(node)
  const after = before.map((condition) =>
    kubeletConditions.includes(condition.type) && condition.status !== 'Unknown'
      ? {
          ...condition,
          status: 'Unknown',
          reason: 'NodeStatusUnknown',
          message: 'Kubelet stopped posting node status.',
          lastTransitionTime: now,
        }
      : condition,
  )
  for (const type of kubeletConditions) {
    if (findCondition(before, type)) continue
    after.push({
      type,
      status: 'Unknown',
      lastHeartbeatTime: node.metadata.creationTimestamp,
      lastTransitionTime: now,
      reason: 'NodeStatusNeverUpdated',
      message: 'Kubelet never posted node status.',
    })
  }
  const name = node.metadata.name
  return {
    commands: [
      {
        request: {
          verb: 'update',
          ...nodeResource,
          subresource: 'status',
          name,
          body: { ...node, status: { ...node.status, conditions: after } },
        },
        event: {
          object: node,
          type: 'Normal',
          reason: 'NodeNotReady',
          message: `Node ${name} status is now: NodeNotReady`,
        },
      },
    ],
  }
}

/**
 * The taints that the node's conditions ask for, with all others as they are. When no node of the cluster is ready, it is
 * more likely this side that is cut off: then nothing is driven off (upstream's full disruption), only kept away.
 */
function wantedTaints(node: Node, view: ObjectView, context: ReconcileContext): readonly Taint[] {
  const conditions = conditionsOf(node)
  const ready = findCondition(conditions, 'Ready')?.status
  const lost =
    ready === 'Unknown' ? unreachable : ready === 'True' ? undefined : ready === 'False' ? notReady : undefined
  const keys = new Set<string>()
  if (lost) keys.add(lost)
  if (node.spec.unschedulable) keys.add(unschedulable)
  for (const [type, key] of Object.entries(pressureTaints)) {
    if (findCondition(conditions, type)?.status === 'True') keys.add(key)
  }
  // A node that has not said anything yet keeps the taint that it registered with.
  if (ready === undefined && taintsOf(node).some((taint) => taint.key === notReady)) keys.add(notReady)
  const drives = lost !== undefined && anyReady(view) ? lost : undefined
  const wanted: Taint[] = taintsOf(node).filter((taint) => {
    if (taint.effect === 'NoSchedule' && managedKeys.has(taint.key)) return keys.has(taint.key)
    if (taint.effect === 'NoExecute' && (taint.key === notReady || taint.key === unreachable))
      return taint.key === drives
    return true
  })
  const has = (key: string, effect: string): boolean =>
    wanted.some((taint) => taint.key === key && taint.effect === effect)
  const timeAdded = rfc3339(context.nowMs)
  for (const key of keys) if (!has(key, 'NoSchedule')) wanted.push({ key, effect: 'NoSchedule', timeAdded })
  if (drives && !has(drives, 'NoExecute')) wanted.push({ key: drives, effect: 'NoExecute', timeAdded })
  return wanted
}

function anyReady(view: ObjectView): boolean {
  for (const node of view.list('nodes')) if (findCondition(conditionsOf(node), 'Ready')?.status === 'True') return true
  return false
}

const writeTaints = (node: Node, taints: readonly Taint[]): Command => ({
  request: {
    verb: 'patch',
    ...nodeResource,
    name: node.metadata.name,
    patchType: 'application/merge-patch+json',
    body: {
      metadata: { uid: node.metadata.uid, resourceVersion: node.metadata.resourceVersion },
      spec: { taints: taints.length > 0 ? taints : null },
    },
  },
})

const podAddress = (pod: Pod) => ({
  group: '',
  resource: 'pods',
  namespace: pod.metadata.namespace!,
  name: pod.metadata.name,
})

/**
 * A pod on a lost node: nobody can say that it still serves, so Services stop sending there. When its time has come it
 * first says why it goes, and goes in the next round.
 */
function movePod(pod: Pod, lost: boolean, due: boolean, context: ReconcileContext): Command | undefined {
  const before: readonly PodCondition[] = pod.status.conditions ?? []
  const ready = podCondition(pod, 'Ready')
  const silenced = lost && ready?.status === 'True'
  let conditions = before
  if (silenced) {
    conditions = before.map((condition) =>
      condition === ready ? { ...condition, status: 'False', lastTransitionTime: rfc3339(context.nowMs) } : condition,
    )
  }
  if (due) {
    const why = {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'DeletionByTaintManager',
      message: 'Taint manager: deleting due to NoExecute taint',
    } as const
    conditions = setCondition(conditions, why, context.nowMs)
  }
  const { namespace, name, uid } = pod.metadata
  if (conditions !== before) {
    const request = {
      verb: 'update',
      ...podAddress(pod),
      subresource: 'status',
      body: { ...pod, status: { ...pod.status, conditions } },
    } as const
    if (!silenced) return { request }
    return { request, event: { object: pod, type: 'Warning', reason: 'NodeNotReady', message: 'Node is not ready' } }
  }
  if (!due) return undefined
  return {
    request: {
      verb: 'delete',
      ...podAddress(pod),
      body: { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid } },
    },
    event: {
      object: pod,
      type: 'Normal',
      reason: 'TaintManagerEviction',
      message: `Marking for deletion Pod ${namespace}/${name}`,
    },
  }
}
