// Counting a Job's ends, each exactly once. A pod carries a finalizer until what it did is written in the status: as its
// uid (uncountedTerminatedPods), or as its index. Then the finalizer goes, and only when it has gone does the counter
// move and the uid leave the list. `look` says what there is, for the verdict; `countEnds` says what to write and whom to
// let go.
import type { Job } from '@shiplog/api/generated/types/batch-v1'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { isActive } from '../shared/pods.ts'
import { parseIndexes } from './completed-indexes.ts'
import {
  completionsOf,
  counts,
  failuresBefore,
  finishedAtMs,
  hasFailed,
  hasSucceeded,
  hasVerdict,
  indexLimitOf,
  indexOf,
  isIndexed,
  isTracked,
  wasMadeSuperfluous,
} from './job-facts.ts'
import { judgeFailure } from './pod-failure-policy.ts'

/** Uids that wait to be counted, as upstream bounds them. */
const uncountedMax = 500

interface UncountedPods {
  readonly succeeded: readonly string[]
  readonly failed: readonly string[]
}

/** What the pods and the stored status say together. */
export interface Look {
  /** Counters of the status that is to be written: what was waiting and has been let go is in them. */
  readonly countedSucceeded: number
  readonly countedFailed: number
  /** Uids that the stored status names and whose pods are not let go yet. */
  readonly waiting: UncountedPods
  /** Pods whose uid the stored status names: they may be let go. */
  readonly release: readonly Pod[]
  /** All that succeeded or failed so far, written or not. */
  readonly succeeded: number
  readonly failed: number
  /** Indexes that succeeded, of an Indexed Job; the first as the stored status has them. */
  readonly storedIndexes: ReadonlySet<number> | undefined
  readonly indexes: ReadonlySet<number> | undefined
  /** Indexes that are given up, where each has a limit. */
  readonly failedIndexes: ReadonlySet<number> | undefined
  /** Failed pods that are held until the pod that replaces them knows how often their index failed, by index. */
  readonly held: ReadonlyMap<number, Pod>
}

interface StoredPods {
  readonly succeeded?: readonly string[]
  readonly failed?: readonly string[]
}

const storedPods = (job: Job): StoredPods => job.status.uncountedTerminatedPods ?? {}

const namedUids = (job: Job): ReadonlySet<string> => {
  const { succeeded = [], failed = [] } = storedPods(job)
  return new Set([...succeeded, ...failed])
}

/** Whether the failure of this pod is its index's last. */
function givesUpIndex(job: Job, pod: Pod, limit: number): boolean {
  if (!hasFailed(job, pod)) return false
  const { action, isCounted } = judgeFailure(job, pod)
  return action === 'FailIndex' || (isCounted && failuresBefore(pod).counted >= limit)
}

function failedIndexesOf(
  job: Job,
  tracked: readonly Pod[],
  indexes: ReadonlySet<number>,
): ReadonlySet<number> | undefined {
  const limit = indexLimitOf(job)
  if (limit === undefined) return undefined
  const failed = parseIndexes(job.status.failedIndexes, completionsOf(job) ?? 0)
  // What the end of the Job ends has not failed by itself.
  if (hasVerdict(job)) return failed
  for (const pod of tracked) {
    const index = indexOf(job, pod)
    if (index !== undefined && !indexes.has(index) && givesUpIndex(job, pod, limit)) failed.add(index)
  }
  return failed
}

/** Of two failed pods of an index the one that failed last. */
function isLater(pod: Pod, than: Pod): boolean {
  const total = (one: Pod): number => failuresBefore(one).counted + failuresBefore(one).ignored
  return total(pod) >= total(than) && finishedAtMs(pod) >= finishedAtMs(than)
}

function heldPods(
  job: Job,
  children: readonly Pod[],
  indexes: ReadonlySet<number>,
  failedIndexes: ReadonlySet<number>,
): ReadonlyMap<number, Pod> {
  const running = new Set(children.filter(isActive).map((pod) => indexOf(job, pod)))
  const held = new Map<number, Pod>()
  for (const pod of children) {
    const index = indexOf(job, pod)
    if (index === undefined || !isTracked(pod) || !hasFailed(job, pod)) continue
    if (indexes.has(index) || failedIndexes.has(index) || running.has(index)) continue
    const other = held.get(index)
    if (!other || isLater(pod, other)) held.set(index, pod)
  }
  return held
}

