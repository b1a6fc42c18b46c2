// The rules of a schema (`x-kubernetes-validations`), compiled once: whether each is an expression, what it comes to, what
// it can cost (k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/compilation.go).
import { compileExpression, isBadExpression, type Environment, type Expression } from '@shiplog/cel/expression'
import { optionalOf } from '@shiplog/cel/types'
import type { ValidationRule } from '@shiplog/api/generated/types/apiextensions-v1'
import type { StructuralSchema } from '../schema/structural-schema.ts'
import { fieldPath, isBadPath } from '../rules/field-path.ts'
import { lazily } from './lazily.ts'
import { requestBytesMax, sizeAt, type DeclaredType } from './declared-types.ts'

export interface CompiledRule {
  readonly rule: ValidationRule
  readonly expression?: Expression
  /** Why the rule is none. */
  readonly problem?: string
  readonly message?: Expression
  readonly messageProblem?: string
  readonly usesOldSelf: boolean
  /** How often it may run where nothing bounds that. */
  readonly cardinality: number
  /** Where below the value its failure is told of. */
  readonly path: string
}

/** Each is compiled when it is first asked for: of many not all need fit into one turn (libs/cel/src/meter.ts). */
export const compileRules = (schema: StructuralSchema, declared: DeclaredType): readonly (() => CompiledRule)[] =>
  schema.validations.map((rule) => lazily(() => compileRule(rule, schema, declared)))

const environment = (declared: DeclaredType, isOptional: boolean): Environment => ({
  variables: new Map([
    ['self', declared.type],
    ['oldSelf', isOptional ? optionalOf(declared.type) : declared.type],
  ]),
  sizeOf: (path) => sizeAt(declared, path),
})

const compileRule = (rule: ValidationRule, schema: StructuralSchema, declared: DeclaredType): CompiledRule => {
  const base = {
    rule,
    usesOldSelf: false,
    cardinality: Math.trunc(requestBytesMax / (declared.bytesMin + 1)),
    path: pathOf(rule, schema),
  }
  if (rule.rule.trim() === '') return base
  const scope = environment(declared, rule.optionalOldSelf === true)
  const expression = compileExpression(rule.rule, scope)
  if (isBadExpression(expression)) return { ...base, problem: `compilation failed: ${expression.problem}` }
  if (expression.type.kind !== 'bool') return { ...base, problem: 'cel expression must evaluate to a bool' }
  if (expression.programProblem !== undefined)
    return { ...base, problem: `program instantiation failed: ${expression.programProblem}` }
  return { ...base, expression, usesOldSelf: expression.uses('oldSelf'), ...compileMessage(rule, scope) }
}

const compileMessage = (
  rule: ValidationRule,
  scope: Environment,
): Pick<CompiledRule, 'message' | 'messageProblem'> => {
  if (!rule.messageExpression) return {}
  const message = compileExpression(rule.messageExpression, scope)
  if (isBadExpression(message)) return { messageProblem: `messageExpression compilation failed: ${message.problem}` }
  if (message.type.kind !== 'string') return { messageProblem: 'messageExpression must evaluate to a string' }
  return message.programProblem === undefined
    ? { message }
    : { messageProblem: `messageExpression instantiation failed: ${message.programProblem}` }
}

const pathOf = (rule: ValidationRule, schema: StructuralSchema): string => {
  if (!rule.fieldPath) return ''
  const path = fieldPath(rule.fieldPath, schema)
  return isBadPath(path) ? '' : path.shown
}
