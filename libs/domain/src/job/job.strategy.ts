// Jobs: pods that end. The selector is made from the job's uid, so that no two jobs own one pod.
import { invalidValue, required } from '@shiplog/api/field-errors'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { compileLabelSelector, validateLabelSelector } from '@shiplog/api/selectors'
import type { StatusCause } from '@shiplog/api/status'
import { fill, fillText, immutable, items, section, semanticEqual } from '../fields.ts'
import { setPodTemplateDefaults } from '../pod/pod-defaults.ts'
import { jobWarnings } from './job-warnings.ts'
import type { DecisionContext, Strategy } from '../strategy.ts'
import { shownSelector } from '../workload/workload-rules.ts'
import { validateJobSpec } from './job-spec.ts'
import { validateJobStatusUpdate } from './job-status-validation.ts'

const defaultBackoffLimit = 6
const backoffLimitMax = 2_147_483_647
const uidLabel = 'batch.kubernetes.io/controller-uid'
const nameLabel = 'batch.kubernetes.io/job-name'

const setDefaults = (draft: JsonObject): void => {
  const spec = section(draft, 'spec')
  const neither = (spec['completions'] ?? null) === null && (spec['parallelism'] ?? null) === null
  if (neither) spec['completions'] = 1
  fill(spec, 'parallelism', 1)
  fill(spec, 'backoffLimit', typeof spec['backoffLimitPerIndex'] === 'number' ? backoffLimitMax : defaultBackoffLimit)
  fill(spec, 'completionMode', 'NonIndexed')
  fill(spec, 'suspend', false)
  fill(spec, 'podReplacementPolicy', spec['podFailurePolicy'] ? 'Failed' : 'TerminatingOrFailed')
  fill(spec, 'manualSelector', false)
  for (const rule of items(spec['podFailurePolicy']?.rules))
    for (const condition of items(rule.onPodConditions)) fillText(condition, 'status', 'True')
  if (spec['template']) setPodTemplateDefaults(spec['template'])
  const labels = spec['template']?.metadata?.labels
  if (labels && Object.keys(draft['metadata']?.labels ?? {}).length === 0 && draft['metadata'])
    // The very labels of the template: what it gets later, the job gets.
    draft['metadata'].labels = labels
}

/** Selector and template labels by the job's uid. */
const prepareForCreate = (draft: KubeObject, context: DecisionContext): void => {
  draft['status'] = {}
  const spec = section(draft, 'spec')
  if (spec['manualSelector'] === true) return
  draft.metadata.uid ||= context.uuid()
  const { uid, name } = draft.metadata
  const labels = section(section(section(spec, 'template'), 'metadata'), 'labels')
  for (const [key, value] of [
    ['controller-uid', uid],
    ['job-name', name],
    [uidLabel, uid],
    [nameLabel, name],
  ] as const)
    labels[key] = value
  if (Object.keys(draft.metadata.labels ?? {}).length === 0) draft.metadata.labels = labels
  const match = section(section(spec, 'selector'), 'matchLabels')
  match[uidLabel] = uid
}

const validate = (job: KubeObject): StatusCause[] => {
  const spec: JsonObject = job['spec'] ?? {}
  const causes: StatusCause[] = []
  if (!spec['selector']) causes.push(required('spec.selector'))
  else causes.push(...validateLabelSelector(spec['selector'], 'spec.selector'))
  const labels = spec['template']?.metadata?.labels
  if (!spec['selector'])
    causes.push(
      invalidValue('spec.template.metadata.labels', labels ?? null, '`selector` does not match template `labels`'),
    )
  if (spec['selector'] && causes.length === 0 && !compileLabelSelector(spec['selector']).matches(labels ?? {}))
    causes.push(
      invalidValue('spec.template.metadata.labels', labels ?? null, '`selector` does not match template `labels`'),
    )
  const { uid, name } = job.metadata
  const generated = { [uidLabel]: uid, [nameLabel]: name, 'controller-uid': uid, 'job-name': name }
  if (spec['manualSelector'] !== true && spec['selector'] && !compileLabelSelector(spec['selector']).matches(generated))
    causes.push(invalidValue('spec.selector', shownSelector(spec['selector']), '`selector` not auto-generated'))
  return [...causes, ...validateJobSpec(spec, 'spec')]
}

/** A suspended job that has not started may still be told where to run. */
const templateForComparison = (job: KubeObject, scheduling: boolean): JsonObject => {
  const template: JsonObject = structuredClone(job['spec']?.template ?? {})
  if (!scheduling) return template
  for (const key of ['nodeSelector', 'affinity', 'tolerations', 'schedulingGates', 'topologySpreadConstraints'])
    delete template['spec']?.[key]
  delete template['metadata']?.annotations
  delete template['metadata']?.labels
  return template
}

const validateUpdate = (next: KubeObject, before: KubeObject): StatusCause[] => {
  const now: JsonObject = next['spec'] ?? {}
  const was: JsonObject = before['spec'] ?? {}
  const causes: StatusCause[] = []
  const elastic =
    now['completionMode'] === 'Indexed' &&
    now['completions'] !== was['completions'] &&
    now['completions'] === now['parallelism']
  if (!elastic) causes.push(...immutable(now['completions'], was['completions'], 'spec.completions'))
  causes.push(...immutable(now['selector'], was['selector'], 'spec.selector'))
  const mayPlace = was['suspend'] === true && !before['status']?.startTime
  if (!semanticEqual(templateForComparison(next, mayPlace), templateForComparison(before, mayPlace)))
    causes.push(invalidValue('spec.template', now['template'], 'field is immutable'))
  for (const key of ['completionMode', 'podFailurePolicy', 'backoffLimitPerIndex', 'managedBy', 'successPolicy'])
    causes.push(...immutable(now[key], was[key], `spec.${key}`))
  return causes
}

const eventType = (next: KubeObject, before: KubeObject, subresource: string): string | undefined => {
  if (subresource === 'status') return undefined
  if (next['spec']?.suspend === true && before['spec']?.suspend !== true) return 'JobSuspended'
  if (next['spec']?.suspend !== true && before['spec']?.suspend === true) return 'JobResumed'
  return undefined
}

export const jobStrategy: Strategy = {
  validatesAll: true,
  propagationWhenUnsaid: 'Orphan',
  warnsOfUnsaidPropagation:
    'child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning',
  warnings: jobWarnings((object) => object['spec'], 'spec'),
  setDefaults,
  prepareForCreate,
  validate,
  validateUpdate,
  validateStatusUpdate: validateJobStatusUpdate,
  selectableFields: (job) => ({ 'status.successful': String(job['status']?.succeeded ?? 0) }),
  eventType,
}
