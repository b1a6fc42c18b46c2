// Conditions in a status: replaced by type, and the time of the last transition kept while the status stays the same.
import { rfc3339 } from '@shiplog/runtime/clock'

/** What a controller wants a condition to say. */
export interface Condition {
  readonly type: string
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason: string
  readonly message: string
}

/** A condition as objects of any kind store it. */
export interface StoredCondition {
  type: string
  status: string
  reason?: string
  message?: string
  lastTransitionTime?: string
}

export const findCondition = <C extends { type: string }>(
  conditions: readonly C[] | undefined,
  type: string,
): C | undefined => conditions?.find((condition) => condition.type === type)

export const isTrue = (conditions: readonly StoredCondition[] | undefined, type: string): boolean =>
  findCondition(conditions, type)?.status === 'True'

/** Sets a condition as namespaces and pods have it: unchanged when status, reason and message are the same. */
export function setCondition<C extends StoredCondition>(
  conditions: readonly C[],
  next: Condition,
  nowMs: number,
): readonly C[] {
  const before = findCondition(conditions, next.type)
  if (before?.status === next.status && before.reason === next.reason && (before.message ?? '') === next.message) {
    return conditions
  }
  const kept = before?.status === next.status ? before.lastTransitionTime : rfc3339(nowMs)
  const written = {
    type: next.type,
    status: next.status,
    ...(kept === undefined ? {} : { lastTransitionTime: kept }),
    reason: next.reason,
    message: next.message,
  } as C
  return before
    ? conditions.map((condition) => (condition === before ? { ...condition, ...written } : condition))
    : [...conditions, written]
}
