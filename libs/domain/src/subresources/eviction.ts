// pods/eviction: a deletion that a PodDisruptionBudget may refuse for now.
import type { PodDisruptionBudget } from '@shiplog/api/generated/types/policy-v1'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import { compileLabelSelector } from '@shiplog/api/selectors'
import { internalError, type Status, tooManyRequests } from '@shiplog/api/status'
import type { Draft } from '@shiplog/api/decoded'
import { items, section } from '../fields.ts'

type Budget = Draft<PodDisruptionBudget>

const budgetCause = 'DisruptionBudget'
const processingRetrySeconds = 10
const sentence = "Cannot evict pod as it would violate the pod's disruption budget."

const refuse = (message: string, retryAfterSeconds: number): Status => {
  const status = tooManyRequests(sentence, retryAfterSeconds)
  return {
    ...status,
    details: {
      ...(retryAfterSeconds > 0 ? { retryAfterSeconds } : {}),
      causes: [{ reason: budgetCause, message }],
    },
  }
}

/** Pods that no budget counts: done, not yet running, or going already. */
const ignoresBudgets = (pod: Draft<Pod>): boolean =>
  ['Succeeded', 'Failed', 'Pending'].includes(pod.status?.phase ?? '') || pod.metadata.deletionTimestamp !== undefined

/** Says in the pod's status why it goes. */
export function markEvicted(draft: Draft<Pod>, nowMs: number): void {
  const status = section(draft, 'status')
  const conditions = items(status.conditions)
  const before = conditions.find(({ type }) => type === 'DisruptionTarget')
  const since = before?.status === 'True' ? before.lastTransitionTime : undefined
  // Upstream writes a time that is not set as null.
  const condition: JsonObject = {
    type: 'DisruptionTarget',
    status: 'True',
    lastProbeTime: null,
    lastTransitionTime: since ?? `${new Date(nowMs).toISOString().slice(0, 19)}Z`,
    reason: 'EvictionByEvictionAPI',
    message: 'Eviction API: evicting',
  }
  status.conditions = [...conditions.filter((one) => one !== before), condition]
}

const isReady = (pod: Draft<Pod>): boolean =>
  items(pod.status?.conditions).some((condition) => condition.type === 'Ready' && condition.status === 'True')

/** An unready pod takes nothing from a budget that is met, or that always lets unhealthy pods go. */
const unhealthyMayGo = (pod: Draft<Pod>, budget: Budget): boolean => {
  if (isReady(pod)) return false
  if (budget.spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true
  const { currentHealthy = 0, desiredHealthy = 0 } = budget.status ?? {}
  return currentHealthy >= desiredHealthy && desiredHealthy > 0
}

/** The budgets of the pod's namespace that select it. */
export const budgetsOf = <Kind extends Budget>(pod: Draft<Pod>, budgets: readonly Kind[]): readonly Kind[] =>
  budgets.filter(
    (budget) =>
      budget.metadata.namespace === pod.metadata.namespace &&
      compileLabelSelector(budget.spec?.selector).matches(pod.metadata.labels),
  )

/** Why the pod may not be evicted now; undefined when it may. */
export const checkEviction = (pod: Draft<Pod>, budgets: readonly Budget[]): Status | undefined => {
  if (ignoresBudgets(pod)) return undefined
  const matching = budgetsOf(pod, budgets)
  if (matching.length > 1)
    return {
      ...internalError(''),
      message: 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
    }
  const [budget] = matching
  if (!budget || unhealthyMayGo(pod, budget)) return undefined
  const { name, generation } = budget.metadata
  const status = budget.status ?? {}
  if ((status.observedGeneration ?? 0) < (generation ?? 0))
    return refuse(`The disruption budget ${name} is still being processed by the server.`, processingRetrySeconds)
  if ((status.disruptionsAllowed ?? 0) > 0) return undefined
  return refuse(
    `The disruption budget ${name} needs ${status.desiredHealthy ?? 0} healthy pods and has ${status.currentHealthy ?? 0} currently`,
    0,
  )
}

/** Takes one disruption from the budget for this pod; changes the draft of the budget. */
export const chargeBudget = (budget: Budget, podName: string, nowMs: number): void => {
  const status = section(budget, 'status')
  status.disruptionsAllowed = Math.max(0, (status.disruptionsAllowed ?? 0) - 1)
  section(status, 'disruptedPods')[podName] = `${new Date(nowMs).toISOString().slice(0, 19)}Z`
}
