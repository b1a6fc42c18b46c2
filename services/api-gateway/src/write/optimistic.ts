// Optimistic concurrency: a write is decided against the projection until the decision stands. What was stored stands by
// compare-and-set. A refusal, and a write that changes nothing, stand once the log was asked and their basis still holds:
// another gateway may have acknowledged, before this request came, what the projection did not show yet.
import { ApiError, isApiError, serviceUnavailable } from '@shiplog/api/status'
import type { AdmissionView } from '@shiplog/domain/admission'
import type { Stream, Streams } from '../store/streams.ts'
import { DecisionBasis } from './decision-basis.ts'

/**
 * How often a write is decided again after others were faster, before the client is told. Two gateways that write one
 * object without a pause lose about three of four times: 16 times in a row happens, 64 times does not.
 */
export const decideAttemptsMax = 64
/** The same for a write that others have a say in: each attempt asks them again. */
export const asyncAttemptsMax = 3

/** What one decision came to; only what was stored is sure to rest on the object's newest version. */
export interface Attempted<Result> {
  readonly stored: boolean
  readonly result: Result
}

/** `raced`: the log refused the append, and the projection has caught up since. */
export type Attempt<Result> = (basis: DecisionBasis) => Promise<Attempted<Result> | 'raced'>

export interface OptimisticOptions {
  readonly streams: Streams
  readonly stream: Stream
  readonly view: AdmissionView
  readonly attemptsMax: number
  /** What the client is told when others were always faster. */
  readonly tooMany: () => ApiError
}

export async function untilItStands<Result>(options: OptimisticOptions, attempt: Attempt<Result>): Promise<Result> {
  const { streams, stream, view } = options
  let asked = false
  for (let count = 0; count < options.attemptsMax; count++) {
    const basis = new DecisionBasis(streams, stream, view)
    const outcome = await settled(attempt, basis)
    if (outcome === 'raced') {
      asked = true
      continue
    }
    if ('stored' in outcome && outcome.stored) return outcome.result
    if (!asked) {
      await catchUp(stream)
      // Admission looks at namespaces and accounts, wherever the object itself is kept.
      if (stream !== streams.events) await catchUp(streams.events)
      asked = true
      if (!basis.holds()) continue
    }
    if ('refusal' in outcome) throw outcome.refusal
    return outcome.result
  }
  throw options.tooMany()
}

/** A refusal as a value. */
async function settled<Result>(
  attempt: Attempt<Result>,
  basis: DecisionBasis,
): Promise<Attempted<Result> | 'raced' | { readonly refusal: ApiError }> {
  try {
    return await attempt(basis)
  } catch (error) {
    if (!isApiError(error)) throw error
    return { refusal: error }
  }
}

/** Waits until the projection shows all that the log holds now. */
export async function catchUp(stream: Stream): Promise<void> {
  if (!(await stream.projection.barrier()))
    throw new ApiError(serviceUnavailable('the projection has not caught up with the log'))
}
