// What a Job's spec and a CronJob's jobTemplate must hold.
import { forbiddenField, invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { StatusCause } from '@shiplog/api/status'
import { nonNegative } from '../fields.ts'
import { validatePodTemplate } from '../pod/pod-spec-validation.ts'

const completionModes = ['Indexed', 'NonIndexed']
const restartPolicies = ['OnFailure', 'Never']
const numbers = ['parallelism', 'completions', 'activeDeadlineSeconds', 'backoffLimit', 'ttlSecondsAfterFinished']

/** Numbers, completion mode and template of a job. */
export const validateJobSpec = (spec: JsonObject, field: string): StatusCause[] => {
  const causes: StatusCause[] = numbers.flatMap((key) => nonNegative(spec[key], `${field}.${key}`))
  const mode = spec['completionMode']
  if (mode !== undefined && mode !== null) {
    if (!completionModes.includes(mode)) causes.push(notSupported(`${field}.completionMode`, mode, completionModes))
    if (mode === 'Indexed' && typeof spec['completions'] !== 'number')
      causes.push(required(`${field}.completions`, 'when completion mode is Indexed'))
  }
  if (typeof spec['backoffLimitPerIndex'] === 'number' && mode !== 'Indexed')
    causes.push(
      invalidValue(`${field}.backoffLimitPerIndex`, spec['backoffLimitPerIndex'], 'requires indexed completion mode'),
    )
  causes.push(...validatePodTemplate(spec['template'], `${field}.template`))
  const policy = spec['template']?.spec?.restartPolicy
  if (spec['template'] && !restartPolicies.includes(policy)) {
    const at = `${field}.template.spec.restartPolicy`
    causes.push(policy ? notSupported(at, policy, restartPolicies) : required(at, `valid values: "OnFailure", "Never"`))
  }
  if (spec['podFailurePolicy'] && policy !== 'Never')
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
export const validateNoManualSelector = (spec: JsonObject, field: string): StatusCause[] =>
  spec['manualSelector'] === true
    ? [notSupported(`${field}.manualSelector`, true, ['nil', 'false'])]
    : spec['selector']
      ? [forbiddenField(`${field}.selector`, '`selector` will be auto-generated')]
      : []
