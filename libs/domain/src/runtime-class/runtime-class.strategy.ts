// RuntimeClasses: which runtime runs a pod, what that costs, and on which nodes it can.
import { duplicate } from '@shiplog/api/field-errors'
import type { RuntimeClass } from '@shiplog/api/generated/types/node-v1'
import { validateLabels } from '@shiplog/api/selectors'
import type { StatusCause } from '@shiplog/api/status'
import type { Draft } from '@shiplog/api/decoded'
import { immutable, items, requiredName, semanticEqual } from '../fields.ts'
import { dns1123Label } from '../names.ts'
import { labelDeprecation } from '../node-labels.ts'
import { validateResources } from '../pod/resource-validation.ts'
import { validateTolerations } from '../pod/scheduling-validation.ts'
import type { Strategy } from '../strategy.ts'

const validate = (object: Draft<RuntimeClass>): StatusCause[] => {
  const causes = requiredName(dns1123Label, object.handler, 'handler')
  // Upstream checks what a pod costs as it checks limits.
  const fixed = object.overhead?.podFixed
  if (fixed) causes.push(...validateResources({ limits: fixed }, 'overhead'))
  const scheduling = object.scheduling ?? {}
  causes.push(...validateLabels(scheduling.nodeSelector, 'scheduling.nodeSelector'))
  const tolerations = items(scheduling.tolerations)
  causes.push(...validateTolerations(tolerations, 'scheduling.tolerations'))
  tolerations.forEach((toleration, index) => {
    if (!tolerations.slice(0, index).some((other) => semanticEqual(other, toleration))) return
    const { key = '', operator, value = '', effect, tolerationSeconds = null } = toleration
    causes.push(
      duplicate(`scheduling.tolerations[${index}]`, {
        Key: key,
        Operator: operator ?? '',
        Value: value,
        Effect: effect ?? '',
        TolerationSeconds: tolerationSeconds,
      }),
    )
  })
  return causes
}

export const runtimeClassStrategy: Strategy<RuntimeClass> = {
  hasGeneration: false,
  allowUnconditionalUpdate: false,
  anyFinalizers: true,
  warnings: (object) =>
    Object.keys(object.scheduling?.nodeSelector ?? {}).flatMap((label) => {
      const sentence = labelDeprecation(label)
      return sentence ? [`scheduling.nodeSelector: ${sentence}`] : []
    }),
  validatesAll: true,
  validate,
  validateUpdate: (next, before) => immutable(next.handler, before.handler, 'handler'),
}
