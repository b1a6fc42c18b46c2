// An ordered push consumer: the server sends, we check that nothing is missing, and begin again right behind the last
// record when something is (a gap, a lost connection, a restarted server). Push, because ordered pull consumers fall
// silent for the better part of a minute after a restart of the server.
import type { Msg } from '@nats-io/transport-node'
import type { Clock } from '@shiplog/runtime/clock'
import { LogDamaged, LogUnavailable } from '../event-log.ts'
import { type Connection, jsonBytes, NoAnswer } from './connection.ts'
import { headerValue, JetStreamRecord, parseDelivery, splitMessage, statusOf } from './wire.ts'

const heartbeatMs = 1000
/** Silence that says the consumer is gone. */
const silenceMs = 3 * heartbeatMs
const createTimeoutMs = 3000
const retryDelayMs = 50
/** The server forgets a consumer whose owner has gone after this time. */
const inactiveMs = 30_000

export interface OrderedConsumerOptions {
  readonly connection: Connection
  readonly clock: Clock
  readonly stream: string
  /** Empty: everything. */
  readonly subjects: readonly string[]
  /** First sequence, or the last record of every subject and then what follows. */
  readonly start: number | 'last-per-subject'
  readonly onRecord: (record: JetStreamRecord, pending: number) => void
  /** A (new) beginning: `pending` records wait in it. After a restart a snapshot begins again from the start. */
  readonly onBegin?: (pending: number) => void
  /** The server has nothing more to send at the moment. */
  readonly onIdle?: () => void
  /** The server waits for an answer before it sends more; default: at once. */
  readonly onFlowControl?: (answer: () => void) => void
  /** Called before every new beginning; throws to end the consumer. */
  readonly beforeBegin?: () => Promise<void>
  readonly onError: (error: unknown) => void
}

export interface OrderedConsumer {
  /** Resolves when the consumer stands for the first time. */
  readonly started: Promise<void>
  stop(): void
}

let serial = 0

/** The server says no, and would say it again. */
class Refused extends LogUnavailable {}

/** A consumer that cannot be made because the server is starting is asked for again. */
const refusal = (stream: string, error: { readonly code: number; readonly description: string }): Error =>
  error.code >= 500
    ? new NoAnswer(error.description)
    : new Refused(`Stream ${stream} cannot be followed: ${error.description}`, { ambiguous: false })

/** Damage and refusals stay; everything else goes away with time. */
const isFinal = (error: unknown): boolean => error instanceof LogDamaged || error instanceof Refused

export function createOrderedConsumer(options: OrderedConsumerOptions): OrderedConsumer {
  const { connection, clock, stream } = options
  const base = `shiplog-${process.pid.toString(36)}-${process.hrtime.bigint().toString(36)}`
  let generation = 0
  let stopped = false
  let inbox: { readonly subject: string; stop(): void } | undefined
  let name = ''
  let deliverySequence = 0
  let lastSequence = typeof options.start === 'number' ? options.start - 1 : 0
  let heardMs = clock.nowMs()
  let beginning = false
  let again = false

  const begin = async (): Promise<void> => {
    if (beginning) {
      again = true
      return
    }
    beginning = true
    try {
      do {
        again = false
        await tryBegin()
      } while (again && !stopped)
    } finally {
      beginning = false
    }
  }

  const tryBegin = async (): Promise<void> => {
    drop()
    while (!stopped) {
      generation += 1
      const mine = generation
      try {
        await connection.connected(clock.nowMs() + createTimeoutMs)
        await options.beforeBegin?.()
        if (stopped) return
        deliverySequence = 0
        heardMs = clock.nowMs()
        const held: Msg[] = []
        let open = false
        inbox = connection.listen((message) => {
          if (generation !== mine || stopped) return
          if (open) receive(message)
          else held.push(message)
        })
        serial += 1
        name = `${base}-${serial}`
        const answer = await connection.request(
          `$JS.API.CONSUMER.CREATE.${stream}.${name}`,
          jsonBytes({ stream_name: stream, action: 'create', config: configuration(inbox.subject) }),
          { timeoutMs: createTimeoutMs },
        )
        const created = answer.json<{ num_pending?: number; error?: { description: string; code: number } }>()
        if (created.error) throw refusal(stream, created.error)
        options.onBegin?.(created.num_pending ?? 0)
        open = true
        for (const message of held) if (generation === mine && !stopped) receive(message)
        return
      } catch (error) {
        drop()
        if (connection.closed || isFinal(error)) {
          stop()
          options.onError(error)
          return
        }
        await clock.sleep(retryDelayMs)
      }
    }
  }

  const configuration = (subject: string): object => ({
    name,
    deliver_subject: subject,
    ...(typeof options.start === 'number'
      ? { deliver_policy: 'by_start_sequence', opt_start_seq: lastSequence + 1 }
      : { deliver_policy: 'last_per_subject' }),
    ...(options.subjects.length === 0 ? {} : { filter_subjects: options.subjects }),
    ...(options.subjects.length === 0 && options.start === 'last-per-subject' ? { filter_subjects: ['>'] } : {}),
    ack_policy: 'none',
    max_deliver: 1,
    flow_control: true,
    idle_heartbeat: heartbeatMs * 1_000_000,
    inactive_threshold: inactiveMs * 1_000_000,
    num_replicas: 1,
    mem_storage: true,
  })

  const receive = (message: Msg): void => {
    heardMs = clock.nowMs()
    const delivery = message.reply ? parseDelivery(message.reply) : undefined
    if (delivery === undefined) {
      receiveStatus(message)
      return
    }
    if (delivery.deliverySequence !== deliverySequence + 1) {
      void begin()
      return
    }
    deliverySequence = delivery.deliverySequence
    const { head, payload } = splitMessage(message)
    const record = new JetStreamRecord(message.subject, delivery.sequence, delivery.timeMs, head, payload)
    lastSequence = delivery.sequence
    options.onRecord(record, delivery.pending)
  }

  const receiveStatus = (message: Msg): void => {
    const { head } = splitMessage(message)
    const status = statusOf(head)
    if (status !== 100) {
      // 409 and the like: the consumer was deleted, or the server is on its way out.
      void begin()
      return
    }
    if (message.reply) {
      const { reply } = message
      const answer = (): void => {
        if (!connection.closed) connection.publish(reply, new Uint8Array(0))
      }
      if (options.onFlowControl) options.onFlowControl(answer)
      else answer()
      return
    }
    const stalled = headerValue(head, 'Nats-Consumer-Stalled')
    if (stalled) connection.publish(stalled, new Uint8Array(0))
    const last = Number(headerValue(head, 'Nats-Last-Consumer') ?? deliverySequence)
    if (last > deliverySequence) void begin()
    // A stalled consumer has more to send: it has waited for the answer to its flow control, because we were busy.
    else if (!stalled) options.onIdle?.()
  }

  const drop = (): void => {
    inbox?.stop()
    inbox = undefined
    if (name !== '' && !connection.closed) {
      connection
        .request(`$JS.API.CONSUMER.DELETE.${stream}.${name}`, new Uint8Array(0), { timeoutMs: createTimeoutMs })
        .catch(() => undefined)
    }
    name = ''
  }

  const stop = (): void => {
    if (stopped) return
    stopped = true
    drop()
    reconnection[Symbol.dispose]()
    watchdog[Symbol.dispose]()
  }

  const reconnection = connection.onReconnect(() => void begin())
  const watchdog = clock.every(heartbeatMs, () => {
    if (!beginning && clock.nowMs() - heardMs > silenceMs) void begin()
  })
  return { started: begin(), stop }
}
