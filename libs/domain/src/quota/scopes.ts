// Which objects a quota is about, by its scopes.
import type { ResourceQuota } from '@shiplog/api/generated/types/core-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import type { Evaluator, ScopeRequirement } from './evaluator.ts'

/** `spec.scopes` and `spec.scopeSelector` in one form. */
export const scopesOf = ({ spec }: ResourceQuota): readonly ScopeRequirement[] => [
  ...(spec.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists' })),
  ...(spec.scopeSelector?.matchExpressions ?? []),
]

/** Whether a requirement holds for the values that an object has of it; most have one or none. */
export function matchesValues({ operator, values = [] }: ScopeRequirement, own: readonly string[]): boolean {
  switch (operator) {
    case 'Exists':
      return own.length > 0
    case 'DoesNotExist':
      return own.length === 0
    case 'In':
      return own.some((value) => values.includes(value))
    case 'NotIn':
      return own.length === 0 || own.some((value) => !values.includes(value))
    default:
      return false
  }
}

/** The names that a quota limits and that are about such objects. */
export const namesTracked = (evaluator: Evaluator, hard: object | undefined): readonly string[] =>
  Object.keys(hard ?? {}).filter((name) => evaluator.tracks(name))

/** Whether the quota limits anything of this object. */
export const matches = (quota: ResourceQuota, evaluator: Evaluator, object: KubeObject): boolean =>
  namesTracked(evaluator, quota.status?.hard).length > 0 &&
  scopesOf(quota).every((scope) => evaluator.matchesScope(scope, object))
