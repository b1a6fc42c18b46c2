// The query of a list or a watch, checked as k8s.io/apimachinery/pkg/apis/meta/internalversion/validation does.
import { goQuote } from '@shiplog/api/decode/go-quote'
import { scanJson } from '@shiplog/api/decode/json-scanner'
import { forbiddenField, notSupported } from '@shiplog/api/field-errors'
import { ApiError, badRequest, invalid } from '@shiplog/api/status'
import { whyNoVersion } from '@shiplog/domain/write/preconditions'

export interface ListOptions {
  readonly labelSelector: string
  readonly fieldSelector: string
  readonly watch: boolean
  readonly allowWatchBookmarks: boolean
  /** undefined when unset. 0 means "any". */
  readonly resourceVersion: number | undefined
  readonly resourceVersionMatch: '' | 'Exact' | 'NotOlderThan'
  readonly timeoutSeconds: number | undefined
  /** None when it is not above 0. */
  readonly limit: number
  readonly continueToken: string
  readonly sendInitialEvents: boolean | undefined
  readonly includeObject: 'None' | 'Metadata' | 'Object'
}

/** A boolean of a query as upstream reads it; undefined when it is not there. */
export const flag = (query: URLSearchParams, name: string): boolean | undefined => {
  const text = query.get(name)
  if (text === null) return undefined
  if (text === '' || text === '1' || text.toLowerCase() === 'true' || text.toLowerCase() === 't') return true
  if (text === '0' || text.toLowerCase() === 'false' || text.toLowerCase() === 'f') return false
  // Upstream's conversion takes every other word as true.
  return true
}

const int64Max = 2n ** 63n - 1n

/** An integer of a query, as Go's strconv.ParseInt reads it; undefined when it is not there. */
export const integerOf = (query: URLSearchParams, name: string): number | undefined => {
  const text = query.get(name)
  if (text === null || text === '') return undefined
  const wrong = (why: string): ApiError =>
    new ApiError(badRequest(`strconv.ParseInt: parsing ${goQuote(text)}: ${why}`))
  if (!/^[+-]?\d+$/.test(text)) throw wrong('invalid syntax')
  const value = BigInt(text.replace(/^\+/, ''))
  if (value > int64Max || value < -int64Max - 1n) throw wrong('value out of range')
  return Number(value)
}

/** A resourceVersion as a number; undefined when empty. Throws 400 when it is none. */
export function parseResourceVersion(text: string | null | undefined): number | undefined {
  if (text === null || text === undefined || text === '') return undefined
  const why = whyNoVersion(text)
  if (why)
    throw new ApiError(badRequest(`invalid resource version: resourceVersion: Invalid value: ${goQuote(text)}: ${why}`))
  // Beyond 2^53 no sequence can be: it stays comparable, and is from the future.
  return Number(text)
}

export function parseListOptions(query: URLSearchParams): ListOptions {
  const options: ListOptions = {
    labelSelector: query.get('labelSelector') ?? '',
    fieldSelector: query.get('fieldSelector') ?? '',
    watch: flag(query, 'watch') ?? false,
    allowWatchBookmarks: flag(query, 'allowWatchBookmarks') ?? false,
    resourceVersion: parseResourceVersion(query.get('resourceVersion')),
    resourceVersionMatch: (query.get('resourceVersionMatch') ?? '') as ListOptions['resourceVersionMatch'],
    timeoutSeconds: integerOf(query, 'timeoutSeconds'),
    limit: integerOf(query, 'limit') ?? 0,
    continueToken: query.get('continue') ?? '',
    sendInitialEvents: flag(query, 'sendInitialEvents'),
    includeObject: (query.get('includeObject') || 'Metadata') as ListOptions['includeObject'],
  }
  const causes = []
  const { resourceVersionMatch: match } = options
  if (!['', 'Exact', 'NotOlderThan'].includes(match)) {
    causes.push(notSupported('resourceVersionMatch', match, ['Exact', 'NotOlderThan', '']))
  }
  if (options.watch) {
    if (options.sendInitialEvents !== undefined) {
      if (match === '')
        causes.push(
          forbiddenField(
            'resourceVersionMatch',
            'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
          ),
        )
      else if (match === 'Exact') causes.push(notSupported('resourceVersionMatch', match, ['NotOlderThan']))
    } else if (match !== '') {
      causes.push(
        forbiddenField(
          'resourceVersionMatch',
          'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
        ),
      )
    }
  } else {
    if (options.sendInitialEvents !== undefined) {
      causes.push(forbiddenField('sendInitialEvents', 'sendInitialEvents is forbidden for list'))
    }
    if (match !== '') {
      if (options.continueToken !== '') {
        causes.push(
          forbiddenField('resourceVersionMatch', 'resourceVersionMatch is forbidden when continue is provided'),
        )
      }
      if (options.resourceVersion === undefined) {
        causes.push(
          forbiddenField(
            'resourceVersionMatch',
            'resourceVersionMatch is forbidden unless resourceVersion is provided',
          ),
        )
      }
      if (match === 'Exact' && options.resourceVersion === 0) {
        causes.push(
          forbiddenField('resourceVersionMatch', 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'),
        )
      }
    }
  }
  if (!['None', 'Metadata', 'Object'].includes(options.includeObject)) {
    throw new ApiError(badRequest(`unrecognized includeObject value: ${JSON.stringify(options.includeObject)}`))
  }
  if (causes.length > 0) throw new ApiError(invalid('meta.k8s.io', 'ListOptions', '', causes))
  return options
}

/** Where a paged list goes on: after `start` in the snapshot at `sequence`; sequence 0 means "whatever is current". */
export interface ContinueToken {
  readonly sequence: number
  readonly start: string
  /** When the list began; tokens may expire. */
  readonly begunMs?: number
}

export const encodeContinue = (token: ContinueToken): string =>
  Buffer.from(
    JSON.stringify({
      ...{ v: 'meta.k8s.io/v1', rv: token.sequence, start: token.start },
      ...(token.begunMs === undefined ? {} : { t: token.begunMs }),
    }),
  ).toString('base64url')

export function decodeContinue(text: string): ContinueToken {
  const bad = /[^A-Za-z0-9_-]/.exec(text)
  if (bad || text.length % 4 === 1)
    throw malformed(`illegal base64 data at input byte ${bad?.index ?? text.length - 1}`)
  const bytes = Buffer.from(text, 'base64url')
  // Upstream's scanner names a byte, not a character.
  const { error } = scanJson(bytes.toString('latin1'))
  if (error) throw malformed(error)
  const token = JSON.parse(bytes.toString('utf8')) as { v?: unknown; rv?: unknown; start?: unknown; t?: unknown } | null
  if (token?.v !== 'meta.k8s.io/v1')
    throw malformed(`server does not recognize this encoded version ${goQuote(String(token?.v ?? ''))}`)
  if (!Number.isSafeInteger(token.rv) || (token.rv as number) < 0)
    throw malformed('incorrect encoded start resourceVersion (version meta.k8s.io/v1)')
  if (typeof token.start !== 'string') throw malformed('encoded start key is empty (version meta.k8s.io/v1)')
  const begunMs = Number.isSafeInteger(token.t) ? { begunMs: token.t as number } : {}
  return { sequence: token.rv as number, start: token.start, ...begunMs }
}

const malformed = (why: string): ApiError =>
  new ApiError(badRequest(`invalid continue token: continue key is not valid: ${why}`))
