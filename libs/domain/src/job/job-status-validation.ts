// What the status of a job may say: how its counts and its conditions go together, and what never goes back.
import { duplicate, invalidValue, required } from '@shiplog/api/field-errors'
import type { Job, JobSpec, JobStatus } from '@shiplog/api/generated/types/batch-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import { items, semanticEqual } from '../fields.ts'
import { validateCounts } from '../status-rules.ts'
import { countIndexes, indexIntervals } from './job-indexes.ts'

const isTrue = (status: Decoded<JobStatus>, type: string): boolean =>
  items(status.conditions).some((one) => one.type === type && one.status === 'True')
const isFalse = (status: Decoded<JobStatus>, type: string): boolean =>
  items(status.conditions).some((one) => one.type === type && one.status === 'False')
const isFinished = (status: Decoded<JobStatus>): boolean => isTrue(status, 'Complete') || isTrue(status, 'Failed')

/** Conditions as a whole are told of without their value. */
const wrongConditions = (detail: string): StatusCause => ({
  reason: 'FieldValueInvalid',
  message: `Invalid value: ${detail}`,
  field: 'status.conditions',
})

/** Upstream compares two states: a status that was wrong before may be written as long as the wrong part is not touched. */
interface Write {
  readonly spec: Decoded<JobSpec>
  readonly now: Decoded<JobStatus>
  readonly was: Decoded<JobStatus>
  changed(field: keyof JobStatus): boolean
  conditionChanged(type: string): boolean
  readonly finishedChanged: boolean
}

const writeOf = (next: Draft<Job>, before: Draft<Job>): Write => {
  const [now, was] = [next.status ?? {}, before.status ?? {}]
  return {
    spec: next.spec ?? {},
    now,
    was,
    changed: (field) =>
      !semanticEqual(now[field], was[field]) || (now[field] === undefined) !== (was[field] === undefined),
    conditionChanged: (type) => isTrue(now, type) !== isTrue(was, type),
    finishedChanged: isFinished(now) !== isFinished(was),
  }
}

const validateUncounted = ({ now }: Write): StatusCause[] => {
  const seen = new Set<string>()
  return (['succeeded', 'failed'] as const).flatMap((list) =>
    items(now.uncountedTerminatedPods?.[list]).flatMap((uid, index) => {
      const at = `status.uncountedTerminatedPods.${list}[${index}]`
      if (uid === '') return [invalidValue(at, uid, 'must not be empty')]
      if (seen.has(uid)) return [duplicate(at, uid)]
      seen.add(uid)
      return []
    }),
  )
}

const validateConditionPairs = ({ now, spec, conditionChanged, changed }: Write): StatusCause[] => {
  const causes: StatusCause[] = []
  const is = (type: string): boolean => isTrue(now, type)
  const complete = conditionChanged('Complete')
  if ((complete || conditionChanged('Failed')) && is('Complete') && is('Failed'))
    causes.push(wrongConditions('cannot set Complete=True and Failed=true conditions'))
  if ((complete || conditionChanged('FailureTarget')) && is('Complete') && is('FailureTarget'))
    causes.push(wrongConditions('cannot set Complete=True and FailureTarget=true conditions'))
  if ((conditionChanged('Failed') || changed('failedIndexes')) && is('Failed') && !is('FailureTarget'))
    causes.push(wrongConditions('cannot set Failed=True condition without the FailureTarget=true condition'))
  if ((complete || conditionChanged('SuccessCriteriaMet')) && is('Complete') && !is('SuccessCriteriaMet'))
    causes.push(wrongConditions('cannot set Complete=True condition without the SuccessCriteriaMet=true condition'))
  for (const other of ['Failed', 'FailureTarget'])
    if (is('SuccessCriteriaMet') && is(other))
      causes.push(wrongConditions(`cannot set SuccessCriteriaMet=True and ${other}=true conditions`))
  if (spec.successPolicy && is('Complete') && !is('SuccessCriteriaMet'))
    causes.push(wrongConditions('cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True'))
  return causes
}

const validateTimes = ({ now, spec, changed, conditionChanged, finishedChanged }: Write): StatusCause[] => {
  const causes: StatusCause[] = []
  const { startTime, completionTime } = now
  const complete = isTrue(now, 'Complete')
  const completion = conditionChanged('Complete') || changed('completionTime')
  if (completion && completionTime && !complete)
    causes.push(
      invalidValue(
        'status.completionTime',
        completionTime,
        'cannot set completionTime when there is no Complete=True condition',
      ),
    )
  if (completion && !completionTime && complete)
    causes.push(required('status.completionTime', 'completionTime is required for Complete jobs'))
  const moved = changed('startTime') || changed('completionTime')
  if (moved && startTime && completionTime && Date.parse(completionTime) < Date.parse(startTime))
    causes.push(invalidValue('status.completionTime', completionTime, 'must be equal to or after `startTime`'))
  const emptyAndHeld = spec.suspend === true && spec.completions === 0
  if ((finishedChanged || changed('startTime')) && !emptyAndHeld && !startTime && isFinished(now))
    causes.push(required('status.startTime', 'startTime is required for finished job'))
  return causes
}

