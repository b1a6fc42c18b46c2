// The admission plugin ValidatingAdmissionPolicy: its dispatcher is
// k8s.io/apiserver/pkg/admission/plugin/policy/validating/dispatcher.go.
import { ApiError, forbidden, type Status } from '@shiplog/api/status'
import type { Decision } from '@shiplog/domain/policy/evaluate-policy'
import type { AskedWrite, AsyncAdmissionPlugin } from '@shiplog/domain/write/async-admission'
import { answerOf, type PolicyAnswerDeps } from './policy-answers.ts'
import { createPolicyIndex, type PolicyIndex } from './policy-index.ts'
import { inputsOf, type Invocation, invocationsOf, type Unusable } from './policy-invocations.ts'
import type { ParamDeps } from './policy-params.ts'
import type { PolicyMetrics } from './policy-metrics.ts'

export interface PolicyDeps extends ParamDeps, PolicyAnswerDeps {
  readonly metrics: PolicyMetrics
  readonly nowMs: () => number
}

const annotationBytesMax = 10 * 1024

const codes: Readonly<Record<string, number>> = { Forbidden: 403, Unauthorized: 401, RequestEntityTooLarge: 413, Invalid: 422 }

interface Denial {
  readonly message: string
  readonly reason: string
}

export function createValidatingPolicies(
  deps: PolicyDeps & Parameters<typeof createPolicyIndex>[0] & { readonly inPlace: boolean },
): AsyncAdmissionPlugin {
  const index = createPolicyIndex(deps, {
    policies: 'validatingadmissionpolicies.admissionregistration.k8s.io',
    bindings: 'validatingadmissionpolicybindings.admissionregistration.k8s.io',
  })
  return {
    name: 'ValidatingAdmissionPolicy',
    inPlace: deps.inPlace,
    handles: (aim) => index.about(aim).length > 0,
    validate: (asked) => validate(deps, index, asked),
  }
}

async function validate(deps: PolicyDeps, index: PolicyIndex, asked: AskedWrite): Promise<readonly string[]> {
  const denials: Denial[] = []
  const warnings: string[] = []
  const annotations = new Map<string, string[]>()
  for (const found of invocationsOf(deps, index.about(asked), asked)) {
    if ('error' in found) {
      if (found.policy.spec.failurePolicy !== 'Ignore') denials.push({ message: deniedBy(found, found.error), reason: '' })
      continue
    }
    for (const params of found.params) await judge(deps, asked, found, params, { denials, warnings, annotations })
  }
  for (const [key, values] of annotations) asked.notes.annotations.set(key, values.join(', '))
  if (denials.length > 0) throw new ApiError(denialStatus(asked, denials[0]!))
  return warnings
}

interface Outcome {
  readonly denials: Denial[]
  readonly warnings: string[]
  readonly annotations: Map<string, string[]>
}

async function judge(
  deps: PolicyDeps,
  asked: AskedWrite,
  invocation: Invocation,
  params: Invocation['params'][number],
  outcome: Outcome,
): Promise<void> {
  const { policy, binding } = invocation
  const startMs = deps.nowMs()
  const inputs = await inputsOf(deps, asked, invocation, params)
  const answer = await answerOf(deps, { about: 'validations', spec: policy.spec, inputs })
  const seconds = (deps.nowMs() - startMs) / 1_000
  if (!('decisions' in answer)) {
    if ('error' in answer) outcome.denials.push({ message: deniedBy(invocation, answer.error), reason: '' })
    return
  }
  for (const [at, decision] of answer.decisions.entries()) {
    if (decision.admits) deps.metrics.checked(policy.name, binding.name, 'allow', errorType(decision), seconds)
    else act(deps, asked, invocation, decision, at, outcome, seconds)
  }
  for (const { key, value, error } of answer.annotations) {
    if (error !== undefined) outcome.denials.push({ message: deniedBy(invocation, error), reason: '' })
    else addAnnotation(outcome.annotations, `${policy.name}/${key}`, value ?? '')
  }
}

const errorType = ({ isError, message }: Decision): string => {
  if (!isError) return 'no_error'
  if (message.startsWith('compilation')) return 'compile_error'
  return message.startsWith('validation failed due to running out of cost budget') ? 'out_of_budget' : 'invalid_error'
}

function act(
  { metrics }: PolicyDeps,
  { notes }: AskedWrite,
  invocation: Invocation,
  decision: Decision,
  expressionIndex: number,
  outcome: Outcome,
  seconds: number,
): void {
  const { policy, binding } = invocation
  const actions = binding.spec.validationActions ?? []
  const { message } = decision
  for (const action of actions) {
    metrics.checked(policy.name, binding.name, action.toLowerCase(), errorType(decision), seconds)
    if (action === 'Deny') outcome.denials.push({ message: deniedBy(invocation, message), reason: decision.reason })
    else if (action === 'Warn')
      outcome.warnings.push(
        `Validation failed for ValidatingAdmissionPolicy '${policy.name}' with binding '${binding.name}': ${message}`,
      )
    else {
      const told = { message, policy: policy.name, binding: binding.name, expressionIndex, validationActions: actions }
      // Upstream's first one stays.
      const key = 'validation.policy.admission.k8s.io/validation_failure'
      if (!notes.annotations.has(key)) notes.annotations.set(key, JSON.stringify([told]))
    }
  }
}

function addAnnotation(annotations: Outcome['annotations'], key: string, value: string): void {
  const bytes = Buffer.from(value)
  const kept = bytes.length > annotationBytesMax ? bytes.subarray(0, annotationBytesMax).toString('utf8') : value
  const known = annotations.get(key)
  if (!known) annotations.set(key, [kept])
  else if (!known.includes(kept)) known.push(kept)
}

const deniedBy = ({ policy, binding }: Invocation | Unusable, message: string): string =>
  binding
    ? `ValidatingAdmissionPolicy '${policy.name}' with binding '${binding.name}' denied request: ${message}`
    : `ValidatingAdmissionPolicy '${policy.name}' denied request: ${message}`

/** The name that an answer names: that of a request, or what the object says of it. */
export const nameIn = ({ name, object }: AskedWrite): string =>
  name || object?.metadata?.name || object?.metadata?.generateName || 'Unknown'

function denialStatus(asked: AskedWrite, { message, reason }: Denial): Status {
  const status = forbidden(asked.kind.resource, nameIn(asked), message)
  const told = reason || 'Invalid'
  const details = { ...status.details, causes: [...(status.details?.causes ?? []), { message }] }
  return { ...status, reason: told, code: codes[told] ?? 422, details }
}
