// Jobs: pods that end. The selector is made from the job's uid, so that no two jobs own one pod.
import { invalidValue, required } from '@shiplog/api/field-errors'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { compileLabelSelector, validateLabelSelector } from '@shiplog/api/selectors'
import type { StatusCause } from '@shiplog/api/status'
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
    labels[key] ??= value
  const match = section(section(spec, 'selector'), 'matchLabels')
  match[uidLabel] ??= uid
}

/** As whoever reads it from upstream's storage gets it: a job without labels has those of its pods. */
const fillLabels = (draft: KubeObject): void => {
  const labels = draft['spec']?.template?.metadata?.labels
  if (labels && Object.keys(draft.metadata.labels ?? {}).length === 0) draft.metadata.labels = { ...labels }
}

/** By which the pods of a job are told from all others: no user may take them off or say another's. */
const validateGeneratedLabels = (
  labels: JsonObject,
  uid: string,
  name: string,
  before: KubeObject | undefined,
): StatusCause[] => {
  const old = before?.['spec']?.template?.metadata?.labels
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
const validateHostnames = ({ metadata, spec }: KubeObject): StatusCause[] => {
  if (spec?.completionMode !== 'Indexed' || !(spec.completions > 0)) return []
  const longest = `${metadata.name}-${spec.completions - 1}`
  return dns1123Label(longest).length === 0
    ? []
    : [
        invalidValue(
          'metadata.name',
          metadata.name,
          `will not able to create pod with invalid DNS label: ${longest}`,
        ),
      ]
}

const validate = (job: KubeObject, before?: KubeObject): StatusCause[] => {
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
  if (spec['manualSelector'] !== true && spec['selector'])
    causes.push(...validateGeneratedLabels(labels ?? {}, uid ?? '', name, before))
  const generated = { [uidLabel]: uid, [nameLabel]: name, 'controller-uid': uid, 'job-name': name }
  if (spec['manualSelector'] !== true && spec['selector'] && !compileLabelSelector(spec['selector']).matches(generated))
    causes.push(invalidValue('spec.selector', shownSelector(spec['selector']), '`selector` not auto-generated'))
  return [...causes, ...validateJobSpec(spec, 'spec'), ...validateHostnames(job)]
}

/** Suspended, with no pod left: then its pods may still be told where to run and what to ask for. */
const mayChangeTemplate = (job: KubeObject): boolean => {
  const status: JsonObject = job['status'] ?? {}
  const isSuspended = items(status['conditions']).some(({ type, status: is }) => type === 'Suspended' && is === 'True')
  return job['spec']?.suspend === true && (!status['startTime'] || isSuspended) && !(status['active'] > 0)
}

/** The old template with what may change taken from the new one. */
const withMutableParts = (before: JsonObject, next: JsonObject): JsonObject => {
  const [was, now]: [JsonObject, JsonObject] = [before['spec'] ?? {}, next['spec'] ?? {}]
  const affinity: JsonObject = { ...was['affinity'], nodeAffinity: now['affinity']?.nodeAffinity }
  const withResources = (list: string): unknown => {
    const [old, fresh] = [items(was[list]), items(now[list])]
    if (old.length !== fresh.length) return was[list]
    return old.map((container, index) =>
      container.name === fresh[index].name ? { ...container, resources: fresh[index].resources } : container,
    )
  }
  return {
    ...was,
    // Affinities that say nothing are none, unless the new template has them so.
    ...(now['affinity'] || !isBlank(affinity) ? { affinity } : { affinity: undefined }),
    nodeSelector: now['nodeSelector'],
    tolerations: now['tolerations'],
    schedulingGates: now['schedulingGates'],
    containers: withResources('containers'),
    initContainers: withResources('initContainers'),
  }
}

const validateTemplateUpdate = (next: KubeObject, before: KubeObject): StatusCause[] => {
  const [now, was]: [JsonObject, JsonObject] = [next['spec']?.template ?? {}, before['spec']?.template ?? {}]
  if (!mayChangeTemplate(before)) return immutable(now, was, 'spec.template')
  return semanticEqual(now['spec'], withMutableParts(was, now))
    ? []
    : [invalidValue('spec.template.spec', now['spec'], 'field is immutable')]
}

const validateUpdate = (next: KubeObject, before: KubeObject): StatusCause[] => {
  const now: JsonObject = next['spec'] ?? {}
  const was: JsonObject = before['spec'] ?? {}
  const causes: StatusCause[] = []
  const moved = !semanticEqual(now['completions'], was['completions'])
  if (now['completionMode'] !== 'Indexed')
    causes.push(...immutable(now['completions'], was['completions'], 'spec.completions'))
  else if (moved && typeof now['completions'] === 'number' && now['completions'] !== now['parallelism'])
    causes.push(
      invalidValue('spec.completions', now['completions'], 'can only be modified in tandem with spec.parallelism'),
    )
  causes.push(...immutable(now['selector'], was['selector'], 'spec.selector'))
  causes.push(...validateTemplateUpdate(next, before))
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
  completeCreated: fillLabels,
  validate,
  validateUpdate,
  prepareForStatusUpdate: (draft, before) => {
    draft['spec'] = before['spec']
    fillLabels(draft)
  },
  validateStatusUpdate: validateJobStatusUpdate,
  selectableFields: (job) => ({ 'status.successful': String(job['status']?.succeeded ?? 0) }),
  eventType,
}
