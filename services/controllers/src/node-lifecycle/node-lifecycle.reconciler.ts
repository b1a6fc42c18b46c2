// Node life cycle: a node whose Lease is no longer renewed becomes Unknown, gets the taints that keep new pods away and
// drive its pods off after their toleration (taint-eviction does that), and loses them when it is back. Upstream's numbers,
// reasons and sentences.
import type { Node, NodeCondition, Pod, Taint } from '@shiplog/api/generated/types/core-v1'
import { jsonEqual } from '@shiplog/api/patch/json-patch'
import {
  forResource,
  readsResource,
  settled,
  type Command,
  type ReconcileContext,
  type Reconciler,
  type ReconcileResult,
} from '@shiplog/reconcile/reconciler'
import { keyOf, type ObjectView } from '@shiplog/reconcile/view'
import { rfc3339 } from '@shiplog/runtime/clock'
import { findCondition } from '../shared/conditions.ts'
import { podCondition } from '../shared/pods.ts'
import { podsByNodeIndex } from '../shared/pods-by-node.ts'

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
    readsResource('pods'),
  ],
  reconcile: (key, view, context) => {
    const node = view.get('nodes', key)
    return node ? reconcileNode(node, view, context) : settled
  },
}

const conditionsOf = (node: Node): readonly NodeCondition[] => node.status.conditions ?? []

const taintsOf = (node: Node): readonly Taint[] => node.spec.taints ?? []

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
  const wakeMs = silent ? undefined : silentFromMs
  if (ready !== undefined && ready.status !== 'True') {
    for (const pod of view.byIndex(podsByNodeIndex, node.metadata.name)) {
      const command = silencePod(pod, context)
      if (command) commands.push(command)
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

/** A pod on a lost node: nobody can say that it still serves, so Services stop sending there. */
function silencePod(pod: Pod, context: ReconcileContext): Command | undefined {
  const ready = podCondition(pod, 'Ready')
  if (ready?.status !== 'True') return undefined
  const conditions = (pod.status.conditions ?? []).map((condition) =>
    condition === ready ? { ...condition, status: 'False', lastTransitionTime: rfc3339(context.nowMs) } : condition,
  )
  return {
    request: {
      verb: 'update',
      ...podAddress(pod),
      subresource: 'status',
      body: { ...pod, status: { ...pod.status, conditions } },
    },
    event: { object: pod, type: 'Warning', reason: 'NodeNotReady', message: 'Node is not ready' },
  }
}
