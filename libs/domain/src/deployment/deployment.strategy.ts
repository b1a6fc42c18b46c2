// Deployments: replicas of one template, rolled over.
import { forbiddenField, invalidValue, notSupported } from '@shiplog/api/field-errors'
import type { Deployment, DeploymentStrategy } from '@shiplog/api/generated/types/apps-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import { templateWarnings } from '../pod/pod-warnings.ts'
import { validateCollisionCount, validateReplicaStatus } from '../status-rules.ts'
import type { Strategy } from '../strategy.ts'
import { fill, fillText, immutable, nonNegative, section, semanticEqual } from '../fields.ts'
import { setPodTemplateDefaults } from '../pod/pod-defaults.ts'
import {
  isZero,
  scaledEvent,
  validateAlwaysRestarts,
  validateAtMostAll,
  validateIntOrPercent,
  validateSelectorAndTemplate,
} from '../workload/workload-rules.ts'

const defaultRevisionHistory = 10
const defaultProgressDeadlineSeconds = 600
const noDeadline = 2_147_483_647

const setDefaults = (draft: Draft<Deployment>): void => {
  const spec = section(draft, 'spec')
  fill(spec, 'replicas', 1)
  const strategy = section(spec, 'strategy')
  fillText(strategy, 'type', 'RollingUpdate')
  if (strategy.type === 'RollingUpdate') {
    const rolling = section(strategy, 'rollingUpdate')
    fill(rolling, 'maxUnavailable', '25%')
    fill(rolling, 'maxSurge', '25%')
  }
  fill(spec, 'revisionHistoryLimit', defaultRevisionHistory)
  fill(spec, 'progressDeadlineSeconds', defaultProgressDeadlineSeconds)
  setPodTemplateDefaults(spec.template)
}

const validateStrategy = (strategy: Decoded<DeploymentStrategy>): StatusCause[] => {
  const field = 'spec.strategy'
  const rolling = strategy.rollingUpdate
  if (strategy.type === 'Recreate')
    return rolling
      ? [forbiddenField(`${field}.rollingUpdate`, "may not be specified when strategy `type` is 'Recreate'")]
      : []
  if (strategy.type !== 'RollingUpdate')
    return [
      notSupported(
        field,
        {
          Type: strategy.type,
          RollingUpdate: rolling
            ? { MaxUnavailable: rolling.maxUnavailable ?? 0, MaxSurge: rolling.maxSurge ?? 0 }
            : null,
        },
        ['Recreate', 'RollingUpdate'],
      ),
    ]
  const { maxUnavailable, maxSurge } = rolling ?? {}
  const at = `${field}.rollingUpdate`
  const causes = [
    ...validateIntOrPercent(maxUnavailable, `${at}.maxUnavailable`),
    ...validateIntOrPercent(maxSurge, `${at}.maxSurge`),
  ]
  if (isZero(maxUnavailable) && isZero(maxSurge))
    causes.push(invalidValue(`${at}.maxUnavailable`, maxUnavailable, 'may not be 0 when `maxSurge` is 0'))
  return [...causes, ...validateAtMostAll(maxUnavailable, `${at}.maxUnavailable`)]
}

const validate = (deployment: Draft<Deployment>): StatusCause[] => {
  const spec = deployment.spec ?? {}
  const causes = [
    ...nonNegative(spec.replicas, 'spec.replicas'),
    ...validateSelectorAndTemplate(spec, 'deployment', 'invalid label selector'),
    ...validateAlwaysRestarts(spec, 'ReplicaSet'),
    ...validateStrategy(spec.strategy ?? {}),
    ...nonNegative(spec.minReadySeconds, 'spec.minReadySeconds'),
    ...nonNegative(spec.revisionHistoryLimit, 'spec.revisionHistoryLimit'),
    ...nonNegative(spec.progressDeadlineSeconds, 'spec.progressDeadlineSeconds'),
  ]
  const deadline = spec.progressDeadlineSeconds
  if (typeof deadline === 'number' && deadline !== noDeadline && deadline <= (spec.minReadySeconds ?? 0))
    causes.push(invalidValue('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds'))
  return causes
}

const scaled = scaledEvent('Deployment')

const eventType = (next: Draft<Deployment>, before: Draft<Deployment>, subresource: string): string | undefined => {
  const named = scaled(next, before, subresource)
  if (named || subresource === 'status') return named
  if (!semanticEqual(next.spec?.template, before.spec?.template)) return 'DeploymentTemplateChanged'
  if (next.spec?.paused === true && before.spec?.paused !== true) return 'DeploymentPaused'
  if (next.spec?.paused !== true && before.spec?.paused === true) return 'DeploymentResumed'
  return undefined
}

export const deploymentStrategy: Strategy<Deployment> = {
  validatesAll: true,
  warnings: templateWarnings((object: Draft<Deployment>) => object.spec?.template, 'spec.template'),
  setDefaults,
  prepareForCreate: (draft) => {
    draft.status = {}
  },
  // Annotations count: the deployment controller copies them to its ReplicaSets.
  changesGeneration: (next, before) =>
    !semanticEqual(next.spec, before.spec) || !semanticEqual(next.metadata.annotations, before.metadata.annotations),
  validate,
  validateUpdate: (next, before) => immutable(next.spec?.selector, before.spec?.selector, 'spec.selector'),
  validateStatusUpdate: (next, before) => [
    ...validateReplicaStatus(
      next.status ?? {},
      ['updatedReplicas', 'readyReplicas', 'availableReplicas'],
      ['observedGeneration', 'unavailableReplicas', 'terminatingReplicas', 'collisionCount'],
    ),
    ...validateCollisionCount(next, before),
  ],
  eventType,
}