/** Looks at a Job's pods. */
export function look(job: Job, children: readonly Pod[]): Look {
  const status = job.status
  const stored = storedPods(job)
  const byUid = new Map(children.map((pod) => [pod.metadata.uid, pod]))
  const isHeld = (uid: string): boolean => {
    const pod = byUid.get(uid)
    return pod !== undefined && isTracked(pod)
  }
  const waiting = {
    succeeded: (stored.succeeded ?? []).filter(isHeld),
    failed: (stored.failed ?? []).filter(isHeld),
  }
  const counted = (field: 'succeeded' | 'failed'): number =>
    (status[field] ?? 0) + (stored[field]?.length ?? 0) - waiting[field].length

  const named = namedUids(job)
  const tracked = children.filter((pod) => isTracked(pod) && counts(job, pod))
  const fresh = tracked.filter((pod) => !named.has(pod.metadata.uid))
  const completions = completionsOf(job) ?? 0
  const storedIndexes = isIndexed(job) ? parseIndexes(status.completedIndexes, completions) : undefined
  const indexes = storedIndexes && new Set(storedIndexes)
  const succeeds = (pod: Pod): boolean => hasSucceeded(pod) && !wasMadeSuperfluous(job, pod)
  if (indexes) for (const pod of tracked) if (succeeds(pod)) indexes.add(indexOf(job, pod)!)
  const failedIndexes = indexes && failedIndexesOf(job, tracked, indexes)
  const freshFailed = fresh.filter((pod) => hasFailed(job, pod) && judgeFailure(job, pod).isCounted).length
  return {
    countedSucceeded: counted('succeeded'),
    countedFailed: counted('failed'),
    waiting,
    release: [...waiting.succeeded, ...waiting.failed].map((uid) => byUid.get(uid)!),
    succeeded: indexes ? indexes.size : counted('succeeded') + waiting.succeeded.length + fresh.filter(succeeds).length,
    failed: counted('failed') + waiting.failed.length + freshFailed,
    storedIndexes,
    indexes,
    failedIndexes,
    held: indexes && failedIndexes ? heldPods(job, children, indexes, failedIndexes) : new Map(),
  }
}

/** How the Job ends, as far as counting is concerned. `isStored`: its status says so already. */
export interface Ending {
  readonly isSuccess: boolean
  readonly isStored: boolean
}

export interface Count {
  readonly uncounted: UncountedPods
  readonly release: readonly Pod[]
}

type Step = 'keep' | 'release' | 'succeeded' | 'failed'

/** What becomes of one pod that still carries the finalizer and whose uid the status does not name. */
function stepOf(job: Job, pod: Pod, seen: Look, ending: Ending | undefined): Step {
  const index = indexOf(job, pod)
  if (hasSucceeded(pod)) {
    if (wasMadeSuperfluous(job, pod)) return 'release'
    if (!seen.storedIndexes) return 'succeeded'
    // The index is what is counted. The round that sees it written lets the pod go.
    return index === undefined || seen.storedIndexes.has(index) ? 'release' : 'keep'
  }
  // What a success makes superfluous did not fail: only what had failed before.
  const isFailed = ending?.isSuccess ? pod.status.phase === 'Failed' : hasFailed(job, pod)
  if (!isFailed && ending?.isSuccess) return ending.isStored ? 'release' : 'keep'
  // When a Job has failed, everything that has not ended has failed.
  if (!isFailed && !ending) return 'keep'
  if (!ending && index !== undefined && seen.held.get(index) === pod) return 'keep'
  if (!counts(job, pod)) return 'release'
  return judgeFailure(job, pod).isCounted ? 'failed' : 'release'
}

/** What to write of the ends, and which pods to let go. */
export function countEnds(job: Job, children: readonly Pod[], seen: Look, ending: Ending | undefined): Count {
  const named = namedUids(job)
  const succeeded = [...seen.waiting.succeeded]
  const failed = [...seen.waiting.failed]
  const release = [...seen.release]
  for (const pod of children) {
    if (!isTracked(pod) || named.has(pod.metadata.uid)) continue
    if (succeeded.length + failed.length >= uncountedMax) break
    const step = stepOf(job, pod, seen, ending)
    if (step === 'succeeded') succeeded.push(pod.metadata.uid)
    else if (step === 'failed') failed.push(pod.metadata.uid)
    else if (step === 'release') release.push(pod)
  }
  return { uncounted: { succeeded, failed }, release }
}
