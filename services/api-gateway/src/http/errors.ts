// Every failure of a request as a Kubernetes Status.
import {
  badRequest,
  internalError,
  isApiError,
  requestEntityTooLarge,
  routeNotFound,
  type Status,
  unsupportedMediaType,
  unsupportedPatchType,
} from '@shiplog/api/status'
import type { Logger } from '@shiplog/runtime/logger'
import { bodyBytesMax } from '../request/gateway-request.ts'
import { statusOfUnavailable } from '../write/append-health.ts'
import type { RawRequest } from './fastify-types.ts'

export type RequestError = Error & { readonly statusCode?: number; readonly code?: string }

export function statusOf(error: RequestError, raw: Pick<RawRequest, 'method' | 'url'>, logger: Logger): Status {
  if (isApiError(error)) return error.status
  const unavailable = statusOfUnavailable(error)
  if (unavailable) return unavailable
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') return requestEntityTooLarge(`limit is ${bodyBytesMax}`)
  if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE' && raw.method === 'PATCH') return unsupportedPatchType()
  if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
    return unsupportedMediaType(['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'])
  if (error.statusCode === 404) return routeNotFound()
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500)
    return badRequest(error.message)
  logger.error({ err: error, method: raw.method, url: raw.url }, 'request failed')
  return internalError('the request could not be completed; see the log of kube-apiserver')
}
