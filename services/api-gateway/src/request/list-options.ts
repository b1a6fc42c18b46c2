// The query of a list or a watch, checked as k8s.io/apimachinery/pkg/apis/meta/internalversion/validation does.
import { goQuote } from '@shiplog/api/decode/go-quote'
import { scanJson } from '@shiplog/api/decode/json-scanner'
import { invalidValue, forbiddenField, notSupported } from '@shiplog/api/field-errors'
import { ApiError, badRequest, invalid } from '@shiplog/api/status'

export interface ListOptions {
  readonly labelSelector: string
  readonly fieldSelector: string
  readonly watch: boolean
  readonly allowWatchBookmarks: boolean
  /** undefined when unset. 0 means "any". */
  readonly resourceVersion: number | undefined
  readonly resourceVersionMatch: '' | 'Exact' | 'NotOlderThan'
  readonly timeoutSeconds: number | undefined
  /** 0 for no limit. */
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

const integer = (query: URLSearchParams, name: string): number | undefined => {
  const text = query.get(name)
  if (text === null || text === '') return undefined
  if (!/^-?\d{1,18}$/.test(text)) {
    throw new ApiError(badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`))
  }
  return Number(text)
}

/** A resourceVersion as a number; undefined when empty. Throws 400 when it is not a decimal integer. */
export function parseResourceVersion(text: string | null | undefined): number | undefined {
  if (text === null || text === undefined || text === '') return undefined
  if (!/^\d{1,39}$/.test(text)) {
    throw new ApiError(
      badRequest(
        `invalid resource version: resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
      ),
    )
  }
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
    timeoutSeconds: integer(query, 'timeoutSeconds'),
    limit: integer(query, 'limit') ?? 0,
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
  if (options.limit < 0) causes.push(invalidValue('limit', options.limit, 'must be greater than or equal to 0'))
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
}

export const encodeContinue = (token: ContinueToken): string =>
  Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: token.sequence, start: token.start })).toString('base64url')

export function decodeContinue(text: string): ContinueToken {
  const bad = /[^A-Za-z0-9_-]/.exec(text)
  if (bad || text.length % 4 === 1)
    throw malformed(`illegal base64 data at input byte ${bad?.index ?? text.length - 1}`)
  const bytes = Buffer.from(text, 'base64url')
  // Upstream's scanner names a byte, not a character.
  const { error } = scanJson(bytes.toString('latin1'))
  if (error) throw malformed(error)
  const token = JSON.parse(bytes.toString('utf8')) as { v?: unknown; rv?: unknown; start?: unknown } | null
  if (token?.v !== 'meta.k8s.io/v1')
    throw malformed(`server does not recognize this encoded version ${goQuote(String(token?.v ?? ''))}`)
  if (!Number.isSafeInteger(token.rv) || (token.rv as number) < 0)
    throw malformed('incorrect encoded start resourceVersion (version meta.k8s.io/v1)')
  if (typeof token.start !== 'string') throw malformed('encoded start key is empty (version meta.k8s.io/v1)')
  return { sequence: token.rv as number, start: token.start }
}

const malformed = (why: string): ApiError =>
  new ApiError(badRequest(`invalid continue token: continue key is not valid: ${why}`))
