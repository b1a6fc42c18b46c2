// The snapshot: nodes with their bound and assumed pods, kept up to date event by event and never rebuilt. Every change
// is O(1) and leaves a mark in a short log of changed nodes, from which caches bring themselves up to date.
import type { Node, Pod } from '@shiplog/api/generated/types/core-v1'
import { ClusterObjects } from './cluster-objects.ts'
import { type NodeDifference, NodeInfo } from './node-info.ts'
import { createPodReader, isUnchanged, type PodInfo, type PodReader, reportsResources, sameLabels } from './pod-info.ts'
import { createNominations } from './nominations.ts'
import type { PluginState } from './plugin-state.ts'
import { hashText } from '../framework/tie-break.ts'

/** What a change of a Node object meant for decisions. */
export type NodeChange =
  | { readonly type: 'added'; readonly node: NodeInfo }
  | { readonly type: 'updated'; readonly node: NodeInfo; readonly difference: NodeDifference }
  | { readonly type: 'unchanged' }

/** What a change of a bound Pod object meant: `before` when it gave something back. */
export interface PodChange {
  /** The pod as it was counted before this change, when its node now has more room. */
  readonly freed: PodInfo | undefined
  /** True when this confirmed what was assumed. */
  readonly confirmed: boolean
  /** The pod, when this is the first that the log shows of it on its node. */
  readonly added?: PodInfo
  /** The pod before and after, when its labels changed. */
  readonly relabelled?: { readonly before: PodInfo; readonly after: PodInfo }
}

interface Placed {
  readonly pod: PodInfo
  readonly node: string
  readonly assumed: boolean
}

/** How many changed nodes the log of changes remembers; a cache that is further behind starts anew. */
const changesKept = 1 << 15

const noChange: PodChange = { freed: undefined, confirmed: false }

