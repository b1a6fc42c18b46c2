// DaemonSets: one pod a node.
import { invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type { DaemonSet, DaemonSetUpdateStrategy } from '@shiplog/api/generated/types/apps-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import { fill, fillStatus, fillText, immutable, keep, nonNegative, section, semanticEqual } from '../fields.ts'
import { setPodTemplateDefaults } from '../pod/pod-defaults.ts'
import { templateWarnings } from '../pod/pod-warnings.ts'
import { validateCollisionCount, validateCounts } from '../status-rules.ts'
import type { Strategy } from '../strategy.ts'
import {
  isZero,
  validateAlwaysRestarts,
  validateAtMostAll,
  validateIntOrPercent,
  validateSelectorAndTemplate,
} from '../workload/workload-rules.ts'

const defaultRevisionHistory = 10
const counts = [
  'currentNumberScheduled',
  'numberMisscheduled',
  'desiredNumberScheduled',
  'numberReady',
  'observedGeneration',
  'updatedNumberScheduled',
  'numberAvailable',
  'numberUnavailable',
  'collisionCount',
] as const

/** Kept by the API server for clients of long ago: how often the template changed. */
const generationAnnotation = 'deprecated.daemonset.template.generation'

const setDefaults = (draft: Draft<DaemonSet>): void => {
  fill(section(draft.metadata, 'annotations'), generationAnnotation, '0')
  fillStatus(draft.status, {
    currentNumberScheduled: 0,
    numberMisscheduled: 0,
    desiredNumberScheduled: 0,
    numberReady: 0,
  })
  const spec = section(draft, 'spec')
  const update = section(spec, 'updateStrategy')
  fillText(update, 'type', 'RollingUpdate')
  if (update.type === 'RollingUpdate') {
    const rolling = section(update, 'rollingUpdate')
    fill(rolling, 'maxUnavailable', 1)
    fill(rolling, 'maxSurge', 0)
  } else if (update.rollingUpdate)
    for (const key of ['maxUnavailable', 'maxSurge'] as const) fill(update.rollingUpdate, key, 0)
  fill(spec, 'revisionHistoryLimit', defaultRevisionHistory)
  if (spec.template) setPodTemplateDefaults(spec.template)
}

const setTemplateGeneration = (draft: Draft<DaemonSet>, generation: number): void => {
  draft.metadata.annotations = { ...draft.metadata.annotations, [generationAnnotation]: String(generation) }
}

const validateUpdateStrategy = (update: Decoded<DaemonSetUpdateStrategy>): StatusCause[] => {
  const field = 'spec.updateStrategy'
  if (update.type === 'OnDelete') return []
  if (update.type !== 'RollingUpdate')
    return [
      notSupported(
        field,
        {
          Type: update.type ?? '',
          RollingUpdate: update.rollingUpdate
            ? {
                MaxUnavailable: update.rollingUpdate.maxUnavailable ?? 0,
                MaxSurge: update.rollingUpdate.maxSurge ?? 0,
              }
            : null,
        },
        ['RollingUpdate', 'OnDelete'],
      ),
    ]
  const rolling = update.rollingUpdate
  const at = `${field}.rollingUpdate`
  if (!rolling) return [required(at)]
  const { maxUnavailable, maxSurge } = rolling
  const causes = [
    ...validateIntOrPercent(maxUnavailable, `${at}.maxUnavailable`),
    ...validateIntOrPercent(maxSurge, `${at}.maxSurge`),
    ...validateAtMostAll(maxUnavailable, `${at}.maxUnavailable`),
    ...validateAtMostAll(maxSurge, `${at}.maxSurge`),
  ]
  const isNone = (value: unknown): boolean => isZero(value) || (typeof value === 'string' && !/^\d+%$/.test(value))
  if (!isNone(maxUnavailable) && !isNone(maxSurge))
    causes.push(invalidValue(`${at}.maxSurge`, maxSurge, 'may not be set when maxUnavailable is non-zero'))
  if (isNone(maxUnavailable) && isNone(maxSurge))
    causes.push(required(`${at}.maxUnavailable`, 'cannot be 0 when maxSurge is 0'))
  return causes
}

export const daemonSetStrategy: Strategy<DaemonSet> = {
  validatesAll: true,
  warnings: templateWarnings((object: Draft<DaemonSet>) => object.spec?.template, 'spec.template', false),
  setDefaults,
  prepareForCreate: (draft) => {
    setTemplateGeneration(draft, 1)
    draft.status = { currentNumberScheduled: 0, numberMisscheduled: 0, desiredNumberScheduled: 0, numberReady: 0 }
  },
  prepareForUpdate: (draft, before) => {
    keep(draft, before, 'status')
    const was = Number(before.metadata.annotations?.[generationAnnotation] ?? 0)
    const changed = !semanticEqual(draft.spec?.template, before.spec?.template)
    setTemplateGeneration(draft, changed ? was + 1 : was)
  },
  validate: (set) => {
    const spec = set.spec ?? {}
    return [
      ...validateSelectorAndTemplate(spec, 'daemonset', null),
      ...validateAlwaysRestarts(spec, 'DaemonSet'),
      ...nonNegative(spec.minReadySeconds, 'spec.minReadySeconds'),
      ...validateUpdateStrategy(spec.updateStrategy ?? {}),
      ...nonNegative(spec.revisionHistoryLimit, 'spec.revisionHistoryLimit'),
    ]
  },
  validateUpdate: (next, before) => immutable(next.spec?.selector, before.spec?.selector, 'spec.selector'),
  prepareForStatusUpdate: (draft, before) => {
    draft.spec = before.spec
    setTemplateGeneration(draft, Number(before.metadata.annotations?.[generationAnnotation] ?? 0))
  },
  validateStatusUpdate: (next, before) => [
    ...validateCounts(next.status ?? {}, counts),
    ...validateCollisionCount(next, before),
  ],
}
