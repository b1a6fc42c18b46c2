// The query of `pods/<name>/log`, checked as upstream's ValidatePodLogOptions does, and which container it means.
import { forbiddenField, invalidValue, notSupported } from '@shiplog/api/field-errors'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { ApiError, badRequest, invalid } from '@shiplog/api/status'
import type { LogOptions } from '@shiplog/api-client/wire/tunnel-request'
import { parseGoTime } from '../time-travel/go-time.ts'
import { flag } from '../request/list-options.ts'

/** How upstream's paths show one without a name. */
const noField = '[]'

const streams = ['All', 'Stderr', 'Stdout'] as const

/** Throws 400 for what is no number or time, 422 for numbers that make no sense. */
export function parsePodLogOptions(query: URLSearchParams, podName: string): LogOptions {
  const tailLines = integer(query, 'tailLines')
  const limitBytes = integer(query, 'limitBytes')
  const sinceSeconds = integer(query, 'sinceSeconds')
  const sinceTimeMs = time(query, 'sinceTime')
  const stream = query.get('stream') ?? 'All'
  const causes = []
  if (tailLines !== undefined && tailLines < 0)
    causes.push(invalidValue('tailLines', tailLines, 'must be greater than or equal to 0'))
  if (limitBytes !== undefined && limitBytes < 1)
    causes.push(invalidValue('limitBytes', limitBytes, 'must be greater than 0'))
  if (sinceSeconds !== undefined && sinceTimeMs !== undefined)
    causes.push(forbiddenField(noField, 'at most one of `sinceTime` or `sinceSeconds` may be specified'))
  else if (sinceSeconds !== undefined && sinceSeconds < 1)
    causes.push(invalidValue('sinceSeconds', sinceSeconds, 'must be greater than 0'))
  if (!isStream(stream)) causes.push(notSupported('stream', stream, streams))
  else if (tailLines !== undefined && stream !== 'All')
    causes.push(forbiddenField(noField, '`tailLines` and specific `stream` are mutually exclusive for now'))
  if (causes.length > 0 || !isStream(stream)) throw new ApiError(invalid('', 'PodLogOptions', podName, causes))
  return {
    follow: flag(query, 'follow') ?? false,
    previous: flag(query, 'previous') ?? false,
    timestamps: flag(query, 'timestamps') ?? false,
    stream,
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
    ...(sinceSeconds === undefined ? {} : { sinceSeconds }),
    ...(sinceTimeMs === undefined ? {} : { sinceTimeMs }),
  }
}

const isStream = (text: string): text is LogOptions['stream'] => (streams as readonly string[]).includes(text)

function integer(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  const number = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN
  if (Number.isSafeInteger(number)) return number
  const why = Number.isNaN(number) ? 'invalid syntax' : 'value out of range'
  throw new ApiError(badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: ${why}`))
}

function time(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null || text === '' || text === 'null') return undefined
  const parsed = parseGoTime(text)
  if (typeof parsed === 'string') throw new ApiError(badRequest(parsed))
  return parsed
}

/** The container that is meant. Throws 400 when the pod has none of that name, or several and none was named. */
export function containerOf(pod: KubeObject, asked: string): string {
  const spec = (pod['spec'] ?? {}) as JsonObject
  const names = (list: string): string[] =>
    ((spec[list] ?? []) as JsonObject[]).map((container) => String(container['name']))
  const main = names('containers')
  const init = names('initContainers')
  const { name } = pod.metadata
  if (asked !== '') {
    if ([...main, ...init, ...names('ephemeralContainers')].includes(asked)) return asked
    throw new ApiError(badRequest(`container ${asked} is not valid for pod ${name}`))
  }
  if (main.length === 1) return main[0]!
  const others = init.length > 0 ? ` or one of the init containers: [${init.join(' ')}]` : ''
  throw new ApiError(
    badRequest(`a container name must be specified for pod ${name}, choose one of: [${main.join(' ')}]${others}`),
  )
}
