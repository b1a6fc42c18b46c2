// The ApiClient port over the bus: what node agents use, who only dial out to NATS. Any gateway may take a command; who
// commands is told by the subject, which NATS lets nobody else publish on. What is sent again, and what is not:
// api-unreachable.ts.
import type { ApiClient, ApiRequest, ApiResult } from '@shiplog/api/api-client'
import { requestEntityTooLarge } from '@shiplog/api/status'
import { decodeOutcome, encodeCommand } from './wire/command.ts'
import { type Bus, isNoBusAnswer } from '@shiplog/events/bus/bus'
import { commandSubject } from '@shiplog/events/bus/bus-subjects'
import type { Clock } from '@shiplog/runtime/clock'
import { ApiUnreachable, persist } from './api-unreachable.ts'

/** A gateway gives up an append after 10 s; its answer comes before this. */
const writeTimeoutMs = 15_000
/** A read is asked again, and then of another gateway perhaps. */
const readTimeoutMs = 4_000
/** Fewer than a gateway takes of one agent. */
const inFlightMax = 128
const waitingMax = 50_000

/** Creates the client of a user (`system:node:<name>`); the bus is the caller's to close. */
export function createBusApiClient(options: {
  readonly bus: Bus
  readonly clock: Clock
  readonly user: string
}): ApiClient {
  const { bus, clock, user } = options
  const subject = commandSubject(user, 'request')
  const line: (() => void)[] = []
  let inFlight = 0

  async function ask(command: Uint8Array, timeoutMs: number, { isWanted }: ApiRequest): Promise<ApiResult> {
    if (isWanted?.() === false) throw new Error('the request is not wanted any more')
    const answer = await bus.request(subject, command, { timeoutMs }).catch((cause: unknown) => {
      if (!isNoBusAnswer(cause)) throw cause
      throw new ApiUnreachable(`no gateway answered: ${cause.message}`, { ambiguous: !cause.unheard, cause })
    })
    const result = decodeOutcome(answer)
    if (result === undefined) throw new ApiUnreachable('the answer is not of a gateway', { ambiguous: true })
    return result
  }

  /** Waits for its turn; what has its turn is not interrupted. */
  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (inFlight >= inFlightMax) {
      if (line.length >= waitingMax) {
        throw new ApiUnreachable('too many requests wait for the API', { ambiguous: false })
      }
      await new Promise<void>((resolve) => {
        line.push(resolve)
      })
    } else inFlight++
    try {
      return await work()
    } finally {
      const next = line.shift()
      if (next) next()
      else inFlight--
    }
  }

  return {
    async request(request: ApiRequest) {
      const command = encodeCommand(request)
      if (command.length > bus.payloadBytesMax) {
        const status = requestEntityTooLarge(`limit is ${bus.payloadBytesMax}`)
        return { ok: false, code: status.code, status }
      }
      const isRead = request.verb === 'get' || request.verb === 'list'
      const retryAfterSeconds = (result: ApiResult): number =>
        result.ok ? 0 : (result.status.details?.retryAfterSeconds ?? 0)
      return await persist({ clock, isRead, retryAfterSeconds }, () =>
        inTurn(() => ask(command, isRead ? readTimeoutMs : writeTimeoutMs, request)),
      )
    },
    recordAttempt: () => Promise.reject(new Error(`${user} does not schedule, and records no attempts`)),
  }
}
