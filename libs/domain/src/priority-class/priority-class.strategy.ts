// PriorityClasses: a name for a number that never changes.
import { forbiddenField, notSupported, required } from '@shiplog/api/field-errors'
import type { PriorityClass } from '@shiplog/api/generated/types/scheduling-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Draft } from '@shiplog/api/decoded'
import { fill, immutable } from '../fields.ts'
import type { Strategy } from '../strategy.ts'
import { highestUserPriority, systemPriorityClasses } from './system-priority-classes.ts'

const preemptionPolicies = ['PreemptLowerPriority', 'Never']
const systemPrefix = 'system-'

const systemProblem = (object: Draft<PriorityClass>): string | undefined => {
  const { name } = object.metadata
  const known = systemPriorityClasses.find((candidate) => candidate.name === name)
  if (!known) return `${name} is not a known system priority class`
  if (object.value !== known.value) return `value of ${name} PriorityClass must be ${known.value}`
  return object.globalDefault === true ? `globalDefault of ${name} PriorityClass must be false` : undefined
}

const validate = (object: Draft<PriorityClass>): StatusCause[] => {
  const causes: StatusCause[] = []
  if (object.metadata.name.startsWith(systemPrefix)) {
    const problem = systemProblem(object)
    if (problem)
      causes.push(
        forbiddenField(
          'metadata.name',
          `priority class names with '${systemPrefix}' prefix are reserved for system use only. error: ${problem}`,
        ),
      )
  } else if ((object.value ?? 0) > highestUserPriority)
    causes.push(forbiddenField('value', `maximum allowed value of a user defined priority is ${highestUserPriority}`))
  const policy = object.preemptionPolicy ?? ''
  if (policy === '') causes.push(required('preemptionPolicy'))
  else if (!preemptionPolicies.includes(policy))
    causes.push(notSupported('preemptionPolicy', policy, preemptionPolicies))
  return causes
}

export const priorityClassStrategy: Strategy<PriorityClass> = {
  // Upstream's priority classes carry generation 1 from their creation on.
  hasGeneration: true,
  setDefaults: (draft) => {
    fill(draft, 'preemptionPolicy', 'PreemptLowerPriority')
    // Zero is a value of its own, and is served.
    fill(draft, 'value', 0)
  },
  // What was taken once is not judged again.
  validate: (next, before) => (before ? [] : validate(next)),
  changesGeneration: () => false,
  validatesAll: true,
  validateUpdate: (next, before) => [
    ...(next.value === before.value ? [] : [forbiddenField('value', 'may not be changed in an update.')]),
    ...immutable(next.preemptionPolicy, before.preemptionPolicy, 'preemptionPolicy'),
  ],
}
