// What a Job's spec and a CronJob's jobTemplate must hold.
import { invalidValue, notSupported, required, tooLong } from '@shiplog/api/field-errors'
import type { JobSpec } from '@shiplog/api/generated/types/batch-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded } from '@shiplog/api/decoded'
import { validatePodFailurePolicy, validateSuccessPolicy } from './job-policies.ts'
import { nonNegative } from '../fields.ts'
import { validateDomainPath } from '../domain-path.ts'
import { validatePodTemplate } from '../pod/pod-spec-validation.ts'

const completionModes = ['NonIndexed', 'Indexed']
const restartPolicies = ['OnFailure', 'Never']
const numbers = [
  'parallelism',
  'completions',
  'activeDeadlineSeconds',
  'backoffLimit',
  'ttlSecondsAfterFinished',
  'backoffLimitPerIndex',
  'maxFailedIndexes',
] as const
const managedByCharactersMax = 63

/** Above as many indexes, the record of each is bounded more tightly. */
const manyIndexes = 100_000
const parallelismOfIndexedMax = 100_000
const failedIndexesMax = 100_000
const parallelismOfManyMax = 10_000
const failedIndexesOfManyMax = 10_000

const validateIndexedBounds = (spec: Decoded<JobSpec>, field: string): StatusCause[] => {
  const { parallelism = 0, completions = 0, maxFailedIndexes = 0 } = spec
  const causes: StatusCause[] = []
  const wrong = (key: 'parallelism' | 'maxFailedIndexes', sentence: string): void =>
    void causes.push(invalidValue(`${field}.${key}`, spec[key], sentence))
  if (parallelism > parallelismOfIndexedMax)
    wrong('parallelism', `must be less than or equal to ${parallelismOfIndexedMax} when completion mode is Indexed`)
  if (maxFailedIndexes > failedIndexesMax)
    wrong('maxFailedIndexes', `must be less than or equal to ${failedIndexesMax}`)
  if (completions <= manyIndexes || spec.backoffLimitPerIndex === undefined) return causes
  const many = `when completions are above ${manyIndexes} and used with backoff limit per index`
  if (spec.maxFailedIndexes === undefined)
    causes.push(required(`${field}.maxFailedIndexes`, `must be specified when completions is above ${manyIndexes}`))
  if (parallelism > parallelismOfManyMax)
    wrong('parallelism', `must be less than or equal to ${parallelismOfManyMax} ${many}`)
  if (maxFailedIndexes > failedIndexesOfManyMax)
    wrong('maxFailedIndexes', `must be less than or equal to ${failedIndexesOfManyMax} ${many}`)
  return causes
}

/** Numbers, completion mode and template of a job. */
export const validateJobSpec = (spec: Decoded<JobSpec>, field: string): StatusCause[] => {
  const causes: StatusCause[] = numbers.flatMap((key) => nonNegative(spec[key], `${field}.${key}`))
  const mode = spec.completionMode
  if (mode !== undefined) {
    if (!completionModes.includes(mode)) causes.push(notSupported(`${field}.completionMode`, mode, completionModes))
    if (mode === 'Indexed' && typeof spec.completions !== 'number')
      causes.push(required(`${field}.completions`, 'when completion mode is Indexed'))
  }
  const { backoffLimitPerIndex, maxFailedIndexes, completions, managedBy } = spec
  if (typeof maxFailedIndexes === 'number' && typeof backoffLimitPerIndex !== 'number')
    causes.push(required(`${field}.backoffLimitPerIndex`, 'when maxFailedIndexes is specified'))
  if (mode === 'NonIndexed' || mode === undefined)
    for (const key of ['backoffLimitPerIndex', 'maxFailedIndexes'] as const)
      if (typeof spec[key] === 'number')
        causes.push(invalidValue(`${field}.${key}`, spec[key], 'requires indexed completion mode'))
  if (mode === 'Indexed') causes.push(...validateIndexedBounds(spec, field))
  if (
    mode === 'Indexed' &&
    completions !== undefined &&
    maxFailedIndexes !== undefined &&
    maxFailedIndexes > completions
  )
    causes.push(
      invalidValue(`${field}.maxFailedIndexes`, maxFailedIndexes, 'must be less than or equal to completions'),
    )
  if (typeof managedBy === 'string') {
    causes.push(...validateDomainPath(managedBy, `${field}.managedBy`))
    if (managedBy.length > managedByCharactersMax) causes.push(tooLong(`${field}.managedBy`, managedByCharactersMax))
  }
  if (spec.podFailurePolicy) causes.push(...validatePodFailurePolicy(spec, `${field}.podFailurePolicy`))
  if (spec.successPolicy) causes.push(...validateSuccessPolicy(spec, `${field}.successPolicy`))
  const replacement = spec.podReplacementPolicy
  const replacements = spec.podFailurePolicy ? ['Failed'] : ['Failed', 'TerminatingOrFailed']
  if (typeof replacement === 'string' && !replacements.includes(replacement))
    causes.push(notSupported(`${field}.podReplacementPolicy`, replacement, replacements))
  causes.push(...validatePodTemplate(spec.template, `${field}.template`))
  const policy = spec.template?.spec?.restartPolicy
  if (spec.template && !restartPolicies.includes(policy ?? '')) {
    const at = `${field}.template.spec.restartPolicy`
    const unsaid = !policy || policy === 'Always'
    causes.push(
      !unsaid ? notSupported(at, policy, restartPolicies) : required(at, `valid values: "OnFailure", "Never"`),
    )
  }
  if (spec.podFailurePolicy && policy === 'OnFailure')
    causes.push(
      invalidValue(
        `${field}.template.spec.restartPolicy`,
        policy,
        'only "Never" is supported when podFailurePolicy is specified',
      ),
    )
  return causes
}

/** The selector of a job made by a CronJob is generated, so a template must not bring one. */
export const validateNoManualSelector = (spec: Decoded<JobSpec>, field: string): StatusCause[] =>
  spec.manualSelector === true
    ? [notSupported(`${field}.manualSelector`, true, ['nil', 'false'])]
    : spec.selector
      ? [invalidValue(`${field}.selector`, spec.selector, '`selector` will be auto-generated')]
      : []
