// ResourceQuotas: how much a namespace may use.
import { invalidValue, required } from '@shiplog/api/field-errors'
import type { ResourceQuota, ResourceQuotaSpec } from '@shiplog/api/generated/types/core-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded } from '@shiplog/api/decoded'
import { byRule, entries, immutable, items } from '../fields.ts'
import { qualifiedName } from '../names.ts'
import { compareQuantities, nanosOf } from '../quantities.ts'
import type { Strategy } from '../strategy.ts'
import { isStandardResource, objectCounts } from './standard-resources.ts'

const nanosPerUnit = 1_000_000_000n

const computeResources = ['cpu', 'memory', 'limits.cpu', 'limits.memory', 'requests.cpu', 'requests.memory']

/** Which of the standard resources a scope can narrow; undefined: it narrows any. */
const narrowedBy: Readonly<Record<string, readonly string[]>> = {
  BestEffort: ['pods'],
  NotBestEffort: ['pods', ...computeResources],
  Terminating: ['pods', ...computeResources],
  NotTerminating: ['pods', ...computeResources],
  PriorityClass: ['pods', ...computeResources],
  CrossNamespacePodAffinity: ['pods', ...computeResources],
  VolumeAttributesClass: ['persistentvolumeclaims', 'requests.storage'],
}
const opposites = [
  ['BestEffort', 'NotBestEffort'],
  ['Terminating', 'NotTerminating'],
] as const

const validateAmount = (name: string, quantity: string, list: string): StatusCause[] => {
  const field = `${list}[${name}]`
  const causes = byRule(qualifiedName, name, field)
  if (!name.includes('/') && !isStandardResource(name)) {
    if (causes.length === 0)
      causes.push(invalidValue(field, name, 'must be a standard resource type or fully qualified'))
    causes.push(invalidValue(field, name, 'must be a standard resource for quota'))
  }
  const nanos = nanosOf(quantity)
  if (nanos === undefined) return causes
  if (nanos < 0n) causes.push(invalidValue(field, String(quantity), 'must be greater than or equal to 0'))
  const counted = objectCounts.includes(name) || name.startsWith('count/')
  if (counted && nanos % nanosPerUnit !== 0n) causes.push(invalidValue(field, String(quantity), 'must be an integer'))
  return causes
}

const scopes = [
  ...['BestEffort', 'CrossNamespacePodAffinity', 'NotBestEffort', 'NotTerminating', 'PriorityClass', 'Terminating'],
  'VolumeAttributesClass',
]
/** What a pod has or has not, with no value to it. */
const existScopes = ['BestEffort', 'NotBestEffort', 'Terminating', 'NotTerminating', 'CrossNamespacePodAffinity']
const scopeOperators = ['In', 'NotIn', 'Exists', 'DoesNotExist']

const validateScopes = (spec: Decoded<ResourceQuotaSpec>): StatusCause[] => {
  const causes: StatusCause[] = []
  const limited = Object.keys(spec.hard ?? {}).filter(isStandardResource)
  const misfits = (scope: string): boolean => limited.some((name) => narrowedBy[scope]?.includes(name) === false)
  const contradict = (given: readonly string[]): boolean =>
    opposites.some((pair) => pair.every((scope) => given.includes(scope)))
  for (const scope of items(spec.scopes)) {
    if (!scopes.includes(scope)) causes.push(invalidValue('spec.scopes', spec.scopes, 'unsupported scope'))
    if (misfits(scope)) causes.push(invalidValue('spec.scopes', spec.scopes, 'unsupported scope applied to resource'))
  }
  if (contradict(items(spec.scopes))) causes.push(invalidValue('spec.scopes', spec.scopes, 'conflicting scopes'))
  // Upstream's errors do not say which expression is wrong.
  const at = 'spec.scopeSelector.matchExpressions'
  for (const { scopeName = '', operator = '', values } of items(spec.scopeSelector?.matchExpressions)) {
    if (!scopes.includes(scopeName)) causes.push(invalidValue(`${at}.scopeName`, scopeName, 'unsupported scope'))
    if (misfits(scopeName)) causes.push(invalidValue(at, spec.scopeSelector, 'unsupported scope applied to resource'))
    if (existScopes.includes(scopeName) && operator !== 'Exists')
      causes.push(
        invalidValue(
          `${at}.operator`,
          operator,
          "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity",
        ),
      )
    if (!scopeOperators.includes(operator))
      causes.push(invalidValue(`${at}.operator`, operator, 'not a valid selector operator'))
    if ((operator === 'In' || operator === 'NotIn') && items(values).length === 0)
      causes.push(
        required(`${at}.values`, "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"),
      )
    if ((operator === 'Exists' || operator === 'DoesNotExist') && items(values).length > 0)
      causes.push(
        invalidValue(
          `${at}.values`,
          values,
          "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
        ),
      )
  }
  const selected = items(spec.scopeSelector?.matchExpressions).map(({ scopeName = '' }) => scopeName)
  if (contradict(selected)) causes.push(invalidValue(at, spec.scopes, 'conflicting scopes'))
  return causes
}

/** Of requests that may be more than limits. */
const quotaWarnings = (hard: Readonly<Record<string, string>>): string[] =>
  ['cpu', 'memory', 'storage', 'ephemeral-storage'].flatMap((name) => {
    const bare = (name === 'cpu' || name === 'memory') && hard[`requests.${name}`] === undefined
    const [request, limit] = [bare ? name : `requests.${name}`, `limits.${name}`]
    const order = compareQuantities(hard[request], hard[limit])
    return order !== undefined && order > 0
      ? [`ResourceQuota ${request} (${hard[request]}) should be less than ${limit} (${hard[limit]})`]
      : []
  })

export const resourceQuotaStrategy: Strategy<ResourceQuota> = {
  returnsDeleted: true,
  hasGeneration: false,
  prepareForCreate: (draft) => {
    draft.status = {}
  },
  warnings: (quota, before) => (before ? [] : quotaWarnings(quota.spec?.hard ?? {})),
  validatesAll: true,
  validate: (quota) => [
    ...entries(quota.spec?.hard).flatMap(([name, quantity]) => validateAmount(name, quantity, 'spec.hard')),
    ...validateScopes(quota.spec ?? {}),
  ],
  validateStatusUpdate: (next) =>
    (['hard', 'used'] as const).flatMap((list) =>
      entries(next.status?.[list]).flatMap(([name, quantity]) => validateAmount(name, quantity, `status.${list}`)),
    ),
  validateUpdate: (next, before) => immutable(next.spec?.scopes, before.spec?.scopes, 'spec.scopes'),
}
