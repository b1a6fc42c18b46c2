// The ApiClient port over HTTPS: what controllers, the scheduler and node agents use when they run apart from a gateway.
// Cause, basis and decision travel in headers of our own, which gateways honour from components alone.
//
// What is sent again, and what is not: api-unreachable.ts.
import type { ApiClient, ApiRequest, ApiResult, Once } from '@shiplog/api/api-client'
import { parseObjectText } from '@shiplog/api/exact-json'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import { routeNotFound, type Status } from '@shiplog/api/status'
import type { Clock } from '@shiplog/runtime/clock'
import type { ApiConnection, WireAnswer, WireRequest } from './api-connection.ts'
import { persist } from './api-unreachable.ts'
import { attemptsPath, wireHeader } from './wire/headers.ts'
import { wireTarget } from './request-path.ts'

/** Creates the client; the connection is the caller's to close. */
export function createHttpApiClient(options: { readonly connection: ApiConnection; readonly clock: Clock }): ApiClient {
  const { connection, clock } = options
  const registry = builtInRegistry()

  const send = (request: WireRequest, isRead: boolean): Promise<WireAnswer> =>
    persist({ clock, isRead, retryAfterSeconds: ({ headers }) => Number(headers['retry-after']) }, () =>
      connection.request(request),
    )

  return {
    async request(request) {
      const target = wireTarget(request, registry)
      if (target === undefined) return { ok: false, code: 404, status: routeNotFound() }
      const answer = await send(
        {
          ...target,
          headers: headersOf(request),
          ...(request.isWanted ? { isWanted: request.isWanted } : {}),
          ...(request.body === undefined ? {} : { body: Buffer.from(JSON.stringify(request.body)) }),
        },
        request.verb === 'get' || request.verb === 'list',
      )
      return resultOf(answer)
    },

    async recordAttempt(attempt) {
      const answer = await send(
        {
          method: 'POST',
          path: attemptsPath,
          headers: { 'content-type': 'application/json' },
          body: Buffer.from(JSON.stringify(attempt)),
        },
        false,
      )
      if (answer.code >= 300) {
        throw new Error(
          `the attempt to schedule ${attempt.namespace}/${attempt.pod} could not be recorded: ${statusOf(answer).message}`,
        )
      }
    },
  }
}

function headersOf(request: ApiRequest): Record<string, string> {
  const { cause, basis, decision } = request
  return {
    ...(request.body === undefined ? {} : { 'content-type': request.patchType ?? 'application/json' }),
    ...(cause === undefined ? {} : { [wireHeader.cause]: String(cause) }),
    ...(basis === undefined ? {} : { [wireHeader.basis]: String(basis) }),
    ...(decision === undefined ? {} : { [wireHeader.decision]: asciiJson(decision) }),
    ...(request.onlyNew ? { [wireHeader.onlyNew]: '1' } : {}),
    ...(request.once ? { [wireHeader.once]: onceText(request.once) } : {}),
    ...(request.once?.also?.length ? { [wireHeader.onceAlso]: request.once.also.join(' ') } : {}),
  }
}

const onceText = ({ round, matter, claim }: Once): string =>
  `${round} ${matter}${claim ? ` ${JSON.stringify(claim)}` : ''}`

/** JSON as a header can hold it: the same value, other characters escaped. */
const asciiJson = (text: string): string =>
  text.replace(/[^\x20-\x7e]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)

function resultOf(answer: WireAnswer): ApiResult {
  const { code } = answer
  if (code >= 300) return { ok: false, code, status: statusOf(answer) }
  const object = parseObjectText(answer.body.toString('utf8'))
  const sequence = answer.headers[wireHeader.sequence]
  return {
    ok: true,
    code,
    object,
    sequence: Number(sequence ?? object.metadata?.resourceVersion ?? 0) || 0,
  }
}

function statusOf({ code, body }: WireAnswer): Status {
  const text = body.toString('utf8')
  try {
    const parsed = JSON.parse(text) as Status
    if (parsed.kind === 'Status') return parsed
  } catch {
    // Not a gateway's answer: a proxy's, perhaps. It is passed on as it is.
  }
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code, message: text.slice(0, 1_000) }
}
