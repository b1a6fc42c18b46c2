// The expressions of a policy as programs, compiled once for as long as the policy stays as it is. What does not compile is
// kept as such: a policy may be older than the rules that refuse it now.
import type {
  MutatingAdmissionPolicySpec,
  ValidatingAdmissionPolicySpec,
} from '@shiplog/api/generated/types/admissionregistration-v1'
import type { Program } from '@shiplog/cel/evaluate'
import { dyn, type Type } from '@shiplog/cel/types'
import { expressions } from '@shiplog/custom-resources/expressions/late'
import {
  type ExpressionScope,
  parameterScope,
  patchMessages,
  requestScope,
  withComposed,
  without,
} from '../expressions/expression-scope.ts'

export type PolicySpec = ValidatingAdmissionPolicySpec | MutatingAdmissionPolicySpec

export interface CompiledExpression {
  readonly text: string
  readonly program: Program | { readonly problem: string }
}

export interface CompiledPolicy {
  readonly variables: ReadonlyMap<string, CompiledExpression>
  readonly conditions: readonly CompiledExpression[]
  readonly validations: readonly CompiledExpression[]
  /** By the validation that they belong to. */
  readonly messages: readonly (CompiledExpression | undefined)[]
  readonly annotations: readonly CompiledExpression[]
  readonly mutations: readonly CompiledExpression[]
}

interface Compiled extends CompiledExpression {
  readonly type: Type
}

const compile = (text: string, scope: ExpressionScope, messages?: typeof patchMessages): Compiled => {
  const { compileExpression, isBadExpression } = expressions()
  const found = compileExpression(text, { variables: scope, sizeOf: () => undefined, ...(messages ? { messages } : {}) })
  if (isBadExpression(found)) return { text, type: dyn, program: { problem: `compilation failed: ${found.problem}` } }
  const { programProblem, program, type } = found
  return programProblem === undefined
    ? { text, type, program }
    : { text, type, program: { problem: `program instantiation failed: ${programProblem}` } }
}

const known = new WeakMap<PolicySpec, CompiledPolicy>()

export const compiledPolicy = (spec: PolicySpec): CompiledPolicy => {
  let policy = known.get(spec)
  if (!policy) known.set(spec, (policy = compilePolicy(spec)))
  return policy
}

function compilePolicy(spec: PolicySpec): CompiledPolicy {
  const base = spec.paramKind ? parameterScope : requestScope
  const variables = new Map<string, CompiledExpression>()
  const types = new Map<string, Type>()
  for (const { name, expression } of spec.variables ?? []) {
    const variable = compile(expression, withComposed(base, new Map(types)))
    variables.set(name, variable)
    types.set(name, variable.type)
  }
  const scope = withComposed(base, types)
  const { validations, auditAnnotations } = spec as ValidatingAdmissionPolicySpec
  const { mutations } = spec as MutatingAdmissionPolicySpec
  return {
    variables,
    conditions: (spec.matchConditions ?? []).map(({ expression }) => compile(expression, scope)),
    validations: (validations ?? []).map(({ expression }) => compile(expression, scope)),
    messages: (validations ?? []).map(({ messageExpression }) =>
      messageExpression ? compile(messageExpression, without(scope, 'authorizer')) : undefined,
    ),
    annotations: (auditAnnotations ?? []).map(({ valueExpression }) => compile(valueExpression, scope)),
    mutations: (mutations ?? []).map(({ jsonPatch, applyConfiguration }) =>
      compile((jsonPatch ?? applyConfiguration)?.expression ?? '', scope, patchMessages),
    ),
  }
}
