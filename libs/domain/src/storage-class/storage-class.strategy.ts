// StorageClasses: how volumes are made; fixed once there.
import { duplicate, invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type { StorageClass } from '@shiplog/api/generated/types/storage-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Draft } from '@shiplog/api/decoded'
import { byRule, fill, immutable, items, semanticEqual } from '../fields.ts'
import { qualifiedName } from '../names.ts'
import { labelDeprecation } from '../node-labels.ts'
import type { Strategy } from '../strategy.ts'

const reclaimPolicies = ['Delete', 'Retain']
const bindingModes = ['Immediate', 'WaitForFirstConsumer']

const validate = (storageClass: Draft<StorageClass>): StatusCause[] => {
  const causes: StatusCause[] = []
  const provisioner = storageClass.provisioner ?? ''
  if (provisioner === '') causes.push(required('provisioner'))
  else causes.push(...byRule(qualifiedName, provisioner.toLowerCase(), 'provisioner'))
  if (Object.hasOwn(storageClass.parameters ?? {}, ''))
    causes.push(invalidValue('parameters', '', 'field can not be empty.'))
  if (storageClass.reclaimPolicy && !reclaimPolicies.includes(storageClass.reclaimPolicy))
    causes.push(notSupported('reclaimPolicy', storageClass.reclaimPolicy, reclaimPolicies))
  const { volumeBindingMode = '' } = storageClass
  if (!bindingModes.includes(volumeBindingMode))
    causes.push(notSupported('volumeBindingMode', volumeBindingMode, bindingModes))
  const seen: object[] = []
  items(storageClass.allowedTopologies).forEach((term, index) => {
    const at = `allowedTopologies[${index}].matchLabelExpressions`
    const keys = new Map<string, readonly string[]>()
    items(term.matchLabelExpressions).forEach((expression, position) => {
      const { key = '', values } = expression
      const place = `${at}[${position}]`
      if (items(values).length === 0) causes.push(required(`${place}.values`))
      items(values).forEach((value, number) => {
        if (items(values).indexOf(value) < number) causes.push(duplicate(`${place}.values[${number}]`, value))
      })
      causes.push(...byRule(qualifiedName, key, `${place}.key`))
      if (keys.has(key)) causes.push(duplicate(`${place}.key`, key))
      keys.set(key, items(values))
    })
    const terms = Object.fromEntries(keys)
    if (keys.size === 0 || seen.some((other) => semanticEqual(other, terms))) causes.push(duplicate(at, ''))
    seen.push(terms)
  })
  return causes
}

const validateUpdate = (next: Draft<StorageClass>, before: Draft<StorageClass>): StatusCause[] => {
  return [
    ...immutable(next.parameters, before.parameters, 'parameters'),
    ...(['provisioner', 'reclaimPolicy', 'volumeBindingMode'] as const).flatMap((key) =>
      immutable(next[key] ?? '', before[key] ?? '', key),
    ),
  ]
}

export const storageClassStrategy: Strategy<StorageClass> = {
  returnsDeleted: true,
  hasGeneration: false,
  setDefaults: (draft) => {
    fill(draft, 'reclaimPolicy', 'Delete')
    fill(draft, 'volumeBindingMode', 'Immediate')
  },
  warnings: (object) =>
    items(object.allowedTopologies).flatMap((term, index) =>
      items(term.matchLabelExpressions).flatMap(({ key }, position) => {
        const sentence = labelDeprecation(key)
        return sentence ? [`allowedTopologies[${index}].matchLabelExpressions[${position}].key: ${sentence}`] : []
      }),
    ),
  validatesAll: true,
  validate,
  validateUpdate,
}
