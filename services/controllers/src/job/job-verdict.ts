// Whether and how a Job ends. Once given, a verdict stands. The order in which the criteria are asked is upstream's.
import type { Job, SuccessPolicyRule } from '@shiplog/api/generated/types/batch-v1'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { type Condition, findCondition, isTrue } from '../shared/conditions.ts'
import { parseIndexes } from './completed-indexes.ts'
import { backoffLimitOf, completionsOf, conditionsOf, hasFailed, isSuspended } from './job-facts.ts'
import type { Look } from './job-tally.ts'
import { judgeFailure } from './pod-failure-policy.ts'

/** A condition that is to become Failed or Complete when nothing of the Job is left running or uncounted. */
export interface Verdict extends Condition {
  readonly type: 'FailureTarget' | 'SuccessCriteriaMet'
}

const fail = (reason: string, message: string): Verdict => ({ type: 'FailureTarget', status: 'True', reason, message })

const succeed = (reason: string, message: string): Verdict => ({
  type: 'SuccessCriteriaMet',
  status: 'True',
  reason,
  message,
})

/** The verdict that the stored status gives. */
export function storedVerdict(job: Job): Verdict | undefined {
  for (const type of ['SuccessCriteriaMet', 'FailureTarget'] as const) {
    if (!isTrue(conditionsOf(job), type)) continue
    const { reason, message } = findCondition(conditionsOf(job), type)!
    return { type, status: 'True', reason: reason ?? '', message: message ?? '' }
  }
  return undefined
}

/** When the Job has been active for too long; undefined while no such clock runs. */
export function deadlineMs(job: Job, startTime: string | undefined): number | undefined {
  const seconds = job.spec.activeDeadlineSeconds
  if (seconds === undefined || startTime === undefined || isSuspended(job)) return undefined
  return Date.parse(startTime) + seconds * 1_000
}

/** Restarts in place count when pods restart on failure. */
function restartsTooOften(job: Job, children: readonly Pod[]): boolean {
  if (job.spec.template?.spec.restartPolicy !== 'OnFailure') return false
  let restarts = 0
  for (const pod of children) {
    const { status } = pod
    if (status.phase !== 'Running' && status.phase !== 'Pending') continue
    for (const list of ['initContainerStatuses', 'containerStatuses'] as const) {
      for (const one of status[list] ?? []) restarts += one.restartCount ?? 0
    }
  }
  const limit = backoffLimitOf(job)
  return limit === 0 ? restarts > 0 : restarts >= limit
}

function failedByPolicy(job: Job, children: readonly Pod[]): Verdict | undefined {
  if (!job.spec.podFailurePolicy) return undefined
  for (const pod of children) {
    const message = hasFailed(job, pod) ? judgeFailure(job, pod).message : undefined
    if (message !== undefined) return fail('PodFailurePolicy', message)
  }
  return undefined
}

function failedByIndexes(job: Job, { indexes, failedIndexes }: Look): Verdict | undefined {
  if (!indexes || !failedIndexes || failedIndexes.size === 0) return undefined
  const most = job.spec.maxFailedIndexes
  if (most !== undefined && failedIndexes.size > most) {
    return fail('MaxFailedIndexesExceeded', 'Job has exceeded the specified maximal number of failed indexes')
  }
  return failedIndexes.size + indexes.size >= (completionsOf(job) ?? 0)
    ? fail('FailedIndexes', 'Job has failed indexes')
    : undefined
}

function meetsRule(rule: SuccessPolicyRule, completions: number, succeeded: ReadonlySet<number>): boolean {
  const { succeededIndexes, succeededCount } = rule
  if (succeededIndexes === undefined) return succeededCount !== undefined && succeeded.size >= succeededCount
  const required = parseIndexes(succeededIndexes, completions)
  if (required.size === 0) return false
  let met = 0
  for (const index of required) if (succeeded.has(index)) met++
  return met === required.size || (succeededCount !== undefined && met >= succeededCount)
}

function succeededByPolicy(job: Job, { indexes }: Look): Verdict | undefined {
  if (!indexes || indexes.size === 0) return undefined
  const rules = job.spec.successPolicy?.rules ?? []
  const met = rules.findIndex((rule) => meetsRule(rule, completionsOf(job) ?? 0, indexes))
  return met < 0 ? undefined : succeed('SuccessPolicy', `Matched rules at index ${met}`)
}

export interface VerdictInput {
  readonly job: Job
  readonly children: readonly Pod[]
  readonly activeCount: number
  readonly seen: Look
  readonly startTime: string | undefined
  readonly nowMs: number
}

/** How the Job ends; undefined while it goes on. */
export function verdictOf({ job, children, activeCount, seen, startTime, nowMs }: VerdictInput): Verdict | undefined {
  const given = storedVerdict(job) ?? failedByPolicy(job, children)
  if (given) return given
  if (seen.failed > backoffLimitOf(job) || restartsTooOften(job, children)) {
    return fail('BackoffLimitExceeded', 'Job has reached the specified backoff limit')
  }
  const endMs = deadlineMs(job, startTime)
  if (endMs !== undefined && nowMs >= endMs) {
    return fail('DeadlineExceeded', 'Job was active longer than specified deadline')
  }
  const byIndexes = failedByIndexes(job, seen) ?? succeededByPolicy(job, seen)
  if (byIndexes) return byIndexes
  const completions = completionsOf(job)
  const isEnough = completions === undefined ? seen.succeeded > 0 && activeCount === 0 : seen.succeeded >= completions
  return isEnough ? succeed('CompletionsReached', 'Reached expected number of succeeded pods') : undefined
}
