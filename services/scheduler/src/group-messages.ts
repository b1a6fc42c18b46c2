// What the scheduler writes about a PodGroup: whether it is placed.
import type { ApiRequest } from '@shiplog/api/api-client'
import type { PodGroup } from '@shiplog/api/generated/types/scheduling-v1alpha2'
import { rfc3339 } from '@shiplog/runtime/clock'

const type = 'PodGroupScheduled'

/** Upstream's sentence for a group of which none is placed. */
export const groupUnschedulable = 'pod group is unschedulable'

/**
 * Sets the condition PodGroupScheduled; undefined when it says so already, or when the group has been placed once and only more
 * pods of it find no node.
 */
export function groupConditionRequest(group: PodGroup, isScheduled: boolean, nowMs: number): ApiRequest | undefined {
  const { name, namespace = '', uid, generation } = group.metadata
  const present = group.status?.conditions?.find((condition) => condition.type === type)
  const status = isScheduled ? 'True' : 'False'
  if (present?.status === status || present?.status === 'True') return undefined
  const condition = {
    ...{ type, status, reason: isScheduled ? 'Scheduled' : 'Unschedulable', message: isScheduled ? '' : groupUnschedulable },
    lastTransitionTime: rfc3339(nowMs),
    ...(generation === undefined ? {} : { observedGeneration: generation }),
  }
  return {
    ...{ verb: 'patch', group: 'scheduling.k8s.io', resource: 'podgroups', subresource: 'status', namespace, name },
    patchType: 'application/strategic-merge-patch+json',
    body: { metadata: { uid }, status: { conditions: [condition] } },
  }
}
