// pods/binding: the one way in which a pod gets its node, once.
import { notSupported, required } from '@shiplog/api/field-errors'
import type { Binding, Pod, PodCondition } from '@shiplog/api/generated/types/core-v1'
import { ApiError, conflict, invalid, type StatusCause } from '@shiplog/api/status'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import { entries, items, section } from '../fields.ts'

const rfc3339 = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`

const validateBinding = (binding: Decoded<Binding>): StatusCause[] => {
  const target = binding.target ?? {}
  const causes: StatusCause[] = []
  if (target.kind && target.kind !== 'Node') causes.push(notSupported('target.kind', target.kind, ['Node', '<empty>']))
  if (!target.name) causes.push(required('target.name'))
  return causes
}

/** A binding may name the very pod, and the very version of it, that it means. */
const failedPrecondition = (
  pod: Draft<Pod>,
  { uid, resourceVersion }: Decoded<Binding['metadata']>,
): string | undefined => {
  const { uid: presentUid, resourceVersion: present } = pod.metadata
  if (uid && uid !== presentUid)
    return `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${presentUid}`
  if (resourceVersion && resourceVersion !== present)
    return `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${present}`
  return undefined
}

const refusal = (pod: Draft<Pod>): string | undefined => {
  const { name } = pod.metadata
  if (pod.metadata.deletionTimestamp) return `pod ${name} is being deleted, cannot be assigned to a host`
  if (pod.spec?.nodeName) return `pod ${name} is already assigned to node ${JSON.stringify(pod.spec.nodeName)}`
  if (items(pod.spec?.schedulingGates).length > 0) return `pod ${name} has non-empty .spec.schedulingGates`
  return undefined
}

/** Sets a condition of a pod's status, and its transition time when the status of the condition changes. */
export const setPodCondition = (pod: Draft<Pod>, condition: Decoded<PodCondition>, nowMs: number): void => {
  const status = section(pod, 'status')
  const others = items(status.conditions).filter((other) => other.type !== condition.type)
  const old = items(status.conditions).find((other) => other.type === condition.type)
  const since = old?.status === condition.status ? old?.lastTransitionTime : undefined
  const lastTransitionTime = since ? since : rfc3339(nowMs)
  status.conditions = [...others, { ...condition, lastTransitionTime }]
}

/** Binds the pod: changes the draft, or throws the conflict that says why it cannot be bound. */
export const applyBinding = (pod: Draft<Pod>, binding: Decoded<Binding>, context: { readonly nowMs: number }): void => {
  const { name } = pod.metadata
  const causes = validateBinding(binding)
  if (causes.length > 0) throw new ApiError(invalid('', 'Binding', name, causes))
  const resource = { group: '', resource: 'pods/binding' }
  const why = failedPrecondition(pod, binding.metadata ?? {}) ?? refusal(pod)
  if (why) throw new ApiError(conflict(resource, name, why))
  section(pod, 'spec').nodeName = binding.target?.name
  // It is where it was nominated for, or had to go elsewhere (upstream: ClearingNominatedNodeNameAfterBinding).
  delete section(pod, 'status').nominatedNodeName
  for (const key of ['annotations', 'labels'] as const)
    for (const [entry, value] of entries(binding.metadata?.[key])) section(pod.metadata, key)[entry] = value
  setPodCondition(pod, { type: 'PodScheduled', status: 'True' }, context.nowMs)
}
