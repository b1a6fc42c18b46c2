// Conditions in a status: replaced by type, and the time of the last transition kept while the status stays the same.
import type { JsonObject } from '@shiplog/api/kube-object'
import { rfc3339 } from '@shiplog/runtime/clock'

export interface Condition {
  readonly type: string
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason: string
  readonly message: string
}

export const findCondition = (conditions: readonly JsonObject[], type: string): JsonObject | undefined =>
  conditions.find((condition) => condition['type'] === type)

export const isTrue = (conditions: readonly JsonObject[], type: string): boolean =>
  findCondition(conditions, type)?.['status'] === 'True'

/** Sets a condition as namespaces and pods have it: unchanged when status, reason and message are the same. */
export function setCondition(conditions: readonly JsonObject[], next: Condition, nowMs: number): readonly JsonObject[] {
  const before = findCondition(conditions, next.type)
  if (
    before?.['status'] === next.status &&
    before?.['reason'] === next.reason &&
    (before?.['message'] ?? '') === next.message
  ) {
    return conditions
  }
  const lastTransitionTime = before?.['status'] === next.status ? before['lastTransitionTime'] : rfc3339(nowMs)
  const written = {
    type: next.type,
    status: next.status,
    lastTransitionTime,
    reason: next.reason,
    message: next.message,
  }
  return before
    ? conditions.map((condition) => (condition === before ? { ...condition, ...written } : condition))
    : [...conditions, written]
}