export class Snapshot {
  readonly readPod: PodReader = createPodReader()
  readonly objects = new ClusterObjects()
  /** Pods that wait until victims have made room for them on a node. */
  readonly nominations = createNominations((uid) => this.#placed.has(uid))
  readonly #nodes = new Map<string, NodeInfo>()
  /** Nodes that pods name but that are not (yet, or no more) there. */
  readonly #absent = new Map<string, NodeInfo>()
  readonly #placed = new Map<string, Placed>()
  readonly #freeSlots: number[] = []
  #slots = 0
  readonly #changes = new Int32Array(changesKept)
  #changeCount = 0
  #nodeSetVersion = 0
  #assumed = 0
  #assumedDigest = 0
  readonly #states = new Map<(snapshot: Snapshot) => PluginState, PluginState>()

  /** What plugins keep event by event; made when it is first asked for, and kept up to date from then on. */
  stateOf<State extends PluginState>(create: (snapshot: Snapshot) => State): State {
    const present = this.#states.get(create)
    if (present !== undefined) return present as State
    const state = create(this)
    for (const node of this.#nodes.values()) state.nodeAdded(node)
    this.#states.set(create, state)
    return state
  }

  /** Counts changes of nodes: equal counts (and node sets) mean equal decisions. */
  get changeCount(): number {
    return this.#changeCount
  }

  /** Grows when a node comes or goes. */
  get nodeSetVersion(): number {
    return this.#nodeSetVersion
  }

  get nodeCount(): number {
    return this.#nodes.size
  }

  /** One more than the highest slot in use. */
  get slotCount(): number {
    return this.#slots
  }

  get podCount(): number {
    return this.#placed.size
  }

  get assumedCount(): number {
    return this.#assumed
  }

  /** A number that tells one set of assumed pods (with their nodes) from another, whatever the order they came in. */
  get assumedDigest(): number {
    return this.#assumedDigest
  }

  nodes(): IterableIterator<NodeInfo> {
    return this.#nodes.values()
  }

  node(name: string): NodeInfo | undefined {
    return this.#nodes.get(name)
  }

  /** The slots that changed since `changeCount` was `since`, or undefined when the log no longer reaches back that far. */
  *changedSince(since: number): IterableIterator<number> {
    for (let index = since; index < this.#changeCount; index++) yield this.#changes[index % changesKept]!
  }

  /** Whether the log of changes still reaches back to `since`. */
  remembers(since: number): boolean {
    return this.#changeCount - since <= changesKept
  }

  setNode(object: Node): NodeChange {
    const { name } = object.metadata
    const present = this.#nodes.get(name)
    if (present !== undefined) {
      const hasSameImages = present.listsSameImages(object)
      const moves = !hasSameImages || !sameLabels(object.metadata.labels ?? {}, present.labels)
      if (moves) for (const state of this.#states.values()) state.nodeRemoved(present)
      const difference = present.update(object)
      if (moves) for (const state of this.#states.values()) state.nodeAdded(present)
      if (!difference.allocatable && !difference.labels && !difference.taints && !difference.unschedulable) {
        // Images make no pod fit that did not.
        if (!hasSameImages) this.#mark(present)
        return { type: 'unchanged' }
      }
      this.#mark(present)
      return { type: 'updated', node: present, difference }
    }
    const node = new NodeInfo(name, this.#freeSlots.pop() ?? this.#slots++)
    node.update(object)
    const absent = this.#absent.get(name)
    if (absent !== undefined) {
      for (const pod of absent.pods.values()) node.add(pod)
      this.#absent.delete(name)
    }
    this.#nodes.set(name, node)
    this.#nodeSetVersion++
    for (const state of this.#states.values()) state.nodeAdded(node)
    return { type: 'added', node }
  }

  /** Returns the node as it was. */
  removeNode(name: string): NodeInfo | undefined {
    const node = this.#nodes.get(name)
    if (node === undefined) return undefined
    for (const state of this.#states.values()) state.nodeRemoved(node)
    this.#nodes.delete(name)
    this.#freeSlots.push(node.slot)
    this.#nodeSetVersion++
    if (node.pods.size > 0) {
      const absent = new NodeInfo(name, -1)
      for (const pod of node.pods.values()) absent.add(pod)
      this.#absent.set(name, absent)
    }
    return node
  }

  /** Takes over a Pod object that has a node. A finished pod (Succeeded, Failed) takes nothing, as if it were gone. */
  setPod(object: Pod): PodChange {
    const { uid } = object.metadata
    const placed = this.#placed.get(uid)
    const phase = object.status?.phase
    if (phase === 'Succeeded' || phase === 'Failed') return { freed: this.removePod(uid), confirmed: false }
    if (placed !== undefined && !placed.assumed && isSame(placed, object)) return noChange
    return this.addPod(this.readPod(object))
  }

  /** Counts a bound pod on its node; replaces what was known of it. */
  addPod(pod: PodInfo): PodChange {
    const placed = this.#placed.get(pod.uid)
    if (placed === undefined) {
      this.#place(pod, pod.nodeName, false)
      return { ...noChange, added: pod }
    }
    const { assumed, pod: before } = placed
    const change = { confirmed: assumed, ...(assumed ? { added: pod } : relabelling(before, pod)) }
    if (placed.node === pod.nodeName && before.shape === pod.shape && before.priority === pod.priority) {
      // Same room on the same node: no cache of room needs to hear of it.
      if (assumed) this.#countAssumed(placed, -1)
      this.#placed.set(pod.uid, { pod, node: placed.node, assumed: false })
      this.#replace(before, pod, placed.node)
      return { ...change, freed: undefined }
    }
    this.#unplace(placed)
    this.#place(pod, pod.nodeName, false)
    return { ...change, freed: before }
  }

  /** Forgets a pod, bound or assumed; returns what was counted. */
  removePod(uid: string): PodInfo | undefined {
    const placed = this.#placed.get(uid)
    if (placed === undefined) return undefined
    this.#unplace(placed)
    return placed.pod
  }

  /** Counts a pod on the node that was decided for it, before the log shows it. */
  assume(pod: PodInfo, nodeName: string): void {
    if (this.#placed.has(pod.uid)) throw new Error(`pod ${pod.namespace}/${pod.name} is already placed`)
    this.#place(pod, nodeName, true)
  }

  /** Takes an assumption back; false when there is none (any more). */
  forget(uid: string): boolean {
    const placed = this.#placed.get(uid)
    if (placed === undefined || !placed.assumed) return false
    this.#unplace(placed)
    return true
  }

  isAssumed(uid: string): boolean {
    return this.#placed.get(uid)?.assumed === true
  }

  /** Where a pod is counted. */
  nodeOf(uid: string): string | undefined {
    return this.#placed.get(uid)?.node
  }

  #holder(name: string): NodeInfo {
    const present = this.#nodes.get(name) ?? this.#absent.get(name)
    if (present !== undefined) return present
    const absent = new NodeInfo(name, -1)
    this.#absent.set(name, absent)
    return absent
  }

  #place(pod: PodInfo, nodeName: string, assumed: boolean): void {
    const placed = { pod, node: nodeName, assumed }
    this.#placed.set(pod.uid, placed)
    if (assumed) this.#countAssumed(placed, 1)
    const node = this.#holder(nodeName)
    node.add(pod)
    if (node.slot >= 0) for (const state of this.#states.values()) state.podAdded(pod, node)
    this.#mark(node)
  }

  /** A pod that takes the same room may be selected by others than before. */
  #replace(before: PodInfo, after: PodInfo, nodeName: string): void {
    const node = this.#holder(nodeName)
    node.replace(after)
    if (before.labelKey === after.labelKey && before.isTerminating === after.isTerminating) return
    if (node.slot >= 0) {
      for (const state of this.#states.values()) {
        state.podRemoved(before, node)
        state.podAdded(after, node)
      }
    }
    this.#mark(node)
  }

  #unplace(placed: Placed): void {
    this.#placed.delete(placed.pod.uid)
    if (placed.assumed) this.#countAssumed(placed, -1)
    const node = this.#holder(placed.node)
    node.remove(placed.pod.uid)
    if (node.slot >= 0) for (const state of this.#states.values()) state.podRemoved(placed.pod, node)
    if (node.slot < 0 && node.pods.size === 0) this.#absent.delete(placed.node)
    this.#mark(node)
  }

  #countAssumed(placed: Placed, sign: 1 | -1): void {
    this.#assumed += sign
    // A sum does not depend on order, and what was added can be taken away again.
    this.#assumedDigest = (this.#assumedDigest + sign * hashText(1, `${placed.pod.uid} ${placed.node}`)) >>> 0
  }

  #mark(node: NodeInfo): void {
    if (node.slot < 0) return
    this.#changes[this.#changeCount % changesKept] = node.slot
    this.#changeCount++
  }
}

/** Whether an update of a bound pod leaves alone all that the snapshot counts: specifications change with a generation. */
function isSame(placed: Placed, object: Pod): boolean {
  const { generation } = object.metadata
  return (
    generation !== undefined &&
    placed.pod.generation === generation &&
    placed.node === object.spec?.nodeName &&
    !reportsResources(object) &&
    isUnchanged(placed.pod, object)
  )
}

const relabelling = (before: PodInfo, after: PodInfo): Pick<PodChange, 'relabelled'> =>
  before.labelKey === after.labelKey ? {} : { relabelled: { before, after } }
