// Match conditions of webhooks: all must be true; one that is false means that nobody is asked. What they may cost together, and
// what is said of those that fail, as k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions and plugin/cel.
import type { MatchCondition } from '@shiplog/api/generated/types/admissionregistration-v1'
import type { Program } from '@shiplog/cel/evaluate'
import type { Value } from '@shiplog/cel/values'
import { expressions } from '@shiplog/custom-resources/expressions/late'
import { requestScope } from '../expressions/expression-scope.ts'

/** What the conditions of one webhook may cost together, and what one may. */
export const conditionsCostMax = 2_500_000
const callCostMax = 1_000_000

interface Condition {
  readonly name: string
  readonly expression: string
  readonly run: Program | { readonly problem: string }
}

export type Conditions = readonly Condition[]

export type Matched =
  | { readonly matches: true }
  /** `by`: the condition that was false. */
  | { readonly matches: false; readonly by: string }
  | { readonly errors: readonly string[] }

export const compileConditions = (conditions: readonly MatchCondition[]): Conditions =>
  conditions.map(({ name, expression }) => ({ name, expression, run: programOf(expression) }))

function programOf(text: string): Condition['run'] {
  const { compileExpression, isBadExpression } = expressions()
  const compiled = compileExpression(text, { variables: requestScope, sizeOf: () => undefined })
  return isBadExpression(compiled) ? { problem: `compilation error: compilation failed: ${compiled.problem}` } : compiled.program
}

const outOfBudget = 'validation failed due to running out of cost budget, no further validation rules will be run'

export function matchConditions(
  conditions: Conditions,
  variables: Readonly<Record<string, Value | undefined>>,
): Matched {
  const errors: string[] = []
  let budget = conditionsCostMax
  const falses: string[] = []
  for (const { name, expression, run } of conditions) {
    if (typeof run !== 'function') {
      errors.push(run.problem)
      continue
    }
    const { value, error, cost } = run(variables, Math.min(callCostMax, budget))
    budget -= cost
    if (budget < 0) return { errors: [outOfBudget] }
    if (error !== undefined) errors.push(`expression '${expression}' resulted in error: ${error}`)
    else if (value === false) falses.push(name)
  }
  if (falses.length > 0) return { matches: false, by: falses[0]! }
  return errors.length > 0 ? { errors } : { matches: true }
}

/** Several errors as Go prints them together. */
export const aggregated = (errors: readonly string[]): string =>
  errors.length === 1 ? errors[0]! : `[${[...new Set(errors)].join(', ')}]`
