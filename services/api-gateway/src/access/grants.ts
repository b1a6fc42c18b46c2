// Which roles a user has, and by which bindings. Two sources give the same: a look at all bindings, for a decision that has
// to know what it saw, and an index that is kept up to date, for every request (rbac-index.ts).
import { goQuote } from '@shiplog/api/decode/go-quote'
import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  Subject,
} from '@shiplog/api/generated/types/rbac-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import type { AdmissionView } from '@shiplog/domain/admission'
import type { User } from '@shiplog/domain/strategy'

export const rbacGroup = 'rbac.authorization.k8s.io'
export const rbacTables = {
  clusterRoles: `clusterroles.${rbacGroup}`,
  roles: `roles.${rbacGroup}`,
  clusterRoleBindings: `clusterrolebindings.${rbacGroup}`,
  roleBindings: `rolebindings.${rbacGroup}`,
} as const

export type Binding = ClusterRoleBinding | RoleBinding

/** A binding that holds for a user, by one of its subjects. */
export interface Grant {
  readonly binding: Binding
  readonly subject: Subject
  /** Of the role; undefined when there is no such role. */
  readonly rules: readonly PolicyRule[] | undefined
}

export interface GrantSource {
  /** Those that hold in the whole cluster, then those of the namespace ('' for none). */
  grantsOf(user: User, namespace: string): Iterable<Grant>
}

/** Looks at every binding. */
export const scannedGrants = (view: AdmissionView): GrantSource => ({
  *grantsOf(user, namespace) {
    for (const object of view.list(rbacTables.clusterRoleBindings)) yield* grantBy(view, object, user, '')
    if (namespace === '') return
    for (const object of view.list(rbacTables.roleBindings, namespace)) yield* grantBy(view, object, user, namespace)
  },
})

function* grantBy(view: AdmissionView, object: KubeObject, user: User, namespace: string): Generator<Grant> {
  const binding = object as unknown as Binding
  const subject = binding.subjects?.find((each) => isMeant(each, user, namespace))
  if (!subject) return
  const { kind, name } = binding.roleRef
  const role =
    kind === 'ClusterRole'
      ? view.get(rbacTables.clusterRoles, '', name)
      : view.get(rbacTables.roles, namespace, name)
  yield { binding, subject, rules: role && rulesOf(role) }
}

export const rulesOf = (role: KubeObject): readonly PolicyRule[] =>
  (role as unknown as ClusterRole | Role).rules ?? []

/** Whom a subject names, as the user names and groups that they are known by: `User alice`, `Group ops`. */
export function subjectKey({ kind, name, namespace }: Subject, bindingNamespace: string): string | undefined {
  if (kind === 'User' || kind === 'Group') return `${kind} ${name}`
  const home = namespace || bindingNamespace
  return kind === 'ServiceAccount' && home !== '' ? `User system:serviceaccount:${home}:${name}` : undefined
}

function isMeant(subject: Subject, user: User, bindingNamespace: string): boolean {
  const key = subjectKey(subject, bindingNamespace)
  return subject.kind === 'Group' ? user.groups.includes(subject.name) : key === `User ${user.name}`
}

/** `ClusterRoleBinding "readers" of ClusterRole "view" to User "bob"`, as upstream's describers have it. */
export function describeGrant({ binding, subject }: Grant): string {
  const { name, namespace = '' } = binding.metadata
  const { kind, name: role } = binding.roleRef
  const full = binding.kind === 'RoleBinding' ? `${name}/${namespace}` : name
  const who = subject.kind === 'ServiceAccount' ? `${subject.name}/${subject.namespace || namespace}` : subject.name
  return `${binding.kind} ${goQuote(full)} of ${kind} ${goQuote(role)} to ${subject.kind} ${goQuote(who)}`
}

export const missingRoleOf = ({ roleRef: { kind, name } }: Binding): string =>
  `${kind.toLowerCase()}.${rbacGroup} ${goQuote(name)} not found`
