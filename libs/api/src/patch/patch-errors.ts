// What upstream's patch handlers answer when a patch is well-formed JSON and still cannot be applied.
import { ApiError, badRequest, type Status } from '../status.ts'

const failure = (code: number, message: string, reason?: string): Status => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Failure',
  message,
  ...(reason ? { reason, details: {} } : {}),
  code,
})

/** 422 with upstream's one sentence for every patch that does not apply; why is the error's cause, for the log. */
export const patchDoesNotApply = (why: string): ApiError => {
  const error = new ApiError(failure(422, 'the server rejected our request due to an error in our request', 'Invalid'))
  error.cause = why
  return error
}

/** 400: the patch itself is malformed. */
export const patchIsMalformed = (message: string): ApiError => new ApiError(badRequest(message))

/** Upstream leaves these refusals unclassified (code 500, no reason). They are the client's fault, so here they say so. */
export const unclassified = (message: string): ApiError => new ApiError(badRequest(message))

/** A value as Go's %v prints it: `map[image:x name:y]`. */
export const goFormat = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(goFormat).join(' ')}]`
  if (typeof value === 'object' && value !== null) {
    const object = value as Record<string, unknown>
    return `map[${Object.keys(object)
      .sort()
      .map((key) => `${key}:${goFormat(object[key])}`)
      .join(' ')}]`
  }
  return value === null || value === undefined ? '<nil>' : String(value)
}
