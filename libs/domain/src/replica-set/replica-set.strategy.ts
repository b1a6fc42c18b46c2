// ReplicaSets: a number of pods of one template.
import type { ReplicaSet } from '@shiplog/api/generated/types/apps-v1'
import type { Draft } from '@shiplog/api/decoded'
import { templateWarnings } from '../pod/pod-warnings.ts'
import { validateReplicaStatus } from '../status-rules.ts'
import type { Strategy } from '../strategy.ts'
import { fill, fillStatus, immutable, nonNegative, section } from '../fields.ts'
import { setPodTemplateDefaults } from '../pod/pod-defaults.ts'
import { scaledEvent, validateAlwaysRestarts, validateSelectorAndTemplate } from '../workload/workload-rules.ts'

export const replicaSetStrategy: Strategy<ReplicaSet> = {
  validatesAll: true,
  warnings: templateWarnings((object: Draft<ReplicaSet>) => object.spec?.template, 'spec.template'),
  setDefaults: (draft) => {
    const spec = section(draft, 'spec')
    fillStatus(draft.status, { replicas: 0 })
    fill(spec, 'replicas', 1)
    if (spec.template) setPodTemplateDefaults(spec.template)
  },
  prepareForCreate: (draft) => {
    draft.status = { replicas: 0 }
  },
  validate: (set) => {
    const spec = set.spec ?? {}
    return [
      ...nonNegative(spec.replicas, 'spec.replicas'),
      ...nonNegative(spec.minReadySeconds, 'spec.minReadySeconds'),
      ...validateSelectorAndTemplate(spec, 'deployment', 'invalid label selector'),
      ...validateAlwaysRestarts(spec, 'ReplicaSet'),
    ]
  },
  validateUpdate: (next, before) => immutable(next.spec?.selector, before.spec?.selector, 'spec.selector'),
  validateStatusUpdate: (next) =>
    validateReplicaStatus(
      next.status ?? {},
      ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'],
      ['observedGeneration', 'terminatingReplicas'],
    ),
  eventType: scaledEvent('ReplicaSet'),
}
