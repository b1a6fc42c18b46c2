// Where the past is read from: a running cluster through its gateway, or the log of a stopped one straight from its data
// directory (a copied one will do). Commands see one small port and need not know which it is.
import { readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { dirname, resolve } from 'node:path'
import { isAlive, lockDirectory, lockHolder } from '@shiplog/runtime/directory-lock'
import { openLog, recordedLog } from '@shiplog/all-in-one/open-log'
import { decodeYaml } from '@shiplog/api/decode/decode-yaml'
import type { EventLog, LogRecord, ReadOptions } from '@shiplog/events/event-log'
import { oldestWholeSequence, sequenceAtTime } from '@shiplog/events/history/history'
import { decodeRecordLine } from '@shiplog/events/history/record-lines'
import { systemClock } from '@shiplog/runtime/clock'
import { silentLogger } from '@shiplog/runtime/logger'
import { clusterFiles } from '../cluster/cluster-files.ts'
import { findNatsServer } from '../cluster/find-nats-server.ts'

export interface HistorySource {
  read(options?: ReadOptions): AsyncIterable<readonly LogRecord[]>
  /** Records from a sequence on, and those to come, until the signal aborts. */
  follow(from: number, subjects: readonly string[], signal: AbortSignal): AsyncIterable<readonly LogRecord[]>
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
}

/** A server that says nothing for so long is given up. */
const silenceMs = 30_000

export async function openHistory(options: SourceOptions): Promise<HistorySource> {
  if (options.kubeconfig !== undefined) return gatewaySource(options.kubeconfig)
  const dataDir = resolve(options.dataDir)
  const holder = lockHolder(dataDir)
  if (holder !== undefined && isAlive(holder)) return gatewaySource(clusterFiles(dataDir).kubeconfig)
  if (recordedLog(dataDir) !== undefined) return await stoppedSource(dataDir)
  const { KUBECONFIG } = process.env
  if (KUBECONFIG) return gatewaySource(KUBECONFIG.split(':')[0]!)
  throw new Error(`there is no log in ${dataDir}: name one with --data-dir, or a running cluster with --kubeconfig`)
}

/** A source over an open log. */
export const logSource = (log: EventLog, close: () => Promise<void>): HistorySource => ({
  read: (options) => log.read(options),
  follow: (from, subjects, signal) => log.follow({ from, subjects, signal }),
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
async function stoppedSource(dataDir: string): Promise<HistorySource> {
  const lock = lockDirectory(dataDir)
  try {
    const opened = await openLog({
      choice: 'auto',
      dataDir,
      clock: systemClock,
      logger: silentLogger,
      progress: () => undefined,
      findNatsServer: findNatsServer(() => undefined),
    })
    return logSource(opened.log.events, async () => {
      await opened.log.close()
      await opened.stop()
      lock.release()
    })
  } catch (error) {
    lock.release()
    throw error
  }
}

interface Credentials {
  readonly server: string
  readonly ca?: Buffer
  readonly cert?: Buffer
  readonly key?: Buffer
  readonly token?: string
}

/** The current context of a kubeconfig: certificates and tokens, inline or in files. */
function credentialsOf(path: string): Credentials {
  const config = decodeYaml(readFileSync(path, 'utf8')).value as any
  const named = (list: any[], name: string): any => list?.find((entry) => entry.name === name)
  const context = named(config.contexts, config['current-context'])?.context
  const cluster = named(config.clusters, context?.cluster)?.cluster
  if (!cluster?.server) throw new Error(`${path} names no server for its current context`)
  const user = named(config.users, context.user)?.user ?? {}
  const bytes = (holder: any, key: string): Buffer | undefined =>
    holder[`${key}-data`]
      ? Buffer.from(holder[`${key}-data`], 'base64')
      : holder[key]
        ? readFileSync(resolve(dirname(path), holder[key]))
        : undefined
  const ca = bytes(cluster, 'certificate-authority')
  const cert = bytes(user, 'client-certificate')
  const key = bytes(user, 'client-key')
  return {
    server: String(cluster.server).replace(/\/$/, ''),
    ...(ca ? { ca } : {}),
    ...(cert ? { cert } : {}),
    ...(key ? { key } : {}),
    ...(user.token ? { token: user.token } : {}),
  }
}

function gatewaySource(kubeconfig: string): HistorySource {
  const { server, token, ...tls } = credentialsOf(kubeconfig)

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

  async function* events(query: URLSearchParams, signal?: AbortSignal): AsyncIterable<readonly LogRecord[]> {
    const response = await ask('/shiplog/v1/events', query, signal)
    let rest: Buffer[] = []
    for await (const chunk of response as AsyncIterable<Buffer>) {
      const records: LogRecord[] = []
      let begin = 0
      for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, begin)) {
        const piece = chunk.subarray(begin, end)
        records.push(decodeRecordLine(rest.length === 0 ? piece : Buffer.concat([...rest, piece])))
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
    async *read(options = {}) {
      const query = new URLSearchParams()
      if (options.from !== undefined) query.set('from', String(options.from))
      if (options.to !== undefined) query.set('to', String(options.to))
      for (const subject of options.subjects ?? []) query.append('subject', subject)
      yield* events(query)
    },
    async *follow(from, subjects, signal) {
      const query = new URLSearchParams({ from: String(from), follow: 'true' })
      for (const subject of subjects) query.append('subject', subject)
      try {
        yield* events(query, signal)
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
