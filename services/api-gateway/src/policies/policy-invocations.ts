// Which policies, bindings and parameters apply to a write, and what their expressions look at. Both kinds of policies begin
// here.
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { ResourceInfo } from '@shiplog/api/schema/schema'
import type { PolicyInputs } from '@shiplog/domain/policy/evaluate-policy'
import { type MatchedRequest, matchOf } from '@shiplog/domain/policy/policy-matching'
import { namespaceOf, requestOf } from '@shiplog/domain/webhook/review'
import type { AskedWrite, ShownForm } from '@shiplog/domain/write/async-admission'
import { type BindingSpec, type BoundPolicy, equivalentsOf } from './policy-index.ts'
import { type ParamDeps, paramResource, paramsOf } from './policy-params.ts'

export interface Invocation {
  readonly policy: BoundPolicy
  readonly binding: { readonly name: string; readonly spec: BindingSpec }
  /** In whose version the policy sees the object. */
  readonly resource: ResourceInfo
  readonly form: ShownForm
  readonly params: readonly (JsonObject | undefined)[]
}

/** A policy or a binding that cannot be asked. */
export interface Unusable {
  readonly policy: BoundPolicy
  readonly binding?: Invocation['binding']
  readonly error: string
}

/** In the order of policies, and of the bindings of each. */
export function* invocationsOf(
  deps: ParamDeps,
  policies: readonly BoundPolicy[],
  asked: AskedWrite,
): Generator<Invocation | Unusable> {
  const request = matchedRequest(deps, asked)
  for (const policy of policies) {
    const { matchConstraints, paramKind } = policy.spec
    const match = matchConstraints
      ? matchOf(matchConstraints, request)
      : { error: 'policy contained no match constraints, a required field' }
    if (!match) continue
    const unknownKind = paramKind && paramResource(deps.catalogue(), paramKind)
    const error = 'error' in match ? match.error : typeof unknownKind === 'string' ? unknownKind : undefined
    if ('error' in match || error !== undefined) {
      yield { policy, error: `failed to configure policy: ${error}` }
      continue
    }
    for (const binding of policy.bindings) {
      const unusable = (why: string): Unusable => ({ policy, binding, error: `failed to configure binding: ${why}` })
      const bound = binding.spec.matchResources ? matchOf(binding.spec.matchResources, request) : match
      if (!bound) continue
      if ('error' in bound) {
        yield unusable(bound.error)
        continue
      }
      const params = paramsOf(deps, paramKind, binding.spec.paramRef, request.namespace)
      if (typeof params === 'string') yield unusable(params)
      else yield { policy, binding, resource: match.resource, form: asked.form(match.resource), ...params }
    }
  }
}

function matchedRequest({ view, catalogue }: ParamDeps, asked: AskedWrite): MatchedRequest {
  const { operation, subresource, name, object, before, kind } = asked
  const namespace = namespaceOf(asked)
  return {
    ...{ operation, subresource, name, namespace, object, before },
    requested: kind.resource,
    equivalents: equivalentsOf(catalogue(), kind.resource).filter((other) => other !== kind.resource),
    namespaceObject: () => view.get('namespaces', '', namespace),
  }
}

/** What expressions look at, for one parameter. */
export async function inputsOf(
  { view }: ParamDeps,
  asked: AskedWrite,
  { resource, form }: Pick<Invocation, 'resource' | 'form'>,
  params: JsonObject | undefined,
): Promise<PolicyInputs> {
  const { object, before, kind, user, subresource, name } = asked
  const requested = { resource: kind.resource, form: asked.form(kind.resource) }
  const namespace = namespaceOf(asked)
  const isNamespace = asked.group === '' && asked.resource === 'namespaces'
  const stored = isNamespace || namespace === '' ? undefined : view.get('namespaces', '', namespace)
  return {
    object: object && (await form.show(object)),
    oldObject: before && (await form.show(before)),
    request: requestOf(asked, { resource, form }, requested),
    conditionRequest: requestOf(asked, { resource: kind.resource, form }, requested),
    params,
    namespaceObject: stored && shownNamespace(stored),
    user,
    requestResource: { group: kind.resource.group, resource: kind.resource.resource, subresource, namespace, name },
  }
}

const shownMetadata = [
  ...['name', 'generateName', 'namespace', 'uid', 'resourceVersion', 'generation', 'creationTimestamp'],
  ...['deletionTimestamp', 'deletionGracePeriodSeconds', 'labels', 'annotations', 'finalizers'],
]

/** A Namespace without what is nobody's business. */
const shownNamespace = ({ metadata, spec, status }: KubeObject): JsonObject => ({
  metadata: Object.fromEntries(Object.entries(metadata).filter(([key]) => shownMetadata.includes(key))),
  spec: spec ?? {},
  status: status ?? {},
})
