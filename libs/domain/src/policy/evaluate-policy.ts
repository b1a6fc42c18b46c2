// What a policy says of one request and one parameter: k8s.io/apiserver/pkg/admission/plugin/policy/validating/validator.go,
// …/mutating/patch and …/plugin/cel. A question is data, so that it can be answered on another thread; whoever is asked for
// permissions answers through `ask`, which may throw AnswerAwaited.
import type {
  MutatingAdmissionPolicySpec,
  ValidatingAdmissionPolicySpec,
  Validation,
} from '@shiplog/api/generated/types/admissionregistration-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import { type AccessQuestion, type Ask, type AskedUser, authorizerValue } from '@shiplog/cel/functions/authorizer'
import { jsonValue } from '@shiplog/cel/json-values'
import { EvaluationError } from '@shiplog/cel/values'
import { type CompiledPolicy, compiledPolicy, type PolicySpec } from './compiled-policy.ts'
import { activate, BudgetSpent, type Result } from './policy-activation.ts'
import { configurationOf, operationsOf } from './policy-patch.ts'

/** What the expressions of one policy may cost for one request and parameter, and its conditions. */
export const policyCostMax = 10_000_000
export const conditionsCostMax = 2_500_000
const messageBytesMax = 5 * 1024

/** What expressions look at. */
export interface PolicyInputs {
  readonly object: JsonObject | undefined
  readonly oldObject: JsonObject | undefined
  readonly request: JsonObject
  /** The request as match conditions see it: of the resource that was asked for. */
  readonly conditionRequest: JsonObject
  readonly params: JsonObject | undefined
  readonly namespaceObject: JsonObject | undefined
  readonly user: AskedUser
  /** What `authorizer.requestResource` is about. */
  readonly requestResource: Omit<AccessQuestion, 'user' | 'verb'>
}

export type PolicyQuestion = { readonly spec: PolicySpec; readonly inputs: PolicyInputs } & (
  | { readonly about: 'validations' | 'conditions' }
  | { readonly about: 'mutation'; readonly index: number }
)

export interface Decision {
  readonly admits: boolean
  readonly isError: boolean
  readonly message: string
  readonly reason: string
}

export interface AuditAnnotation {
  readonly key: string
  readonly value?: string
  readonly error?: string
}

export type PolicyAnswer =
  | { readonly decisions: readonly Decision[]; readonly annotations: readonly AuditAnnotation[] }
  | { readonly matches: boolean }
  | { readonly patch: JsonObject | readonly JsonObject[] }
  | { readonly error: string }

const plainVariables = (inputs: PolicyInputs, request: JsonObject, namespace: boolean, ask: Ask | undefined) => ({
  object: jsonValue(inputs.object),
  oldObject: jsonValue(inputs.oldObject),
  params: jsonValue(inputs.params),
  request: jsonValue(request),
  namespaceObject: namespace ? jsonValue(inputs.namespaceObject) : null,
  ...(ask ? { authorizer: authorizerValue(inputs.user, ask, inputs.requestResource) } : {}),
})

/** Answers a question. Throws AnswerAwaited when `ask` does. */
export function answerPolicy(question: PolicyQuestion, ask: Ask): PolicyAnswer {
  const { spec, inputs } = question
  const compiled = compiledPolicy(spec)
  try {
    if (question.about === 'mutation') return mutationOf(spec as MutatingAdmissionPolicySpec, compiled, inputs, question.index, ask)
    const matched = conditionsOf(spec, compiled, inputs, ask)
    if (question.about === 'conditions') return matched
    if ('error' in matched) return deniedBy(spec, matched.error)
    if (!matched.matches) return { decisions: [], annotations: [] }
    return validationsOf(spec as ValidatingAdmissionPolicySpec, compiled, inputs, ask)
  } catch (error) {
    if (!(error instanceof BudgetSpent)) throw error
    return question.about === 'validations' ? deniedBy(spec, error.message) : { error: error.message }
  }
}

const ignores = ({ failurePolicy }: PolicySpec): boolean => failurePolicy === 'Ignore'

const deniedBy = (spec: PolicySpec, message: string): PolicyAnswer => ({
  decisions: [{ admits: ignores(spec), isError: true, message, reason: '' }],
  annotations: [],
})

const aggregate = (errors: readonly string[]): string => {
  const distinct = [...new Set(errors)]
  return distinct.length === 1 ? distinct[0]! : `[${distinct.join(', ')}]`
}

