// The streams of a cluster's log as a gateway serves them (GET /shiplog/v1/events), for controllers that run apart from the
// log itself. Whoever may `get` that path may follow it.
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { type EventLog, type LogRecord, LogUnavailable } from '@shiplog/events/event-log'
import { decodeRecordLine, stateEndLine } from '@shiplog/events/history/record-lines'
import type { FollowedLog } from '@shiplog/feed/object-feed-from-log'
import type { StreamName } from '@shiplog/feed/stream-of'

export interface GatewayLogOptions {
  /** `https://host:port`. */
  readonly server: string
  readonly ca?: Buffer | string
  readonly cert?: Buffer | string
  readonly key?: Buffer | string
  readonly token?: string
}

const stateEnd = stateEndLine.subarray(0, -1)

/** Opens nothing yet. */
export const createGatewayLog = (options: GatewayLogOptions): FollowedLog => ({
  events: followed('events', options),
  leases: followed('leases', options),
  objectEvents: followed('objectEvents', options),
})

const followed = (stream: StreamName, options: GatewayLogOptions): Pick<EventLog, 'follow'> => ({
  async *follow({ subjects, signal }) {
    const query = new URLSearchParams([['stream', stream], ['state', 'true'], ...subjects.map((one) => ['subject', one])])
    try {
      yield* recordsOf(await ask(`/shiplog/v1/events?${query}`, options, signal))
    } catch (error) {
      if (signal.aborted) return
      throw error
    }
    if (!signal.aborted) throw unavailable(options.server, 'the stream has ended')
  },
})

const unavailable = (server: string, why: string, cause?: unknown): LogUnavailable =>
  new LogUnavailable(`${server} does not serve the log: ${why}`, { ambiguous: false, cause })

const ask = (path: string, { server, token, ...tls }: GatewayLogOptions, signal: AbortSignal): Promise<IncomingMessage> =>
  new Promise((settle, reject) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const call = request(`${server}${path}`, { ...tls, headers, signal }, (response) => {
      if (response.statusCode === 200) return settle(response)
      response.resume()
      reject(unavailable(server, `it answers ${response.statusCode}`))
    })
    call.on('error', (error) => reject(unavailable(server, error.message, error)))
    call.end()
  })

/** Pages of whole lines; an empty one stands where the state is complete. */
async function* recordsOf(response: IncomingMessage): AsyncGenerator<readonly LogRecord[]> {
  let rest: Buffer[] = []
  for await (const chunk of response as AsyncIterable<Buffer>) {
    let records: LogRecord[] = []
    let begin = 0
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, begin)) {
      const piece = chunk.subarray(begin, end)
      const line = rest.length === 0 ? piece : Buffer.concat([...rest, piece])
      rest = []
      begin = end + 1
      if (!line.equals(stateEnd)) {
        records.push(decodeRecordLine(line))
        continue
      }
      if (records.length > 0) yield records
      records = []
      yield []
    }
    if (begin < chunk.length) rest.push(chunk.subarray(begin))
    if (records.length > 0) yield records
  }
}
