// Nobody hands out rights that they do not have: who writes a role must hold all its rules, who binds one must hold the
// rules of the role, or be allowed to `escalate` or to `bind`. As upstream, this stands beside admission and cannot be
// switched off.
import type { PolicyRule } from '@shiplog/api/generated/types/rbac-v1'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { ApiError, forbidden, notFound } from '@shiplog/api/status'
import type { AdmissionAttributes, AdmissionPlugin, AdmissionView } from '@shiplog/domain/admission'
import { semanticEqual } from '@shiplog/domain/fields'
import { uncovered } from '@shiplog/domain/rbac/rule-coverage'
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
    const missing = uncovered(held, rules as readonly PolicyRule[])
    if (missing.length === 0) return
    const groups = user.groups.map((each) => JSON.stringify(each)).join(' ')
    throw new ApiError(
      forbidden(
        { group, resource },
        attributes.object?.metadata.name ?? attributes.name,
        `user ${JSON.stringify(user.name)} (groups=[${groups}]) is attempting to grant RBAC permissions not currently held:\n${missing.join('\n')}`,
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
