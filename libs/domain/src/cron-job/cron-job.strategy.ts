// CronJobs: jobs by the clock.
import { invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type { CronJob } from '@shiplog/api/generated/types/batch-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Draft } from '@shiplog/api/decoded'
import { fill, fillText, nonNegative, requiredText, section } from '../fields.ts'
import { validateJobSpec, validateNoManualSelector } from '../job/job-spec.ts'
import { tooManyCharacters } from '../names.ts'
import { setPodTemplateDefaults } from '../pod/pod-defaults.ts'
import { jobWarnings } from '../job/job-warnings.ts'
import type { Strategy } from '../strategy.ts'

/** A job's name adds eleven characters to its CronJob's, and both fit into a label. */
const nameCharactersMax = 52
const policies = ['Allow', 'Forbid', 'Replace']
const defaultSuccessfulHistory = 3
const defaultFailedHistory = 1

const bounds: readonly (readonly [number, number])[] = [
  [0, 59],
  [0, 23],
  [1, 31],
  [1, 12],
  [0, 6],
]
const macros = ['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly']
const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']

const numberOf = (text: string, position: number): number => {
  const names = position === 3 ? months : position === 4 ? days : []
  const index = names.indexOf(text.toLowerCase())
  if (index >= 0) return position === 3 ? index + 1 : index
  return /^\d+$/.test(text) ? Number(text) : Number.NaN
}

/** Why one part of a field is none, in the order in which upstream's parser sees it. */
const partProblem = (part: string, position: number): string | undefined => {
  const [low, high] = bounds[position] ?? [0, 0]
  const [range = '', step, ...rest] = part.split('/')
  const [from = '', to, ...more] = range.split('-')
  const isAny = from === '*' || from === '?'
  const first = isAny ? low : numberOf(from, position)
  if (Number.isNaN(first)) return `failed to parse int from ${from}`
  const end = to === undefined || isAny ? first : numberOf(to, position)
  if (Number.isNaN(end)) return `failed to parse int from ${to}`
  if (more.length > 0 && !isAny) return `too many hyphens: ${part}`
  if (rest.length > 0) return `too many slashes: ${part}`
  if (step !== undefined && !/^\d+$/.test(step)) return `failed to parse int from ${step}`
  const last = isAny || (step !== undefined && to === undefined) ? high : end
  if (first < low) return `beginning of range (${first}) below minimum (${low}): ${part}`
  if (last > high) return `end of range (${last}) above maximum (${high}): ${part}`
  if (first > last) return `beginning of range (${first}) beyond end of range (${last}): ${part}`
  return step !== undefined && Number(step) === 0 ? `step of range should be a positive number: ${part}` : undefined
}

const scheduleProblem = (schedule: string): string | undefined => {
  if (schedule.startsWith('@'))
    return macros.includes(schedule) || /^@every (\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(schedule)
      ? undefined
      : `unrecognized descriptor: ${schedule}`
  const fields = schedule.trim().split(/\s+/)
  if (fields.length !== bounds.length) return `expected exactly 5 fields, found ${fields.length}: [${fields.join(' ')}]`
  for (const [position, text] of fields.entries())
    for (const part of text.split(',')) {
      const problem = part === '' ? undefined : partProblem(part, position)
      if (problem) return problem
    }
  return undefined
}

/** Whether the database of time zones has the name, as it is written there. */
const isTimeZone = (name: string): boolean => {
  if (!/^[A-Za-z0-9_+/-]+$/.test(name) || /^[+-]/.test(name)) return false
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

const validateTimeZone = (name: string | undefined): StatusCause[] => {
  const at = 'spec.timeZone'
  if (name === undefined) return []
  if (name === '') return [invalidValue(at, name, 'timeZone must be nil or non-empty string')]
  const causes: StatusCause[] = []
  if (name.toLowerCase() === 'local')
    causes.push(
      invalidValue(at, name, 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones'),
    )
  if (name !== 'Local' && !isTimeZone(name)) causes.push(invalidValue(at, name, `unknown time zone ${name}`))
  return causes
}

const validate = (cronJob: Draft<CronJob>): StatusCause[] => {
  const spec = cronJob.spec ?? {}
  const causes: StatusCause[] = []
  const { name } = cronJob.metadata
  if (name && name.length > nameCharactersMax)
    causes.push(invalidValue('metadata.name', name, tooManyCharacters(nameCharactersMax)))
  causes.push(...requiredText(spec.schedule, 'spec.schedule'))
  const { schedule = '' } = spec
  if (schedule) {
    if (/TZ=/.test(schedule))
      causes.push(
        invalidValue('spec.schedule', schedule, 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead'),
      )
    else {
      const problem = scheduleProblem(schedule)
      if (problem) causes.push(invalidValue('spec.schedule', schedule, problem))
    }
  }
  causes.push(...validateTimeZone(spec.timeZone))
  causes.push(...nonNegative(spec.startingDeadlineSeconds, 'spec.startingDeadlineSeconds'))
  if (!spec.concurrencyPolicy) causes.push(required('spec.concurrencyPolicy'))
  else if (!policies.includes(spec.concurrencyPolicy))
    causes.push(notSupported('spec.concurrencyPolicy', spec.concurrencyPolicy, policies))
  const jobSpec = spec.jobTemplate?.spec ?? {}
  causes.push(
    ...nonNegative(spec.successfulJobsHistoryLimit, 'spec.successfulJobsHistoryLimit'),
    ...nonNegative(spec.failedJobsHistoryLimit, 'spec.failedJobsHistoryLimit'),
    ...validateJobSpec(jobSpec, 'spec.jobTemplate.spec'),
    ...validateNoManualSelector(jobSpec, 'spec.jobTemplate.spec'),
  )
  return causes
}

export const cronJobStrategy: Strategy<CronJob> = {
  validatesAll: true,
  warnings: (next, before) => [
    ...jobWarnings((object: Draft<CronJob>) => object.spec?.jobTemplate?.spec, 'spec.jobTemplate.spec')(next, before),
    ...(before && (next.spec?.schedule ?? '').includes('TZ')
      ? [
          'cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details',
        ]
      : []),
  ],
  setDefaults: (draft) => {
    const spec = section(draft, 'spec')
    fillText(spec, 'concurrencyPolicy', 'Allow')
    fill(spec, 'suspend', false)
    fill(spec, 'successfulJobsHistoryLimit', defaultSuccessfulHistory)
    fill(spec, 'failedJobsHistoryLimit', defaultFailedHistory)
    if (spec.jobTemplate?.spec?.template) setPodTemplateDefaults(spec.jobTemplate.spec.template)
  },
  prepareForCreate: (draft) => {
    draft.status = {}
  },
  validate,
}
