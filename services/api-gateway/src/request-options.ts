// The options that writes share, read from query and body and checked as upstream's ValidateCreateOptions and its sisters
// do: dryRun, fieldManager, fieldValidation.
import type { JsonObject } from '@shiplog/api/kube-object'
import { ApiError, badRequest, invalid } from '@shiplog/api/status'
import type { GatewayRequest } from './gateway-request.ts'

/** Whether nothing may be stored. `body` is the DeleteOptions of a delete. */
export const dryRunOf = (request: GatewayRequest, body?: JsonObject): boolean => {
  const values = [...request.query.getAll('dryRun'), ...((body?.['dryRun'] as string[] | undefined) ?? [])]
  for (const value of values) {
    if (value !== 'All') {
      throw new ApiError(
        invalid('meta.k8s.io', 'CreateOptions', '', [
          {
            reason: 'FieldValueNotSupported',
            message: `Unsupported value: ${JSON.stringify(value)}: supported values: "All"`,
            field: 'dryRun',
          },
        ]),
      )
    }
  }
  return values.length > 0
}

/** The field manager: the one that is named, else what the user agent begins with. */
export function managerOf(request: GatewayRequest): string {
  const named = request.query.get('fieldManager') ?? ''
  if (Buffer.byteLength(named) > 128) {
    throw new ApiError(
      invalid('meta.k8s.io', 'CreateOptions', '', [
        { reason: 'FieldValueTooLong', message: 'Too long: may not be more than 128 bytes', field: 'fieldManager' },
      ]),
    )
  }
  return named || (request.userAgent.split('/')[0] ?? '').slice(0, 128) || 'unknown'
}

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
  else if (mode !== 'Ignore') {
    throw new ApiError(
      invalid('meta.k8s.io', 'CreateOptions', '', [
        {
          reason: 'FieldValueNotSupported',
          message: `Unsupported value: ${JSON.stringify(mode)}: supported values: "Ignore", "Strict", "Warn"`,
          field: 'fieldValidation',
        },
      ]),
    )
  }
}
