// From changes of the feed to the pods that the agent looks after: which are its own, which go on where an earlier life
// left them, which are gone.
import type { Node, Pod } from '@shiplog/api/generated/types/core-v1'
import type { ObjectChange } from '@shiplog/feed/object-feed'
import type { Clock } from '@shiplog/runtime/clock'
import type { PodInfo } from '@shiplog/scheduling/snapshot/pod-info'
import type { PodHost } from './hosts/pod-host.ts'
import type { NodeConfig } from './node-object.ts'
import { podNeeds, type PodRejection, podRejection } from './pod-admission.ts'
import { adoptPodWork } from './pod-adoption.ts'
import { isTerminal, newPodEntry, type PodEntry, type PodTable } from './pod-entry.ts'
import { isMirror, type StaticPods } from './static-pods/static-pods.ts'
import { newPodWork, statusOf } from './pod-work.ts'

export interface PodSyncDeps {
  readonly table: PodTable
  readonly nodes: ReadonlyMap<string, NodeConfig>
  readonly host: PodHost
  /** The Node object; undefined before the feed has shown it. */
  readonly nodeOf: (name: string) => Node | undefined
  /** A pod that was bound to a node of ours is not taken. */
  readonly rejected: (entry: PodEntry, why: PodRejection) => void
  readonly clock: Clock
  readonly advance: (entry: PodEntry) => void
  readonly recover: (entry: PodEntry, adopted: boolean) => void
  /** Why the node takes no such pod now. */
  readonly refusal?: (pod: Pod) => PodRejection | undefined
  /** Mirrors of the node's own pods are told to these; where there are none, mirrors are left alone. */
  readonly statics?: Pick<StaticPods, 'onMirror' | 'forgotten'>
  /** Queues a report of the pod. */
  readonly report: (entry: PodEntry) => void
}

export function onPodChange(deps: PodSyncDeps, change: ObjectChange): void {
  const existing = deps.table.get(`${change.namespace}/${change.name}`)
  const pod = change.object as Pod
  if (isMirror(pod) || existing?.static) {
    // Who has the name of one of the node's own pods in the API is not run beside it.
    if (isMirror(pod) && deps.nodes.has(pod.spec.nodeName ?? '')) deps.statics?.onMirror(change)
    return
  }
  if (existing) {
    if (change.sequence <= existing.sequence) return
    if (!change.deleted && pod.metadata.uid === existing.uid) {
      update(deps, existing, pod, change.sequence)
      return
    }
    forget(deps, existing)
  }
  if (change.deleted) return
  const node = deps.nodes.get(pod.spec.nodeName ?? '')
  if (node === undefined) return
  accept(deps, pod, node, change.sequence)
}

function update({ host, advance }: PodSyncDeps, entry: PodEntry, pod: Pod, sequence: number): void {
  entry.pod = pod
  entry.sequence = sequence
  host.podChanged(entry)
  advance(entry)
}

function accept(deps: PodSyncDeps, pod: Pod, node: NodeConfig, sequence: number): void {
  const { table, host, clock } = deps
  const nowMs = clock.nowMs()
  const adopted = (statusOf(pod).podIPs ?? []).length > 0
  const entry = newPodEntry(pod, node, sequence, adopted ? adoptPodWork(pod, nowMs) : newPodWork(pod, nowMs))
  const why = isTerminal(pod) || adopted ? undefined : whyNot(deps, entry)
  table.add(entry)
  if (isTerminal(pod)) acceptTerminal(deps, entry)
  else if (why) reject(deps, entry, why)
  else if (adopted || host.outlivesAgent) deps.recover(entry, adopted)
  else deps.advance(entry)
}

/** Pods that an agent has begun to look after, and those that are to go, are not judged (again). */
function whyNot({ table, nodeOf, refusal }: PodSyncDeps, entry: PodEntry): PodRejection | undefined {
  const { pod } = entry
  const node = nodeOf(entry.node.name)
  const isJudged = statusOf(pod).startTime !== undefined || pod.metadata.deletionTimestamp !== undefined
  // A Node that says nothing of its size yet was made by somebody else, and the agent has not reported.
  if (isJudged || node?.status?.allocatable === undefined) return undefined
  return refusal?.(pod) ?? podRejection(pod, needsOf(entry), node, needsOn(table, entry.node.name))
}

/** What the pods of a node take that are not over. */
function needsOn(table: PodTable, node: string): readonly PodInfo[] {
  const needs: PodInfo[] = []
  for (const entry of table.ofNode(node))
    if (!entry.work.finished && !isTerminal(entry.pod)) needs.push(needsOf(entry))
  return needs
}

const needsOf = (entry: PodEntry): PodInfo => (entry.needs = podNeeds(entry.pod, entry.needs))

function reject({ rejected, report }: PodSyncDeps, entry: PodEntry, why: PodRejection): void {
  entry.work.rejection = why
  entry.work.finished = true
  entry.work.sandbox = 'removed'
  rejected(entry, why)
  report(entry)
}

/** Everything was reported; what may be left to do is to end the deletion. */
function acceptTerminal({ host, report }: PodSyncDeps, entry: PodEntry): void {
  entry.work.finished = true
  entry.work.sandbox = 'removed'
  // An earlier life may have been killed between the last report and this.
  host.removeSandbox(entry.uid)
  if (entry.pod.metadata.deletionTimestamp !== undefined) report(entry)
}

/** The object is gone: so is everything of the pod. */
export function forget({ table, host, statics }: Pick<PodSyncDeps, 'table' | 'host' | 'statics'>, entry: PodEntry): void {
  entry.gone = true
  entry.wake?.[Symbol.dispose]()
  entry.slot.retry?.[Symbol.dispose]()
  entry.slot.retry = undefined
  host.removePod(entry)
  // A container that is being prepared is not started any more.
  entry.work.sandbox = 'removed'
  table.remove(entry)
  if (entry.static) statics?.forgotten(entry)
}
