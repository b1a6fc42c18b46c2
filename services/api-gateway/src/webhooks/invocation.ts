// Whether a webhook is asked about a write, and in which version: namespace and object selectors, rules, match conditions, in
// upstream's order (k8s.io/apiserver/pkg/admission/plugin/webhook/generic).
import type { KubeObject } from '@shiplog/api/kube-object'
import { groupResourceOf, type ResourceInfo } from '@shiplog/api/schema/schema'
import { ApiError, forbidden, notFound } from '@shiplog/api/status'
import { inTurn } from '@shiplog/cel/meter'
import type { AdmissionView } from '@shiplog/domain/admission'
import type { Catalogue } from '@shiplog/domain/catalogue/catalogue'
import type { Hook } from '@shiplog/domain/webhook/hooks'
import { aggregated, type Matched } from '@shiplog/domain/webhook/match-conditions'
import { namespaceOf, requestOf } from '@shiplog/domain/webhook/review'
import { invokedFor } from '@shiplog/domain/webhook/rules'
import type { AdmissionAim, AskedWrite, ShownForm } from '@shiplog/domain/write/async-admission'
import { conditionsCheck, readMatched } from '@shiplog/domain/write/conditions-check'
import type { AttemptDeps } from '../write/attempts.ts'
import type { Counted, WebhookMetrics } from './webhook-metrics.ts'

export interface InvocationDeps {
  readonly view: AdmissionView
  /** The kinds that there are now. */
  readonly catalogue: () => Catalogue
  /** Waits until everything that was acknowledged before is seen. */
  readonly caughtUp: () => Promise<unknown>
  readonly makeLongCheck: AttemptDeps['makeLongCheck']
  readonly metrics: WebhookMetrics
  readonly nowMs: () => number
}

/** In which version of the resource a webhook is asked. */
export interface Invocation {
  readonly resource: ResourceInfo
  readonly form: ShownForm
}

const namespaces = { group: '', resource: 'namespaces' }
const noResources: readonly ResourceInfo[] = []
const equivalentsOf = new WeakMap<Catalogue, Map<string, readonly ResourceInfo[]>>()

/** The same resource in all its groups and versions. */
export function equivalents(catalogue: Catalogue, { storageGroup, resource }: ResourceInfo): readonly ResourceInfo[] {
  let known = equivalentsOf.get(catalogue)
  if (!known) equivalentsOf.set(catalogue, (known = new Map()))
  const key = groupResourceOf(storageGroup, resource)
  let found = known.get(key)
  if (!found) {
    found = catalogue.resources.filter((other) => other.resource === resource && other.storageGroup === storageGroup)
    known.set(key, found)
  }
  return found
}

const isNamespaces = ({ group, resource }: Pick<AdmissionAim, 'group' | 'resource'>): boolean =>
  group === '' && resource === 'namespaces'

/** Whether a webhook may have to be asked, as far as this can be told before the object is known. */
export function mayMatch({ view, catalogue }: InvocationDeps, hook: Hook, aim: AdmissionAim): boolean {
  const { kind, operation, subresource, namespace } = aim
  const all = (): readonly ResourceInfo[] => equivalents(catalogue(), kind.resource)
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
  const all = (): readonly ResourceInfo[] => (subresource === '' || asked.before ? equivalents(deps.catalogue(), kind.resource) : noResources)
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
  { makeLongCheck, metrics, nowMs }: InvocationDeps,
  hook: Hook,
  asked: AskedWrite,
  { resource, form }: Invocation,
): Promise<boolean> {
  const { matchConditions = [], failurePolicy, name } = hook.webhook
  if (matchConditions.length === 0) return true
  const { object, before, kind, operation } = asked
  const counted: Counted = { name, type: hook.type, operation }
  const startMs = nowMs()
  const check = conditionsCheck(hook, {
    object: object && (await form.show(object)),
    oldObject: before && (await form.show(before)),
    request: requestOf(asked, { resource, form }, { resource: kind.resource, form: asked.form(kind.resource) }),
  })
  const matched: Matched = readMatched(inTurn(check.run) ?? (await makeLongCheck(check)))
  metrics.conditionsTook(counted, (nowMs() - startMs) / 1_000)
  if (!('errors' in matched)) {
    if (!matched.matches) metrics.excluded(counted)
    return matched.matches
  }
  metrics.conditionsFailed(counted, matched.errors.length)
  if (failurePolicy === 'Ignore') return false
  throw new ApiError(forbidden({ group: asked.group, resource: asked.resource }, asked.name, aggregated(matched.errors)))
}
