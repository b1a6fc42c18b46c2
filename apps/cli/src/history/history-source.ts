// Where the past is read from: a running cluster through its gateway, or the log of a stopped one straight from its data
// directory (a copied one will do). Commands see one small port and need not know which it is.
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { resolve } from 'node:path'
import { isAlive, lockDirectory, lockHolder } from '@shiplog/runtime/directory-lock'
import { openLog, recordedLog } from '@shiplog/all-in-one/open-log'
import type { EventLog, LogRecord } from '@shiplog/events/event-log'
import { oldestWholeSequence, sequenceAtTime } from '@shiplog/events/history/history'
import { type Damage, inspectLog, type LogInspection, withDamage } from '@shiplog/events/integrity/log-inspection'
import { decodeLine } from '@shiplog/events/history/record-lines'
import { inspected, type PastLog, type PastRecord } from '@shiplog/feed/history/past-records'
import { type RecordCodec, recordCodec } from '@shiplog/feed/record-codec'
import { systemClock } from '@shiplog/runtime/clock'
import { silentLogger } from '@shiplog/runtime/logger'
import { credentialsIn } from '../kubeconfig-credentials.ts'
import { clusterFiles } from '../cluster/cluster-files.ts'
import { openStopped } from '../keys/key-source.ts'
import { onEnd } from '../ending.ts'
import { findNatsServer } from '../cluster/find-nats-server.ts'

export interface HistorySource extends PastLog {
  /** Records from a sequence on, and those to come, until the signal aborts. */
  follow(from: number, subjects: readonly string[], signal: AbortSignal): AsyncIterable<readonly PastRecord[]>
  /** The oldest sequence whose state is whole, and the newest there is. */
  ends(): Promise<{ readonly oldest: number; readonly newest: number }>
  /** The sequence of the newest record at a time; less than `oldest` when there is none. */
  sequenceAt(timeMs: number): Promise<number>
  close(): Promise<void>
}

export interface SourceOptions {
  readonly dataDir: string
  /** Asks the cluster of this kubeconfig, wherever it runs. */
  readonly kubeconfig?: string | undefined
  /** Reads the records; that of this build by default. */
  readonly codec?: RecordCodec
}

/** A server that says nothing for so long is given up. */
const silenceMs = 30_000
/** Reading the whole log of a stopped cluster for damage may take so long. */
const inspectionTimeoutMs = 600_000

export async function openHistory(options: SourceOptions): Promise<HistorySource> {
  const codec = options.codec ?? recordCodec
  if (options.kubeconfig !== undefined) return gatewaySource(options.kubeconfig, codec)
  const dataDir = resolve(options.dataDir)
  const holder = lockHolder(dataDir)
  if (holder !== undefined && isAlive(holder)) return gatewaySource(clusterFiles(dataDir).kubeconfig, codec)
  if (recordedLog(dataDir) !== undefined) return await stoppedSource(dataDir, options.codec)
  const { KUBECONFIG } = process.env
  if (KUBECONFIG) return gatewaySource(KUBECONFIG.split(':')[0]!, codec)
  throw new Error(`there is no log in ${dataDir}: name one with --data-dir, or a running cluster with --kubeconfig`)
}

/** A source over an open log. */
export const logSource = (
  log: EventLog,
  close: () => Promise<void>,
  codec = recordCodec,
  inspection?: LogInspection,
): HistorySource => ({
  codec,
  async *read(options = {}) {
    // Which records are missing shows only when the whole log is read.
    await inspection?.finished(inspectionTimeoutMs)
    const { from = 1, to = Number.MAX_SAFE_INTEGER, subjects } = options
    yield* inspected(codec, withDamage(log.read(options), inspection?.within(from, to, subjects) ?? []))
  },
  follow: (from, subjects, signal) => inspected(codec, log.follow({ from, subjects, signal })),
  async ends() {
    const [oldest, newest] = await Promise.all([oldestWholeSequence(log), log.lastSequence()])
    return { oldest, newest }
  },
  async sequenceAt(timeMs) {
    const [oldest, newest] = await Promise.all([oldestWholeSequence(log), log.lastSequence()])
    return await sequenceAtTime(log, timeMs, oldest, newest)
  },
  close,
})

