// Match conditions as a check that may take longer than a turn of the event loop: its verdict travels as a cause.
import type { JsonObject } from '@shiplog/api/kube-object'
import type { StatusCause } from '@shiplog/api/status'
import type { Hook } from '../webhook/hooks.ts'
import { compileConditions, type Conditions, matchConditions, type Matched } from '../webhook/match-conditions.ts'
import { jsonValue } from '@shiplog/cel/json-values'
import type { LongCheck, LongCheckInput } from './long-check.ts'

/** What the conditions look at. */
export interface ConditionVariables {
  readonly object: JsonObject | undefined
  readonly oldObject: JsonObject | undefined
  readonly request: JsonObject
}

type ConditionsInput = Extract<LongCheckInput, { of: 'conditions' }>

const verdict = (conditions: Conditions, { object, oldObject, request }: ConditionVariables): readonly StatusCause[] => {
  const variables = {
    ...{ object: jsonValue(object ?? null), oldObject: jsonValue(oldObject ?? null) },
    ...{ request: jsonValue(request), namespaceObject: null },
  }
  return [{ message: JSON.stringify(matchConditions(conditions, variables)) }]
}

export const conditionsCheck = (hook: Hook, variables: ConditionVariables): LongCheck => ({
  input: { of: 'conditions', conditions: hook.webhook.matchConditions ?? [], variables },
  run: () => verdict(hook.conditions(), variables),
})

/** The same from its input alone. */
export const runConditionsCheck = ({ conditions, variables }: ConditionsInput): readonly StatusCause[] =>
  verdict(compileConditions(conditions), variables)

export const readMatched = ([cause]: readonly StatusCause[]): Matched => JSON.parse(cause!.message) as Matched