/** Whether all conditions are true; one that is false decides, whatever is wrong with the others. */
function conditionsOf(
  spec: PolicySpec,
  compiled: CompiledPolicy,
  inputs: PolicyInputs,
  ask: Ask,
): { readonly matches: boolean } | { readonly error: string } {
  if (compiled.conditions.length === 0) return { matches: true }
  const variables = plainVariables(inputs, inputs.conditionRequest, false, ask)
  const { evaluate } = activate(compiled, variables, conditionsCostMax)
  const errors: string[] = []
  let isFalse = false
  try {
    for (const condition of compiled.conditions) {
      const result = evaluate(condition)
      if ('error' in result) errors.push(result.error)
      else if (result.value === false) isFalse = true
    }
  } catch (error) {
    if (!(error instanceof BudgetSpent)) throw error
    return ignores(spec) ? { matches: false } : { error: error.message }
  }
  if (isFalse) return { matches: false }
  if (errors.length === 0) return { matches: true }
  return ignores(spec) ? { matches: false } : { error: aggregate(errors) }
}

function validationsOf(
  spec: ValidatingAdmissionPolicySpec,
  compiled: CompiledPolicy,
  inputs: PolicyInputs,
  ask: Ask,
): PolicyAnswer {
  const variables = plainVariables(inputs, inputs.request, true, ask)
  const { evaluate, left } = activate(compiled, variables, policyCostMax)
  const results = compiled.validations.map(evaluate)
  const messages = messagesOf(compiled, inputs, left())
  const decisions = results.map((result, index): Decision => {
    const { validations = [] } = spec
    if ('error' in result) return { admits: ignores(spec), isError: true, message: result.error, reason: '' }
    if ('error' in messages)
      return { admits: ignores(spec), isError: true, message: `failed messageExpression: ${messages.error}`, reason: '' }
    if (result.value === true) return { admits: true, isError: false, message: '', reason: '' }
    const validation = validations[index]!
    const message = messageFor(validation, messages.results[index])
    return { admits: false, isError: false, message, reason: validation.reason ?? 'Invalid' }
  })
  return { decisions, annotations: annotationsOf(spec, compiled, inputs, ask) }
}

function messagesOf(
  compiled: CompiledPolicy,
  inputs: PolicyInputs,
  budget: number,
): { readonly results: readonly (Result | undefined)[] } | { readonly error: string } {
  if (compiled.messages.every((message) => message === undefined)) return { results: [] }
  const { evaluate } = activate(compiled, plainVariables(inputs, inputs.request, true, undefined), budget)
  try {
    return { results: compiled.messages.map((message) => message && evaluate(message)) }
  } catch (error) {
    if (!(error instanceof BudgetSpent)) throw error
    return { error: error.message }
  }
}

function messageFor({ message = '', expression }: Validation, result: Result | undefined): string {
  if (result && 'value' in result && typeof result.value === 'string') {
    const text = result.value.trim()
    if (text !== '' && Buffer.byteLength(text) <= messageBytesMax && !text.includes('\n')) return text
  }
  return message.trim() || `failed expression: ${expression.trim()}`
}

function annotationsOf(
  spec: ValidatingAdmissionPolicySpec,
  compiled: CompiledPolicy,
  inputs: PolicyInputs,
  ask: Ask,
): readonly AuditAnnotation[] {
  const { auditAnnotations = [] } = spec
  if (auditAnnotations.length === 0) return []
  const { evaluate } = activate(compiled, plainVariables(inputs, inputs.request, true, ask), policyCostMax)
  return auditAnnotations.flatMap(({ key }, index): AuditAnnotation[] => {
    const result = evaluate(compiled.annotations[index]!)
    if ('error' in result) return ignores(spec) ? [] : [{ key, error: result.error }]
    const value = typeof result.value === 'string' ? result.value.trim() : ''
    return value === '' ? [] : [{ key, value }]
  })
}

function mutationOf(
  spec: MutatingAdmissionPolicySpec,
  compiled: CompiledPolicy,
  inputs: PolicyInputs,
  index: number,
  ask: Ask,
): PolicyAnswer {
  const { evaluate } = activate(compiled, plainVariables(inputs, inputs.request, true, ask), policyCostMax)
  const result = evaluate(compiled.mutations[index]!)
  if ('error' in result) return result
  try {
    return { patch: spec.mutations![index]!.jsonPatch ? operationsOf(result.value) : configurationOf(result.value) }
  } catch (error) {
    if (!(error instanceof EvaluationError)) throw error
    return { error: error.message }
  }
}