/** Holds the directory's lock, so that no cluster starts on the log meanwhile. */
async function stoppedSource(dataDir: string, given: RecordCodec | undefined): Promise<HistorySource> {
  const lock = lockDirectory(dataDir)
  const release = onEnd(() => lock.release())
  try {
    const opened = await openLog({
      choice: 'auto',
      dataDir,
      clock: systemClock,
      logger: silentLogger,
      progress: () => undefined,
      findNatsServer: findNatsServer(() => undefined),
    })
    const inspection = inspectLog({ log: opened.log.events, clock: systemClock })
    // Who brings a codec of its own reads with that.
    const encryption = given ? undefined : await openStopped(opened.log, dataDir)
    const close = onEnd(async () => {
      await inspection.stop()
      encryption?.stop()
      await opened.log.close()
      await opened.stop()
      await release()
    })
    return logSource(opened.log.events, close, given ?? encryption?.codec ?? recordCodec, inspection)
  } catch (error) {
    await release()
    throw error
  }
}

function gatewaySource(kubeconfig: string, codec: RecordCodec): HistorySource {
  const { server, token, ...tls } = credentialsIn(kubeconfig)

  const ask = (path: string, query: URLSearchParams, signal?: AbortSignal): Promise<IncomingMessage> =>
    new Promise((settle, reject) => {
      const call = request(
        `${server}${path}?${query}`,
        {
          ...tls,
          headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
          ...(signal ? { signal } : { timeout: silenceMs }),
        },
        (response) => {
          if (response.statusCode === 200) return settle(response)
          textOf(response).then((text) => reject(new Error(messageOf(text, response.statusCode!))), reject)
        },
      )
      call.on('timeout', () => call.destroy(new Error(`${server} says nothing for ${silenceMs} ms`)))
      call.on('error', (error) =>
        reject(new Error(`the cluster at ${server} cannot be asked: ${error.message}`, { cause: error })),
      )
      call.end()
    })

  async function* events(query: URLSearchParams, signal?: AbortSignal): AsyncIterable<readonly (LogRecord | Damage)[]> {
    const response = await ask('/shiplog/v1/events', query, signal)
    let rest: Buffer[] = []
    for await (const chunk of response as AsyncIterable<Buffer>) {
      const records: (LogRecord | Damage)[] = []
      let begin = 0
      for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, begin)) {
        const piece = chunk.subarray(begin, end)
        records.push(decodeLine(rest.length === 0 ? piece : Buffer.concat([...rest, piece])))
        rest = []
        begin = end + 1
      }
      if (begin < chunk.length) rest.push(chunk.subarray(begin))
      if (records.length > 0) yield records
    }
    if (rest.length > 0) throw new Error(`the answer of ${server} broke off`)
  }

  const log = async (query: URLSearchParams): Promise<any> =>
    JSON.parse(await textOf(await ask('/shiplog/v1/log', query)))

  return {
    codec,
    async *read(options = {}) {
      const query = new URLSearchParams()
      if (options.from !== undefined) query.set('from', String(options.from))
      if (options.to !== undefined) query.set('to', String(options.to))
      for (const subject of options.subjects ?? []) query.append('subject', subject)
      yield* inspected(codec, events(query))
    },
    async *follow(from, subjects, signal) {
      const query = new URLSearchParams({ from: String(from), follow: 'true' })
      for (const subject of subjects) query.append('subject', subject)
      try {
        yield* inspected(codec, events(query, signal))
      } catch (error) {
        if (!signal.aborted) throw error
      }
    },
    ends: () => log(new URLSearchParams()),
    sequenceAt: async (timeMs) => (await log(new URLSearchParams({ time: new Date(timeMs).toISOString() }))).sequence,
    close: () => Promise.resolve(),
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

function messageOf(text: string, code: number): string {
  try {
    return (JSON.parse(text) as { message: string }).message
  } catch {
    return `the cluster answered ${code}`
  }
}

/** Opens the source, hands it over, and closes it whatever happens. */
export async function withHistory<T>(options: SourceOptions, use: (source: HistorySource) => Promise<T>): Promise<T> {
  const source = await openHistory(options)
  try {
    return await use(source)
  } finally {
    await source.close()
  }
}
