// Pauses after failures: ten seconds, doubling to ten minutes, counted from the last failure. Failures in a row count, of
// the Job as a whole or, where indexes have limits of their own, of each index.
import type { Job } from '@shiplog/api/generated/types/batch-v1'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { findCondition } from '../shared/conditions.ts'
import {
  conditionsOf,
  counts,
  deletionBeganMs,
  failuresBefore,
  finishedAtMs,
  hasFailed,
  hasSucceeded,
  isTracked,
} from './job-facts.ts'

const backoffBaseMs = 10_000
const backoffMaxMs = 600_000
const doublingsMax = 20

function remainingMs(failures: number, lastFailureMs: number, nowMs: number): number {
  if (failures === 0) return 0
  const pauseMs = Math.min(backoffBaseMs * 2 ** Math.min(failures - 1, doublingsMax), backoffMaxMs)
  // Nobody waits for what has not happened yet by this clock.
  return Math.max(0, Math.min(lastFailureMs, nowMs) + pauseMs - nowMs)
}

/** Pods that a suspension removed did not fail: they were let go, and their deletion began before the Job went on. */
function wasSuspendedAway(job: Job, pod: Pod): boolean {
  if (isTracked(pod) || pod.status.phase === 'Failed') return false
  const resumed = findCondition(conditionsOf(job), 'Suspended')
  const beganMs = deletionBeganMs(pod)
  return resumed !== undefined && beganMs !== undefined && beganMs <= Date.parse(resumed.lastTransitionTime ?? '')
}

/** Milliseconds until the Job may make pods again. */
export function jobBackoffMs(job: Job, children: readonly Pod[], nowMs: number): number {
  const ended = children.filter((pod) => counts(job, pod))
  const lastSuccessMs = Math.max(Number.NEGATIVE_INFINITY, ...ended.filter(hasSucceeded).map(finishedAtMs))
  const failures = ended
    .filter((pod) => hasFailed(job, pod) && !wasSuspendedAway(job, pod))
    .map(finishedAtMs)
    .filter((atMs) => atMs > lastSuccessMs)
  return remainingMs(failures.length, Math.max(Number.NEGATIVE_INFINITY, ...failures), nowMs)
}

/** Milliseconds until the index whose last failed pod this is may have another. */
export function indexBackoffMs(lastFailed: Pod | undefined, nowMs: number): number {
  if (!lastFailed) return 0
  const { counted, ignored } = failuresBefore(lastFailed)
  return remainingMs(counted + ignored + 1, finishedAtMs(lastFailed), nowMs)
}
