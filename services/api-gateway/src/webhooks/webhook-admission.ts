// The admission plugins MutatingAdmissionWebhook and ValidatingAdmissionWebhook: those that change one after another, those
// that judge all at once. The dispatchers of k8s.io/apiserver/pkg/admission/plugin/webhook.
import { ApiError, internalError, isApiError } from '@shiplog/api/status'
import { deepEqual } from '@shiplog/domain/deep-equal'
import { cloneJson } from '@shiplog/api/clone-json'
import type { KubeObject } from '@shiplog/api/kube-object'
import { type Hook, hooksOf, type HookType } from '@shiplog/domain/webhook/hooks'
import { isExempt } from '@shiplog/domain/webhook/rules'
import type { AdmissionAim, AskedWrite, AsyncAdmissionPlugin } from '@shiplog/domain/write/async-admission'
import type { Logger } from '@shiplog/runtime/logger'
import { type CallDeps, CallFailed, callHook, Refused, showObjects } from './call.ts'
import { type Invocation, type InvocationDeps, invocationOf, mayMatch } from './invocation.ts'
import { applyAnswer, pathsOf } from './webhook-patch.ts'

export interface WebhookAdmissionDeps extends InvocationDeps, CallDeps {
  readonly logger: Logger
}

const configurations: Readonly<Record<HookType, string>> = {
  admit: 'mutatingwebhookconfigurations.admissionregistration.k8s.io',
  validating: 'validatingwebhookconfigurations.admissionregistration.k8s.io',
}

const mutatingName = 'MutatingAdmissionWebhook'
const validatingName = 'ValidatingAdmissionWebhook'

export interface WebhookAdmission {
  readonly mutating: AsyncAdmissionPlugin
  readonly validating: AsyncAdmissionPlugin
}

export function createWebhookAdmission(deps: WebhookAdmissionDeps): WebhookAdmission {
  const hooks = (type: HookType): readonly Hook[] => hooksOf(deps.view.list(configurations[type]), type)
  const handles = (type: HookType) => (aim: AdmissionAim): boolean => {
    const all = hooks(type)
    return all.length > 0 && !isExempt(aim) && all.some((hook) => mayMatch(deps, hook, aim))
  }
  return {
    mutating: {
      name: mutatingName,
      handles: handles('admit'),
      mutate: (asked) => mutate(deps, hooks('admit'), asked),
    },
    validating: {
      name: validatingName,
      handles: handles('validating'),
      validate: (asked) => validate(deps, hooks('validating'), asked),
    },
  }
}

/** What the first run of all mutating admission leaves for the second. */
interface Memory {
  /** Those that want to be asked again when somebody after them changes something. */
  readonly reinvocable: Set<string>
  readonly again: Set<string>
  /** As the last of them left it. */
  last: KubeObject | undefined
}

function memoryOf({ memory }: AskedWrite['reinvocation']): Memory {
  let known = memory.get(mutatingName) as Memory | undefined
  if (!known) memory.set(mutatingName, (known = { reinvocable: new Set(), again: new Set(), last: undefined }))
  return known
}

function reinvokeEarlier({ reinvocable, again }: Memory): void {
  for (const id of reinvocable) again.add(id)
  reinvocable.clear()
}

async function mutate(deps: WebhookAdmissionDeps, hooks: readonly Hook[], asked: AskedWrite): Promise<void> {
  const { isSecond } = asked.reinvocation
  const memory = memoryOf(asked.reinvocation)
  // Others have changed it since.
  if (isSecond && !deepEqual(memory.last, asked.object)) reinvokeEarlier(memory)
  for (const [index, hook] of hooks.entries()) {
    const invocation = await invocationOf(deps, hook, asked)
    // Nobody is asked for the first time in the second run.
    if (!invocation || (isSecond && !memory.again.has(hook.id))) continue
    const changed = await mutateBy(deps, hook, asked, invocation, `round_${isSecond ? 1 : 0}_index_${index}`)
    if (changed) {
      reinvokeEarlier(memory)
      asked.reinvocation.request()
    }
    if (hook.webhook.reinvocationPolicy === 'IfNeeded') memory.reinvocable.add(hook.id)
  }
  memory.last = asked.object && cloneJson(asked.object)
}

