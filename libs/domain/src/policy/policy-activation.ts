// The expressions of one policy with what they look at: they share variables, each evaluated with the first look at it, and a
// budget.
import { EvaluationError, type MapValue, type Value } from '@shiplog/cel/values'
import type { CompiledExpression, CompiledPolicy } from './compiled-policy.ts'

/** What one expression may cost. */
const callCostMax = 1_000_000

const outOfBudget = 'validation failed due to running out of cost budget, no further validation rules will be run'

/** Nothing more is evaluated. */
export class BudgetSpent extends Error {}

export type Result = { readonly value: Value } | { readonly error: string }

export interface Activation {
  readonly evaluate: (expression: CompiledExpression) => Result
  readonly left: () => number
}

/** Evaluates expressions that share variables and a budget. */
export function activate(
  { variables: composed }: CompiledPolicy,
  given: Record<string, Value>,
  budget: number,
): Activation {
  let left = budget
  let ofVariables = 0
  const spend = (cost: number): void => {
    if (cost > left) throw new BudgetSpent(outOfBudget)
    left -= cost
  }
  const variables: Record<string, Value> = { ...given }
  variables['variables'] = lazyMap(composed, ({ name, expression }) => {
    const { program } = expression
    if (typeof program !== 'function')
      throw new EvaluationError(`composited variable "${name}" fails to compile: ${program.problem}`)
    const { value, error, cost } = program(variables, callCostMax)
    ofVariables += cost
    if (value === undefined) throw new EvaluationError(`composited variable "${name}" fails to evaluate: ${error}`)
    return value
  })
  const evaluate = ({ text, program }: CompiledExpression): Result => {
    if (typeof program !== 'function') return { error: `compilation error: ${program.problem}` }
    const { value, error, cost } = program(variables, callCostMax)
    // Variables are paid for by whoever looks at them first.
    spend(ofVariables)
    ofVariables = 0
    spend(cost)
    return value === undefined ? { error: `expression '${text}' resulted in error: ${error}` } : { value }
  }
  return { evaluate, left: () => left }
}

interface Named {
  readonly name: string
  readonly expression: CompiledExpression
}

/** A policy's variables, each evaluated with the first look at it. */
function lazyMap(composed: ReadonlyMap<string, CompiledExpression>, evaluate: (named: Named) => Value): MapValue {
  const known = new Map<string, Value | EvaluationError>()
  return {
    kind: 'map',
    isObject: false,
    size: composed.size,
    keys: () => composed.keys(),
    get(name) {
      const expression = typeof name === 'string' ? composed.get(name) : undefined
      if (!expression) return undefined
      const key = name as string
      let value = known.get(key)
      if (value === undefined) known.set(key, (value = attempt(() => evaluate({ name: key, expression }))))
      if (value instanceof EvaluationError) throw value
      return value
    },
  }
}

function attempt(evaluate: () => Value): Value | EvaluationError {
  try {
    return evaluate()
  } catch (error) {
    if (error instanceof EvaluationError) return error
    throw error
  }
}

