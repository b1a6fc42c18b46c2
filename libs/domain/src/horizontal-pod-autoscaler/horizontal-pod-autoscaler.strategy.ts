// HorizontalPodAutoscalers, in their storage version autoscaling/v2.
import { invalidValue, notSupported } from '@shiplog/api/field-errors'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { StatusCause } from '@shiplog/api/status'
import { fill, fillText, items, requiredName, section } from '../fields.ts'
import { pathSegment } from '../names.ts'
import type { Strategy } from '../strategy.ts'

const defaultCpuUtilizationPercentage = 80
const metricTypes = ['ContainerResource', 'External', 'Object', 'Pods', 'Resource']
const scaleUp = {
  stabilizationWindowSeconds: 0,
  selectPolicy: 'Max',
  policies: [
    { type: 'Pods', value: 4, periodSeconds: 15 },
    { type: 'Percent', value: 100, periodSeconds: 15 },
  ],
}
const scaleDown = { selectPolicy: 'Max', policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] }

const setRules = (rules: JsonObject, defaults: JsonObject): void => {
  for (const [key, value] of Object.entries(defaults)) {
    if (key === 'policies' && items(rules['policies']).length > 0) continue
    if (key === 'policies') rules['policies'] = structuredClone(value)
    else fill(rules, key, value)
  }
}

const setDefaults = (draft: JsonObject): void => {
  const spec = section(draft, 'spec')
  fill(spec, 'minReplicas', 1)
  if (items(spec['metrics']).length === 0)
    spec['metrics'] = [
      {
        type: 'Resource',
        resource: {
          name: 'cpu',
          target: { type: 'Utilization', averageUtilization: defaultCpuUtilizationPercentage },
        },
      },
    ]
  for (const metric of items(spec['metrics'])) {
    const target = metric.resource?.target
    if (target && !target.type) fillText(target, 'type', target.averageUtilization ? 'Utilization' : 'AverageValue')
  }
  // Half a behavior gets the other half's defaults; none at all stays none.
  if (!spec['behavior']) return
  setRules(section(spec['behavior'], 'scaleUp'), scaleUp)
  setRules(section(spec['behavior'], 'scaleDown'), scaleDown)
}

const validate = (autoscaler: KubeObject): StatusCause[] => {
  const spec: JsonObject = autoscaler['spec'] ?? {}
  const causes: StatusCause[] = []
  const { minReplicas, maxReplicas } = spec
  if (typeof minReplicas === 'number' && minReplicas < 1)
    causes.push(invalidValue('spec.minReplicas', minReplicas, 'must be greater than or equal to 1'))
  if (typeof maxReplicas !== 'number' || maxReplicas < 1)
    causes.push(invalidValue('spec.maxReplicas', maxReplicas ?? 0, 'must be greater than 0'))
  if (typeof minReplicas === 'number' && (maxReplicas ?? 0) < minReplicas)
    causes.push(invalidValue('spec.maxReplicas', maxReplicas ?? 0, 'must be greater than or equal to `minReplicas`'))
  const target: JsonObject = spec['scaleTargetRef'] ?? {}
  for (const key of ['kind', 'name'])
    causes.push(...requiredName(pathSegment, target[key], `spec.scaleTargetRef.${key}`))
  items(spec['metrics']).forEach((metric, index) => {
    if (!metricTypes.includes(metric.type))
      causes.push(notSupported(`spec.metrics[${index}].type`, metric.type ?? '', metricTypes))
  })
  return causes
}

export const horizontalPodAutoscalerStrategy: Strategy = {
  hasGeneration: false,
  setDefaults,
  prepareForCreate: (draft) => {
    draft['status'] = { desiredReplicas: 0, currentMetrics: null }
  },
  validate,
}
