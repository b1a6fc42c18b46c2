// Which FlowSchema a request falls under: k8s.io/apiserver/pkg/util/flowcontrol/rule.go.
import type {
  FlowSchema,
  NonResourcePolicyRule,
  ResourcePolicyRule,
  Subject,
} from '@shiplog/api/generated/types/flowcontrol-v1'
import type { User } from '../strategy.ts'

/** What rules look at. */
export interface FlowDigest {
  readonly user: User
  readonly verb: string
  /** Undefined for a path that is of no resource. */
  readonly target: { readonly group: string; readonly resource: string; readonly subresource: string; readonly namespace: string } | undefined
  readonly path: string
}

/** By precedence, then by name. */
export const inPrecedence = (schemas: readonly FlowSchema[]): readonly FlowSchema[] =>
  schemas.toSorted(
    (a, b) =>
      (a.spec.matchingPrecedence ?? 0) - (b.spec.matchingPrecedence ?? 0) || (a.metadata.name < b.metadata.name ? -1 : 1),
  )

/** The first of the schemas, which are in their order, that a request matches. */
export const schemaFor = (schemas: readonly FlowSchema[], digest: FlowDigest): FlowSchema | undefined =>
  schemas.find(({ spec }) =>
    (spec.rules ?? []).some(
      ({ subjects, resourceRules = [], nonResourceRules = [] }) =>
        (subjects ?? []).some((subject) => isSubject(subject, digest.user)) &&
        (digest.target
          ? resourceRules.some((rule) => ofResource(rule, digest))
          : nonResourceRules.some((rule) => ofPath(rule, digest))),
    ),
  )

/** What tells flows of one schema apart. */
export const distinguisherOf = ({ spec }: FlowSchema, { user, target }: FlowDigest): string =>
  spec.distinguisherMethod?.type === 'ByUser'
    ? user.name
    : spec.distinguisherMethod?.type === 'ByNamespace'
      ? (target?.namespace ?? '')
      : ''

function isSubject({ kind, user: named, group, serviceAccount }: Subject, user: User): boolean {
  switch (kind) {
    case 'User':
      return named !== undefined && (named.name === '*' || named.name === user.name)
    case 'Group':
      return group !== undefined && (group.name === '*' || user.groups.includes(group.name))
    case 'ServiceAccount': {
      if (!serviceAccount) return false
      const { namespace, name } = serviceAccount
      const start = `system:serviceaccount:${namespace}:`
      return name === '*' ? user.name.startsWith(start) : user.name === `${start}${name}`
    }
    default:
      return false
  }
}

const has = (list: readonly string[] | null | undefined, one: string): boolean =>
  list?.some((each) => each === '*' || each === one) ?? false

function ofResource(rule: ResourcePolicyRule, { verb, target }: FlowDigest): boolean {
  const { group, resource, subresource, namespace } = target!
  const full = subresource === '' ? resource : `${resource}/${subresource}`
  if (!has(rule.verbs, verb) || !has(rule.resources, full) || !has(rule.apiGroups, group)) return false
  return namespace === '' ? rule.clusterScope === true : has(rule.namespaces, namespace)
}

function ofPath(rule: NonResourcePolicyRule, { verb, path }: FlowDigest): boolean {
  return (
    has(rule.verbs, verb) &&
    (rule.nonResourceURLs ?? []).some(
      (url) => url === '*' || url === path || (url.endsWith('*') && path.startsWith(url.slice(0, -1))),
    )
  )
}
