// All errors that the API gives, as metav1.Status values: reason, HTTP code, sentence and causes as upstream words them
// (k8s.io/apimachinery/pkg/api/errors). One place, so that an error means the same wherever it arises.

import { goQuote } from './decode/go-quote.ts'

export interface StatusCause {
  /** `FieldValueInvalid`, `FieldManagerConflict`, … */
  readonly reason?: string
  readonly message: string
  readonly field?: string
}

export interface StatusDetails {
  readonly name?: string
  readonly group?: string
  readonly kind?: string
  readonly uid?: string
  readonly causes?: readonly StatusCause[]
  readonly retryAfterSeconds?: number
}

export interface Status {
  readonly kind: 'Status'
  readonly apiVersion: 'v1'
  readonly metadata: Record<string, unknown>
  readonly status: 'Success' | 'Failure'
  readonly message?: string
  readonly reason?: string
  readonly details?: StatusDetails
  readonly code: number
}

/** A refusal that travels as an exception inside one request; the pipeline turns it into the answer. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: Status
  /** What the client is warned of all the same. */
  warnings: readonly string[] = []
  constructor(status: Status) {
    super(status.message ?? status.reason ?? 'API error')
    this.status = status
  }
}

/** Does work whose refusal carries what was warned of before. */
export async function warningOf<Result>(warnings: () => readonly string[], work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    if (isApiError(error)) error.warnings = [...warnings(), ...error.warnings]
    throw error
  }
}

export const isApiError = (error: unknown): error is ApiError => error instanceof Error && error.name === 'ApiError'

/** What an error is about: `{group: 'apps', resource: 'deployments'}`; details.kind holds the resource, as upstream. */
export interface Subject {
  readonly group: string
  readonly resource: string
}

const failure = (code: number, reason: string, message: string, details?: StatusDetails): Status => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Failure',
  message,
  reason,
  ...(details ? { details } : {}),
  code,
})

const about = (subject: Subject, name: string, more: Partial<StatusDetails> = {}): StatusDetails => ({
  ...(name ? { name } : {}),
  ...(subject.group ? { group: subject.group } : {}),
  ...(subject.resource ? { kind: subject.resource } : {}),
  ...more,
})

const qualified = (subject: Subject): string =>
  subject.group ? `${subject.resource}.${subject.group}` : subject.resource

/** A success: told with its code where something was made (a binding), without where something is gone. */
export const success = (code: number): Status => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Success',
  code,
})

/** What a deletion answers when it does not answer with the object. */
export const deleted = (details: StatusDetails): Omit<Status, 'code'> => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Success',
  details,
})

export const notFound = (subject: Subject, name: string): Status =>
  failure(404, 'NotFound', `${qualified(subject)} "${name}" not found`, about(subject, name))

export const routeNotFound = (): Status =>
  failure(404, 'NotFound', 'the server could not find the requested resource', {})

export const alreadyExists = (subject: Subject, name: string): Status =>
  failure(409, 'AlreadyExists', `${qualified(subject)} "${name}" already exists`, about(subject, name))

/** The cause by which the sender of a create with `onlyNew` knows that the name was used, and is free again. */
export const usedNameCause = 'NameUsedBefore'

export const nameUsedBefore = (subject: Subject, name: string): Status =>
  failure(
    409,
    'AlreadyExists',
    `${qualified(subject)} "${name}" existed before`,
    about(subject, name, {
      causes: [{ reason: usedNameCause, message: 'the name was used before', field: 'metadata.name' }],
    }),
  )

/** The cause by which the sender of a request with `once` knows which sequence its next decision has to have seen. */
export const decidedElsewhereCause = 'DecidedElsewhere'

export const decidedElsewhere = (subject: Subject, name: string, sequence: number): Status => {
  const why = `the same was decided at sequence ${sequence}, which this decision did not see`
  const status = conflict(subject, name, why)
  const cause = { reason: decidedElsewhereCause, message: String(sequence), field: '' }
  return { ...status, details: { ...status.details, causes: [cause] } }
}

/** The sequence that a refusal by `decidedElsewhere` names; undefined for all other refusals. */
export function decidedElsewhereAt(status: Status): number | undefined {
  const cause = status.details?.causes?.find(({ reason }) => reason === decidedElsewhereCause)
  return cause === undefined ? undefined : Number(cause.message)
}

export const generateNameConflict = (subject: Subject, name: string): Status =>
  failure(
    409,
    'AlreadyExists',
    `${qualified(subject)} "${name}" already exists, the server was not able to generate a unique name for the object`,
    about(subject, name, { retryAfterSeconds: 1 }),
  )