const validateFinished = ({ now, changed, finishedChanged }: Write): StatusCause[] => {
  const causes: StatusCause[] = []
  const finished = isFinished(now)
  if ((finishedChanged || changed('active')) && (now.active ?? 0) > 0 && finished)
    causes.push(invalidValue('status.active', now.active, 'active>0 is invalid for finished job'))
  const uncounted = now.uncountedTerminatedPods
  const uids = [...items(uncounted?.succeeded), ...items(uncounted?.failed)]
  if ((finishedChanged || changed('uncountedTerminatedPods')) && finished && uids.length > 0)
    causes.push(
      invalidValue(
        'status.uncountedTerminatedPods',
        { Succeeded: uncounted?.succeeded ?? null, Failed: uncounted?.failed ?? null },
        'must be empty for finished job',
      ),
    )
  if ((finishedChanged || changed('terminating')) && (now.terminating ?? 0) > 0 && finished)
    causes.push(invalidValue('status.terminating', now.terminating, 'terminating>0 is invalid for finished job'))
  if ((changed('ready') || changed('active')) && now.ready !== undefined && now.ready > (now.active ?? 0))
    causes.push(invalidValue('status.ready', now.ready, 'cannot set more ready pods than active'))
  return causes
}

const validateIndexes = ({ now, spec, changed }: Write): StatusCause[] => {
  const causes: StatusCause[] = []
  const { completions, backoffLimitPerIndex } = spec
  const completed = now.completedIndexes ?? ''
  const failed = now.failedIndexes
  const counted = typeof completions === 'number'
  const wrong = (field: string, value: string, detail: string): void =>
    void causes.push(invalidValue(`status.${field}`, value, detail))
  if (changed('completedIndexes') && counted) {
    const count = countIndexes(completed, completions)
    if (typeof count === 'string') wrong('completedIndexes', completed, `error parsing completedIndexes: ${count}`)
  }
  if (changed('failedIndexes') && counted && typeof backoffLimitPerIndex === 'number' && failed !== undefined) {
    const count = countIndexes(failed, completions)
    if (typeof count === 'string') wrong('failedIndexes', failed, `error parsing failedIndexes: ${count}`)
  }
  if (changed('completedIndexes') && completed !== '' && spec.completionMode !== 'Indexed')
    wrong('completedIndexes', completed, 'cannot set non-empty completedIndexes when non-indexed completion mode')
  if (changed('failedIndexes') && typeof backoffLimitPerIndex !== 'number' && failed !== undefined)
    wrong('failedIndexes', failed, 'cannot set non-null failedIndexes when backoffLimitPerIndex is null')
  if ((changed('failedIndexes') || changed('completedIndexes')) && counted && failed) {
    const shared = firstShared(indexIntervals(completed, completions), indexIntervals(failed, completions))
    if (shared !== undefined)
      wrong('failedIndexes', failed, `failedIndexes and completedIndexes overlap at index: ${shared}`)
  }
  return causes
}

type Interval = readonly [from: number, to: number]

const firstShared = (completed: readonly Interval[], failed: readonly Interval[]): number | undefined => {
  for (const [from, to] of completed)
    for (const [low, high] of failed) if (from <= high && low <= to) return Math.max(from, low)
  return undefined
}

/** What a status never takes back. */
const validateSteps = (next: Draft<Job>, { spec, now, was, changed }: Write): StatusCause[] => {
  const causes: StatusCause[] = []
  for (const type of ['Failed', 'Complete', 'FailureTarget'])
    if (isTrue(was, type) && !isTrue(now, type))
      causes.push(wrongConditions(`cannot disable the terminal ${type}=True condition`))
  const { completionMode, completions, parallelism } = spec
  const elastic = completionMode === 'Indexed' && completions === parallelism
  for (const key of elastic ? (['failed'] as const) : (['failed', 'succeeded'] as const))
    if ((now[key] ?? 0) < (was[key] ?? 0))
      causes.push(invalidValue(`status.${key}`, now[key] ?? 0, `cannot decrease the ${key} counter`))
  if (now.completionTime && was.completionTime && changed('completionTime'))
    causes.push(invalidValue('status.completionTime', now.completionTime, 'field is immutable'))
  const resumed = isTrue(was, 'Suspended') && isFalse(now, 'Suspended')
  if (was.startTime && changed('startTime') && !resumed && next.spec?.suspend !== true)
    causes.push(
      invalidValue('status.startTime', now.startTime ?? null, 'field is immutable for unsuspended job once set'),
    )
  if (isTrue(was, 'SuccessCriteriaMet') && !isTrue(now, 'SuccessCriteriaMet'))
    causes.push(wrongConditions('cannot disable the SuccessCriteriaMet=True condition'))
  if (isTrue(was, 'Complete') && !isTrue(was, 'SuccessCriteriaMet') && isTrue(now, 'SuccessCriteriaMet'))
    causes.push(wrongConditions('cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions'))
  return causes
}

export const validateJobStatusUpdate = (next: Draft<Job>, before: Draft<Job>): StatusCause[] => {
  const write = writeOf(next, before)
  return [
    ...validateCounts(write.now, ['active', 'succeeded', 'failed', 'ready', 'terminating']),
    ...validateUncounted(write),
    ...validateConditionPairs(write),
    ...validateTimes(write),
    ...validateFinished(write),
    ...validateIndexes(write),
    ...validateSteps(next, write),
  ]
}
