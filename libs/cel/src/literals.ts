// Calls whose arguments are all there in the text are judged before the expression runs: `duration("1x")`, `int("a")`,
// `matches("(")`, `"%d".format(["a"])`.
import { type CallNode, childrenOf, type Node } from './ast.ts'
import type { CheckProblem } from './check.ts'
import { compileProgram } from './evaluate.ts'
import { clauseProblem, formatClauses } from './functions/format-text.ts'
import { parseDuration, parseTimestamp } from './functions/times.ts'
import { isBadExpression, regularExpression } from './regular-expression.ts'
import type { Type } from './types.ts'
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

/** What is told of with its place. */
export const literalProblems = (node: Node): readonly CheckProblem[] =>
  [...problemsIn(node)].sort((a, b) => a.at - b.at)

const problemsIn = (node: Node): CheckProblem[] => [...problemOf(node), ...childrenOf(node).flatMap(problemsIn)]

const problemOf = (node: Node): CheckProblem[] => {
  if (node.kind !== 'call') return []
  if (node.name === 'format') return formatProblem(node)
  if (!Object.hasOwn(isWrong, node.name)) return []
  const argument = node.args.at(-1)
  if (argument?.kind !== 'literal' || typeof argument.value !== 'string') return []
  return isWrong[node.name]!(argument.value) ? [{ message: `invalid ${node.name} argument`, at: argument.at }] : []
}

/** Types that each clause shows. */
const clauseKinds: Readonly<Record<string, readonly Type['kind'][]>> = {
  s: ['list', 'map', 'int', 'uint', 'double', 'bool', 'string', 'timestamp', 'bytes', 'duration', 'type', 'null_type'],
  d: ['int', 'uint'],
  f: ['double', 'string'],
  e: ['double', 'string'],
  b: ['int', 'uint', 'bool'],
  x: ['int', 'uint', 'string', 'bytes'],
  o: ['int', 'uint'],
}

const formatProblem = (node: CallNode): CheckProblem[] => {
  const [list] = node.args
  if (node.target?.kind !== 'literal' || typeof node.target.value !== 'string' || list?.kind !== 'list') return []
  const { clauses, problem } = formatClauses(node.target.value)
  for (const [index, clause] of clauses.entries()) {
    const argument = list.elements[index]
    if (!argument) return [{ message: `index ${index} out of range`, at: node.at }]
    const wrong = unshown(argument, clause)
    if (wrong) return [{ message: clauseProblem(clause, nameOf(wrong.type!)), at: wrong.at }]
  }
  if (problem !== undefined) return [{ message: problem, at: node.at }]
  return list.elements.length > clauses.length
    ? [
        {
          message: `too many arguments supplied to string.format (expected ${clauses.length}, got ${list.elements.length})`,
          at: node.at,
        },
      ]
    : []
}

const nameOf = (type: Type): string =>
  type.kind === 'timestamp' || type.kind === 'duration'
    ? `google.protobuf.${type.kind === 'timestamp' ? 'Timestamp' : 'Duration'}`
    : type.name

/** The part of an argument that the clause cannot show. */
const unshown = (node: Node, clause: string): Node | undefined => {
  const kind = node.type?.kind ?? 'dyn'
  if (kind !== 'dyn' && !clauseKinds[clause]!.includes(kind)) return node
  if (clause !== 's' || (node.kind !== 'list' && node.kind !== 'map')) return undefined
  return childrenOf(node)
    .map((child) => unshown(child, clause))
    .find((found) => found !== undefined)
}

const conversions: ReadonlySet<string> = new Set(['bool', 'bytes', 'double', 'duration', 'dyn', 'int', 'string', 'timestamp', 'type', 'uint'])

/** Why an expression that is right in itself makes no program; undefined when it does. */
export const programProblem = (node: Node): string | undefined => {
  for (const child of childrenOf(node)) {
    const problem = programProblem(child)
    if (problem !== undefined) return problem
  }
  if (node.kind !== 'call') return undefined
  const [argument] = node.args
  if (argument?.kind !== 'literal') return undefined
  if (conversions.has(node.name) && !node.target) return compileProgram(node)({}, 1_000).error
  if ((node.name !== 'find' && node.name !== 'findAll') || typeof argument.value !== 'string') return undefined
  const expression = regularExpression(argument.value)
  return isBadExpression(expression) ? expression.problem : undefined
}
