// An expression from its text to a program, with all that can be known before it runs.
import { anyNode, type Node } from './ast.ts'
import { check, type MessageTypes } from './check.ts'
import { estimateCost, type SizeOf } from './estimate.ts'
import { compileProgram, type Program } from './evaluate.ts'
import { spendSteps } from './meter.ts'
import { literalProblems, programProblem } from './literals.ts'
import { parse } from './parse.ts'
import { sourceError } from './source-error.ts'
import type { Type } from './types.ts'

export interface Expression {
  readonly type: Type
  readonly program: Program
  /** Why it could never run, although nothing is wrong with its types. */
  readonly programProblem?: string
  /** The most that it can cost. */
  readonly maxCost: number
  /** Whether it looks at a variable. */
  readonly uses: (variable: string) => boolean
}

export interface BadExpression {
  /** All that is wrong, each with where it is. */
  readonly problem: string
}

export interface Environment {
  readonly variables: ReadonlyMap<string, Type>
  readonly sizeOf: SizeOf
  /** Messages that may be written; none by default. */
  readonly messages?: MessageTypes
}

export const isBadExpression = (one: Expression | BadExpression): one is BadExpression => 'problem' in one

/** Reading, checking and pricing an expression, for each character of it. */
const stepsOfCharacter = 300

export const compileExpression = (text: string, { variables, sizeOf, messages }: Environment): Expression | BadExpression => {
  spendSteps(text.length * stepsOfCharacter)
  const parsed = parse(text)
  if ('problem' in parsed) return { problem: sourceError(text, parsed.at, parsed.problem) }
  const { node } = parsed
  const checked = check(node, variables, messages)
  const problems = checked.length > 0 ? checked : literalProblems(node)
  if (problems.length > 0)
    return { problem: problems.map(({ message, at }) => sourceError(text, at, message)).join('\n') }
  const instantiation = programProblem(node)
  return {
    type: node.type!,
    program: compileProgram(node),
    ...(instantiation === undefined ? {} : { programProblem: instantiation }),
    maxCost: estimateCost(node, sizeOf).max,
    uses: (variable) => anyNode(node, (one: Node) => one.kind === 'ident' && one.name === variable),
  }
}
