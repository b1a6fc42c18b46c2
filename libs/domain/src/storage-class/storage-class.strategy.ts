// StorageClasses: how volumes are made; fixed once there.
import { forbiddenField, notSupported, required } from '@shiplog/api/field-errors'
import type { KubeObject } from '@shiplog/api/kube-object'
import type { StatusCause } from '@shiplog/api/status'
import { fill, immutable, semanticEqual } from '../fields.ts'
import type { Strategy } from '../strategy.ts'

const reclaimPolicies = ['Delete', 'Retain']
const bindingModes = ['Immediate', 'WaitForFirstConsumer']

const validate = (storageClass: KubeObject): StatusCause[] => {
  const causes: StatusCause[] = []
  if (!storageClass['provisioner']) causes.push(required('provisioner'))
  if (!reclaimPolicies.includes(storageClass['reclaimPolicy']))
    causes.push(notSupported('reclaimPolicy', storageClass['reclaimPolicy'], reclaimPolicies))
  if (!bindingModes.includes(storageClass['volumeBindingMode']))
    causes.push(notSupported('volumeBindingMode', storageClass['volumeBindingMode'], bindingModes))
  return causes
}

const validateUpdate = (next: KubeObject, before: KubeObject): StatusCause[] => {
  const causes: StatusCause[] = []
  if (!semanticEqual(next['parameters'], before['parameters']))
    causes.push(forbiddenField('parameters', 'updates to parameters are forbidden.'))
  if (next['provisioner'] !== before['provisioner'])
    causes.push(forbiddenField('provisioner', 'updates to provisioner are forbidden.'))
  if (next['reclaimPolicy'] !== before['reclaimPolicy'])
    causes.push(forbiddenField('reclaimPolicy', 'updates to reclaimPolicy are forbidden.'))
  return [...causes, ...immutable(next['volumeBindingMode'], before['volumeBindingMode'], 'volumeBindingMode')]
}

export const storageClassStrategy: Strategy = {
  returnsDeleted: true,
  hasGeneration: false,
  setDefaults: (draft) => {
    fill(draft, 'reclaimPolicy', 'Delete')
    fill(draft, 'volumeBindingMode', 'Immediate')
  },
  validate,
  validateUpdate,
}