async function mutateBy(
  deps: WebhookAdmissionDeps,
  hook: Hook,
  asked: AskedWrite,
  invocation: Invocation,
  at: string,
): Promise<boolean> {
  const { name } = hook.webhook
  const { annotations, changes } = asked.notes
  let changed = false
  const isAsked = await guarded(deps, hook, asked, async () => {
    const objects = await showObjects(asked, invocation)
    const answer = await callHook(deps, hook, asked, invocation, objects)
    const applied = await applyAnswer(name, answer, invocation, asked, objects.object)
    if (!applied) return
    changed = applied.changed
    const { patch } = applied
    const said = { configuration: hook.configuration, webhook: name, patch, patchType: 'JSONPatch' }
    annotations.set(`patch.webhook.admission.k8s.io/${at}`, JSON.stringify(said))
    if (changed) changes.push({ by: `MutatingWebhookConfiguration/${hook.configuration}`, name, paths: pathsOf(patch) })
  })
  const mutation = { configuration: hook.configuration, webhook: name, mutated: changed }
  annotations.set(`mutation.webhook.admission.k8s.io/${at}`, JSON.stringify(mutation))
  if (!isAsked) annotations.set(`failed-open.mutation.webhook.admission.k8s.io/${at}`, name)
  return changed
}

/** All that match are asked at once; who refuses first in their order is heard. */
async function validate(deps: WebhookAdmissionDeps, hooks: readonly Hook[], asked: AskedWrite): Promise<readonly string[]> {
  const relevant: { readonly hook: Hook; readonly invocation: Invocation }[] = []
  for (const hook of hooks) {
    const invocation = await invocationOf(deps, hook, asked)
    if (invocation) relevant.push({ hook, invocation })
  }
  const outcomes = await Promise.allSettled(
    relevant.map(async ({ hook, invocation }, index) => {
      const ask = async (): Promise<void> => {
        await callHook(deps, hook, asked, invocation, await showObjects(asked, invocation))
      }
      if (await guarded(deps, hook, asked, ask)) return
      asked.notes.annotations.set(
        `failed-open.validating.webhook.admission.k8s.io/round_0_index_${index}`,
        hook.webhook.name,
      )
    }),
  )
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  return []
}

/**
 * Asks, counts what came of it, and follows the failure policy: false when the webhook could not be asked, and the write goes
 * on without it.
 */
async function guarded(
  { metrics, logger, nowMs }: WebhookAdmissionDeps,
  hook: Hook,
  { operation }: AskedWrite,
  ask: () => Promise<void>,
): Promise<boolean> {
  const { name, failurePolicy } = hook.webhook
  const counted = { name, type: hook.type, operation }
  const startMs = nowMs()
  const count = (code: number, rejected: boolean): void =>
    metrics.called(counted, code, rejected, (nowMs() - startMs) / 1_000)
  try {
    await ask()
    count(200, false)
    return true
  } catch (error) {
    if (error instanceof CallFailed) {
      const isIgnored = failurePolicy === 'Ignore'
      count(error.code, !isIgnored)
      const fields = { webhook: name, configuration: hook.configuration, reason: error.message }
      if (isIgnored) {
        metrics.failedOpen(counted)
        logger.warn(fields, 'failed calling a webhook, failing open')
        return false
      }
      metrics.rejected(counted, 'calling_webhook_error', error.code)
      logger.warn(fields, 'failed calling a webhook, failing closed')
      throw new ApiError(internalError(error.message))
    }
    const isRefusal = error instanceof Refused
    const code = isRefusal ? error.status.code : 0
    metrics.rejected(counted, isRefusal ? 'no_error' : 'apiserver_internal_error', code)
    count(code, true)
    if (!isApiError(error)) logger.error({ err: error, webhook: name }, 'failed to ask a webhook')
    throw error
  }
}
