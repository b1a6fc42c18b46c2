// What a server says of itself at /metrics, and how long it takes to say that it is ready.
import { openConnection, requestHead } from './api-connection.ts'
import type { Credentials } from './credentials.ts'
import { monotonicMicros } from './payloads.ts'

export interface Memory {
  readonly rssBytes: number
  readonly heapUsedBytes: number
  readonly externalBytes: number
  /** The sequence of the last event. */
  readonly events: number
}

export async function readMemory(credentials: Credentials): Promise<Memory> {
  const connection = await openConnection(credentials)
  let text = ''
  await connection.exchange(requestHead(credentials, 'GET', '/metrics'), {
    onBody: (bytes) => {
      text += bytes.toString('latin1')
    },
  })
  connection.close()
  const value = (name: string): number => Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN)
  return {
    rssBytes: value('process_resident_memory_bytes'),
    heapUsedBytes: value('nodejs_heap_size_used_bytes'),
    externalBytes: value('nodejs_external_memory_bytes'),
    events: value('shiplog_projection_sequence\\{stream="EVENTS"\\}'),
  }
}

export interface ReadySampler {
  /** Latencies since the last call. */
  take(): number[]
  stop(): void
}

const sampleEveryMs = 25

/** Asks /readyz on a connection of its own, one question after the other, while something else goes on. */
export async function sampleReady(credentials: Credentials): Promise<ReadySampler> {
  const connection = await openConnection(credentials)
  const request = requestHead(credentials, 'GET', '/readyz')
  let latencies: number[] = []
  let askedMicros = 0
  let stopped = false
  const nowMs = (): number => monotonicMicros() / 1_000
  const ask = async (): Promise<void> => {
    while (!stopped) {
      askedMicros = nowMs()
      await connection.exchange(request)
      latencies.push(nowMs() - askedMicros)
      await new Promise((resolve) => setTimeout(resolve, sampleEveryMs))
    }
  }
  ask().catch(() => undefined)
  return {
    take() {
      const taken = latencies
      latencies = []
      // A question that has not been answered yet counts with its age.
      if (taken.length === 0) taken.push(nowMs() - askedMicros)
      return taken
    },
    stop() {
      stopped = true
      connection.close()
    },
  }
}
