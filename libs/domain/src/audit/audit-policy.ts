// Which requests are recorded, and how much of them: the policy of k8s.io/apiserver/pkg/audit/policy (audit.k8s.io/v1).
import { decodeYaml } from '@shiplog/api/decode/decode-yaml'
import type { User } from '../strategy.ts'

export const auditLevels = ['None', 'Metadata', 'Request', 'RequestResponse'] as const
export type AuditLevel = (typeof auditLevels)[number]
export const auditStages = ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic'] as const
export type AuditStage = (typeof auditStages)[number]

export interface AuditRule {
  readonly level: AuditLevel
  readonly users?: readonly string[]
  readonly userGroups?: readonly string[]
  readonly verbs?: readonly string[]
  readonly resources?: readonly {
    readonly group?: string
    readonly resources?: readonly string[]
    readonly resourceNames?: readonly string[]
  }[]
  readonly namespaces?: readonly string[]
  readonly nonResourceURLs?: readonly string[]
  readonly omitStages?: readonly AuditStage[]
  readonly omitManagedFields?: boolean
}

export interface AuditPolicy {
  readonly rules: readonly AuditRule[]
  readonly omitStages?: readonly AuditStage[]
  readonly omitManagedFields?: boolean
}

/** What a rule looks at. */
export interface AuditedRequest {
  readonly user: User
  readonly verb: string
  /** Undefined for a path that is of no resource. */
  readonly target:
    | { readonly group: string; readonly resource: string; readonly subresource: string; readonly namespace: string; readonly name: string }
    | undefined
  readonly path: string
}

export interface AuditDecision {
  readonly level: AuditLevel
  readonly omitStages: ReadonlySet<AuditStage>
  readonly omitManagedFields: boolean
}

/** Reads a policy's file. Throws with what is wrong with it. */
export function parseAuditPolicy(text: string): AuditPolicy {
  const policy = decodeYaml(text).value as { apiVersion?: unknown; kind?: unknown } & Partial<AuditPolicy>
  if (policy?.apiVersion !== 'audit.k8s.io/v1' || policy.kind !== 'Policy')
    throw new Error(`unknown group version field ${JSON.stringify(policy?.apiVersion ?? '')} in policy`)
  const { rules = [] } = policy
  if (rules.length === 0) throw new Error('loaded illegal policy with 0 rules')
  const problems = [...stageProblems(policy.omitStages, 'omitStages'), ...rules.flatMap(ruleProblems)]
  if (problems.length > 0) throw new Error(problems.length === 1 ? problems[0] : `[${problems.join(', ')}]`)
  return { ...policy, rules }
}

const quoted = (names: readonly string[]): string => names.map((name) => JSON.stringify(name)).join(', ')

const stageProblems = (stages: readonly string[] | undefined, field: string): string[] =>
  (stages ?? []).flatMap((stage, index) =>
    (auditStages as readonly string[]).includes(stage)
      ? []
      : [`${field}[${index}]: Invalid value: ${JSON.stringify(stage)}: allowed stages are ${auditStages.join(',')}`],
  )

function ruleProblems(rule: AuditRule, index: number): string[] {
  const at = `rules[${index}]`
  const problems = stageProblems(rule.omitStages, `${at}.omitStages`)
  if (!rule.level) problems.push(`${at}.level: Required value`)
  else if (!auditLevels.includes(rule.level))
    problems.push(`${at}.level: Unsupported value: ${JSON.stringify(rule.level)}: supported values: ${quoted(auditLevels)}`)
  const urls = rule.nonResourceURLs ?? []
  if (urls.length > 0 && (rule.resources?.length || rule.namespaces?.length))
    problems.push(`${at}.nonResourceURLs: Invalid value: rules cannot apply to both regular resources and non-resource URLs`)
  for (const [place, url] of urls.entries()) {
    const star = url.indexOf('*')
    if (url !== '*' && !url.startsWith('/'))
      problems.push(`${at}.nonResourceURLs[${place}]: Invalid value: ${JSON.stringify(url)}: non-resource URL rules must begin with a '/' character`)
    if (url !== '*' && star >= 0 && star < url.length - 1)
      problems.push(`${at}.nonResourceURLs[${place}]: Invalid value: ${JSON.stringify(url)}: non-resource URL wildcards '*' must be the final character of the rule`)
  }
  return problems
}

const nothing: AuditDecision = { level: 'None', omitStages: new Set(), omitManagedFields: false }

/** The first rule that matches decides. */
export function auditDecision(policy: AuditPolicy, request: AuditedRequest): AuditDecision {
  const rule = policy.rules.find((one) => ruleMatches(one, request))
  if (!rule) return nothing
  return {
    level: rule.level,
    omitStages: new Set([...(policy.omitStages ?? []), ...(rule.omitStages ?? [])]),
    omitManagedFields: rule.omitManagedFields ?? policy.omitManagedFields ?? false,
  }
}

const isAny = (list: readonly string[] | undefined): boolean => !list || list.length === 0

function ruleMatches(rule: AuditRule, { user, verb, target, path }: AuditedRequest): boolean {
  if (!isAny(rule.users) && !rule.users!.includes(user.name)) return false
  if (!isAny(rule.userGroups) && !rule.userGroups!.some((group) => user.groups.includes(group))) return false
  if (!isAny(rule.verbs) && !rule.verbs!.includes(verb)) return false
  if (!isAny(rule.namespaces) || (rule.resources?.length ?? 0) > 0) return target !== undefined && ofResource(rule, target)
  if (!isAny(rule.nonResourceURLs)) return target === undefined && rule.nonResourceURLs!.some((url) => pathMatches(url, path))
  return true
}

function pathMatches(url: string, path: string): boolean {
  if (url === '*' || url === path) return true
  return url.endsWith('*') && path.startsWith(url.slice(0, -1))
}

function ofResource({ namespaces, resources = [] }: AuditRule, target: NonNullable<AuditedRequest['target']>): boolean {
  if (!isAny(namespaces) && !namespaces!.includes(target.namespace)) return false
  if (resources.length === 0) return true
  const { group, resource, subresource, name } = target
  const combined = subresource === '' ? resource : `${resource}/${subresource}`
  return resources.some((one) => {
    const named = one.group ?? ''
    if (named !== group && named !== '*') return false
    if (isAny(one.resources)) return true
    if (!isAny(one.resourceNames) && !one.resourceNames!.includes(name)) return false
    return one.resources!.some(
      (text) =>
        text === combined ||
        text === '*' ||
        text === `${resource}/*` ||
        (subresource !== '' && text === `*/${subresource}`),
    )
  })
}
