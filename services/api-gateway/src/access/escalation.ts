// Nobody hands out rights that they do not have: who writes a role must hold all its rules, who binds one must hold the
// rules of the role, or be allowed to `escalate` or to `bind`. As upstream, this stands beside admission and cannot be
// switched off.
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { ApiError, forbidden, notFound } from '@shiplog/api/status'
import type { AdmissionAttributes, AdmissionPlugin, AdmissionView } from '@shiplog/domain/admission'
import { semanticEqual } from '@shiplog/domain/fields'
import type { Authorizer } from './rbac-authorizer.ts'

const group = 'rbac.authorization.k8s.io'
const roleResources = new Set(['roles', 'clusterroles'])
const bindingResources = new Set(['rolebindings', 'clusterrolebindings'])

/** `authorizerOver` gives the authorizer that sees what the decision sees. */
export function createEscalationCheck(authorizerOver: (view: AdmissionView) => Authorizer): AdmissionPlugin {
  const may = (
    authorizer: Authorizer,
    attributes: AdmissionAttributes,
    verb: string,
    resource: string,
    name: string,
  ): boolean =>
    authorizer.allows({
      user: attributes.user,
      verb,
      group,
      resource,
      subresource: '',
      namespace: resource === 'clusterroles' ? '' : attributes.namespace,
      name,
    })

  function refuseUnlessHeld(
    authorizer: Authorizer,
    attributes: AdmissionAttributes,
    rules: readonly JsonObject[],
  ): void {
    const { user, namespace, resource } = attributes
    const { rules: held } = authorizer.rulesFor(user, namespace)
    const missing = rules.flatMap(atomsOf).filter((atom) => !held.some((rule) => covers(rule, atom)))
    if (missing.length === 0) return
    const groups = user.groups.map((each) => JSON.stringify(each)).join(' ')
    throw new ApiError(
      forbidden(
        { group, resource },
        attributes.object?.metadata.name ?? attributes.name,
        `user ${JSON.stringify(user.name)} (groups=[${groups}]) is attempting to grant RBAC permissions not currently held:\n${missing.map(textOf).join('\n')}`,
      ),
    )
  }

  return {
    name: 'RBAC',
    validate(attributes, view) {
      const { object, before, resource } = attributes
      if (attributes.group !== group || object === undefined || attributes.operation === 'DELETE') return
      const authorizer = authorizerOver(view)
      if (roleResources.has(resource)) {
        const isSame = (field: string): boolean => semanticEqual(before?.[field], object[field])
        if (before && isSame('rules') && isSame('aggregationRule')) return
        if (may(authorizer, attributes, 'escalate', resource, object.metadata.name)) return
        const rules = (object['rules'] as JsonObject[] | undefined) ?? []
        // Whoever says what is aggregated may get anything by it.
        refuseUnlessHeld(authorizer, attributes, object['aggregationRule'] ? [everything] : rules)
      } else if (bindingResources.has(resource)) {
        const same = (field: string): boolean => semanticEqual(before?.[field], object[field])
        if (before && same('roleRef') && same('subjects')) return
        const roleRef = (object['roleRef'] ?? {}) as JsonObject
        const target = roleRef['kind'] === 'ClusterRole' ? 'clusterroles' : 'roles'
        if (may(authorizer, attributes, 'bind', target, String(roleRef['name']))) return
        refuseUnlessHeld(authorizer, attributes, rulesOf(view, target, object, String(roleRef['name'])))
      }
    },
  }
}

const everything: JsonObject = { verbs: ['*'], apiGroups: ['*'], resources: ['*'] }

/** A role that is not there yet may become anything: whoever may not bind whatever they like cannot bind it. */
function rulesOf(view: AdmissionView, target: string, binding: KubeObject, name: string): readonly JsonObject[] {
  const namespace = target === 'roles' ? (binding.metadata.namespace ?? '') : ''
  const role = view.get(`${target}.${group}`, namespace, name)
  if (!role) throw new ApiError(notFound({ group, resource: target }, name))
  return (role['rules'] as JsonObject[] | undefined) ?? []
}

/** One verb on one thing. */
interface Atom {
  readonly verb: string
  readonly apiGroup?: string
  readonly resource?: string
  readonly name?: string
  readonly url?: string
}

const listOf = (rule: JsonObject, field: string): readonly string[] => (rule[field] as string[] | undefined) ?? []

function atomsOf(rule: JsonObject): Atom[] {
  const names = listOf(rule, 'resourceNames')
  return listOf(rule, 'verbs').flatMap((verb): Atom[] => [
    ...listOf(rule, 'nonResourceURLs').map((url): Atom => ({ verb, url })),
    ...listOf(rule, 'apiGroups').flatMap((apiGroup) =>
      listOf(rule, 'resources').flatMap((resource): Atom[] =>
        names.length === 0 ? [{ verb, apiGroup, resource }] : names.map((name) => ({ verb, apiGroup, resource, name })),
      ),
    ),
  ])
}

const has = (list: readonly string[], value: string): boolean => list.includes('*') || list.includes(value)

function covers(rule: JsonObject, { verb, apiGroup, resource, name, url }: Atom): boolean {
  if (!has(listOf(rule, 'verbs'), verb)) return false
  if (url !== undefined) {
    return listOf(rule, 'nonResourceURLs').some(
      (held) => held === url || (held.endsWith('*') && url.startsWith(held.slice(0, -1))),
    )
  }
  const resources = listOf(rule, 'resources')
  const subresource = resource!.includes('/') ? `*/${resource!.slice(resource!.indexOf('/') + 1)}` : undefined
  if (!has(resources, resource!) && !(subresource && resources.includes(subresource))) return false
  const names = listOf(rule, 'resourceNames')
  return (
    has(listOf(rule, 'apiGroups'), apiGroup!) && (names.length === 0 || (name !== undefined && names.includes(name)))
  )
}

const textOf = ({ verb, apiGroup, resource, name, url }: Atom): string => {
  const list = (value: string): string => `[${JSON.stringify(value)}]`
  if (url !== undefined) return `{NonResourceURLs:${list(url)}, Verbs:${list(verb)}}`
  const names = name === undefined ? '' : `, ResourceNames:${list(name)}`
  return `{APIGroups:${list(apiGroup!)}, Resources:${list(resource!)}${names}, Verbs:${list(verb)}}`
}