export const conflict = (subject: Subject, name: string, why: string): Status =>
  failure(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${qualified(subject)} "${name}": ${why}`,
    about(subject, name),
  )

export const objectModified =
  'the object has been modified; please apply your changes to the latest version and try again'

export const applyConflict = (causes: readonly StatusCause[], message: string): Status =>
  failure(409, 'Conflict', message, { causes })

/** 422. `kind` is the Kind (`Pod`), as upstream: `Pod "x" is invalid: spec.containers: Required value`. */
export const invalid = (group: string, kind: string, name: string, causes: readonly StatusCause[]): Status => {
  const sentences = [
    ...new Set(causes.map((cause) => (cause.field ? `${cause.field}: ${cause.message}` : cause.message))),
  ]
  const list = sentences.length === 1 ? sentences[0]! : `[${sentences.join(', ')}]`
  return failure(422, 'Invalid', `${group ? `${kind}.${group}` : kind} ${goQuote(name)} is invalid: ${list}`, {
    ...(name ? { name } : {}),
    ...(group ? { group } : {}),
    kind,
    causes,
  })
}

export const badRequest = (message: string, causes?: readonly StatusCause[]): Status =>
  failure(400, 'BadRequest', message, causes ? { causes } : undefined)

export const unauthorized = (): Status => failure(401, 'Unauthorized', 'Unauthorized')

/** `pods "x" is forbidden: <why>`. */
export const forbidden = (subject: Subject, name: string, why: string, causes?: readonly StatusCause[]): Status =>
  failure(
    403,
    'Forbidden',
    subject.resource ? `${qualified(subject)} ${name ? `"${name}" ` : ''}is forbidden: ${why}` : `forbidden: ${why}`,
    about(subject, name, causes ? { causes } : {}),
  )

export const methodNotAllowed = (subject: Subject, verb: string): Status =>
  failure(
    405,
    'MethodNotAllowed',
    subject.resource
      ? `${verb} is not supported on resources of kind "${qualified(subject)}"`
      : 'the server does not allow this method on the requested resource',
    about(subject, ''),
  )

export const notAcceptable = (accepted: readonly string[]): Status =>
  failure(406, 'NotAcceptable', `only the following media types are accepted: ${accepted.join(', ')}`)

/** 406 where no media type of the Accept header can be served, whatever its parameters. */
export const noRepresentation = (available: readonly string[]): Status =>
  failure(406, 'NotAcceptable', `406: Not Acceptable\n\nAvailable representations: ${available.join(', ')}`)

export const unsupportedMediaType = (accepted: readonly string[]): Status =>
  failure(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  )

/** 415 for a PATCH whose media type is no patch's. */
export const unsupportedPatchType = (): Status => failure(415, 'UnsupportedMediaType', '415: Unsupported Media Type')

/** 410: a version that the log no longer holds. */
export const expired = (message: string): Status => failure(410, 'Expired', message)

export const versionTooOld = (requested: number, oldest: number): Status =>
  expired(`too old resource version: ${requested} (${oldest})`)

/** 504 for a version from the future, with the cause by which client-go knows it; `retry`: it may come soon. */
export const versionTooLarge = (requested: number, current: number, { retry } = { retry: true }): Status =>
  failure(504, 'Timeout', `Timeout: Too large resource version: ${requested}, current: ${current}`, {
    ...(retry ? { retryAfterSeconds: 1 } : {}),
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
  })

export const requestEntityTooLarge = (message: string): Status =>
  failure(413, 'RequestEntityTooLarge', `Request entity too large: ${message}`)

export const requestHeadersTooLarge = (): Status =>
  failure(431, 'RequestHeaderFieldsTooLarge', 'the headers of the request are too large')

export const requestTooSlow = (): Status => failure(408, 'Timeout', 'the request did not arrive in time')

export const tooManyRequests = (message: string, retryAfterSeconds: number): Status =>
  failure(429, 'TooManyRequests', message, { retryAfterSeconds })

export const serviceUnavailable = (message: string): Status =>
  failure(503, 'ServiceUnavailable', message, { retryAfterSeconds: 1 })

/**
 * The agent of a node does not answer. Without `retryAfterSeconds`: client-go would ask again and again, and whoever waits
 * for the logs of a pod on a dead node wants to be told.
 */
export const agentUnreachable = (nodeName: string): Status =>
  failure(503, 'ServiceUnavailable', `the agent of node "${nodeName}" cannot be reached`)

export const timeout = (message: string): Status =>
  failure(504, 'Timeout', `Timeout: ${message}`, { retryAfterSeconds: 1 })

export const internalError = (message: string): Status =>
  failure(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] })
