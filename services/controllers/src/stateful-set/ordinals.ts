// The pods of a StatefulSet by name and number: `db-2` is number 2 of `db`, whatever revision it is of.
import type { StatefulSet } from '@shiplog/api/generated/types/apps-v1'
import type { Pod, PodTemplateSpec } from '@shiplog/api/generated/types/core-v1'
import { revisionHashLabel } from '../shared/controller-revisions.ts'
import { isBeingDeleted } from '../shared/ownership.ts'
import { podFromTemplate, type NewPod } from '../shared/pod-from-template.ts'
import { untilAvailableMs } from '../shared/pods.ts'
import { withClaimVolumes } from './claims.ts'

export const podNameLabel = 'statefulset.kubernetes.io/pod-name'
export const podIndexLabel = 'apps.kubernetes.io/pod-index'

const numbered = /^(.*)-([0-9]+)$/s
const int32Max = 2_147_483_647

/** What a name says: whose pod, and which number; -1 when it has none. */
export function parentAndOrdinal(name: string): { readonly parent: string; readonly ordinal: number } {
  const match = numbered.exec(name)
  if (!match) return { parent: '', ordinal: -1 }
  const ordinal = Number(match[2])
  return { parent: match[1]!, ordinal: ordinal > int32Max ? -1 : ordinal }
}

export const ordinalOf = (pod: { readonly metadata: { readonly name: string } }): number =>
  parentAndOrdinal(pod.metadata.name).ordinal

export const replicasOf = (set: StatefulSet): number => set.spec.replicas ?? 1
export const startOf = (set: StatefulSet): number => set.spec.ordinals?.start ?? 0

export const isInRange = (set: StatefulSet, ordinal: number): boolean =>
  ordinal >= startOf(set) && ordinal < startOf(set) + replicasOf(set)

export const podNameOf = (set: StatefulSet, ordinal: number): string => `${set.metadata.name}-${ordinal}`

export const revisionOfPod = (pod: Pod): string => pod.metadata.labels?.[revisionHashLabel] ?? ''

export const isRunningAndReady = (pod: Pod): boolean =>
  pod.status.phase === 'Running' &&
  (pod.status.conditions ?? []).some((one) => one.type === 'Ready' && one.status === 'True')

export const isAvailable = (pod: Pod, set: StatefulSet, nowMs: number): boolean =>
  untilAvailableMs(pod, set.spec.minReadySeconds ?? 0, nowMs) === 0

export const isUnavailable = (pod: Pod | undefined, set: StatefulSet, nowMs: number): boolean =>
  !pod || isBeingDeleted(pod) || !isAvailable(pod, set, nowMs)

const identityLabels = (name: string, ordinal: number): Record<string, string> => ({
  [podNameLabel]: name,
  [podIndexLabel]: String(ordinal),
})

/** Pod number `ordinal`, of this template and revision. */
export function newPod(set: StatefulSet, template: PodTemplateSpec, revision: string, ordinal: number): NewPod {
  const name = podNameOf(set, ordinal)
  const pod = podFromTemplate(set, template, name)
  pod.metadata.labels = { ...pod.metadata.labels, ...identityLabels(name, ordinal), [revisionHashLabel]: revision }
  pod.spec.hostname = name
  if (set.spec.serviceName) pod.spec.subdomain = set.spec.serviceName
  pod.spec.volumes = withClaimVolumes(set, ordinal, pod.spec.volumes ?? [])
  if (pod.spec.volumes.length === 0) delete pod.spec.volumes
  return pod
}

export const identityMatches = (set: StatefulSet, pod: Pod): boolean =>
  pod.metadata.name === podNameOf(set, ordinalOf(pod)) && pod.metadata.labels?.[podNameLabel] === pod.metadata.name

/** The pod with the labels of its identity and the volumes of its claims. */
export const withIdentity = (set: StatefulSet, pod: Pod): Pod => {
  const ordinal = ordinalOf(pod)
  const labels = { ...pod.metadata.labels, ...identityLabels(pod.metadata.name, ordinal) }
  const volumes = withClaimVolumes(set, ordinal, pod.spec.volumes ?? [])
  return {
    ...pod,
    metadata: { ...pod.metadata, labels },
    spec: { ...pod.spec, ...(volumes.length > 0 ? { volumes } : {}) },
  }
}
