// Literals that no call can make anything of are refused before the expression runs: `duration("1x")`, `matches("(")`.
import { childrenOf, type Node } from './ast.ts'
import type { CheckProblem } from './check.ts'
import { parseDuration, parseTimestamp } from './functions/times.ts'
import { isBadExpression, regularExpression } from './regular-expression.ts'
import { EvaluationError } from './values.ts'

const fails = (read: () => unknown): boolean => {
  try {
    read()
    return false
  } catch (error) {
    if (error instanceof EvaluationError) return true
    throw error
  }
}

const isWrong: Readonly<Record<string, (text: string) => boolean>> = {
  duration: (text) => fails(() => parseDuration(text)),
  timestamp: (text) => fails(() => parseTimestamp(text)),
  matches: (text) => isBadExpression(regularExpression(text)),
}

export const literalProblems = (node: Node): readonly CheckProblem[] => [
  ...problemOf(node),
  ...childrenOf(node).flatMap(literalProblems),
]

const problemOf = (node: Node): CheckProblem[] => {
  if (node.kind !== 'call' || !Object.hasOwn(isWrong, node.name)) return []
  const argument = node.args.at(-1)
  if (argument?.kind !== 'literal' || typeof argument.value !== 'string') return []
  return isWrong[node.name]!(argument.value) ? [{ message: `invalid ${node.name} argument`, at: argument.at }] : []
}
