// Which log a cluster runs on, and why. A data directory keeps the log it was begun with: another one would be empty, and
// a cluster must never lose its state because a program was installed or removed.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ClusterLog } from '@shiplog/events/event-log'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'

/** `auto`, `embedded`, `jetstream` (a nats-server of our own), or the URL of one that runs elsewhere. */
export type LogChoice = 'auto' | 'embedded' | 'jetstream' | `nats://${string}` | `tls://${string}`

export const isLogChoice = (text: string): text is LogChoice =>
  /^(auto|embedded|jetstream)$/.test(text) || /^(nats|tls):\/\/\S+$/.test(text)

export interface OpenedLog {
  readonly log: ClusterLog
  /** One line for people: which log it is, and why. */
  readonly description: string
  /** Ends what was started for it; after `log.close()`. */
  stop(): Promise<void>
}

/** What the tool that finds a nats-server says; see tools/nats-server. */
export interface NatsServerBinary {
  readonly path: string
  readonly version: string
  readonly how: string
}

export interface OpenLogOptions {
  readonly choice: LogChoice
  readonly dataDir: string
  readonly clock: Clock
  readonly logger: Logger
  readonly progress: (line: string) => void
  /** The stream that this data is known to have had (see guarded-log.ts); another one, or none, is damage. */
  readonly expectIncarnation?: string
  /** Looks for a nats-server that is new enough; with `fetch`, provides one if need be (that may take minutes). */
  readonly findNatsServer: (options: { fetch: boolean }) => Promise<NatsServerBinary | undefined>
}

interface Decision {
  readonly kind: 'embedded' | 'jetstream' | 'remote'
  readonly url?: string
  readonly binary?: NatsServerBinary
  readonly why: string
}

/** What the data directory was begun with. Credentials of a URL are not kept. */
interface Recorded {
  readonly log: 'embedded' | 'jetstream' | 'remote'
}

const recordFile = (dataDir: string): string => join(dataDir, 'log.json')

export function recordedLog(dataDir: string): Recorded['log'] | undefined {
  try {
    return (JSON.parse(readFileSync(recordFile(dataDir), 'utf8')) as Recorded).log
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new Error(`${recordFile(dataDir)} cannot be read`, { cause: error })
  }
}

/** The rule of `--log`, apart from the I/O of opening. */
export async function decideLog(
  choice: LogChoice,
  recorded: Recorded['log'] | undefined,
  findNatsServer: OpenLogOptions['findNatsServer'],
): Promise<Decision> {
  const begunWith = (kind: string): string => `this data directory was begun with ${kind}`
  if (choice !== 'auto') {
    const kind = choice === 'embedded' || choice === 'jetstream' ? choice : 'remote'
    if (recorded !== undefined && recorded !== kind) {
      throw new Error(
        `${begunWith(`--log ${nameOf(recorded)}`)}, so --log ${choice} would start an empty cluster: choose another --data-dir`,
      )
    }
    if (kind === 'embedded') return { kind, why: 'asked for with --log' }
    if (kind === 'remote') return { kind, url: choice, why: 'asked for with --log' }
    const binary = await findNatsServer({ fetch: true })
    if (!binary)
      throw new Error('no nats-server of 2.12 or later could be provided: the lines above say what was tried')
    return { kind, binary, why: 'asked for with --log' }
  }
  if (recorded === 'embedded') return { kind: 'embedded', why: begunWith('it') }
  if (recorded === 'remote') throw new Error(`${begunWith('the URL of a NATS server')}: give it with --log nats://…`)
  const binary = await findNatsServer({ fetch: false })
  if (binary) {
    return { kind: 'jetstream', binary, why: recorded ? begunWith('it') : `nats-server found (${binary.how})` }
  }
  if (recorded === 'jetstream') {
    throw new Error(
      `${begunWith('JetStream')}, but there is no nats-server of 2.12 or later: --log jetstream provides one`,
    )
  }
  return {
    kind: 'embedded',
    why: 'no nats-server of 2.12 or later on PATH or in the cache; --log jetstream provides one',
  }
}

const nameOf = (kind: Recorded['log']): string => (kind === 'remote' ? 'nats://…' : kind)

export async function openLog(options: OpenLogOptions): Promise<OpenedLog> {
  const { dataDir, clock, logger } = options
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const recorded = recordedLog(dataDir)
  const decision = await decideLog(options.choice, recorded, options.findNatsServer)
  if (recorded === undefined) {
    writeFileSync(`${recordFile(dataDir)}.new`, `${JSON.stringify({ log: decision.kind } satisfies Recorded)}\n`)
    renameSync(`${recordFile(dataDir)}.new`, recordFile(dataDir))
  }
  if (decision.kind === 'embedded') {
    const { openSqliteClusterLog } = await import('@shiplog/events/sqlite/sqlite-log')
    const log = await openSqliteClusterLog({ dataDir, clock })
    return { log, description: `${log.description}: ${decision.why}`, stop: nothing }
  }
  const known = options.expectIncarnation === undefined ? {} : { expectIncarnation: options.expectIncarnation }
  const { connectJetStreamClusterLog } = await import('@shiplog/events/jetstream/jetstream-log')
  if (decision.binary === undefined) {
    const log = await connectJetStreamClusterLog({ servers: decision.url!, clock, name: 'shiplog', ...known })
    return {
      log,
      description: `${log.description} at ${withoutPassword(decision.url!)}: ${decision.why}`,
      stop: nothing,
    }
  }
  const { startNatsServer } = await import('@shiplog/nats-server/nats-child')
  const server = await startNatsServer({ binary: decision.binary.path, dataDir, clock, logger })
  try {
    const log = await connectJetStreamClusterLog({
      servers: server.url,
      credentials: server.credentials.gateway,
      clock,
      name: 'shiplog',
      ...known,
    })
    return { log, description: `${log.description}: ${decision.why}`, stop: () => server.stop() }
  } catch (error) {
    await server.stop()
    throw error
  }
}

const nothing = (): Promise<void> => Promise.resolve()

const withoutPassword = (url: string): string => url.replace(/\/\/[^@/]*@/, '//')
