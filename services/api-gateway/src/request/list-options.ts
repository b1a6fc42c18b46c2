// The query of a list or a watch, checked as k8s.io/apimachinery/pkg/apis/meta/internalversion/validation does.
import { goQuote } from '@shiplog/api/decode/go-quote'
import { scanJson } from '@shiplog/api/decode/json-scanner'
import { forbiddenField, invalidValue, notSupported } from '@shiplog/api/field-errors'
import { ApiError, badRequest, invalid, type StatusCause } from '@shiplog/api/status'
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

/** An integer of a query, as Go's strconv.ParseInt reads it (so that nothing is none); undefined when it is not there. */
export const integerOf = (query: URLSearchParams, name: string): number | undefined => {
  const text = query.get(name)
  if (text === null) return undefined
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

/** Of what the rows of a Table hold. */
export function includeObjectOf(query: URLSearchParams): ListOptions['includeObject'] {
  const value = query.get('includeObject') || 'Metadata'
  if (value !== 'None' && value !== 'Metadata' && value !== 'Object') {
    const cause = invalidValue('includeObject', value, "must be 'Metadata', 'Object', 'None', or empty")
    throw new ApiError(badRequest(`Unable to convert to Table as requested: includeObject: ${cause.message}`))
  }
  return value
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
    includeObject: includeObjectOf(query),
  }
  const causes = options.watch ? validateWatch(options) : validateList(options)
  if (causes.length > 0) throw new ApiError(invalid('meta.k8s.io', 'ListOptions', '', causes))
  return options
}

const notForMatch = (why: string): StatusCause => forbiddenField('resourceVersionMatch', why)
const whileContinuing = 'resourceVersionMatch is forbidden when continue is provided'

function validateList(options: ListOptions): StatusCause[] {
  const { resourceVersionMatch: match } = options
  const causes: StatusCause[] = []
  if (match !== '') {
    if (options.resourceVersion === undefined)
      causes.push(notForMatch('resourceVersionMatch is forbidden unless resourceVersion is provided'))
    if (options.continueToken !== '') causes.push(notForMatch(whileContinuing))
    if (match !== 'Exact' && match !== 'NotOlderThan')
      causes.push(notSupported('resourceVersionMatch', match, ['Exact', 'NotOlderThan', '']))
    if (match === 'Exact' && options.resourceVersion === 0)
      causes.push(notForMatch('resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
  }
  if (options.sendInitialEvents !== undefined)
    causes.push(forbiddenField('sendInitialEvents', 'sendInitialEvents is forbidden for list'))
  return causes
}

function validateWatch(options: ListOptions): StatusCause[] {
  const { resourceVersionMatch: match, sendInitialEvents } = options
  const causes: StatusCause[] = []
  if (sendInitialEvents !== undefined && match !== 'NotOlderThan')
    causes.push(notForMatch('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'))
  if (match === '') {
    // A watch that names no version begins with what there is, as one that asks for it so.
    if (sendInitialEvents === undefined && !options.resourceVersion && options.continueToken !== '')
      causes.push(notForMatch(whileContinuing))
    return causes
  }
  if (sendInitialEvents === undefined)
    causes.push(notForMatch('resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided'))
  if (match !== 'NotOlderThan') causes.push(notSupported('resourceVersionMatch', match, ['NotOlderThan']))
  if (options.continueToken !== '') causes.push(notForMatch(whileContinuing))
  return causes
}

/** Where a paged list goes on: after `start` in the snapshot at `sequence`; sequence 0 means "whatever is current". */
export interface ContinueToken {
  readonly sequence: number
  readonly start: string
  /** When the list began; tokens may expire. */
  readonly begunMs?: number
}

/** As upstream writes the version of a list that goes on with whatever is current. */
const ofCurrent = -1

export const encodeContinue = (token: ContinueToken): string =>
  Buffer.from(
    JSON.stringify({
      ...{ v: 'meta.k8s.io/v1', rv: token.sequence === 0 ? ofCurrent : token.sequence, start: token.start },
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
    throw malformed(`server does not recognize this encoded version ${String(token?.v ?? '')}`)
  if (!Number.isSafeInteger(token.rv) || token.rv === 0 || (token.rv as number) < ofCurrent)
    throw malformed('incorrect encoded start resourceVersion (version meta.k8s.io/v1)')
  if (typeof token.start !== 'string') throw malformed('encoded start key is empty (version meta.k8s.io/v1)')
  // Upstream's keys are paths: one that climbs out of its list is no key.
  if (token.start.split('/').some((part) => part === '..' || part === '.')) throw malformed(token.start)
  const begunMs = Number.isSafeInteger(token.t) ? { begunMs: token.t as number } : {}
  return { sequence: token.rv === ofCurrent ? 0 : (token.rv as number), start: token.start, ...begunMs }
}

const malformed = (why: string): ApiError =>
  new ApiError(badRequest(`invalid continue token: continue key is not valid: ${why}`))
