// Whether a webhook's rules name a request, as k8s.io/apiserver/pkg/admission/plugin/webhook/predicates/rules.
import type { RuleWithOperations } from '@shiplog/api/generated/types/admissionregistration-v1'
import type { ResourceInfo } from '@shiplog/api/schema/schema'
import type { AdmissionAttributes } from '../admission.ts'

/** What rules are about. */
export interface RuledRequest {
  readonly operation: AdmissionAttributes['operation']
  readonly subresource: string
  /** That of the request; a Namespace is in itself. */
  readonly namespace: string
}

type Place = Pick<ResourceInfo, 'group' | 'version' | 'resource'>

const names = (list: readonly string[] | undefined, one: string): boolean =>
  list?.some((item) => item === '*' || item === one) ?? false

const isNamespaces = ({ group, version, resource }: Place): boolean =>
  group === '' && version === 'v1' && resource === 'namespaces'

function inScope(scope: string | undefined, place: Place, { namespace }: RuledRequest): boolean {
  if (scope === undefined || scope === '*') return true
  const ofCluster = isNamespaces(place) || namespace === ''
  return scope === 'Cluster' ? ofCluster : scope === 'Namespaced' && !ofCluster
}

function namesResource(rule: RuleWithOperations, { resource }: Place, { subresource }: RuledRequest): boolean {
  return (rule.resources ?? []).some((text) => {
    const slash = text.indexOf('/')
    const [name, sub] = slash < 0 ? [text, ''] : [text.slice(0, slash), text.slice(slash + 1)]
    return (name === '*' || name === resource) && (sub === '*' || sub === subresource)
  })
}

/** Whether the rule names the request, were it a request for this resource. */
export const ruleMatches = (rule: RuleWithOperations, place: Place, request: RuledRequest): boolean =>
  inScope(rule.scope, place, request) &&
  names(rule.operations, request.operation) &&
  names(rule.apiGroups, place.group) &&
  names(rule.apiVersions, place.version) &&
  namesResource(rule, place, request)

/**
 * The resource in whose version a webhook is to be asked: the requested one where a rule names it, else the first equivalent
 * that one does, where the policy allows those.
 */
export function invokedFor(
  hook: { readonly rules?: readonly RuleWithOperations[]; readonly matchPolicy?: string },
  requested: ResourceInfo,
  equivalents: () => readonly ResourceInfo[],
  request: RuledRequest,
): ResourceInfo | undefined {
  const rules = hook.rules ?? []
  if (rules.some((rule) => ruleMatches(rule, requested, request))) return requested
  if (hook.matchPolicy === 'Exact') return undefined
  for (const rule of rules)
    for (const other of equivalents()) if (other !== requested && ruleMatches(rule, other, request)) return other
  return undefined
}

const exempt: ReadonlySet<string> = new Set([
  'validatingwebhookconfigurations',
  'mutatingwebhookconfigurations',
  'validatingadmissionpolicies',
  'validatingadmissionpolicybindings',
  'mutatingadmissionpolicies',
  'mutatingadmissionpolicybindings',
])

/** What decides about others, no webhook and no policy decides about: nobody could mend it. */
export const isExempt = ({ group, resource }: Pick<Place, 'group' | 'resource'>): boolean =>
  group === 'admissionregistration.k8s.io' && exempt.has(resource)
