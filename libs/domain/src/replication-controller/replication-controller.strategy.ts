// ReplicationControllers: what ReplicaSets were before, selecting by a plain map.
import { invalidValue, required } from '@shiplog/api/field-errors'
import type { ReplicationController } from '@shiplog/api/generated/types/core-v1'
import { compileLabelMap } from '@shiplog/api/selectors'
import type { StatusCause } from '@shiplog/api/status'
import type { Draft } from '@shiplog/api/decoded'
import { fill, fillStatus, nonNegative, section } from '../fields.ts'
import { setPodTemplateDefaults } from '../pod/pod-defaults.ts'
import { templateWarnings } from '../pod/pod-warnings.ts'
import { validatePodTemplate } from '../pod/pod-spec-validation.ts'
import { validateReplicaStatus } from '../status-rules.ts'
import type { Strategy } from '../strategy.ts'
import { scaledEvent, validateAlwaysRestarts } from '../workload/workload-rules.ts'

const setDefaults = (draft: Draft<ReplicationController>): void => {
  const spec = section(draft, 'spec')
  const labels = spec.template?.metadata?.labels
  if (labels) {
    if (Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels }
    if (Object.keys(draft.metadata.labels ?? {}).length === 0) draft.metadata.labels = { ...labels }
  }
  fillStatus(draft.status, { replicas: 0 })
  fill(spec, 'replicas', 1)
  if (spec.template) setPodTemplateDefaults(spec.template)
}

const validate = (controller: Draft<ReplicationController>): StatusCause[] => {
  const spec = controller.spec ?? {}
  const selector = spec.selector ?? {}
  const causes = [
    ...nonNegative(spec.minReadySeconds, 'spec.minReadySeconds'),
    ...(Object.keys(selector).length === 0 ? [required('spec.selector')] : []),
    ...nonNegative(spec.replicas, 'spec.replicas'),
  ]
  const template = spec.template
  if (!template) return [...causes, required('spec.template')]
  const labels = template.metadata?.labels
  if (!compileLabelMap(selector).matches(labels))
    causes.push(
      invalidValue('spec.template.metadata.labels', labels ?? null, '`selector` does not match template `labels`'),
    )
  return [
    ...causes,
    ...validatePodTemplate(template, 'spec.template'),
    ...validateAlwaysRestarts(spec, 'ReplicationController'),
  ]
}

export const replicationControllerStrategy: Strategy<ReplicationController> = {
  validatesAll: true,
  anyGenerateName: true,
  propagationWhenUnsaid: 'Orphan',
  warnings: templateWarnings((object: Draft<ReplicationController>) => object.spec?.template, 'spec.template'),
  setDefaults,
  prepareForCreate: (draft) => {
    draft.status = { replicas: 0 }
  },
  validate,
  validateStatusUpdate: (next) =>
    validateReplicaStatus(
      next.status ?? {},
      ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'],
      ['observedGeneration'],
    ),
  selectableFields: (controller) => ({ 'status.replicas': String(controller.status?.replicas ?? 0) }),
  eventType: scaledEvent('ReplicationController'),
}
