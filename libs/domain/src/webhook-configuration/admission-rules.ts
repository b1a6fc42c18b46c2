// Which requests a webhook or a policy is asked about: rules of groups, versions, resources and operations, and conditions.
import { duplicate, invalidValue, notSupported, required, tooMany } from '@shiplog/api/field-errors'
import type {
  MatchCondition,
  MatchResources,
  NamedRuleWithOperations,
} from '@shiplog/api/generated/types/admissionregistration-v1'
import { validateLabelSelector } from '@shiplog/api/selectors'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded } from '@shiplog/api/decoded'
import { type ExpressionKind, type ExpressionScope, expressionProblem } from '../expressions/expression-scope.ts'
import { byRule, items } from '../fields.ts'
import { pathSegment, qualifiedName } from '../names.ts'

const operations = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE']
const scopes = ['*', 'Cluster', 'Namespaced']
const matchPolicies = ['Equivalent', 'Exact']
const conditionsMax = 64

/** `pods`, `pods/*`, `*\/scale`: what includes another may not stand before it. */
const validateResourceNames = (resources: readonly string[], field: string): StatusCause[] => {
  if (resources.length === 0) return [required(field)]
  const causes: StatusCause[] = []
  const [ofResource, ofSubresource] = [new Set<string>(), new Set<string>()]
  let plain = false
  for (const [index, text] of resources.entries()) {
    const at = `${field}[${index}]`
    const slash = text.indexOf('/')
    if (text === '') causes.push(required(at))
    else if (slash < 0) plain = text !== '*'
    if (slash < 0) continue
    const [resource, subresource] = [text.slice(0, slash), text.slice(slash + 1)]
    const included = (what: string): void =>
      void causes.push(invalidValue(at, text, `if '${what}' is present, must not specify ${text}`))
    if (ofResource.has(resource)) included(`${resource}/*`)
    if (ofSubresource.has(subresource)) included(`*/${subresource}`)
    if (subresource === '*') ofResource.add(resource)
    if (resource === '*') ofSubresource.add(subresource)
  }
  if (resources.length > 1 && resources.includes('*/*'))
    causes.push(invalidValue(field, resources, "if '*/*' is present, must not specify other resources"))
  if (resources.includes('*') && plain)
    causes.push(
      invalidValue(field, resources, "if '*' is present, must not specify other resources without subresources"),
    )
  return causes
}

const validateRule = (rule: Decoded<NamedRuleWithOperations>, at: string): StatusCause[] => {
  const causes: StatusCause[] = []
  const list = (key: 'operations' | 'apiGroups' | 'apiVersions', what: string): void => {
    const values: readonly string[] = items<string>(rule[key])
    if (values.length === 0) causes.push(required(`${at}.${key}`))
    if (values.length > 1 && values.includes('*'))
      causes.push(invalidValue(`${at}.${key}`, values, `if '*' is present, must not specify other ${what}`))
  }
  list('operations', 'operations')
  items(rule.operations).forEach((operation, position) => {
    if (!operations.includes(operation))
      causes.push(notSupported(`${at}.operations[${position}]`, operation, operations))
  })
  list('apiGroups', 'API groups')
  list('apiVersions', 'API versions')
  items(rule.apiVersions).forEach((version, position) => {
    if (version === '') causes.push(required(`${at}.apiVersions[${position}]`))
  })
  causes.push(...validateResourceNames(items(rule.resources), `${at}.resources`))
  if (typeof rule.scope === 'string' && !scopes.includes(rule.scope))
    causes.push(notSupported(`${at}.scope`, rule.scope, scopes))
  return causes
}

export const validateRules = (
  rules: Decoded<NamedRuleWithOperations[]> | null | undefined,
  field: string,
): StatusCause[] =>
  items(rules).flatMap((rule, index) => {
    const at = `${field}[${index}]`
    const names = items(rule.resourceNames)
    return [
      ...names.flatMap((name, position) => [
        ...byRule(pathSegment, name, `${at}.resourceNames[${position}]`),
        ...(names.indexOf(name) < position ? [duplicate(`${at}.resourceNames[${position}]`, name)] : []),
      ]),
      ...validateRule(rule, at),
    ]
  })

/** What a policy or a binding is about. */
export const validateMatchResources = (match: Decoded<MatchResources> | undefined, field: string): StatusCause[] => {
  if (!match) return []
  const policy = match.matchPolicy
  return [
    ...(typeof policy !== 'string'
      ? [required(`${field}.matchPolicy`)]
      : matchPolicies.includes(policy)
        ? []
        : [notSupported(`${field}.matchPolicy`, policy, matchPolicies)]),
    ...(['namespaceSelector', 'objectSelector'] as const).flatMap((key) =>
      match[key] ? validateLabelSelector(match[key], `${field}.${key}`) : [required(`${field}.${key}`)],
    ),
    ...validateRules(match.resourceRules, `${field}.resourceRules`),
    ...validateRules(match.excludeResourceRules, `${field}.excludeResourceRules`),
  ]
}

/** An expression that comes to one of these types; `shown` is the text as it was given. */
export const validateExpression = (
  expression: string,
  scope: ExpressionScope,
  wanted: readonly ExpressionKind[] | undefined,
  field: string,
  shown = expression,
): StatusCause[] => {
  const problem = expressionProblem(expression, scope, wanted)
  return problem === undefined ? [] : [invalidValue(field, shown, problem)]
}

export const validateMatchConditions = (
  conditions: Decoded<MatchCondition[]> | undefined,
  scope: ExpressionScope,
  field: string,
): StatusCause[] => {
  const list = items(conditions)
  const names = new Set<string>()
  return [
    ...(list.length > conditionsMax ? [tooMany(field, list.length, conditionsMax)] : []),
    ...list.flatMap((condition, index) => {
      const at = `${field}[${index}]`
      const name = condition.name ?? ''
      const expression = (condition.expression ?? '').trim()
      const causes =
        expression === ''
          ? [required(`${at}.expression`)]
          : validateExpression(expression, scope, ['bool'], `${at}.expression`)
      if (name === '') return [...causes, required(`${at}.name`)]
      causes.push(...byRule(qualifiedName, name, `${at}.name`))
      if (names.has(name)) causes.push(duplicate(`${at}.name`, name))
      names.add(name)
      return causes
    }),
  ]
}
