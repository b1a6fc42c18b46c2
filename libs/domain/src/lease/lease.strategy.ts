// Leases: who leads, and for how long.
import { invalidValue } from '@shiplog/api/field-errors'
import type { Lease } from '@shiplog/api/generated/types/coordination-v1'
import type { Draft } from '@shiplog/api/decoded'
import { nonNegative } from '../fields.ts'
import type { Strategy } from '../strategy.ts'

const dropElectionFields = (draft: Draft<Lease>): void => {
  delete draft.spec?.strategy
  delete draft.spec?.preferredHolder
}

export const leaseStrategy: Strategy<Lease> = {
  anyFinalizers: true,
  hasGeneration: false,
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: false,
  // Fields of coordinated leader election, which is off by default upstream.
  prepareForCreate: dropElectionFields,
  prepareForUpdate: dropElectionFields,
  validate: (lease) => {
    const spec = lease.spec ?? {}
    const causes = nonNegative(spec.leaseTransitions, 'spec.leaseTransitions')
    const seconds = spec.leaseDurationSeconds
    if (typeof seconds === 'number' && seconds <= 0)
      causes.unshift(invalidValue('spec.leaseDurationSeconds', seconds, 'must be greater than 0'))
    return causes
  },
  eventType: (next, before) =>
    next.spec?.holderIdentity === before.spec?.holderIdentity ? 'LeaseRenewed' : 'LeaseTaken',
}
