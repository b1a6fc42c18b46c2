// Which requests a policy or a binding is about: k8s.io/apiserver/pkg/admission/plugin/policy/matching, with the matchers of
// namespaces and objects of …/plugin/webhook/predicates.
import type { MatchResources, NamedRuleWithOperations } from '@shiplog/api/generated/types/admissionregistration-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import type { ResourceInfo } from '@shiplog/api/schema/schema'
import { compileLabelSelector, type CompiledSelector } from '@shiplog/api/selectors'
import { ruleMatches, type RuledRequest } from '../webhook/rules.ts'

/** A request as rules and selectors see it. */
export interface MatchedRequest extends RuledRequest {
  readonly name: string
  /** In the version that the client named. */
  readonly requested: ResourceInfo
  /** The same resource in its other versions. */
  readonly equivalents: readonly ResourceInfo[]
  readonly object: KubeObject | undefined
  readonly before: KubeObject | undefined
  /** The stored Namespace that the request is in, or is about. */
  readonly namespaceObject: () => KubeObject | undefined
}

/** The resource in whose version the policy sees the request; undefined when it is not about it. */
export type Match = { readonly resource: ResourceInfo } | { readonly error: string } | undefined

interface Selectors {
  readonly namespaces: CompiledSelector
  readonly objects: CompiledSelector
}

const compiled = new WeakMap<MatchResources, Selectors>()

const selectorsOf = (match: MatchResources): Selectors => {
  let known = compiled.get(match)
  if (!known) {
    known = {
      namespaces: compileLabelSelector(match.namespaceSelector ?? {}),
      objects: compileLabelSelector(match.objectSelector ?? {}),
    }
    compiled.set(match, known)
  }
  return known
}

/** Whether constraints are about a request. Those without rules are about all. */
export function matchOf(match: MatchResources, request: MatchedRequest): Match {
  const { namespaces, objects } = selectorsOf(match)
  const labels = namespaceLabels(namespaces, request)
  if (labels.known && !labels.matches) return undefined
  if (!objectsMatch(objects, request)) return undefined
  if (resourceFor(match.excludeResourceRules ?? [], match.matchPolicy, request)) return undefined
  const rules = match.resourceRules ?? []
  const resource = rules.length === 0 ? request.requested : resourceFor(rules, match.matchPolicy, request)
  if (!resource) return undefined
  return labels.known ? { resource } : { error: `namespaces "${request.namespace}" not found` }
}

function namespaceLabels(
  selector: CompiledSelector,
  request: MatchedRequest,
): { readonly known: boolean; readonly matches: boolean } {
  if (selector.everything) return { known: true, matches: true }
  const { requested, operation, subresource, object } = request
  const isNamespace = requested.group === '' && requested.resource === 'namespaces'
  // What is in no namespace is never left out by labels of one.
  if (!isNamespace && request.namespace === '') return { known: true, matches: true }
  const isWritten = isNamespace && subresource === '' && (operation === 'CREATE' || operation === 'UPDATE')
  const namespace = isWritten ? object : request.namespaceObject()
  return namespace
    ? { known: true, matches: selector.matches(namespace.metadata.labels ?? {}) }
    : { known: false, matches: false }
}

const objectsMatch = (selector: CompiledSelector, { object, before }: MatchedRequest): boolean =>
  selector.everything ||
  [object, before].some((one) => one !== undefined && selector.matches(one.metadata?.labels ?? {}))

const namesMatch = ({ resourceNames = [] }: NamedRuleWithOperations, name: string): boolean =>
  resourceNames.length === 0 || resourceNames.includes(name)

function resourceFor(
  rules: readonly NamedRuleWithOperations[],
  policy: MatchResources['matchPolicy'],
  request: MatchedRequest,
): ResourceInfo | undefined {
  const { requested, equivalents, name } = request
  if (rules.some((rule) => ruleMatches(rule, requested, request) && namesMatch(rule, name))) return requested
  if (policy !== 'Equivalent') return undefined
  for (const rule of rules)
    for (const other of equivalents) if (ruleMatches(rule, other, request) && namesMatch(rule, name)) return other
  return undefined
}
