// ControllerRevisions: the past templates of a StatefulSet or DaemonSet, by which `kubectl rollout history` and `undo` work.
// Names and data are upstream's byte for byte (pkg/controller/history), so that its controller finds ours and ours find its.
import type { ControllerRevision } from '@shiplog/api/generated/types/apps-v1'
import type { PodTemplateSpec } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { CompiledSelector } from '@shiplog/api/selectors'
import type { Command } from '@shiplog/reconcile/reconciler'
import { keyOf, type ObjectView } from '@shiplog/reconcile/view'
import { canonicalJson, fnv1, goJson, safeEncode } from './names.ts'
import { controllerReference, isBeingDeleted, isControlledBy, orphansIndex, setOwnersCommand } from './ownership.ts'

const resource = { group: 'apps', resource: 'controllerrevisions' }

export const revisionsOrphansIndex = orphansIndex('controllerrevisions.apps')

/** On pods: the revision that they are of. */
export const revisionHashLabel = 'controller-revision-hash'
/** On ControllerRevisions of StatefulSets: the hash in their name. */
export const statefulSetHashLabel = 'controller.kubernetes.io/hash'
/** As upstream: what the hash leaves of 253 characters, and a dash. */
const prefixCharactersMax = 223

/** Anything that keeps its templates as ControllerRevisions. */
export type Revised = KubeObject & { readonly spec: { readonly template: PodTemplateSpec } }

/**
 * What a revision stores: a strategic merge patch that puts its template back. Its keys are in order: `kubectl rollout undo`
 * and others compare bytes to see which revision is the present one.
 */
export const revisionData = (template: PodTemplateSpec): JsonObject =>
  JSON.parse(canonicalJson({ spec: { template: { ...template, $patch: 'replace' } } })) as JsonObject

/** The template that a revision stores. */
export function templateOf(revision: ControllerRevision): PodTemplateSpec {
  const { spec } = revision.data as { spec: { template: PodTemplateSpec & { $patch?: string } } }
  const { $patch: _patch, ...template } = spec.template
  return template
}

const sameData = (a: unknown, b: unknown): boolean => goJson(a) === goJson(b)

/** Upstream's order: by number, then age, then name. */
export const byRevisionNumber = (a: ControllerRevision, b: ControllerRevision): number => {
  if (a.revision !== b.revision) return a.revision - b.revision
  const [one, other] = [a.metadata.creationTimestamp, b.metadata.creationTimestamp]
  if (one !== other) return one < other ? -1 : 1
  return a.metadata.name < b.metadata.name ? -1 : 1
}

/** The owner's revisions in order, and the adoption of those that nobody controls. */
export function claimRevisions(
  view: ObjectView,
  owner: KubeObject,
  selector: CompiledSelector,
): { readonly revisions: readonly ControllerRevision[]; readonly commands: readonly Command[] } {
  const revisions = [...view.listOwned('controllerrevisions.apps', owner.metadata.uid)].filter(
    (revision) => isControlledBy(revision, owner) && selector.matches(revision.metadata.labels),
  )
  const commands: Command[] = []
  if (!isBeingDeleted(owner)) {
    for (const orphan of view.byIndex(revisionsOrphansIndex, owner.metadata.namespace ?? '')) {
      if (isBeingDeleted(orphan) || !selector.matches(orphan.metadata.labels)) continue
      const owners = [...(orphan.metadata.ownerReferences ?? []), controllerReference(owner)]
      commands.push(setOwnersCommand(resource, orphan, owners))
    }
  }
  return { revisions: revisions.sort(byRevisionNumber), commands }
}

/** The hash in the name of a StatefulSet's revision; `collisionCount` makes another one of the same data. */
export const revisionHash = (data: JsonObject, collisionCount: number): string =>
  safeEncode(String(fnv1(`${goJson(data)}${collisionCount}`)))

export interface RevisionOptions {
  readonly collisionCount: number
  /** The label in which a revision repeats the hash of its name. */
  readonly hashLabel: string
  readonly hash: (data: JsonObject, collisionCount: number) => string
}

/** The revision of the owner's present template, or the command that makes it; with the count of collisions so far. */
export type UpdateRevision =
  | { readonly revision: ControllerRevision; readonly collisionCount: number }
  | { readonly command: Command; readonly collisionCount: number }

/** Finds the revision of the owner's template among its revisions (in order); an old one comes to the end again. */
export function updateRevisionOf(
  view: ObjectView,
  owner: Revised,
  revisions: readonly ControllerRevision[],
  { collisionCount, hashLabel, hash: hashOf }: RevisionOptions,
): UpdateRevision {
  const data = revisionData(owner.spec.template)
  const number = (revisions.at(-1)?.revision ?? 0) + 1
  const equal = revisions.findLast((revision) => sameData(revision.data, data))
  if (equal && sameData(revisions.at(-1)!.data, data)) return { revision: revisions.at(-1)!, collisionCount }
  if (equal) return { command: renumber(equal, number), collisionCount }
  const namespace = owner.metadata.namespace!
  let count = collisionCount
  for (;;) {
    const hash = hashOf(data, count)
    const name = `${owner.metadata.name.slice(0, prefixCharactersMax)}-${hash}`
    const known = view.get('controllerrevisions.apps', keyOf(namespace, name))
    if (known && !sameData(known.data, data)) {
      count++
      continue
    }
    if (known) return { revision: known, collisionCount: count }
    const metadata = {
      name,
      namespace,
      labels: { ...owner.spec.template.metadata?.labels, [hashLabel]: hash },
      ...(owner.metadata.annotations ? { annotations: owner.metadata.annotations } : {}),
      ownerReferences: [controllerReference(owner)],
    }
    const body = { apiVersion: 'apps/v1', kind: 'ControllerRevision', metadata, data, revision: number }
    return { command: { request: { verb: 'create', ...resource, namespace, body } }, collisionCount: count }
  }
}

const renumber = ({ metadata }: ControllerRevision, revision: number): Command => ({
  request: {
    verb: 'patch',
    ...resource,
    namespace: metadata.namespace!,
    name: metadata.name,
    patchType: 'application/merge-patch+json',
    body: { metadata: { uid: metadata.uid, resourceVersion: metadata.resourceVersion }, revision },
  },
})

/** Deletes the oldest of the revisions that nothing lives of, beyond the limit. */
export function truncateRevisions(
  revisions: readonly ControllerRevision[],
  live: ReadonlySet<string>,
  limit: number,
): readonly Command[] {
  const past = revisions.filter(({ metadata }) => !live.has(metadata.name))
  if (limit < 0 || past.length <= limit) return []
  return past
    .slice(0, past.length - limit)
    .filter((revision) => !isBeingDeleted(revision))
    .map(({ metadata }) => ({
      request: {
        verb: 'delete',
        ...resource,
        namespace: metadata.namespace!,
        name: metadata.name,
        body: { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid: metadata.uid } },
      },
    }))
}
