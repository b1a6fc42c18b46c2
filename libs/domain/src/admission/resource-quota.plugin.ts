// ResourceQuota: a namespace uses no more than its quotas allow, and what it uses is counted with the write itself.
import type { ResourceQuota } from '@shiplog/api/generated/types/core-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import { groupResourceOf } from '@shiplog/api/schema/schema'
import { ApiError, forbidden } from '@shiplog/api/status'
import type { AdmissionAttributes, AdmissionPlugin, AdmissionView, Charge } from '../admission.ts'
import { charge } from '../quota/charge.ts'
import { evaluatorFor } from '../quota/evaluator.ts'

/** Nobody counts Event objects: they come and go by themselves. */
const uncounted: ReadonlySet<string> = new Set(['events'])

function chargeQuotas(attributes: AdmissionAttributes, view: AdmissionView, nowMs: number): readonly Charge[] {
  const { group, resource, namespace, name } = attributes
  const groupResource = groupResourceOf(group, resource)
  if (namespace === '' || uncounted.has(groupResource)) return []
  // Most updates, all of statuses, change nothing that is counted: they look at no quota.
  if (!evaluatorFor(groupResource).handles(attributes)) return []
  const quotas = view.list('resourcequotas', namespace) as unknown as readonly ResourceQuota[]
  const outcome = charge(groupResource, attributes, quotas, nowMs)
  if (outcome.kind === 'refused') throw new ApiError(forbidden({ group, resource }, name, outcome.why))
  return outcome.quotas.map((quota) => ({ groupResource: 'resourcequotas', object: quota as unknown as KubeObject }))
}

export const resourceQuota: AdmissionPlugin = { name: 'ResourceQuota', charge: chargeQuotas }
