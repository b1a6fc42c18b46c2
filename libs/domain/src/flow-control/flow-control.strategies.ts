// FlowSchemas and PriorityLevelConfigurations: defaults of API priority and fairness.
import { fill, fillText, section } from '../fields.ts'
import type { Strategy } from '../strategy.ts'

const defaultPrecedence = 1000
const defaultConcurrencyShares = 30
const defaultQueues = 64
const defaultHandSize = 8
const defaultQueueLength = 50

export const flowSchemaStrategy: Strategy = {
  setDefaults: (draft) => {
    const spec = section(draft, 'spec')
    if (!spec['matchingPrecedence']) spec['matchingPrecedence'] = defaultPrecedence
  },
  prepareForCreate: (draft) => {
    draft['status'] = {}
  },
}

export const priorityLevelConfigurationStrategy: Strategy = {
  setDefaults: (draft) => {
    const spec = section(draft, 'spec')
    if (spec['exempt']) {
      fill(spec['exempt'], 'nominalConcurrencyShares', 0)
      fill(spec['exempt'], 'lendablePercent', 0)
    }
    const limited = spec['limited']
    if (!limited) return
    fill(limited, 'nominalConcurrencyShares', defaultConcurrencyShares)
    fill(limited, 'lendablePercent', 0)
    const response = section(limited, 'limitResponse')
    fillText(response, 'type', 'Reject')
    if (!response['queuing']) return
    fill(response['queuing'], 'queues', defaultQueues)
    fill(response['queuing'], 'handSize', defaultHandSize)
    fill(response['queuing'], 'queueLengthLimit', defaultQueueLength)
  },
  prepareForCreate: (draft) => {
    draft['status'] = {}
  },
}
