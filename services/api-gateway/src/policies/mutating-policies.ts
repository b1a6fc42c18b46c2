// The admission plugin MutatingAdmissionPolicy: k8s.io/apiserver/pkg/admission/plugin/policy/mutating, and the dispatcher that
// it stands on.
import { MergeError, mergeConfiguration } from '@shiplog/api/apply/merge-configuration'
import { cloneJson } from '@shiplog/api/clone-json'
import type { MutatingAdmissionPolicySpec } from '@shiplog/api/generated/types/admissionregistration-v1'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { applyJsonPatch } from '@shiplog/api/patch/json-patch'
import { apiVersionOf } from '@shiplog/api/schema/schema'
import { ApiError, forbidden, internalError, isApiError } from '@shiplog/api/status'
import { deepEqual } from '@shiplog/domain/deep-equal'
import type { AskedWrite, AsyncAdmissionPlugin } from '@shiplog/domain/write/async-admission'
import { answerOf } from './policy-answers.ts'
import { createPolicyIndex, type PolicyIndex } from './policy-index.ts'
import { inputsOf, type Invocation, invocationsOf, type Unusable } from './policy-invocations.ts'
import { nameIn, type PolicyDeps } from './validating-policies.ts'

const pluginName = 'MutatingAdmissionPolicy'

export function createMutatingPolicies(
  deps: PolicyDeps & Parameters<typeof createPolicyIndex>[0] & { readonly inPlace: boolean },
): AsyncAdmissionPlugin {
  const index = createPolicyIndex(deps, {
    policies: 'mutatingadmissionpolicies.admissionregistration.k8s.io',
    bindings: 'mutatingadmissionpolicybindings.admissionregistration.k8s.io',
  })
  return {
    name: pluginName,
    inPlace: deps.inPlace,
    handles: (aim) => index.about(aim).length > 0,
    mutate: (asked) => mutate(deps, index, asked),
  }
}

/** What the first run of mutating admission leaves for the second. */
interface Memory {
  readonly reinvocable: Set<string>
  readonly again: Set<string>
  /** As the last policy left it. */
  last: KubeObject | undefined
}

function memoryOf({ memory }: AskedWrite['reinvocation']): Memory {
  let known = memory.get(pluginName) as Memory | undefined
  if (!known) memory.set(pluginName, (known = { reinvocable: new Set(), again: new Set(), last: undefined }))
  return known
}

function reinvokeEarlier({ reinvocable, again }: Memory): void {
  for (const key of reinvocable) again.add(key)
  reinvocable.clear()
}

interface Failure {
  readonly message: string
  readonly reason: string
}

async function mutate(deps: PolicyDeps, index: PolicyIndex, asked: AskedWrite): Promise<void> {
  const failures: Failure[] = []
  const invocations: Invocation[] = []
  const fail = (by: Invocation | Unusable, error: string, reason: string): void => {
    if (by.policy.spec.failurePolicy !== 'Ignore') failures.push({ message: deniedBy(by, error), reason })
  }
  for (const found of invocationsOf(deps, index.about(asked), asked)) {
    if ('error' in found) fail(found, found.error, '')
    else invocations.push(found)
  }
  const { reinvocation } = asked
  const memory = memoryOf(reinvocation)
  if (invocations.length > 0 && reinvocation.isSecond && !deepEqual(memory.last, asked.object)) reinvokeEarlier(memory)
  for (const invocation of invocations)
    for (const params of invocation.params) await invoke(deps, asked, invocation, params, memory, fail)
  if (invocations.length > 0) memory.last = asked.object && cloneJson(asked.object)
  if (failures.length > 0) throw new ApiError(denialStatus(asked, failures))
}

/** One policy with one parameter: its conditions, then its mutations one after another. */
async function invoke(
  deps: PolicyDeps,
  asked: AskedWrite,
  invocation: Invocation,
  params: JsonObject | undefined,
  memory: Memory,
  fail: (by: Invocation, error: string, reason: string) => void,
): Promise<void> {
  const { policy, binding } = invocation
  const spec = policy.spec as MutatingAdmissionPolicySpec
  const inputs = await inputsOf(deps, asked, invocation, params)
  const matched = await answerOf(deps, { about: 'conditions', spec, inputs })
  if ('error' in matched) return fail(invocation, matched.error, 'Invalid')
  if (!('matches' in matched) || !matched.matches) return
  const { metadata } = (params ?? {}) as Partial<KubeObject>
  const key = [policy.name, binding.name, metadata?.namespace ?? '', metadata?.name ?? ''].join('/')
  const { isSecond } = asked.reinvocation
  if (isSecond && !memory.again.has(key)) return
  if (!asked.object) return
  const before = cloneJson(asked.object)
  for (const index of (spec.mutations ?? []).keys()) {
    const startMs = deps.nowMs()
    const error = await mutateBy(deps, asked, invocation, params, index)
    const seconds = (deps.nowMs() - startMs) / 1_000
    deps.metrics.checked(policy.name, binding.name, error === undefined ? 'allow' : 'deny', errorType(error), seconds)
    if (error !== undefined) fail(invocation, error, 'Invalid')
  }
  const changed = !deepEqual(before, asked.object)
  if (changed) {
    reinvokeEarlier(memory)
    asked.reinvocation.request()
    asked.notes.changes.push({
      by: `MutatingAdmissionPolicy/${policy.name}`,
      name: binding.name,
      paths: changedPaths(before, asked.object, ''),
    })
  }
  if (spec.reinvocationPolicy === 'IfNeeded') memory.reinvocable.add(key)
}

