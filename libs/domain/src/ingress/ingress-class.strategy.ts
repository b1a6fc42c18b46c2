// IngressClasses: which controller serves an Ingress.
import { invalidValue, required } from '@shiplog/api/field-errors'
import { immutable, section } from '../fields.ts'
import type { Strategy } from '../strategy.ts'

const controllerCharactersMax = 250

export const ingressClassStrategy: Strategy = {
  hasGeneration: true,
  setDefaults: (draft) => {
    const parameters = section(draft, 'spec')['parameters']
    if (parameters && !parameters.scope) parameters.scope = 'Cluster'
  },
  validate: (object) => {
    const controller: string = object['spec']?.controller ?? ''
    if (controller === '') return [required('spec.controller')]
    return controller.length > controllerCharactersMax
      ? [invalidValue('spec.controller', controller, `must be no more than ${controllerCharactersMax} characters`)]
      : []
  },
  validateUpdate: (next, before) => immutable(next['spec']?.controller, before['spec']?.controller, 'spec.controller'),
}
