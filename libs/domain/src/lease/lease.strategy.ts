// Leases: who leads, and for how long.
import { invalidValue } from '@shiplog/api/field-errors'
import type { JsonObject } from '@shiplog/api/kube-object'
import { nonNegative } from '../fields.ts'
import type { Strategy } from '../strategy.ts'

export const leaseStrategy: Strategy = {
  anyFinalizers: true,
  hasGeneration: false,
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: false,
  validate: (lease) => {
    const spec: JsonObject = lease['spec'] ?? {}
    const causes = nonNegative(spec['leaseTransitions'], 'spec.leaseTransitions')
    const seconds = spec['leaseDurationSeconds']
    if (typeof seconds === 'number' && seconds <= 0)
      causes.unshift(invalidValue('spec.leaseDurationSeconds', seconds, 'must be greater than 0'))
    return causes
  },
  eventType: (next, before) =>
    next['spec']?.holderIdentity === before['spec']?.holderIdentity ? 'LeaseRenewed' : 'LeaseTaken',
}
