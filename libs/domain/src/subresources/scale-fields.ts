// Who owns the replicas of an object, as the Scale shows it and back: its managed fields are those of the object that speak
// of `spec.replicas` (k8s.io/apimachinery/pkg/util/managedfields/scalehandler.go).
import type { JsonObject, ManagedFieldsEntry } from '@shiplog/api/kube-object'

const scaleVersion = 'autoscaling/v1'
const replicasOnly = { 'f:spec': { 'f:replicas': {} } }

const ownsReplicas = ({ fieldsV1 }: ManagedFieldsEntry): boolean => {
  const { 'f:spec': spec } = (fieldsV1 ?? {}) as JsonObject
  return spec?.['f:replicas'] !== undefined
}

/** The same manager in the object's and the Scale's fields: which version it spoke says nothing. */
const identityOf = ({ manager, operation, subresource, time }: ManagedFieldsEntry): string =>
  JSON.stringify([manager, operation, subresource ?? '', operation === 'Apply' ? '' : time])

/** The managed fields of the Scale of an object. */
export const scaleFieldsOf = (entries: readonly ManagedFieldsEntry[] = []): ManagedFieldsEntry[] =>
  entries.filter(ownsReplicas).map((entry) => ({ ...entry, apiVersion: scaleVersion, fieldsV1: replicasOnly }))

/** Undefined when nothing is left of it. */
function withoutReplicas(entry: ManagedFieldsEntry): ManagedFieldsEntry | undefined {
  const { 'f:spec': spec, ...rest } = entry.fieldsV1 as JsonObject
  const { 'f:replicas': _, ...left } = spec as JsonObject
  const fieldsV1 = Object.keys(left).length > 0 ? { ...rest, 'f:spec': left } : rest
  return Object.keys(fieldsV1).length > 0 ? { ...entry, fieldsV1 } : undefined
}

/** The object's managed fields after its Scale was written and has these; new owners speak the object's version. */
export function fieldsAfterScale(
  entries: readonly ManagedFieldsEntry[] = [],
  ofScale: readonly ManagedFieldsEntry[],
  apiVersion: string,
): ManagedFieldsEntry[] {
  const owners = new Map(ofScale.filter(ownsReplicas).map((entry) => [identityOf(entry), entry]))
  const kept = entries.flatMap((entry) => {
    if (!ownsReplicas(entry)) return [entry]
    if (owners.delete(identityOf(entry))) return [entry]
    return withoutReplicas(entry) ?? []
  })
  return [...kept, ...[...owners.values()].map((entry) => ({ ...entry, apiVersion }))]
}
