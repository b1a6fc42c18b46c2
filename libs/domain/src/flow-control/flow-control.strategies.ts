// FlowSchemas and PriorityLevelConfigurations: defaults of API priority and fairness. What they must say is in
// flow-control-validation.ts.
import type { FlowSchema, PriorityLevelConfiguration } from '@shiplog/api/generated/types/flowcontrol-v1'
import { fill, section } from '../fields.ts'
import { validateConditionTypes, validateFlowSchema, validatePriorityLevel } from './flow-control-validation.ts'
import type { Strategy } from '../strategy.ts'

const defaultPrecedence = 1000
const defaultConcurrencyShares = 30
const defaultQueues = 64
const defaultHandSize = 8
const defaultQueueLength = 50

export const flowSchemaStrategy: Strategy<FlowSchema> = {
  validatesAll: true,
  validate: ({ metadata, spec }) => validateFlowSchema(spec ?? {}, metadata.name),
  validateStatusUpdate: ({ status }) => validateConditionTypes(status?.conditions),
  setDefaults: (draft) => {
    const spec = section(draft, 'spec')
    if (!spec.matchingPrecedence) spec.matchingPrecedence = defaultPrecedence
  },
  prepareForCreate: (draft) => {
    draft.status = {}
  },
}

export const priorityLevelConfigurationStrategy: Strategy<PriorityLevelConfiguration> = {
  validatesAll: true,
  validate: ({ metadata, spec }) => validatePriorityLevel(spec ?? {}, metadata.name),
  validateStatusUpdate: ({ status }) => validateConditionTypes(status?.conditions),
  setDefaults: (draft) => {
    const spec = section(draft, 'spec')
    if (spec.exempt) {
      fill(spec.exempt, 'nominalConcurrencyShares', 0)
      fill(spec.exempt, 'lendablePercent', 0)
    }
    const limited = spec.limited
    if (!limited) return
    fill(limited, 'nominalConcurrencyShares', defaultConcurrencyShares)
    fill(limited, 'lendablePercent', 0)
    const response = section(limited, 'limitResponse')
    if (!response.queuing) return
    const { queuing } = response
    // Zero is what was not given.
    queuing.queues ||= defaultQueues
    queuing.handSize ||= defaultHandSize
    queuing.queueLengthLimit ||= defaultQueueLength
  },
  prepareForCreate: (draft) => {
    draft.status = {}
  },
}