const errorType = (error: string | undefined): string => {
  if (error === undefined) return 'no_error'
  if (error.startsWith('compilation')) return 'compile_error'
  return error.startsWith('validation failed due to running out of cost budget') ? 'out_of_budget' : 'invalid_error'
}

/** Makes the draft what one mutation wants it to be; a sentence when that cannot be. */
async function mutateBy(
  deps: PolicyDeps,
  asked: AskedWrite,
  invocation: Invocation,
  params: JsonObject | undefined,
  index: number,
): Promise<string | undefined> {
  const spec = invocation.policy.spec as MutatingAdmissionPolicySpec
  const inputs = await inputsOf(deps, asked, invocation, params)
  const answer = await answerOf(deps, { about: 'mutation', spec, inputs, index })
  if ('error' in answer) return answer.error
  if (!('patch' in answer)) return 'the mutation has no answer'
  const shown = inputs.object!
  try {
    const patched = spec.mutations![index]!.jsonPatch
      ? patchedBy(shown, answer.patch)
      : configured(asked, invocation, shown, answer.patch as JsonObject)
    if (patched === shown) return undefined
    if (spec.mutations![index]!.jsonPatch) checkFields(asked, invocation, patched)
    await invocation.form.put(asked.object!, patched)
    asked.kind.strategy.setDefaults?.(asked.object!)
    return undefined
  } catch (error) {
    if (error instanceof MergeError) return `error applying patch: ${error.message}`
    if (error instanceof PatchFailed) return error.message
    throw isApiError(error) && error.status.code !== 500 ? new ApiError(internalError(error.message)) : error
  }
}

/** What a patch has added must be something that the kind has. */
function checkFields({ kind }: AskedWrite, { resource }: Invocation, patched: JsonObject): void {
  if (resource !== kind.resource) return
  const { unknown } = kind.decode(patched)
  if (unknown.length === 0) return
  const why = `strict decoding error: ${unknown.map((path) => `unknown field ${JSON.stringify(path)}`).join(', ')}`
  throw new ApiError(internalError(why))
}

class PatchFailed extends Error {}

function patchedBy(shown: JsonObject, patch: unknown): JsonObject {
  try {
    return applyJsonPatch(shown, patch)
  } catch (error) {
    if (!isApiError(error)) throw error
    const why = typeof error.cause === 'string' ? error.cause : error.message
    // A test that fails means that the patch is not wanted.
    if (why.endsWith(': test failed')) return shown
    throw new PatchFailed(`JSON Patch: ${why}`)
  }
}

function configured(
  { kind }: AskedWrite,
  { resource, form }: Invocation,
  shown: JsonObject,
  patch: JsonObject,
): JsonObject {
  const configuration = { ...patch, apiVersion: apiVersionOf(form.group, form.version), kind: form.kind }
  return mergeConfiguration(kind.registry, resource.definition, shown, configuration)
}

/** Pointers to what differs. */
function changedPaths(before: unknown, after: unknown, path: string): string[] {
  if (deepEqual(before, after)) return []
  const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)
  if (!isObject(before) || !isObject(after)) return [path]
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((name) =>
    changedPaths(before[name], after[name], `${path}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`),
  )
}

const deniedBy = ({ policy, binding }: Invocation | Unusable, error: string): string =>
  binding
    ? `policy '${policy.name}' with binding '${binding.name}' denied request: ${error}`
    : `policy "${policy.name}" denied request: ${error}`

function denialStatus(asked: AskedWrite, failures: readonly Failure[]) {
  const [first] = failures
  const causes = failures.map(({ message }) => ({ message }))
  const status = forbidden(asked.kind.resource, nameIn(asked), 'admission request denied by policy', causes)
  return { ...status, message: first!.message, ...(first!.reason ? { reason: first!.reason } : {}) }
}
