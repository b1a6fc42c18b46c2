// Whether one rule of a role allows something, by the rules of rbac.authorization.k8s.io/v1.
import type { PolicyRule } from '@shiplog/api/generated/types/rbac-v1'

export interface AskedAction {
  readonly verb: string
  readonly group: string
  readonly resource: string
  readonly subresource: string
  readonly name: string
}

export function ruleAllows(rule: PolicyRule, { verb, group, resource, subresource, name }: AskedAction): boolean {
  const full = subresource === '' ? resource : `${resource}/${subresource}`
  const { resourceNames: names } = rule
  return (
    has(rule.verbs, verb) &&
    has(rule.apiGroups, group) &&
    (has(rule.resources, full) || (subresource !== '' && (rule.resources?.includes(`*/${subresource}`) ?? false))) &&
    (names === undefined || names.length === 0 || names.includes(name))
  )
}

export function ruleAllowsPath(rule: PolicyRule, verb: string, path: string): boolean {
  const urls = rule.nonResourceURLs ?? []
  return (
    has(rule.verbs, verb) &&
    urls.some((url) => url === '*' || url === path || (url.endsWith('*') && path.startsWith(url.slice(0, -1))))
  )
}

const has = (list: readonly string[] | undefined, value: string): boolean =>
  list?.some((item) => item === '*' || item === value) ?? false
