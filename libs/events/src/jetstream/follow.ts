// Following a stream: one consumer for the whole process (the tail), begun by the first follower, and a snapshot for those
// who want the state before it.
import type { FollowOptions, LogRecord } from '../event-log.ts'
import { createFollowHub, type FollowHub } from '../commit/follow-hub.ts'
import { patiently } from '../commit/patience.ts'
import type { DirectGet } from './direct-get.ts'
import { createOrderedConsumer, type OrderedConsumer } from './ordered-consumer.ts'
import { readRange } from './read.ts'
import { readSnapshot } from './snapshot.ts'
import type { StreamHandle } from './stream-handle.ts'

export interface Following {
  follow(options: FollowOptions): AsyncIterable<readonly LogRecord[]>
  /** Ends all followers, quietly. */
  stop(): void
}

interface Tail {
  readonly hub: FollowHub
  readonly consumer: OrderedConsumer
}

export function createFollowing(stream: StreamHandle, directGet: DirectGet): Following {
  const { clock } = stream
  const stopping = new AbortController()
  let tail: Promise<Tail> | undefined

  const sharedTail = async (): Promise<FollowHub> => {
    tail ??= startTail(stream, directGet, stopping.signal).catch((error: unknown) => {
      tail = undefined
      throw error
    })
    return (await tail).hub
  }

  async function* follow(options: FollowOptions): AsyncIterable<readonly LogRecord[]> {
    const { subjects, signal } = options
    // A follower can wait: a server that answers late, as it does while everything starts, is asked again.
    const hub = await patiently(clock, sharedTail, signal)
    let { from } = options
    if (from === undefined) {
      let through = (await patiently(clock, stream.info, signal)).state.last_seq
      const untilStop = { subjects, signal: AbortSignal.any([signal, stopping.signal]) }
      for await (const records of readSnapshot(stream, directGet, untilStop)) {
        through = records.at(-1)!.sequence
        yield records
      }
      from = through + 1
    }
    if (signal.aborted) return
    yield []
    yield* hub.follow({ from, subjects, signal })
  }

  const stop = (): void => {
    stopping.abort()
    void tail?.then(
      ({ hub, consumer }) => {
        consumer.stop()
        hub.end()
      },
      () => undefined,
    )
  }
  return { follow, stop }
}

/** Everything that is stored from now on, handed to the hub chunk by chunk. */
async function startTail(stream: StreamHandle, directGet: DirectGet, stopping: AbortSignal): Promise<Tail> {
  const start = (await stream.info()).state.last_seq + 1
  const hub = createFollowHub(start, (from, to, subjects) => readRange(stream, directGet, { from, to, subjects }))
  let arrived: LogRecord[] = []
  const handOver = (): void => {
    const records = arrived
    arrived = []
    hub.push(records)
  }
  const consumer = createOrderedConsumer({
    stream,
    subjects: [],
    start,
    // A stream that was replaced or shortened ends the followers with LogDamaged.
    beforeBegin: async () => void (await stream.info()),
    onRecord: (record) => {
      stream.see(record.sequence)
      arrived.push(record)
      // The microtask runs when all messages of one chunk from the socket have been handled.
      if (arrived.length === 1) queueMicrotask(handOver)
    },
    onError: (error) => hub.end(stream.connection.closed || stopping.aborted ? undefined : (error as Error)),
  })
  return { hub, consumer }
}
