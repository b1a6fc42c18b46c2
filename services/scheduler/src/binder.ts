// Sends one binding until its outcome is known. An unknown outcome is not a failure: the same binding is sent again, and
// a conflict after that may be our own first try.
import type { ApiClient, ApiRequest, ApiResult } from '@shiplog/api/api-client'
import { decidedElsewhereAt } from '@shiplog/api/status'
import type { Clock } from '@shiplog/runtime/clock'
import type { PendingBinding, Refusal } from './pending-binding.ts'

/** A binding whose outcome is unknown is sent at most so many times, after doubling pauses. */
export const bindingTriesMax = 6
const bindingRetryMs = 100

export type BindOutcome =
  | {
      readonly kind: 'bound'
      /** 0 when the feed had shown the binding before any answer did. */
      readonly sequence: number
    }
  | {
      readonly kind: 'refused'
      readonly why: Refusal
      /** Set when another replica took the node's room: its binding is visible from this sequence on. */
      readonly overtakenAt: number | undefined
    }
  /** Given up without an answer: it may be stored all the same. */
  | { readonly kind: 'unknown'; readonly why: Refusal }

export interface BinderDeps {
  readonly client: ApiClient
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** Rejects when the signal aborts during a pause. */
export async function bind(deps: BinderDeps, pending: PendingBinding, request: ApiRequest): Promise<BindOutcome> {
  let cause: unknown
  for (let tries = 1; tries <= bindingTriesMax; tries++) {
    if (tries > 1) await deps.clock.sleep(bindingRetryMs * 2 ** (tries - 2), deps.signal)
    if (pending.outcome === 'bound') return { kind: 'bound', sequence: 0 }
    if (pending.isRevoked || pending.outcome === 'void') break
    let result: ApiResult
    try {
      result = await deps.client.request(request)
    } catch (err) {
      cause = err
      continue
    }
    if (result.ok) return { kind: 'bound', sequence: result.sequence }
    if (isUnknown(result.code)) {
      cause = result.status.message
      continue
    }
    if (tries > 1 && result.code === 409) {
      const sequence = await boundSequence(deps.client, pending)
      if (sequence !== undefined) return { kind: 'bound', sequence }
    }
    const message = result.status.message ?? result.status.reason ?? ''
    return { kind: 'refused', why: { code: result.code, message }, overtakenAt: decidedElsewhereAt(result.status) }
  }
  return {
    kind: 'unknown',
    why: { error: pending.isRevoked ? 'the pod was assigned to another replica' : String(cause) },
  }
}

/** Answers after which nobody knows whether the binding was stored, or that ask to try again. */
const isUnknown = (code: number): boolean => code === 429 || code >= 500

/** The version of the pod, if the API says that it is bound as we decided. */
async function boundSequence(client: ApiClient, { pod, node }: PendingBinding): Promise<number | undefined> {
  const { namespace, name, uid } = pod
  const result = await client.request({ verb: 'get', group: '', resource: 'pods', namespace, name })
  if (!result.ok || result.object.metadata.uid !== uid || result.object['spec']?.nodeName !== node) return undefined
  return Number(result.object.metadata.resourceVersion)
}
