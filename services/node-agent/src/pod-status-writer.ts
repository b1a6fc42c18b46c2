// Sends what the API does not show yet of a pod: its status first, then, once nothing runs any more, the final DELETE.
import type { ApiClient, ApiResult } from '@shiplog/api/api-client'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import type { PodHost } from './hosts/pod-host.ts'
import { isTerminal, type PodEntry, podNameOf, sandboxConfigOf } from './pod-entry.ts'
import { type PodReport, podReport, statusPatch } from './pod-status.ts'
import { type MirrorWriterDeps, writeMirror } from './static-pods/mirror-writer.ts'
import type { WriteOutcome } from './write-queue.ts'

export interface PodStatusWriterDeps {
  readonly client: ApiClient
  readonly host: PodHost
  readonly clock: Clock
  readonly log: Logger
  readonly nodeOf: MirrorWriterDeps['nodeOf']
  /** False while the pod's node plays dead. */
  readonly isActive: (entry: PodEntry) => boolean
  readonly podCIDRsOf: (node: PodEntry['node']) => readonly string[]
  /** The status will change by itself at this time. */
  readonly wakeAt: (entry: PodEntry, atMs: number) => void
  /** The API said that the pod is being deleted before the feed did. */
  readonly advance: (entry: PodEntry) => void
  /** The object is gone. */
  readonly forget: (entry: PodEntry) => void
}

export async function writePod(deps: PodStatusWriterDeps, entry: PodEntry): Promise<WriteOutcome> {
  if (entry.gone || entry.deleted || entry.recovering || !deps.isActive(entry)) return 'settled'
  if (entry.static) return await writeMirror({ ...deps, reportOf: (one) => reportOf(deps, one) }, entry)
  const { status, changesAtMs } = reportOf(deps, entry)
  if (!entry.work.finished) deps.wakeAt(entry, changesAtMs)
  const patch = isTerminal(entry.pod) ? undefined : statusPatch(entry.pod, status)
  if (patch) return await patchStatus(deps, entry, patch)
  if (!entry.work.finished || entry.pod.metadata.deletionTimestamp === undefined) return 'settled'
  return await deletePod(deps, entry)
}

function reportOf({ host, clock, podCIDRsOf }: PodStatusWriterDeps, entry: PodEntry): PodReport {
  const config = sandboxConfigOf(entry, podCIDRsOf(entry.node))
  return podReport({
    work: entry.work,
    pod: shownPodOf(entry),
    nodeIPs: entry.node.internalIPs,
    nowMs: clock.nowMs(),
    readyAtMs: (container, startedAtMs) => host.readyAtMs(entry, config, container, startedAtMs),
    hasStarted: (container) => host.hasStarted(entry, container),
  })
}

/** Of a static pod the API has what its mirror has. */
function shownPodOf({ pod, static: part }: PodEntry): Pod {
  if (part?.mirror === undefined) return pod
  const { generation } = part.mirror.metadata
  return { ...pod, metadata: { ...pod.metadata, ...(generation === undefined ? {} : { generation }) }, status: part.mirror.status ?? {} }
}

const addressOf = (entry: PodEntry) => ({ group: '', resource: 'pods', ...podNameOf(entry) })

async function patchStatus(deps: PodStatusWriterDeps, entry: PodEntry, body: JsonObject): Promise<WriteOutcome> {
  const result = await deps.client.request({
    ...addressOf(entry),
    verb: 'patch',
    subresource: 'status',
    patchType: 'application/strategic-merge-patch+json',
    body,
    query: { fieldManager: 'kubelet' },
    cause: entry.sequence,
  })
  if (!result.ok) return refused(deps, entry, 'pod status not accepted, retrying', result)
  takeAnswer(deps, entry, result)
  return entry.work.finished && entry.pod.metadata.deletionTimestamp !== undefined ? 'more' : 'settled'
}

function takeAnswer(deps: PodStatusWriterDeps, entry: PodEntry, result: ApiResult & { ok: true }): void {
  const sequence = Number(result.object.metadata.resourceVersion ?? result.sequence)
  if (sequence <= entry.sequence) return
  const wasDeleting = entry.pod.metadata.deletionTimestamp !== undefined
  entry.sequence = sequence
  entry.pod = result.object as Pod
  if (!wasDeleting && entry.pod.metadata.deletionTimestamp !== undefined) deps.advance(entry)
}

async function deletePod(deps: PodStatusWriterDeps, entry: PodEntry): Promise<WriteOutcome> {
  const preconditions = { uid: entry.uid }
  const result = await deps.client.request({
    ...addressOf(entry),
    verb: 'delete',
    body: { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0, preconditions },
    cause: entry.sequence,
  })
  if (!result.ok) return refused(deps, entry, 'pod deletion not accepted, retrying', result)
  entry.deleted = true
  return 'settled'
}

/** 404: the pod is gone; 409: another pod may have its name, which the feed will say. All else is tried again. */
function refused(
  { log, forget }: PodStatusWriterDeps,
  entry: PodEntry,
  what: string,
  { code, status }: ApiResult & { ok: false },
): WriteOutcome {
  if (code === 404) {
    forget(entry)
    return 'settled'
  }
  log.debug({ pod: podNameOf(entry), code, reason: status.message }, what)
  return entry.gone ? 'settled' : 'retry'
}
