// Who may do what: `system:masters` may do everything; everybody else what Roles and ClusterRoles that are bound to them
// allow, by the rules of rbac.authorization.k8s.io/v1; nodes besides what node-authorizer.ts allows.
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { AdmissionView } from '@shiplog/domain/admission'
import type { User } from '@shiplog/domain/strategy'
import { allowsComponentLease } from './component-lease-rights.ts'
import { createNodeAuthorizer } from './node-authorizer.ts'

export interface Access {
  readonly user: User
  readonly verb: string
  readonly group: string
  readonly resource: string
  readonly subresource: string
  readonly namespace: string
  readonly name: string
  /** Of a list or watch, as it was asked for. */
  readonly fieldSelector?: string
}

export interface Authorizer {
  allows(access: Access): boolean
  allowsPath(user: User, verb: string, path: string): boolean
  /** The rules that hold for a user in a namespace (SelfSubjectRulesReview). */
  rulesFor(user: User, namespace: string): readonly JsonObject[]
}

/** Discovery, version and health are open to every authenticated user, as upstream's system:discovery. */
const openPaths = ['/api', '/apis', '/openapi', '/version', '/healthz', '/livez', '/readyz']

/** Reviews about oneself are open to every authenticated user, as upstream's system:basic-user. */
const openResources = new Set(['selfsubjectaccessreviews', 'selfsubjectrulesreviews', 'selfsubjectreviews'])

export function createAuthorizer(view: AdmissionView): Authorizer {
  const nodes = createNodeAuthorizer(view)

  function* rules(user: User, namespace: string): Generator<JsonObject> {
    for (const binding of view.list('clusterrolebindings.rbac.authorization.k8s.io')) {
      if (binds(binding, user, '')) yield* rulesOf(binding, '')
    }
    if (namespace === '') return
    for (const binding of view.list('rolebindings.rbac.authorization.k8s.io', namespace)) {
      if (binds(binding, user, namespace)) yield* rulesOf(binding, namespace)
    }
  }

  function rulesOf(binding: KubeObject, namespace: string): readonly JsonObject[] {
    const { kind, name } = binding['roleRef'] as { kind: string; name: string }
    const role =
      kind === 'ClusterRole'
        ? view.get('clusterroles.rbac.authorization.k8s.io', '', name)
        : view.get('roles.rbac.authorization.k8s.io', namespace, name)
    return (role?.['rules'] as JsonObject[] | undefined) ?? []
  }

  const isMaster = (user: User): boolean => user.groups.includes('system:masters')
  const isAuthenticated = (user: User): boolean => user.groups.includes('system:authenticated')

  return {
    allows(access) {
      const { user, group, resource } = access
      if (isMaster(user)) return true
      if (!isAuthenticated(user)) return false
      if (openResources.has(resource) && access.verb === 'create') return true
      if (nodes.allows(access) || allowsComponentLease(access)) return true
      const full = access.subresource ? `${resource}/${access.subresource}` : resource
      for (const rule of rules(user, access.namespace)) {
        if (
          has(rule['verbs'], access.verb) &&
          has(rule['apiGroups'], group) &&
          (has(rule['resources'], full) ||
            (access.subresource !== '' &&
              (rule['resources'] as string[] | undefined)?.includes(`*/${access.subresource}`))) &&
          (!rule['resourceNames']?.length || rule['resourceNames'].includes(access.name))
        ) {
          return true
        }
      }
      return false
    },
    allowsPath(user, verb, path) {
      if (isMaster(user)) return true
      if (!isAuthenticated(user)) return false
      if (openPaths.some((open) => path === open || path.startsWith(`${open}/`))) return true
      for (const rule of rules(user, '')) {
        const urls = rule['nonResourceURLs'] as string[] | undefined
        if (
          urls &&
          has(rule['verbs'], verb) &&
          urls.some((url) => url === path || (url.endsWith('*') && path.startsWith(url.slice(0, -1))))
        ) {
          return true
        }
      }
      return false
    },
    rulesFor(user, namespace) {
      const all = [...rules(user, namespace)]
      if (isMaster(user)) {
        all.unshift({ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }, { verbs: ['*'], nonResourceURLs: ['*'] })
      }
      return all
    },
  }
}

const has = (list: readonly string[] | undefined, value: string): boolean =>
  list?.some((item) => item === '*' || item === value) ?? false

function binds(binding: KubeObject, user: User, namespace: string): boolean {
  for (const subject of (binding['subjects'] as JsonObject[] | undefined) ?? []) {
    if (subject['kind'] === 'User' && subject['name'] === user.name) return true
    if (subject['kind'] === 'Group' && user.groups.includes(subject['name'])) return true
    if (
      subject['kind'] === 'ServiceAccount' &&
      user.name === `system:serviceaccount:${subject['namespace'] ?? namespace}:${subject['name']}`
    ) {
      return true
    }
  }
  return false
}
