// The Bus over core NATS, on a connection of its own: what waits for an answer fails at once when the connection breaks,
// nothing is kept back to be sent later, and the traffic of nodes does not stand in the way of the log's.
import { type Bus, type BusMessage, NoBusAnswer } from '../bus/bus.ts'
import { LogUnavailable } from '../event-log.ts'
import { type Connection, type ConnectionOptions, notConnected, openConnection } from './connection.ts'
import { NoAnswer } from './pending-requests.ts'

/** NATS' own answer, without a payload, to a request on a subject that nobody listens to. */
const noResponders = 503

/** Connects; throws LogUnavailable when NATS cannot be reached. */
export async function openNatsBus(options: ConnectionOptions): Promise<Bus> {
  return busOver(await openConnection(options))
}

function busOver(connection: Connection): Bus {
  const payloadBytesMax = connection.maxPayloadBytes
  const checkSize = (payload: Uint8Array): void => {
    if (payload.length > payloadBytesMax) {
      throw new RangeError(`a message of ${payload.length} bytes is larger than ${payloadBytesMax}`)
    }
  }

  async function ask(subject: string, payload: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    const answer = await connection.request(subject, payload, { timeoutMs }).catch((cause: unknown) => {
      if (cause instanceof LogUnavailable) throw new NoBusAnswer(cause.message, true, cause)
      if (!(cause instanceof NoAnswer)) throw cause
      throw new NoBusAnswer(`${subject}: ${cause.message}`, cause.message === notConnected, cause)
    })
    if (answer.headers?.code === noResponders && answer.data.length === 0) {
      throw new NoBusAnswer(`nobody listens to ${subject}`, true)
    }
    return answer.data
  }

  return {
    payloadBytesMax,

    publish(subject, payload) {
      checkSize(payload)
      // The client would keep it for the next connection; whoever counts messages has given up by then.
      if (connection.up) connection.publish(subject, payload)
    },

    async request(subject, payload, { timeoutMs, signal }) {
      checkSize(payload)
      signal?.throwIfAborted()
      const answer = ask(subject, payload, timeoutMs)
      if (signal === undefined) return await answer
      const { promise: aborted, reject } = Promise.withResolvers<never>()
      const onAbort = (): void => reject(signal.reason)
      signal.addEventListener('abort', onAbort, { once: true })
      try {
        return await Promise.race([answer, aborted])
      } finally {
        signal.removeEventListener('abort', onAbort)
        answer.catch(() => undefined)
      }
    },

    subscribe(subject, onMessage, how = {}) {
      const subscription = connection.subscribe(
        subject,
        ({ subject: at, data, reply }) => {
          const message: BusMessage = { subject: at, payload: data, reply: reply || undefined }
          try {
            onMessage(message)
          } catch (error) {
            queueMicrotask(() => {
              throw error
            })
          }
        },
        how.queue,
      )
      return { [Symbol.dispose]: () => subscription.stop() }
    },

    onInterrupted: (callback) => connection.onReconnect(callback),
    close: () => connection.close(),
  }
}
