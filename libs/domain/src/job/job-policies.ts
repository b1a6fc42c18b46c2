// When a job fails at once, ignores a failure, or has succeeded before all of it is done.
import { duplicate, invalidValue, notSupported, required, tooMany } from '@shiplog/api/field-errors'
import { goQuote } from '@shiplog/api/decode/go-quote'
import type { JobSpec, PodFailurePolicyOnExitCodesRequirement } from '@shiplog/api/generated/types/batch-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded } from '@shiplog/api/decoded'
import { byRule, items, nonNegative } from '../fields.ts'
import { qualifiedName } from '../names.ts'
import { countIndexes } from './job-indexes.ts'

const rulesMax = 20
const exitCodesMax = 255
const actions = ['Count', 'FailIndex', 'FailJob', 'Ignore']
const operators = ['In', 'NotIn']
const conditionStatuses = ['False', 'True', 'Unknown']

/** `valid values: ["In" "NotIn"]`. */
const validValues = (values: readonly string[]): string => `valid values: [${values.map(goQuote).join(' ')}]`

const oneOf = (values: readonly string[], value: string | undefined, field: string): StatusCause[] => {
  if (!value) return [required(field, validValues(values))]
  return values.includes(value) ? [] : [notSupported(field, value, values)]
}

/** An error of a rule as a whole shows no value. */
const wrongRule = (field: string, detail: string): StatusCause => ({
  reason: 'FieldValueInvalid',
  message: `Invalid value: ${detail}`,
  field,
})

/** `podFailurePolicy` at `field`. */
export const validatePodFailurePolicy = (spec: Decoded<JobSpec>, field: string): StatusCause[] => {
  const causes: StatusCause[] = []
  const rules = items(spec.podFailurePolicy?.rules)
  if (rules.length > rulesMax) causes.push(tooMany(`${field}.rules`, rules.length, rulesMax))
  const podSpec = spec.template?.spec ?? {}
  const containers = [...items(podSpec.containers), ...items(podSpec.initContainers)].map(({ name }) => name)
  rules.forEach((rule, index) => {
    const at = `${field}.rules[${index}]`
    causes.push(...oneOf(actions, rule.action, `${at}.action`))
    if (rule.action === 'FailIndex' && typeof spec.backoffLimitPerIndex !== 'number')
      causes.push(invalidValue(`${at}.action`, 'FailIndex', 'requires the backoffLimitPerIndex to be set'))
    const codes = rule.onExitCodes
    const conditions = items(rule.onPodConditions)
    if (codes) causes.push(...validateExitCodes(codes, `${at}.onExitCodes`, containers))
    conditions.forEach((condition, position) => {
      const place = `${at}.onPodConditions[${position}]`
      causes.push(...byRule(qualifiedName, condition.type ?? '', `${place}.type`))
      causes.push(...oneOf(conditionStatuses, condition.status, `${place}.status`))
    })
    if (codes && conditions.length > 0)
      causes.push(wrongRule(at, 'specifying both OnExitCodes and OnPodConditions is not supported'))
    if (!codes && conditions.length === 0)
      causes.push(wrongRule(at, 'specifying one of OnExitCodes and OnPodConditions is required'))
  })
  return causes
}

const validateExitCodes = (
  codes: Decoded<PodFailurePolicyOnExitCodesRequirement>,
  field: string,
  containers: readonly (string | undefined)[],
): StatusCause[] => {
  const causes = oneOf(operators, codes.operator, `${field}.operator`)
  const container = codes.containerName
  if (typeof container === 'string' && !containers.includes(container))
    causes.push(
      invalidValue(
        `${field}.containerName`,
        container,
        'must be one of the container or initContainer names in the pod template',
      ),
    )
  const values = items(codes.values)
  if (values.length === 0) causes.push(invalidValue(`${field}.values`, null, 'at least one value is required'))
  if (values.length > exitCodesMax) causes.push(tooMany(`${field}.values`, values.length, exitCodesMax))
  values.forEach((value, index) => {
    const at = `${field}.values[${index}]`
    if (codes.operator === 'In' && value === 0)
      causes.push(invalidValue(at, value, 'must not be 0 for the In operator'))
    if (values.indexOf(value) < index) causes.push(duplicate(at, value))
  })
  if (values.some((value, index) => index > 0 && values[index - 1]! > value))
    causes.push(invalidValue(`${field}.values`, values, 'must be ordered'))
  return causes
}

/** `successPolicy` at `field`. */
export const validateSuccessPolicy = (spec: Decoded<JobSpec>, field: string): StatusCause[] => {
  const rules = items(spec.successPolicy?.rules)
  if (spec.completionMode !== 'Indexed') {
    const shown = rules.map((rule) => ({
      SucceededIndexes: rule.succeededIndexes ?? null,
      SucceededCount: rule.succeededCount ?? null,
    }))
    return [invalidValue(field, { Rules: rules.length > 0 ? shown : null }, 'requires indexed completion mode')]
  }
  const causes: StatusCause[] = []
  if (rules.length === 0)
    causes.push(required(`${field}.rules`, 'at least one rules must be specified when the successPolicy is specified'))
  if (rules.length > rulesMax) causes.push(tooMany(`${field}.rules`, rules.length, rulesMax))
  const completions = spec.completions ?? 0
  rules.forEach((rule, index) => {
    const at = `${field}.rules[${index}]`
    const { succeededIndexes: indexes, succeededCount: count } = rule
    if (typeof indexes !== 'string' && typeof count !== 'number')
      causes.push(required(at, 'at least one of succeededCount or succeededIndexes must be specified'))
    const counted = typeof indexes === 'string' ? countIndexes(indexes, completions) : 0
    if (typeof counted === 'string')
      causes.push(invalidValue(`${at}.succeededIndexes`, indexes, `error parsing succeededIndexes: ${counted}`))
    if (typeof count !== 'number') return
    const place = `${at}.succeededCount`
    causes.push(...nonNegative(count, place))
    if (count > completions)
      causes.push(
        invalidValue(
          place,
          count,
          `must be less than or equal to ${completions} (the number of specified completions)`,
        ),
      )
    const total = typeof counted === 'number' ? counted : 0
    if (typeof indexes === 'string' && count > total)
      causes.push(
        invalidValue(
          place,
          count,
          `must be less than or equal to ${total} (the number of indexes in the specified succeededIndexes field)`,
        ),
      )
  })
  return causes
}
