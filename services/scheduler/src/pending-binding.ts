// A decision on its way to the log: upstream's assumed pod. The pod counts on its node until the feed shows the binding,
// or something undoes it.
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { PodInfo } from '@shiplog/scheduling/snapshot/pod-info'

export interface PendingBinding {
  readonly pod: PodInfo
  readonly object: Pod
  readonly node: string
  /** The decision's number in this run. */
  readonly number: number
  readonly startedMs: number
  /** The sequence of the binding, once it is known. */
  boundAt: number | undefined
  /** The pod was assigned to another replica: what has not been sent is not sent. */
  isRevoked: boolean
  /** Whether the request still waits for its answer. */
  isInFlight: boolean
  /** What the feed showed of the pod since: bound as decided; or bound elsewhere, deleted, forgotten. */
  outcome: 'open' | 'bound' | 'void'
}

/** Why a binding did not come about. */
export interface Refusal {
  readonly code?: number
  readonly message?: string
  readonly error?: string
}

export function createPendingBinding(
  decided: Pick<PendingBinding, 'pod' | 'object' | 'node' | 'number' | 'startedMs'>,
): PendingBinding {
  return { ...decided, boundAt: undefined, isRevoked: false, isInFlight: true, outcome: 'open' }
}

/** Whether a request about a pod that is another replica's by now has no answer yet. */
export const anyRevokedInFlight = (pending: ReadonlyMap<string, PendingBinding>): boolean =>
  pending.values().some(({ isRevoked, isInFlight }) => isRevoked && isInFlight)
