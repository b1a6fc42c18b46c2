// What of a pod may still change after it was created: images, the active deadline, more tolerations, fewer gates.
import { forbiddenField, invalidValue } from '@shiplog/api/field-errors'
import type { Container, Pod, PodSchedulingGate, PodSpec, Toleration } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import { items, semanticEqual } from '../fields.ts'
import { validatePodAnnotationUpdates } from './pod-annotation-validation.ts'
import { unifiedDiff } from '../unified-diff.ts'

const updatableFields = [
  '`spec.containers[*].image`',
  '`spec.initContainers[*].image`',
  '`spec.activeDeadlineSeconds`',
  '`spec.tolerations` (only additions to existing tolerations)',
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
].join(',')

type Containers = Decoded<Container[]> | null | undefined

/** Containers as they are but for their images. */
const withImagesOf = (containers: Containers, before: Containers): Decoded<Container[]> | undefined =>
  containers?.map((container, index) => ({ ...container, image: before?.[index]?.image }))

const sameToleration = (left: Decoded<Toleration>, right: Decoded<Toleration>): boolean =>
  (['key', 'operator', 'value', 'effect'] as const).every((key) => (left[key] ?? '') === (right[key] ?? ''))

type Tolerations = Decoded<Toleration[]> | undefined

const validateTolerationAdditions = (next: Tolerations, before: Tolerations): StatusCause[] => {
  const changed = items(before).some((old) => !items(next).some((toleration) => sameToleration(toleration, old)))
  return changed
    ? [forbiddenField('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds')]
    : []
}

const validateDeadline = (next: unknown, before: unknown): StatusCause[] => {
  const field = 'spec.activeDeadlineSeconds'
  if (typeof before !== 'number') return []
  if (typeof next !== 'number')
    return [invalidValue(field, null, 'must not update from a positive integer to nil value')]
  return next > before ? [invalidValue(field, next, 'must be less than or equal to previous value')] : []
}

type Gates = Decoded<PodSchedulingGate[]> | undefined

const validateGateRemovals = (next: Gates, before: Gates): StatusCause[] => {
  const old = new Set(items(before).map((gate) => gate.name))
  // A name that is there twice is told once, where it is last.
  const added = new Map(items(next).map((gate, index) => [gate.name, index]))
  return [...added]
    .filter(([name]) => !old.has(name))
    .map(([name, index]) =>
      forbiddenField(
        `spec.schedulingGates[${index}].name`,
        `only deletion is allowed, but found new scheduling gate '${name}'`,
      ),
    )
}

/** While a pod is gated, its node selector may only get narrower. */
type NodeSelector = PodSpec['nodeSelector']

const narrowsSelector = (next: NodeSelector, before: NodeSelector): boolean =>
  Object.entries(before ?? {}).every(([key, value]) => next?.[key] === value)

const validateSelectorAdditions = (next: Decoded<PodSpec>, before: Decoded<PodSpec>): StatusCause[] =>
  items(before.schedulingGates).length === 0 || narrowsSelector(next.nodeSelector, before.nodeSelector)
    ? []
    : [
        invalidValue(
          'spec.nodeSelector',
          next.nodeSelector,
          'only additions to spec.nodeSelector are allowed (no mutations or deletions)',
        ),
      ]

/** How the spec differs in a way that no update may cause; '' when it does not. */
const forbiddenChanges = (next: Decoded<PodSpec>, before: Decoded<PodSpec>): string => {
  const munged: Decoded<PodSpec> = {
    ...next,
    containers: withImagesOf(next.containers, before.containers),
    initContainers: withImagesOf(next.initContainers, before.initContainers),
    activeDeadlineSeconds: before.activeDeadlineSeconds,
    tolerations: before.tolerations,
    schedulingGates: before.schedulingGates,
  }
  const grace = before.terminationGracePeriodSeconds
  if (typeof grace === 'number' && grace < 0 && next.terminationGracePeriodSeconds === 1)
    munged.terminationGracePeriodSeconds = grace
  if (items(before.schedulingGates).length > 0) {
    // Told of by itself.
    munged.nodeSelector = before.nodeSelector
    const affinity = next.affinity?.nodeAffinity
    if (affinity && !before.affinity?.nodeAffinity) munged.affinity = { ...next.affinity, nodeAffinity: undefined }
  }
  return semanticEqual(munged, before) ? '' : unifiedDiff(before, inOrderOf(before, munged))
}

/** Fields that both have, in the order of one of them: order alone is no difference. */
const inOrderOf = (one: JsonObject, other: JsonObject): JsonObject => {
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])]
  return Object.fromEntries(names.filter((name) => other[name] !== undefined).map((name) => [name, other[name]]))
}

/** Causes for an update of the main resource. */
export const validatePodUpdate = (next: Draft<Pod>, before: Draft<Pod>): StatusCause[] => {
  const metadata = validatePodAnnotationUpdates(
    next.metadata.annotations ?? {},
    before.metadata.annotations ?? {},
    'metadata.annotations',
  )
  const now = next.spec ?? {}
  const was = before.spec ?? {}
  for (const key of ['containers', 'initContainers'] as const)
    if (items(now[key]).length !== items(was[key]).length)
      return [...metadata, forbiddenField(`spec.${key}`, 'pod updates may not add or remove containers')]
  const causes = [
    ...metadata,
    ...validateDeadline(now.activeDeadlineSeconds, was.activeDeadlineSeconds),
    ...validateGateRemovals(now.schedulingGates, was.schedulingGates),
    ...validateTolerationAdditions(now.tolerations, was.tolerations),
    ...validateSelectorAdditions(now, was),
  ]
  const changed = forbiddenChanges(now, was)
  if (changed !== '')
    causes.push(forbiddenField('spec', `pod updates may not change fields other than ${updatableFields}\n${changed}`))
  return causes
}
