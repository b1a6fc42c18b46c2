// Jobs: pods that end. The selector is made from the job's uid, so that no two jobs own one pod.
import { invalidValue, required } from '@shiplog/api/field-errors'
import type { Container, PodSpec, PodTemplateSpec } from '@shiplog/api/generated/types/core-v1'
import type { Job } from '@shiplog/api/generated/types/batch-v1'
import { compileLabelSelector, validateLabelSelector } from '@shiplog/api/selectors'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import { fill, fillText, immutable, isBlank, items, section, semanticEqual } from '../fields.ts'
import { dns1123Label } from '../names.ts'
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

const setDefaults = (draft: Draft<Job>): void => {
  const spec = section(draft, 'spec')
  const neither = spec.completions === undefined && spec.parallelism === undefined
  if (neither) spec.completions = 1
  fill(spec, 'parallelism', 1)
  fill(spec, 'backoffLimit', typeof spec.backoffLimitPerIndex === 'number' ? backoffLimitMax : defaultBackoffLimit)
  fill(spec, 'completionMode', 'NonIndexed')
  fill(spec, 'suspend', false)
  fill(spec, 'podReplacementPolicy', spec.podFailurePolicy ? 'Failed' : 'TerminatingOrFailed')
  fill(spec, 'manualSelector', false)
  for (const rule of items(spec.podFailurePolicy?.rules))
    for (const condition of items(rule.onPodConditions)) fillText(condition, 'status', 'True')
  if (spec.template) setPodTemplateDefaults(spec.template)
  const labels = spec.template?.metadata?.labels
  if (labels && Object.keys(draft.metadata.labels ?? {}).length === 0)
    // The very labels of the template: what it gets later, the job gets.
    draft.metadata.labels = labels
}

/** Selector and template labels by the job's uid. */
const prepareForCreate = (draft: Draft<Job>, context: DecisionContext): void => {
  draft.status = {}
  const spec = section(draft, 'spec')
  if (spec.manualSelector === true) return
  draft.metadata.uid ||= context.uuid()
  const { uid, name } = draft.metadata
  const labels = section(section(section(spec, 'template'), 'metadata'), 'labels')
  for (const [key, value] of [
    ['controller-uid', uid],
    ['job-name', name],
    [uidLabel, uid],
    [nameLabel, name],
  ] as const)
    labels[key] ??= value
  const match = section(section(spec, 'selector'), 'matchLabels')
  match[uidLabel] ??= uid
}

/** As whoever reads it from upstream's storage gets it: a job without labels has those of its pods. */
const fillLabels = (draft: Draft<Job>): void => {
  const labels = draft.spec?.template?.metadata?.labels
  if (labels && Object.keys(draft.metadata.labels ?? {}).length === 0) draft.metadata.labels = { ...labels }
}

/** By which the pods of a job are told from all others: no user may take them off or say another's. */
const validateGeneratedLabels = (
  labels: Readonly<Record<string, string>>,
  uid: string,
  name: string,
  before: Draft<Job> | undefined,
): StatusCause[] => {
  const old = before?.spec?.template?.metadata?.labels
  // Jobs of long ago have the older two only.
  const withNewer = !before || [uidLabel, nameLabel].every((key) => old?.[key] !== undefined)
  const wanted = [
    ['controller-uid', uid],
    ['job-name', name],
    [uidLabel, uid],
    [nameLabel, name],
  ].slice(0, withNewer ? 4 : 2)
  return wanted.flatMap(([key, value]) => {
    const at = `spec.template.metadata.labels[${key}]`
    if (labels[key!] === undefined) return [required(at, `must be '${value}'`)]
    return labels[key!] === value ? [] : [invalidValue(at, labels[key!], `must be '${value}'`)]
  })
}

/** Pods of a job by index are called by it: the longest name must be one. */
const validateHostnames = ({ metadata, spec }: Draft<Job>): StatusCause[] => {
  const { completionMode, completions = 0 } = spec ?? {}
  if (completionMode !== 'Indexed' || completions <= 0) return []
  const longest = `${metadata.name}-${completions - 1}`
  return dns1123Label(longest).length === 0
    ? []
    : [invalidValue('metadata.name', metadata.name, `will not able to create pod with invalid DNS label: ${longest}`)]
}

