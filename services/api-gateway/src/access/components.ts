// The control plane's own components: who they are, and what only they may send. Client certificates name them; nobody
// gets one of these names by a token.
import type { ApiClient } from '@shiplog/api/api-client'
import { ApiError, badRequest, forbidden } from '@shiplog/api/status'
import type { User } from '@shiplog/domain/strategy'
import { isNode } from '@shiplog/domain/node-identity'

const schedulerName = 'system:kube-scheduler'
const components: ReadonlySet<string> = new Set(['system:apiserver', schedulerName, 'system:kube-controller-manager'])

/** Whose word on cause, basis and decision is recorded. */
export const isComponent = (user: User): boolean => components.has(user.name) || isNode(user)

/** One failed try to schedule a pod; see ApiClient.recordAttempt. */
export type Attempt = Parameters<ApiClient['recordAttempt']>[0]

/** A record of an attempt as it came over the wire; throws ApiError when it is not one, or not the scheduler's. */
export function attemptOf(user: User, body: Buffer | undefined): Attempt {
  if (user.name !== schedulerName) {
    throw new ApiError(
      forbidden({ group: '', resource: '' }, '', `User "${user.name}" cannot record attempts to schedule`),
    )
  }
  let parsed: unknown
  try {
    parsed = JSON.parse(body?.toString('utf8') ?? '')
  } catch {
    throw new ApiError(badRequest('an attempt is a JSON object'))
  }
  const { scheduler, namespace, pod, record } = (parsed ?? {}) as Record<string, unknown>
  if (!isName(scheduler) || !isName(namespace) || !isName(pod) || typeof record !== 'object' || record === null) {
    throw new ApiError(badRequest('an attempt has scheduler, namespace, pod and record'))
  }
  return { scheduler, namespace, pod, record: record as Attempt['record'] }
}

const nameLengthMax = 253
const isName = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && value.length <= nameLengthMax
