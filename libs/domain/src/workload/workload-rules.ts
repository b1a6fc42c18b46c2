// What Deployments, ReplicaSets, StatefulSets and DaemonSets share: a selector that must match its template, and pods
// that always restart.
import { forbiddenField, invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type { ObjectMeta } from '@shiplog/api/kube-object'
import type { LabelSelector } from '@shiplog/api/generated/types/meta-v1'
import type { PodTemplateSpec } from '@shiplog/api/generated/types/core-v1'
import { compileLabelSelector, validateLabelSelector } from '@shiplog/api/selectors'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded } from '@shiplog/api/decoded'
import { items, nonNegative, semanticEqual } from '../fields.ts'
import { isEmptySelector } from '../label-selectors.ts'
import { percent } from '../names.ts'
import { validatePodTemplate } from '../pod/pod-spec-validation.ts'

/** A selector as Go prints it: what must be there is there, if only empty. */
export const shownSelector = (selector: Decoded<LabelSelector>): LabelSelector => ({
  ...(Object.keys(selector.matchLabels ?? {}).length > 0 ? { matchLabels: sorted(selector.matchLabels) } : {}),
  ...(items(selector.matchExpressions).length > 0
    ? {
        matchExpressions: items(selector.matchExpressions).map(({ key = '', operator = '', values = [] }) => ({
          key,
          operator,
          ...(values.length > 0 ? { values } : {}),
        })),
      }
    : {}),
})

const sorted = (map: Readonly<Record<string, string>> = {}): Record<string, string> =>
  Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))

interface SelectorAndTemplate {
  readonly selector?: Decoded<LabelSelector> | undefined
  readonly template?: Decoded<PodTemplateSpec> | undefined
}

/** `spec.selector` and its template. `what` is upstream's word in "empty selector is invalid for …". */
export const validateSelectorAndTemplate = (
  spec: SelectorAndTemplate,
  what: string,
  /** How upstream ends its sentence about a selector that cannot be used; null where it has none. */
  unusable: string | null = '',
): StatusCause[] => {
  const causes: StatusCause[] = []
  const { selector, template } = spec
  let matches: ((labels: Readonly<Record<string, string>>) => boolean) | undefined
  if (!selector) {
    // Upstream forgets to say it of DaemonSets.
    if (what !== 'daemonset') causes.push(required('spec.selector'))
    matches = () => false
  } else {
    const wrong = validateLabelSelector(selector, 'spec.selector')
    causes.push(...wrong)
    if (wrong.length > 0 && unusable !== null)
      causes.push(invalidValue('spec.selector', shownSelector(selector), unusable))
    if (wrong.length === 0 && !isEmptySelector(selector)) {
      const compiled = compileLabelSelector(selector)
      matches = (labels) => compiled.matches(labels)
    }
    if (isEmptySelector(selector))
      causes.push(invalidValue('spec.selector', selector, `empty selector is invalid for ${what}`))
  }
  if (!template) return [...causes, required('spec.template')]
  const labels = template.metadata?.labels
  if (matches && !matches(labels ?? {}))
    causes.push(
      invalidValue('spec.template.metadata.labels', labels ?? null, '`selector` does not match template `labels`'),
    )
  causes.push(...validatePodTemplate(template, 'spec.template'))
  return causes
}

/** Pods of these workloads restart for ever. */
export const validateAlwaysRestarts = (spec: Pick<SelectorAndTemplate, 'template'>, kind: string): StatusCause[] => {
  const podSpec = spec.template?.spec ?? {}
  const causes: StatusCause[] = []
  if (podSpec.restartPolicy !== undefined && podSpec.restartPolicy !== 'Always')
    causes.push(notSupported('spec.template.spec.restartPolicy', podSpec.restartPolicy, ['Always']))
  if (podSpec.activeDeadlineSeconds !== undefined)
    causes.push(
      forbiddenField('spec.template.spec.activeDeadlineSeconds', `activeDeadlineSeconds in ${kind} is not Supported`),
    )
  return causes
}

/** `25%` or 3. */
export const validateIntOrPercent = (value: unknown, field: string): StatusCause[] => {
  if (typeof value === 'string') return percent(value).map((sentence) => invalidValue(field, value, sentence))
  return nonNegative(value, field)
}

/** A percentage above 100 makes no sense for what may be unavailable. */
export const validateAtMostAll = (value: unknown, field: string): StatusCause[] =>
  typeof value === 'string' && Number.parseInt(value, 10) > 100
    ? [invalidValue(field, value, 'must not be greater than 100%')]
    : []

/** 0 or `0%`. */
export const isZero = (value: unknown): boolean => value === 0 || value === undefined || value === '0%'

interface Scaled {
  readonly metadata: ObjectMeta
  readonly spec?: { readonly replicas?: number | undefined } | undefined
}

/** `DeploymentScaled` when nothing but the number of replicas changed. */
export const scaledEvent =
  (kind: string) =>
  (next: Scaled, before: Scaled, subresource: string): string | undefined => {
    if (next.metadata.deletionTimestamp && !before.metadata.deletionTimestamp) return `${kind}DeletionRequested`
    if (subresource === 'status') return undefined
    const now = next.spec ?? {}
    const was = before.spec ?? {}
    if (now.replicas === was.replicas) return undefined
    return semanticEqual({ ...now, replicas: 0 }, { ...was, replicas: 0 }) ? `${kind}Scaled` : undefined
  }
