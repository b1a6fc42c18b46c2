// PodDisruptionBudgets: how many pods of a kind may be evicted at a time.
import { invalidValue, notSupported } from '@shiplog/api/field-errors'
import type { PodDisruptionBudget, PodDisruptionBudgetSpec } from '@shiplog/api/generated/types/policy-v1'
import { validateLabelSelector } from '@shiplog/api/selectors'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import { fillStatus } from '../fields.ts'
import { validateConditions, validateCounts } from '../status-rules.ts'
import type { Strategy } from '../strategy.ts'
import { validateAtMostAll, validateIntOrPercent } from '../workload/workload-rules.ts'

const policies = ['AlwaysAllow', 'IfHealthyBudget']

/** As Go prints it. */
const shown = (spec: Decoded<PodDisruptionBudgetSpec>): object => ({
  MinAvailable: spec.minAvailable ?? null,
  Selector: spec.selector ?? null,
  MaxUnavailable: spec.maxUnavailable ?? null,
  UnhealthyPodEvictionPolicy: spec.unhealthyPodEvictionPolicy ?? null,
})

const validate = (budget: Draft<PodDisruptionBudget>): StatusCause[] => {
  const spec = budget.spec ?? {}
  const causes: StatusCause[] = []
  if (spec.minAvailable !== undefined && spec.maxUnavailable !== undefined)
    causes.push(invalidValue('spec', shown(spec), 'minAvailable and maxUnavailable cannot be both set'))
  for (const key of ['minAvailable', 'maxUnavailable'] as const)
    causes.push(...validateIntOrPercent(spec[key], `spec.${key}`), ...validateAtMostAll(spec[key], `spec.${key}`))
  causes.push(...validateLabelSelector(spec.selector, 'spec.selector'))
  const policy = spec.unhealthyPodEvictionPolicy
  if (typeof policy === 'string' && !policies.includes(policy))
    causes.push(notSupported('spec.unhealthyPodEvictionPolicy', policy, policies))
  return causes
}

export const podDisruptionBudgetStrategy: Strategy<PodDisruptionBudget> = {
  setDefaults: (draft) =>
    fillStatus(draft.status, { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 }),
  anyGenerateName: true,
  validateStatusUpdate: (next) => [
    ...validateConditions(next.status?.conditions, 'status.conditions'),
    ...validateCounts(next.status ?? {}, ['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods']),
  ],
  anyFinalizers: true,
  allowUnconditionalUpdate: false,
  prepareForCreate: (draft) => {
    draft.status = { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 }
  },
  validate,
}
