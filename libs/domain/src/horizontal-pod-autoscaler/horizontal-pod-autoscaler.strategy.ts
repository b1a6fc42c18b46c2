// HorizontalPodAutoscalers, in their storage version autoscaling/v2.
import type { HPAScalingRules, HorizontalPodAutoscaler } from '@shiplog/api/generated/types/autoscaling-v2'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import { fill, fillNull, fillStatus, items, section } from '../fields.ts'
import { validateAutoscalerSpec } from './autoscaler-validation.ts'
import { validateCounts } from '../status-rules.ts'
import type { Strategy } from '../strategy.ts'

const defaultCpuUtilizationPercentage = 80
const scaleUp = {
  stabilizationWindowSeconds: 0,
  selectPolicy: 'Max',
  policies: [
    { type: 'Pods', value: 4, periodSeconds: 15 },
    { type: 'Percent', value: 100, periodSeconds: 15 },
  ],
}
const scaleDown = { selectPolicy: 'Max', policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] }

const setRules = (rules: Decoded<HPAScalingRules>, { policies, ...others }: HPAScalingRules): void => {
  for (const [key, value] of Object.entries(others)) fill(rules as JsonObject, key, value)
  // An empty list is one, and is refused later.
  rules.policies ??= structuredClone(policies)
}

const setDefaults = (draft: Draft<HorizontalPodAutoscaler>): void => {
  fillStatus(draft.status, { desiredReplicas: 0 })
  const spec = section(draft, 'spec')
  fill(spec, 'minReplicas', 1)
  if (items(spec.metrics).length === 0)
    spec.metrics = [
      {
        type: 'Resource',
        resource: {
          name: 'cpu',
          target: { type: 'Utilization', averageUtilization: defaultCpuUtilizationPercentage },
        },
      },
    ]
  // Half a behavior gets the other half's defaults; none at all stays none.
  if (!spec.behavior) return
  setRules(section(spec.behavior, 'scaleUp'), scaleUp)
  setRules(section(spec.behavior, 'scaleDown'), scaleDown)
}

export const horizontalPodAutoscalerStrategy: Strategy<HorizontalPodAutoscaler> = {
  hasGeneration: false,
  setDefaults,
  prepareForCreate: (draft) => {
    draft.status = { desiredReplicas: 0 }
    fillNull(draft.status, 'currentMetrics')
  },
  validate: (autoscaler) => validateAutoscalerSpec(autoscaler.spec ?? {}),
  prepareForStatusUpdate: (draft, before) => {
    draft.spec = before.spec
    // Upstream's storage knows no empty list.
    const status = section(draft, 'status')
    if (items(status.currentMetrics).length === 0) (status as JsonObject)['currentMetrics'] = null
  },
  validateStatusUpdate: (next) => validateCounts(next.status ?? {}, ['currentReplicas', 'desiredReplicas']),
  validatesAll: true,
}
