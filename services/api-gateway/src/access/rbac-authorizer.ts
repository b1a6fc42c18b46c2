// Who may do what: `system:masters` may do everything; a node what node-authorizer.ts allows; and everybody what the Roles
// and ClusterRoles that are bound to them allow.
import type { PolicyRule } from '@shiplog/api/generated/types/rbac-v1'
import type { AdmissionView } from '@shiplog/domain/admission'
import { isNode } from '@shiplog/domain/node-identity'
import type { User } from '@shiplog/domain/strategy'
import { allowsComponentLease } from './component-lease-rights.ts'
import { describeGrant, type GrantSource, missingRoleOf, scannedGrants } from './grants.ts'
import { createNodeAuthorizer } from './node-authorizer.ts'
import type { NodeGraph } from './node-graph.ts'
import { ruleAllows, ruleAllowsPath } from './rule-matching.ts'
import type { AskedSelectors } from './selectors.ts'

export interface Access {
  readonly user: User
  readonly verb: string
  readonly group: string
  readonly resource: string
  readonly subresource: string
  readonly namespace: string
  readonly name: string
  /** What a list, a watch or the deletion of a collection is narrowed to. */
  readonly selectors?: AskedSelectors | undefined
}

/** Whether something may be done, and by what: upstream's sentence, '' where nothing is to be said. */
export interface Verdict {
  readonly allowed: boolean
  readonly reason: string
}

export interface HeldRules {
  readonly rules: readonly PolicyRule[]
  /** Why these are not all that hold. */
  readonly incomplete?: string
}

export interface Authorizer {
  allows(access: Access): boolean
  allowsPath(user: User, verb: string, path: string): boolean
  decide(access: Access): Verdict
  decidePath(user: User, verb: string, path: string): Verdict
  /** The rules that hold for a user in a namespace (SelfSubjectRulesReview). */
  rulesFor(user: User, namespace: string): HeldRules
}

/** Ways to decide, by upstream's names (--authorization-mode); whoever of them says yes first has decided. */
export const authorizationModes = ['Node', 'RBAC', 'AlwaysAllow', 'AlwaysDeny'] as const
export type AuthorizationMode = (typeof authorizationModes)[number]

export interface AuthorizerSources {
  /** Default: Node and RBAC. */
  readonly modes?: readonly AuthorizationMode[] | undefined
  /** Who has which role; a look at all bindings by default. */
  readonly grants?: GrantSource
  /** Which node has to do with what; a look at the pods by default. */
  readonly graph?: NodeGraph
}

export function createAuthorizer(view: AdmissionView, sources: AuthorizerSources = {}): Authorizer {
  const { modes = ['Node', 'RBAC'], graph } = sources
  const grants = modes.includes('RBAC') ? (sources.grants ?? scannedGrants(view)) : noGrants
  const nodes = modes.includes('Node') ? createNodeAuthorizer(view, graph) : undefined
  const allowsAll = modes.includes('AlwaysAllow')

  function search(user: User, namespace: string, matches: (rule: PolicyRule) => boolean): Verdict {
    const missing = new Set<string>()
    for (const grant of grants.grantsOf(user, namespace)) {
      if (!grant.rules) missing.add(missingRoleOf(grant.binding))
      else if (grant.rules.some(matches)) return { allowed: true, reason: `RBAC: allowed by ${describeGrant(grant)}` }
    }
    return missing.size === 0 ? no : { allowed: false, reason: `RBAC: ${aggregate([...missing])}` }
  }

  function decide(access: Access): Verdict {
    const { user } = access
    if (allowsAll || isMaster(user)) return yes
    const node = nodes?.decide(access)
    if (node?.allowed || allowsComponentLease(access)) return yes
    const found = search(user, access.namespace, (rule) => ruleAllows(rule, access))
    if (found.allowed || !node?.reason) return found
    return { allowed: false, reason: [node.reason, found.reason].filter((each) => each !== '').join('\n') }
  }

  function decidePath(user: User, verb: string, path: string): Verdict {
    if (allowsAll || isMaster(user)) return yes
    return search(user, '', (rule) => ruleAllowsPath(rule, verb, path))
  }

  return {
    decide,
    decidePath,
    allows: (access) => decide(access).allowed,
    allowsPath: (user, verb, path) => decidePath(user, verb, path).allowed,
    rulesFor(user, namespace) {
      const granted = [...grants.grantsOf(user, namespace)].flatMap((grant) => grant.rules ?? [])
      const rules = allowsAll ? [...everything, ...granted] : granted
      return isNode(user) ? { rules, incomplete: 'node authorizer does not support user rule resolution' } : { rules }
    },
  }
}

const isMaster = (user: User): boolean => user.groups.includes('system:masters')
const noGrants: GrantSource = { grantsOf: () => [] }
const everything: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
]
const yes: Verdict = { allowed: true, reason: '' }
const no: Verdict = { allowed: false, reason: '' }

/** Several errors in one, as upstream's aggregate prints them. */
const aggregate = (errors: readonly string[]): string => (errors.length === 1 ? errors[0]! : `[${errors.join(', ')}]`)
