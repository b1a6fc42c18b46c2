// Roles and bindings by whom they are for, kept up to date change by change: what a request costs does not grow with the
// number of bindings, only with those of its user. Bindings of one subject to one role are looked at as one.
import type { PolicyRule, RoleRef, Subject } from '@shiplog/api/generated/types/rbac-v1'
import type { User } from '@shiplog/domain/strategy'
import type { ResourceTable, StreamProjection } from '../store/projection.ts'
import type { Version } from '../store/version.ts'
import { type Binding, type Grant, type GrantSource, rbacTables, rulesOf, subjectKey } from './grants.ts'

interface Held {
  readonly key: string
  readonly binding: Binding
  readonly subject: Subject
}

/** By the role that they give: the bindings of one subject in one scope, in the order of their names. */
type ByRole = Map<string, Held[]>

export interface RbacIndex extends GrantSource {
  /** Bindings that it knows. */
  readonly size: number
}

/** Builds the index from a projection that has caught up, and follows it. */
export function createRbacIndex(projection: Pick<StreamProjection, 'table'>): RbacIndex {
  const roles = new Map<string, readonly PolicyRule[]>()
  const bindings = new Map<string, Binding>()
  /** `<scope>/<subject>`: the scope is a namespace, or '' for the cluster. */
  const subjects = new Map<string, ByRole>()

  function put(scope: string, version: Version): void {
    const key = `${scope}/${version.name}`
    remove(scope, key)
    if (version.deleted) return
    const binding = version.parse() as unknown as Binding
    bindings.set(key, binding)
    const role = roleKey(binding.roleRef, scope)
    for (const [subject, first] of subjectsOf(binding, scope)) {
      const place = `${scope}/${subject}`
      let byRole = subjects.get(place)
      if (!byRole) subjects.set(place, (byRole = new Map()))
      const held = byRole.get(role)
      const entry = { key, binding, subject: first }
      if (!held) byRole.set(role, [entry])
      else held.splice(held.findLastIndex((each) => each.key < key) + 1, 0, entry)
    }
  }

  function remove(scope: string, key: string): void {
    const binding = bindings.get(key)
    if (!binding) return
    bindings.delete(key)
    const role = roleKey(binding.roleRef, scope)
    for (const [subject] of subjectsOf(binding, scope)) {
      const place = `${scope}/${subject}`
      const byRole = subjects.get(place)
      const rest = byRole?.get(role)?.filter((each) => each.key !== key) ?? []
      if (rest.length > 0) byRole!.set(role, rest)
      else byRole?.delete(role)
      if (byRole?.size === 0) subjects.delete(place)
    }
  }

  function putRole(scope: string, version: Version): void {
    const key = `${scope}/${version.name}`
    if (version.deleted) roles.delete(key)
    else roles.set(key, rulesOf(version.parse()))
  }

  function* grantsIn(scope: string, user: User): Generator<Grant> {
    yield* grantsTo(`${scope}/User ${user.name}`)
    for (const group of user.groups) yield* grantsTo(`${scope}/Group ${group}`)
  }

  function* grantsTo(place: string): Generator<Grant> {
    const byRole = subjects.get(place)
    if (!byRole) return
    for (const [role, [first]] of byRole) {
      yield { binding: first!.binding, subject: first!.subject, rules: roles.get(role) }
    }
  }

  follow(projection.table(rbacTables.clusterRoles), (version) => putRole('', version))
  follow(projection.table(rbacTables.roles), (version) => putRole(version.namespace, version))
  follow(projection.table(rbacTables.clusterRoleBindings), (version) => put('', version))
  follow(projection.table(rbacTables.roleBindings), (version) => put(version.namespace, version))

  return {
    get size() {
      return bindings.size
    },
    *grantsOf(user, namespace) {
      yield* grantsIn('', user)
      if (namespace !== '') yield* grantsIn(namespace, user)
    },
  }
}

/** What is there now, then every change. */
function follow(table: ResourceTable, onVersion: (version: Version) => void): void {
  for (const version of table.current.values()) onVersion(version)
  table.listeners.add((changes) => changes.forEach(onVersion))
}

const roleKey = ({ kind, name }: RoleRef, scope: string): string => `${kind === 'ClusterRole' ? '' : scope}/${name}`

/** Whom a binding is for, each once, by the first subject that names them. */
function subjectsOf(binding: Binding, scope: string): Map<string, Subject> {
  const found = new Map<string, Subject>()
  for (const subject of binding.subjects ?? []) {
    const key = subjectKey(subject, scope)
    if (key !== undefined && !found.has(key)) found.set(key, subject)
  }
  return found
}
