// Whether a webhook is asked about a write, and in which version: namespace and object selectors, rules, match conditions, in
// upstream's order (k8s.io/apiserver/pkg/admission/plugin/webhook/generic).
import type { KubeObject } from '@shiplog/api/kube-object'
import type { ResourceInfo } from '@shiplog/api/schema/schema'
import { ApiError, forbidden, notFound } from '@shiplog/api/status'
import type { Hook } from '@shiplog/domain/webhook/hooks'
import type { PolicySpec } from '@shiplog/domain/policy/compiled-policy'
import { namespaceOf } from '@shiplog/domain/webhook/review'
import { invokedFor } from '@shiplog/domain/webhook/rules'
import type { AdmissionAim, AskedWrite, ShownForm } from '@shiplog/domain/write/async-admission'
import { answerOf, type PolicyAnswerDeps } from '../policies/policy-answers.ts'
import { equivalentsOf } from '../policies/policy-index.ts'
import { inputsOf } from '../policies/policy-invocations.ts'
import type { ParamDeps } from '../policies/policy-params.ts'
import type { Counted, WebhookMetrics } from './webhook-metrics.ts'

export interface InvocationDeps extends ParamDeps, PolicyAnswerDeps {
  /** Waits until everything that was acknowledged before is seen. */
  readonly caughtUp: () => Promise<unknown>
  readonly metrics: WebhookMetrics
  readonly nowMs: () => number
}

/** In which version of the resource a webhook is asked. */
export interface Invocation {
  readonly resource: ResourceInfo
  readonly form: ShownForm
}

const namespaces = { group: '', resource: 'namespaces' }
const isNamespaces = ({ group, resource }: Pick<AdmissionAim, 'group' | 'resource'>): boolean =>
  group === '' && resource === 'namespaces'

/** Whether a webhook may have to be asked, as far as this can be told before the object is known. */
export function mayMatch({ view, catalogue }: InvocationDeps, hook: Hook, aim: AdmissionAim): boolean {
  const { kind, operation, subresource, namespace } = aim
  const all = (): readonly ResourceInfo[] => equivalentsOf(catalogue(), kind.resource)
  if (!invokedFor(hook.webhook, kind.resource, all, { operation, subresource, namespace })) return false
  if (hook.namespaceSelector.everything || namespace === '') return true
  const labels = view.get('namespaces', '', namespace)?.metadata.labels
  return labels === undefined || hook.namespaceSelector.matches(labels)
}

/** Undefined when the webhook is not asked. Throws ApiError where that cannot be told. */
export async function invocationOf(deps: InvocationDeps, hook: Hook, asked: AskedWrite): Promise<Invocation | undefined> {
  const inNamespace = await matchesNamespace(deps, hook, asked)
  if (inNamespace === false) return undefined
  const { objectSelector } = hook
  const isSelected = (object: KubeObject | undefined): boolean => object !== undefined && objectSelector.matches(object.metadata?.labels)
  if (!objectSelector.everything && !isSelected(asked.object) && !isSelected(asked.before)) return undefined
  const { subresource, operation, kind } = asked
  const all = (): readonly ResourceInfo[] => equivalentsOf(deps.catalogue(), kind.resource)
  const resource = invokedFor(hook.webhook, kind.resource, all, { operation, subresource, namespace: namespaceOf(asked) })
  if (!resource) return undefined
  if (inNamespace instanceof ApiError) throw inNamespace
  const invocation: Invocation = { resource, form: asked.form(resource) }
  return (await meetsConditions(deps, hook, asked, invocation)) ? invocation : undefined
}

/** An error is told only where the webhook would be asked. */
async function matchesNamespace(
  { view, caughtUp }: InvocationDeps,
  { namespaceSelector }: Hook,
  asked: AskedWrite,
): Promise<boolean | ApiError> {
  const namespace = namespaceOf(asked)
  if (namespaceSelector.everything || (namespace === '' && asked.resource !== 'namespaces')) return true
  const isOwn = isNamespaces(asked) && asked.subresource === ''
  if (isOwn && (asked.operation === 'CREATE' || asked.operation === 'UPDATE'))
    return namespaceSelector.matches(asked.object?.metadata.labels)
  let found = view.get('namespaces', '', namespace)
  if (!found) {
    await caughtUp()
    found = view.get('namespaces', '', namespace)
  }
  return found ? namespaceSelector.matches(found.metadata.labels) : new ApiError(notFound(namespaces, namespace))
}

/** All conditions are true. What fails follows the failure policy. */
async function meetsConditions(
  deps: InvocationDeps,
  hook: Hook,
  asked: AskedWrite,
  invocation: Invocation,
): Promise<boolean> {
  const { matchConditions, name } = hook.webhook
  if (!matchConditions || matchConditions.length === 0) return true
  const { metrics, nowMs } = deps
  const counted: Counted = { name, type: hook.type, operation: asked.operation }
  const startMs = nowMs()
  const inputs = await inputsOf(deps, asked, invocation, undefined)
  const answer = await answerOf(deps, { about: 'conditions', spec: conditionsOf(hook.webhook), inputs })
  metrics.conditionsTook(counted, (nowMs() - startMs) / 1_000)
  if ('matches' in answer) {
    if (!answer.matches) metrics.excluded(counted)
    return answer.matches
  }
  metrics.conditionsFailed(counted, 1)
  const why = 'error' in answer ? answer.error : 'the conditions could not be judged'
  throw new ApiError(forbidden(asked.kind.resource, asked.name, why))
}

const conditions = new WeakMap<Hook['webhook'], PolicySpec>()

/** What of a webhook its conditions are compiled from, the same object as long as the webhook is. */
function conditionsOf(webhook: Hook['webhook']): PolicySpec {
  let spec = conditions.get(webhook)
  if (!spec) {
    const { matchConditions, failurePolicy } = webhook
    conditions.set(webhook, (spec = { matchConditions, failurePolicy } as PolicySpec))
  }
  return spec
}
