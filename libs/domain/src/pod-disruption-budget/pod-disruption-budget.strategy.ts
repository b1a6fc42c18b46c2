// PodDisruptionBudgets: how many pods of a kind may be evicted at a time.
import { invalidValue, notSupported } from '@shiplog/api/field-errors'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { validateLabelSelector } from '@shiplog/api/selectors'
import type { StatusCause } from '@shiplog/api/status'
import { fillStatus } from '../fields.ts'
import { validateConditions, validateCounts } from '../status-rules.ts'
import type { Strategy } from '../strategy.ts'
import { validateAtMostAll, validateIntOrPercent } from '../workload/workload-rules.ts'

const policies = ['AlwaysAllow', 'IfHealthyBudget']

/** As Go prints it. */
const shown = (spec: JsonObject): JsonObject => ({
  MinAvailable: spec['minAvailable'] ?? null,
  Selector: spec['selector'] ?? null,
  MaxUnavailable: spec['maxUnavailable'] ?? null,
  UnhealthyPodEvictionPolicy: spec['unhealthyPodEvictionPolicy'] ?? null,
})

const validate = (budget: KubeObject): StatusCause[] => {
  const spec: JsonObject = budget['spec'] ?? {}
  const given = (key: string): boolean => spec[key] !== undefined && spec[key] !== null
  const causes: StatusCause[] = []
  if (given('minAvailable') && given('maxUnavailable'))
    causes.push(invalidValue('spec', shown(spec), 'minAvailable and maxUnavailable cannot be both set'))
  for (const key of ['minAvailable', 'maxUnavailable'])
    if (given(key))
      causes.push(...validateIntOrPercent(spec[key], `spec.${key}`), ...validateAtMostAll(spec[key], `spec.${key}`))
  causes.push(...validateLabelSelector(spec['selector'], 'spec.selector'))
  const policy = spec['unhealthyPodEvictionPolicy']
  if (typeof policy === 'string' && !policies.includes(policy))
    causes.push(notSupported('spec.unhealthyPodEvictionPolicy', policy, policies))
  return causes
}

export const podDisruptionBudgetStrategy: Strategy = {
  setDefaults: (draft) =>
    fillStatus(draft['status'], { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 }),
  anyGenerateName: true,
  validateStatusUpdate: (next) => [
    ...validateConditions(next['status']?.conditions, 'status.conditions'),
    ...validateCounts(next['status'] ?? {}, ['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods']),
  ],
  anyFinalizers: true,
  allowUnconditionalUpdate: false,
  prepareForCreate: (draft) => {
    draft['status'] = { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 }
  },
  validate,
}