const validate = (job: Draft<Job>, before?: Draft<Job>): StatusCause[] => {
  const spec = job.spec ?? {}
  const causes: StatusCause[] = []
  if (!spec.selector) causes.push(required('spec.selector'))
  else causes.push(...validateLabelSelector(spec.selector, 'spec.selector'))
  const labels = spec.template?.metadata?.labels
  if (!spec.selector)
    causes.push(
      invalidValue('spec.template.metadata.labels', labels ?? null, '`selector` does not match template `labels`'),
    )
  if (spec.selector && causes.length === 0 && !compileLabelSelector(spec.selector).matches(labels ?? {}))
    causes.push(
      invalidValue('spec.template.metadata.labels', labels ?? null, '`selector` does not match template `labels`'),
    )
  const { uid, name } = job.metadata
  if (spec.manualSelector !== true && spec.selector)
    causes.push(...validateGeneratedLabels(labels ?? {}, uid ?? '', name, before))
  const generated = { [uidLabel]: uid, [nameLabel]: name, 'controller-uid': uid, 'job-name': name }
  if (spec.manualSelector !== true && spec.selector && !compileLabelSelector(spec.selector).matches(generated))
    causes.push(invalidValue('spec.selector', shownSelector(spec.selector), '`selector` not auto-generated'))
  return [...causes, ...validateJobSpec(spec, 'spec'), ...validateHostnames(job)]
}

/** Suspended, with no pod left: then its pods may still be told where to run and what to ask for. */
const mayChangeTemplate = (job: Draft<Job>): boolean => {
  const status = job.status ?? {}
  const isSuspended = items(status.conditions).some(({ type, status: is }) => type === 'Suspended' && is === 'True')
  return job.spec?.suspend === true && (!status.startTime || isSuspended) && (status.active ?? 0) <= 0
}

type Template = Decoded<PodTemplateSpec>
type Containers = Decoded<Container[]> | null | undefined

/** The containers as they were, with what the new ones ask for. */
const withResources = (was: Containers, now: Containers): Containers =>
  items(was).length === items(now).length
    ? was?.map((container, index) =>
        container.name === now?.[index]?.name ? { ...container, resources: now?.[index]?.resources } : container,
      )
    : was

/** The old template with what may change taken from the new one. */
const withMutableParts = (before: Template, next: Template): Decoded<PodSpec> => {
  const [was, now] = [before.spec ?? {}, next.spec ?? {}]
  const affinity = { ...was.affinity, nodeAffinity: now.affinity?.nodeAffinity }
  return {
    ...was,
    // Affinities that say nothing are none, unless the new template has them so.
    ...(now.affinity || !isBlank(affinity) ? { affinity } : { affinity: undefined }),
    nodeSelector: now.nodeSelector,
    tolerations: now.tolerations,
    schedulingGates: now.schedulingGates,
    containers: withResources(was.containers, now.containers),
    initContainers: withResources(was.initContainers, now.initContainers) ?? undefined,
  }
}

const validateTemplateUpdate = (next: Draft<Job>, before: Draft<Job>): StatusCause[] => {
  const [now, was] = [next.spec?.template ?? {}, before.spec?.template ?? {}]
  if (!mayChangeTemplate(before)) return immutable(now, was, 'spec.template')
  return semanticEqual(now.spec, withMutableParts(was, now))
    ? []
    : [invalidValue('spec.template.spec', now.spec, 'field is immutable')]
}

const validateUpdate = (next: Draft<Job>, before: Draft<Job>): StatusCause[] => {
  const now = next.spec ?? {}
  const was = before.spec ?? {}
  const causes: StatusCause[] = []
  const moved = !semanticEqual(now.completions, was.completions)
  if (now.completionMode !== 'Indexed') causes.push(...immutable(now.completions, was.completions, 'spec.completions'))
  else if (moved && typeof now.completions === 'number' && now.completions !== now.parallelism)
    causes.push(
      invalidValue('spec.completions', now.completions, 'can only be modified in tandem with spec.parallelism'),
    )
  causes.push(...immutable(now.selector, was.selector, 'spec.selector'))
  causes.push(...validateTemplateUpdate(next, before))
  for (const key of [
    'completionMode',
    'podFailurePolicy',
    'backoffLimitPerIndex',
    'managedBy',
    'successPolicy',
  ] as const)
    causes.push(...immutable(now[key], was[key], `spec.${key}`))
  return causes
}

const eventType = (next: Draft<Job>, before: Draft<Job>, subresource: string): string | undefined => {
  if (subresource === 'status') return undefined
  if (next.spec?.suspend === true && before.spec?.suspend !== true) return 'JobSuspended'
  if (next.spec?.suspend !== true && before.spec?.suspend === true) return 'JobResumed'
  return undefined
}

export const jobStrategy: Strategy<Job> = {
  validatesAll: true,
  propagationWhenUnsaid: 'Orphan',
  warnsOfUnsaidPropagation:
    'child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning',
  warnings: jobWarnings((object: Draft<Job>) => object.spec, 'spec'),
  setDefaults,
  prepareForCreate,
  completeCreated: fillLabels,
  validate,
  validateUpdate,
  prepareForStatusUpdate: (draft, before) => {
    draft.spec = before.spec
    fillLabels(draft)
  },
  validateStatusUpdate: validateJobStatusUpdate,
  selectableFields: (job) => ({ 'status.successful': String(job.status?.succeeded ?? 0) }),
  eventType,
}
