// What the API shows of a static pod: its mirror, made when it is missing, replaced when it is of another pod, deleted with it;
// and in its status what became of the pod.
import type { ApiClient } from '@shiplog/api/api-client'
import type { Node, Pod } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { Logger } from '@shiplog/runtime/logger'
import type { PodEntry } from '../pod-entry.ts'
import { type PodReport, statusPatch } from '../pod-status.ts'
import type { WriteOutcome } from '../write-queue.ts'
import { mirrorAnnotation } from './manifest.ts'

export interface MirrorWriterDeps {
  readonly client: ApiClient
  readonly log: Logger
  /** The Node object; undefined before the feed has shown it. */
  readonly nodeOf: (name: string) => Node | undefined
  /** The report, told beside what the mirror says. */
  readonly reportOf: (entry: PodEntry) => PodReport
  readonly wakeAt: (entry: PodEntry, atMs: number) => void
  readonly forget: (entry: PodEntry) => void
}

const pods = { group: '', resource: 'pods' } as const
const query = { fieldManager: 'kubelet' } as const

const addressOf = ({ metadata }: Pod) => ({ ...pods, namespace: metadata.namespace ?? '', name: metadata.name })

/** One step closer to what should be there; called again until it says `settled`. */
export async function writeMirror(deps: MirrorWriterDeps, entry: PodEntry): Promise<WriteOutcome> {
  const own = entry.static!
  const { mirror } = own
  const isOver = entry.work.finished && entry.pod.metadata.deletionTimestamp !== undefined
  const isStale = mirror !== undefined && (mirror.metadata.deletionTimestamp !== undefined || mirror.metadata.annotations?.[mirrorAnnotation] !== entry.uid)
  if (mirror !== undefined && (isOver || isStale)) {
    if (!(await deleteMirror(deps.client, mirror))) return 'retry'
    if (own.mirror === mirror) own.mirror = undefined
    return 'more'
  }
  if (isOver) {
    deps.forget(entry)
    return 'settled'
  }
  if (mirror === undefined) return await createMirror(deps, entry)
  const { status, changesAtMs } = deps.reportOf(entry)
  if (!entry.work.finished) deps.wakeAt(entry, changesAtMs)
  const body = statusPatch(mirror, status)
  if (body === undefined) return 'settled'
  const patchType = 'application/strategic-merge-patch+json'
  const result = await deps.client.request({ ...addressOf(mirror), verb: 'patch', subresource: 'status', patchType, body, query })
  if (!result.ok && result.code !== 404 && result.code !== 409) return refused(deps, entry, result.status.message)
  if (own.mirror !== mirror) return 'more'
  own.mirror = result.ok ? (result.object as Pod) : undefined
  return result.ok ? 'settled' : 'more'
}

/** True when it is gone, or was another's by now. */
export async function deleteMirror(client: ApiClient, mirror: Pod): Promise<boolean> {
  const preconditions = { uid: mirror.metadata.uid }
  const body = { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0, preconditions }
  const result = await client.request({ ...addressOf(mirror), verb: 'delete', body })
  return result.ok || result.code === 404 || result.code === 409
}

async function createMirror(deps: MirrorWriterDeps, entry: PodEntry): Promise<WriteOutcome> {
  const { client, nodeOf } = deps
  const node = nodeOf(entry.node.name)
  if (node === undefined) return 'retry'
  const { metadata, spec } = entry.pod
  const owner = { apiVersion: 'v1', kind: 'Node', name: entry.node.name, uid: node.metadata.uid, controller: true }
  const { uid: _uid, deletionTimestamp: _at, deletionGracePeriodSeconds: _grace, ...rest } = metadata
  const body = {
    ...{ apiVersion: 'v1', kind: 'Pod', spec },
    metadata: { ...rest, annotations: { ...metadata.annotations, [mirrorAnnotation]: entry.uid }, ownerReferences: [owner] },
  }
  const created = await client.request({ ...pods, verb: 'create', namespace: metadata.namespace ?? '', body: body as unknown as JsonObject, query })
  if (created.ok) {
    entry.static!.mirror ??= created.object as Pod
    return 'more'
  }
  if (created.code !== 409) return refused(deps, entry, created.status.message)
  const found = await client.request({ ...addressOf(entry.pod), verb: 'get' })
  if (!found.ok) return refused(deps, entry, found.status.message)
  const other = found.object as Pod
  if (other.metadata.annotations?.[mirrorAnnotation] === undefined) return refused(deps, entry, 'a pod of the API has its name')
  entry.static!.mirror ??= other
  return 'more'
}

function refused({ log }: MirrorWriterDeps, { pod: { metadata } }: PodEntry, reason: string | undefined): WriteOutcome {
  log.debug({ pod: { namespace: metadata.namespace, name: metadata.name }, reason }, 'mirror pod not accepted, retrying')
  return 'retry'
}
