// How the pods of a group are scheduled: what PodGroups and the templates of Workloads have in common.
import { invalidValue, required } from '@shiplog/api/field-errors'
import type { PodGroupSchedulingPolicy } from '@shiplog/api/generated/types/scheduling-v1alpha2'
import type { Decoded } from '@shiplog/api/decoded'
import type { StatusCause } from '@shiplog/api/status'

const members = ['basic', 'gang'] as const
const memberNames = members.map((name) => `\`${name}\``).join(', ')

export function validatePolicy(policy: Decoded<PodGroupSchedulingPolicy> | undefined, field: string): StatusCause[] {
  const given = members.filter((name) => policy?.[name] !== undefined && policy[name] !== null)
  if (given.length === 0) return [invalidValue(field, '', `must specify one of: ${memberNames}`)]
  if (given.length > 1) return [invalidValue(field, `{${given.join(', ')}}`, `must specify exactly one of: ${memberNames}`)]
  if (given[0] !== 'gang') return []
  const { minCount } = policy!.gang!
  if (!minCount) return [required(`${field}.gang.minCount`)]
  return minCount < 1 ? [invalidValue(`${field}.gang.minCount`, minCount, 'must be greater than or equal to 1')] : []
}

/** Behind gates of upstream's that are off (topology, devices, preemption by groups), and dropped as there. */
export const gatedFields = ['schedulingConstraints', 'resourceClaims', 'disruptionMode', 'priorityClassName', 'priority'] as const

export function dropGated(spec: Decoded<Partial<Record<(typeof gatedFields)[number], unknown>>>): void {
  for (const field of gatedFields) delete (spec as Record<string, unknown>)[field]
}
