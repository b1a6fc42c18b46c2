// JetStream's management API (stream info, creation and purge, consumers) through the client's JetStreamManager. Its
// requests go out through our Connection, because the client lets a request wait for its own timeout when the connection
// breaks, and takes an answer without a body ("no responders") for JSON.
import { JetStreamApiError, JetStreamError, type JetStreamManager, jetstreamManager } from '@nats-io/jetstream'
import type { Connection, Msg } from './connection.ts'
import { NoAnswer } from './pending-requests.ts'
import { attemptTimeoutMs, muteTimeoutMs, type Session, untilAnswered } from './retries.ts'
import { splitMessage, statusOf } from './wire.ts'

export interface Management {
  /** One call, repeated until the deadline while the server gives no answer. Refusals are thrown as JetStreamApiError. */
  call<T>(name: string, deadlineMs: number, ask: (manager: JetStreamManager) => Promise<T>): Promise<T>
  /** One attempt of a call; throws NoAnswer when the server has none, or none yet. */
  attempt<T>(ask: (manager: JetStreamManager) => Promise<T>): Promise<T>
}

export async function openManagement(session: Session): Promise<Management> {
  const manager = await jetstreamManager(requestsThrough(session.connection), { checkAPI: false })
  const attempt: Management['attempt'] = (ask) => ask(manager).catch(throwAsNoAnswer)
  return {
    attempt,
    call: (name, deadlineMs, ask) =>
      untilAnswered(session, deadlineMs, `JetStream gives no answer to ${name}`, () => attempt(ask)),
  }
}

/** The client's connection, with requests that end when the connection breaks. */
function requestsThrough(connection: Connection): Connection['nats'] {
  const request = async (subject: string, payload?: Uint8Array | string): Promise<Msg> => {
    const timeoutMs = connection.mute ? muteTimeoutMs : attemptTimeoutMs
    const answer = await connection.request(subject, Buffer.from(payload ?? ''), { timeoutMs })
    if (statusOf(splitMessage(answer).head) === 503 || answer.data.length === 0) throw new NoAnswer('no responders')
    return answer
  }
  return Object.create(connection.nats, { request: { value: request } }) as Connection['nats']
}

/** Status 503 is a server that starts, or elects a leader: it will answer later. */
function throwAsNoAnswer(error: unknown): never {
  const isApiError = error instanceof JetStreamApiError
  const isLater = isApiError ? error.status === 503 : error instanceof JetStreamError
  throw isLater ? new NoAnswer((error as Error).message) : error
}
