// Revisions of a Deployment: which ReplicaSet belongs to which template, its hash and its annotations, as upstream keeps
// them. `kubectl rollout history` and `undo` read these annotations.
import type { Deployment, ReplicaSet } from '@shiplog/api/generated/types/apps-v1'
import type { PodTemplateSpec } from '@shiplog/api/generated/types/core-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import { jsonEqual } from '@shiplog/api/patch/json-patch'
import { canonicalJson, fnv1a, safeEncode } from '../shared/names.ts'
import { maxSurgeOf } from './strategy.ts'

export const revisionAnnotation = 'deployment.kubernetes.io/revision'
export const revisionHistoryAnnotation = 'deployment.kubernetes.io/revision-history'
export const desiredReplicasAnnotation = 'deployment.kubernetes.io/desired-replicas'
export const maxReplicasAnnotation = 'deployment.kubernetes.io/max-replicas'
export const templateHashLabel = 'pod-template-hash'
const revisionHistoryCharactersMax = 2_000

/** Annotations of a Deployment that its ReplicaSets do not get. */
const notCopied: ReadonlySet<string> = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  revisionAnnotation,
  revisionHistoryAnnotation,
  desiredReplicasAnnotation,
  maxReplicasAnnotation,
  'deprecated.deployment.rollback.to',
])

/** The hash of a template, safe as part of a name; a collision is resolved by raising the count. */
export const templateHash = (template: PodTemplateSpec, collisionCount: number): string =>
  safeEncode(
    String(fnv1a(collisionCount > 0 ? `${canonicalJson(template)}${collisionCount}` : canonicalJson(template))),
  )

/** A template without the label that ReplicaSets add to theirs. */
function withoutHash(template: PodTemplateSpec): PodTemplateSpec {
  const labels = template.metadata?.labels
  if (labels?.[templateHashLabel] === undefined) return template
  const { [templateHashLabel]: _hash, ...rest } = labels
  return { ...template, metadata: { ...template.metadata, labels: rest } }
}

export const sameTemplate = (a: PodTemplateSpec, b: PodTemplateSpec): boolean =>
  jsonEqual(withoutHash(a), withoutHash(b))

export const byCreation = (a: KubeObject, b: KubeObject): number =>
  a.metadata.creationTimestamp === b.metadata.creationTimestamp
    ? a.metadata.name < b.metadata.name
      ? -1
      : 1
    : a.metadata.creationTimestamp < b.metadata.creationTimestamp
      ? -1
      : 1

/** The ReplicaSet of the present template: the oldest of those that have it. */
export const findNewReplicaSet = (deployment: Deployment, replicaSets: readonly ReplicaSet[]): ReplicaSet | undefined =>
  [...replicaSets]
    .sort(byCreation)
    .find((replicaSet) => sameTemplate(replicaSet.spec.template, deployment.spec.template))

const int64Max = (1n << 63n) - 1n

/** An int64, beyond what a number can count; 0 when there is none or it is no number. */
export const revisionOf = (object: KubeObject): bigint => {
  const text = object.metadata.annotations?.[revisionAnnotation]
  if (text === undefined || !/^[+-]?\d{1,19}$/.test(text)) return 0n
  const revision = BigInt(text.replace(/^\+/, ''))
  return revision > int64Max || revision < -int64Max - 1n ? 0n : revision
}

/** The lowest revision first. */
export const byRevision = (a: KubeObject, b: KubeObject): number => {
  const [one, other] = [revisionOf(a), revisionOf(b)]
  return one < other ? -1 : one > other ? 1 : 0
}

const historyWith = (history: string | undefined, revision: bigint): string => {
  const entries = [...(history ? history.split(',') : []), String(revision)]
  while (entries.length > 1 && entries.join(',').length > revisionHistoryCharactersMax) entries.shift()
  return entries.join(',')
}

/** The numbers by which proportional scaling later knows what a ReplicaSet was scaled for. */
export const replicasAnnotations = (deployment: Deployment, replicas: number): Record<string, string> => ({
  [desiredReplicasAnnotation]: String(replicas),
  [maxReplicasAnnotation]: String(replicas + maxSurgeOf(deployment)),
})

/** The annotations that the new ReplicaSet should have: the Deployment's, its revision, and what it was before. */
export function newReplicaSetAnnotations(
  deployment: Deployment,
  replicaSet: ReplicaSet | undefined,
  revision: bigint,
): Record<string, string> {
  const before = replicaSet?.metadata.annotations ?? {}
  const annotations: Record<string, string> = { ...before }
  for (const [name, value] of Object.entries(deployment.metadata.annotations ?? {})) {
    if (!notCopied.has(name)) annotations[name] = value
  }
  const oldRevision = replicaSet ? revisionOf(replicaSet) : 0n
  if (oldRevision < revision) {
    annotations[revisionAnnotation] = String(revision)
    if (oldRevision > 0n) {
      annotations[revisionHistoryAnnotation] = historyWith(before[revisionHistoryAnnotation], oldRevision)
    }
  }
  if (!replicaSet) Object.assign(annotations, replicasAnnotations(deployment, deployment.spec.replicas ?? 1))
  return annotations
}
