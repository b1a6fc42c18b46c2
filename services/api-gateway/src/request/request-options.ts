// The options that writes share, read from query and body and checked as upstream's ValidateCreateOptions and its sisters
// do: dryRun, fieldManager, fieldValidation.
import { forbiddenField, invalidValue, notSupported, required, tooLong } from '@shiplog/api/field-errors'
import type { JsonObject } from '@shiplog/api/kube-object'
import { ApiError, badRequest, invalid, type StatusCause } from '@shiplog/api/status'
import type { GatewayRequest } from './gateway-request.ts'

type WriteVerb = 'create' | 'update' | 'patch' | 'delete' | 'deletecollection'

const optionsKinds: Readonly<Record<WriteVerb, string>> = {
  create: 'CreateOptions',
  update: 'UpdateOptions',
  patch: 'PatchOptions',
  delete: 'DeleteOptions',
  deletecollection: 'DeleteOptions',
}

const managerBytesMax = 128
const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u

/** Checks the query of a write before its body is read. */
export function checkWriteOptions(verb: string, { query, body }: Pick<GatewayRequest, 'query' | 'body'>): void {
  const isApply = verb === 'patch' && mediaTypeOf(body) === 'application/apply-patch+yaml'
  if (query.size === 0 && !isApply) return
  const kind = optionsKinds[verb as WriteVerb]
  if (kind === undefined) return
  const causes: StatusCause[] = []
  const manager = query.get('fieldManager') ?? ''
  if (verb === 'patch') {
    if (isApply && manager === '') causes.push(required('fieldManager', 'is required for apply patch'))
    if (!isApply && query.has('force')) causes.push(forbiddenField('force', 'may not be specified for non-apply patch'))
  }
  if (kind !== 'DeleteOptions') {
    if (Buffer.byteLength(manager) > managerBytesMax) causes.push(tooLong('fieldManager', managerBytesMax))
    causes.push(...unprintable(manager))
  }
  causes.push(...dryRunCauses(query.getAll('dryRun')))
  const mode = query.get('fieldValidation')
  if (kind !== 'DeleteOptions' && mode && !['Ignore', 'Strict', 'Warn'].includes(mode))
    causes.push(notSupported('fieldValidation', mode, ['', 'Ignore', 'Strict', 'Warn']))
  if (causes.length > 0) throw new ApiError(invalid('meta.k8s.io', kind, '', causes))
}

/** The first character that is none to print, as upstream names it. */
function unprintable(manager: string): StatusCause[] {
  const position = [...manager].findIndex((character) => !printable.test(character))
  if (position < 0) return []
  const code = [...manager][position]!.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')
  return [invalidValue('fieldManager', manager, `invalid character U+${code} (at position ${position})`)]
}

/** The media type of a body, without its parameters. */
export const mediaTypeOf = (body: GatewayRequest['body']): string =>
  body?.contentType?.split(';')[0]?.trim().toLowerCase() ?? ''

/** What is wrong with the values of a dryRun option. */
export const dryRunCauses = (values: readonly string[]): StatusCause[] =>
  values.every((value) => value === 'All') ? [] : [notSupported('dryRun', values, ['All'])]

/** Whether nothing may be stored. `body` is the DeleteOptions of a delete. */
export const dryRunOf = (request: GatewayRequest, body?: JsonObject): boolean =>
  request.query.has('dryRun') || ((body?.['dryRun'] as string[] | undefined) ?? []).length > 0

/** The field manager: the one that is named, else the caller's own. */
export const managerOf = (request: Pick<GatewayRequest, 'query' | 'defaultManager'>): string =>
  request.query.get('fieldManager') || request.defaultManager || 'unknown'

/** The default field manager of a client of HTTP, as upstream: what its user agent begins with. */
export const managerOfUserAgent = (userAgent: string | undefined): string =>
  (userAgent?.split('/')[0] ?? '').slice(0, managerBytesMax)

/** What strict validation found, as the client asked to have it: refused, warned about, or ignored. */
export function reportStrictness(
  request: GatewayRequest,
  found: readonly string[],
  prefix: string,
  warnings: string[],
): void {
  if (found.length === 0) return
  const mode = request.query.get('fieldValidation') || 'Warn'
  if (mode === 'Strict') throw new ApiError(badRequest(`${prefix}strict decoding error: ${found.join(', ')}`))
  if (mode === 'Warn') warnings.push(...found)
}
