// Who may do what: `system:masters` may do everything; everybody else what Roles and ClusterRoles that are bound to them
// allow, by the rules of rbac.authorization.k8s.io/v1; nodes besides what node-authorizer.ts allows.
import { goQuote } from '@shiplog/api/decode/go-quote'
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

/** Whether something may be done, and by what: upstream's sentence, '' where nothing is to be said. */
export interface Verdict {
  readonly allowed: boolean
  readonly reason: string
}

export interface Authorizer {
  allows(access: Access): boolean
  allowsPath(user: User, verb: string, path: string): boolean
  decide(access: Access): Verdict
  decidePath(user: User, verb: string, path: string): Verdict
  /** The rules that hold for a user in a namespace (SelfSubjectRulesReview). */
  rulesFor(user: User, namespace: string): readonly JsonObject[]
}

/** Discovery, version and health are open to every authenticated user, as upstream's system:discovery. */
const openPaths = ['/api', '/apis', '/openapi', '/version', '/healthz', '/livez', '/readyz']

/** Reviews about oneself are open to every authenticated user, as upstream's system:basic-user. */
const openResources = new Set(['selfsubjectaccessreviews', 'selfsubjectrulesreviews', 'selfsubjectreviews'])

export function createAuthorizer(view: AdmissionView): Authorizer {
  const nodes = createNodeAuthorizer(view)

  function* grants(user: User, namespace: string): Generator<Grant> {
    for (const binding of view.list(`clusterrolebindings.${rbac}`)) {
      const subject = subjectFor(binding, user, '')
      if (subject) yield { binding, subject, rules: rulesOf(binding, '') }
    }
    if (namespace === '') return
    for (const binding of view.list(`rolebindings.${rbac}`, namespace)) {
      const subject = subjectFor(binding, user, namespace)
      if (subject) yield { binding, subject, rules: rulesOf(binding, namespace) }
    }
  }

  /** Undefined when there is no such role. */
  function rulesOf(binding: KubeObject, namespace: string): readonly JsonObject[] | undefined {
    const { kind, name } = binding['roleRef'] as { kind: string; name: string }
    const role =
      kind === 'ClusterRole' ? view.get(`clusterroles.${rbac}`, '', name) : view.get(`roles.${rbac}`, namespace, name)
    return role && ((role['rules'] as JsonObject[] | undefined) ?? [])
  }

  function search(user: User, namespace: string, matches: (rule: JsonObject) => boolean): Verdict {
    const missing: string[] = []
    for (const grant of grants(user, namespace)) {
      if (!grant.rules) missing.push(missingRole(grant.binding))
      else if (grant.rules.some(matches)) return { allowed: true, reason: `RBAC: allowed by ${describe(grant)}` }
    }
    return missing.length === 0 ? no : { allowed: false, reason: `RBAC: ${aggregate(missing)}` }
  }

  const isMaster = (user: User): boolean => user.groups.includes('system:masters')
  const isAuthenticated = (user: User): boolean => user.groups.includes('system:authenticated')

  function decide(access: Access): Verdict {
    const { user, resource } = access
    if (isMaster(user)) return yes
    if (isAuthenticated(user) && openResources.has(resource) && access.verb === 'create') return yes
    if (nodes.allows(access) || allowsComponentLease(access)) return yes
    return search(user, access.namespace, (rule) => ruleAllows(rule, access))
  }

  function decidePath(user: User, verb: string, path: string): Verdict {
    if (isMaster(user)) return yes
    if (isAuthenticated(user) && openPaths.some((open) => path === open || path.startsWith(`${open}/`))) return yes
    return search(user, '', (rule) => ruleAllowsPath(rule, verb, path))
  }

  return {
    decide,
    decidePath,
    allows: (access) => decide(access).allowed,
    allowsPath: (user, verb, path) => decidePath(user, verb, path).allowed,
    rulesFor(user, namespace) {
      const all = [...grants(user, namespace)].flatMap(({ rules }) => rules ?? [])
      if (isMaster(user)) {
        all.unshift({ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }, { verbs: ['*'], nonResourceURLs: ['*'] })
      }
      return all
    },
  }
}

const rbac = 'rbac.authorization.k8s.io'
const yes: Verdict = { allowed: true, reason: '' }
const no: Verdict = { allowed: false, reason: '' }

/** A binding that holds for a user, by one of its subjects. */
interface Grant {
  readonly binding: KubeObject
  readonly subject: JsonObject
  readonly rules: readonly JsonObject[] | undefined
}

/** `ClusterRoleBinding "readers" of ClusterRole "view" to User "bob"`, as upstream's describers have it. */
function describe({ binding, subject }: Grant): string {
  const { name, namespace = '' } = binding.metadata
  const { kind, name: role } = binding['roleRef'] as { kind: string; name: string }
  const full = binding.kind === 'RoleBinding' ? `${name}/${namespace}` : name
  const who =
    subject['kind'] === 'ServiceAccount' ? `${subject['name']}/${subject['namespace'] || namespace}` : subject['name']
  return `${binding.kind} ${goQuote(full)} of ${kind} ${goQuote(role)} to ${subject['kind']} ${goQuote(who)}`
}

const missingRole = (binding: KubeObject): string => {
  const { kind, name } = binding['roleRef'] as { kind: string; name: string }
  return `${kind.toLowerCase()}.${rbac} ${goQuote(name)} not found`
}

/** Several errors in one, each once, as upstream's aggregate prints them. */
const aggregate = (errors: readonly string[]): string => {
  const once = [...new Set(errors)]
  return once.length === 1 ? once[0]! : `[${once.join(', ')}]`
}

function ruleAllows(rule: JsonObject, { verb, group, resource, subresource, name }: Access): boolean {
  const full = subresource ? `${resource}/${subresource}` : resource
  const resources = rule['resources'] as string[] | undefined
  return (
    has(rule['verbs'], verb) &&
    has(rule['apiGroups'], group) &&
    (has(resources, full) || (subresource !== '' && (resources?.includes(`*/${subresource}`) ?? false))) &&
    (!rule['resourceNames']?.length || rule['resourceNames'].includes(name))
  )
}

function ruleAllowsPath(rule: JsonObject, verb: string, path: string): boolean {
  const urls = (rule['nonResourceURLs'] as string[] | undefined) ?? []
  return (
    has(rule['verbs'], verb) &&
    urls.some((url) => url === '*' || url === path || (url.endsWith('*') && path.startsWith(url.slice(0, -1))))
  )
}

const has = (list: readonly string[] | undefined, value: string): boolean =>
  list?.some((item) => item === '*' || item === value) ?? false

/** The subject by which a binding holds for a user. */
const subjectFor = (binding: KubeObject, user: User, namespace: string): JsonObject | undefined =>
  ((binding['subjects'] as JsonObject[] | undefined) ?? []).find((subject) => isMeant(subject, user, namespace))

function isMeant(subject: JsonObject, user: User, bindingNamespace: string): boolean {
  switch (subject['kind']) {
    case 'User':
      return subject['name'] === user.name
    case 'Group':
      return user.groups.includes(subject['name'])
    case 'ServiceAccount': {
      const namespace = subject['namespace'] || bindingNamespace
      return namespace !== '' && user.name === `system:serviceaccount:${namespace}:${subject['name']}`
    }
    default:
      return false
  }
}
