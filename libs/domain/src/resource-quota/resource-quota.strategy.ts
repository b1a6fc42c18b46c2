// ResourceQuotas: how much a namespace may use.
import { invalidValue } from '@shiplog/api/field-errors'
import { entries, immutable } from '../fields.ts'
import { nanosOf } from '../quantities.ts'
import type { Strategy } from '../strategy.ts'

export const resourceQuotaStrategy: Strategy = {
  returnsDeleted: true,
  hasGeneration: false,
  prepareForCreate: (draft) => {
    draft['status'] = {}
  },
  validate: (quota) =>
    entries(quota['spec']?.hard).flatMap(([name, quantity]) => {
      const nanos = nanosOf(quantity)
      return nanos !== undefined && nanos < 0n
        ? [invalidValue(`spec.hard[${name}]`, String(quantity), 'must be greater than or equal to 0')]
        : []
    }),
  validateUpdate: (next, before) => immutable(next['spec']?.scopes, before['spec']?.scopes, 'spec.scopes'),
}
