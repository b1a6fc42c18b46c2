// An ordered push consumer: the server sends, we check that nothing is missing, and the consumer begins again right behind
// the last record when something is (a gap, a lost connection, a restarted server). The client of @nats-io/jetstream
// creates and deletes it, but does not read it: its ordered pull consumers fall silent for 44 s after a restart of the
// server (measured), and its ordered push consumer notices silence after a minute only, answers the flow control before
// anybody has taken the records, and after a restart turns a snapshot (last record per subject) into a replay.
import { type ConsumerConfig, type JetStreamManager, JetStreamApiError } from '@nats-io/jetstream'
import { LogDamaged, LogUnavailable } from '../event-log.ts'
import type { Msg } from './connection.ts'
import { retryDelayMs } from './retries.ts'
import type { StreamHandle } from './stream-handle.ts'
import { headerValue, JetStreamRecord, parseDelivery, splitMessage, statusOf } from './wire.ts'

const heartbeatMs = 1000
/** After this much silence the consumer is taken to be gone. */
const silenceMs = 3 * heartbeatMs
const createTimeoutMs = 3000
/** The server forgets a consumer after this time without anybody who listens. */
const inactiveMs = 30_000
const nanosecondsPerMs = 1_000_000

export interface OrderedConsumerOptions {
  readonly stream: Pick<StreamHandle, 'name' | 'connection' | 'clock' | 'management'>
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
  /** Resolves when the consumer has been created for the first time. */
  readonly started: Promise<void>
  stop(): void
}

/** Consumers of this process so far: their names must differ. */
let serial = 0

/** Damage and refusals stay; everything else goes away with time. */
const isFinal = (error: unknown): boolean =>
  error instanceof LogDamaged || (error instanceof JetStreamApiError && error.status < 500)

const asLogError = (stream: string, error: unknown): unknown =>
  error instanceof JetStreamApiError
    ? new LogUnavailable(`Stream ${stream} cannot be followed: ${error.message}`, { ambiguous: false, cause: error })
    : error

/** What the server is asked for; a consumer in the server's memory that needs no acknowledgements. */
export function consumerConfig(
  name: string,
  deliverSubject: string,
  start: { readonly after: number } | 'last-per-subject',
  subjects: readonly string[],
): Partial<ConsumerConfig> {
  const wanted = subjects.length === 0 && start === 'last-per-subject' ? ['>'] : subjects
  return {
    name,
    deliver_subject: deliverSubject,
    ...(start === 'last-per-subject'
      ? { deliver_policy: 'last_per_subject' }
      : { deliver_policy: 'by_start_sequence', opt_start_seq: start.after + 1 }),
    ...(wanted.length === 1 ? { filter_subject: wanted[0]! } : {}),
    ...(wanted.length > 1 ? { filter_subjects: [...wanted] } : {}),
    ack_policy: 'none',
    max_deliver: 1,
    flow_control: true,
    idle_heartbeat: heartbeatMs * nanosecondsPerMs,
    inactive_threshold: inactiveMs * nanosecondsPerMs,
    num_replicas: 1,
    mem_storage: true,
  }
}

export function createOrderedConsumer(options: OrderedConsumerOptions): OrderedConsumer {
  const { connection, clock, management, name: stream } = options.stream
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
      try {
        await connection.connected(clock.nowMs() + createTimeoutMs)
        await options.beforeBegin?.()
        if (!stopped) await create()
        return
      } catch (error) {
        drop()
        if (connection.closed || isFinal(error)) {
          stop()
          options.onError(asLogError(stream, error))
          return
        }
        await clock.sleep(retryDelayMs)
      }
    }
  }

  /** What arrives before the server has said what it promises is held back until then. */
  const create = async (): Promise<void> => {
    generation += 1
    const mine = generation
    const held: Msg[] = []
    let open = false
    deliverySequence = 0
    heardMs = clock.nowMs()
    inbox = connection.listen((message) => {
      if (generation !== mine || stopped) return
      if (open) receive(message)
      else held.push(message)
    })
    serial += 1
    name = `${base}-${serial}`
    const start = options.start === 'last-per-subject' ? options.start : { after: lastSequence }
    const config = consumerConfig(name, inbox.subject, start, options.subjects)
    const { num_pending } = await management.attempt(({ consumers }) => consumers.add(stream, config))
    options.onBegin?.(num_pending)
    open = true
    for (const message of held) if (generation === mine && !stopped) receive(message)
  }

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
    // 409 and the like: the consumer was deleted, or the server is on its way out.
    if (statusOf(head) !== 100) void begin()
    else if (message.reply) receiveFlowControl(message.reply)
    else receiveHeartbeat(head)
  }

  const receiveFlowControl = (reply: string): void => {
    const answer = (): void => {
      if (!connection.closed) connection.publish(reply, new Uint8Array(0))
    }
    if (options.onFlowControl) options.onFlowControl(answer)
    else answer()
  }

  const receiveHeartbeat = (head: string): void => {
    const stalled = headerValue(head, 'Nats-Consumer-Stalled')
    if (stalled) connection.publish(stalled, new Uint8Array(0))
    const last = Number(headerValue(head, 'Nats-Last-Consumer') ?? deliverySequence)
    if (last > deliverySequence) void begin()
    // A stalled consumer has more to send: it waited for the answer to its flow control, because we were busy.
    else if (!stalled) options.onIdle?.()
  }

  const drop = (): void => {
    inbox?.stop()
    inbox = undefined
    if (name !== '' && !connection.closed) {
      const gone = name
      const remove = ({ consumers }: JetStreamManager): Promise<boolean> => consumers.delete(stream, gone)
      management.attempt(remove).catch(() => undefined)
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
