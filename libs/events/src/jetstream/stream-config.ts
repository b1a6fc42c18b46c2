// How the three streams are set up, and the checks of a server and of a stream that is already there. A server that is too
// old, or a stream with another configuration, would silently break what the log promises.
import { JetStreamApiError, type StreamConfig, type StreamInfo } from '@nats-io/jetstream'
import { LogDamaged, LogUnavailable } from '../event-log.ts'
import { markerTtlSeconds } from '../expiry.ts'
import type { Connection } from './connection.ts'
import type { Management } from './management.ts'

/** Least message size that the server must accept: an object of 4 MB with its headers. */
const maxPayloadBytesMin = 4 * 1024 * 1024
const nanosecondsPerSecond = 1_000_000_000
/** JetStream's error when another gateway has created the stream in the meantime. */
const streamNameInUse = 10058

/** The part of a stream's configuration that we set. */
export type OwnStreamConfig = Partial<StreamConfig> & Pick<StreamConfig, 'name' | 'subjects'>

export function checkServer({ serverVersion, maxPayloadBytes }: Pick<Connection, 'serverVersion' | 'maxPayloadBytes'>): void {
  const [major = 0, minor = 0] = serverVersion.split('.').map(Number)
  if (major < 2 || (major === 2 && minor < 12)) {
    throw new LogUnavailable(
      `nats-server ${serverVersion} is too old: Shiplog needs 2.12 or newer, because older servers silently ignore atomic batches`,
      { ambiguous: false },
    )
  }
  if (maxPayloadBytes < maxPayloadBytesMin) {
    throw new LogUnavailable(
      `nats-server accepts messages of ${maxPayloadBytes} bytes: set max_payload to 8MB (at least ${maxPayloadBytesMin})`,
      { ambiguous: false },
    )
  }
}

/** EVENTS, LEASES, OBJEVENTS and KEYS, in this order; see DESIGN.md, "Streams and subjects". */
export function streamConfigs(
  replicas: number,
): readonly [OwnStreamConfig, OwnStreamConfig, OwnStreamConfig, OwnStreamConfig] {
  const common = {
    storage: 'file',
    retention: 'limits',
    discard: 'old',
    max_age: 0,
    max_msgs: -1,
    max_bytes: -1,
    max_consumers: -1,
    max_msg_size: -1,
    num_replicas: replicas,
    allow_direct: true,
    allow_atomic: true,
    deny_delete: true,
    deny_purge: false,
  } as const
  return [
    { ...common, name: 'EVENTS', subjects: ['evt.>', 'guard.>', 'dec.>', 'seal.>'], max_msgs_per_subject: -1 },
    { ...common, name: 'LEASES', subjects: ['lease.>'], max_msgs_per_subject: 1 },
    {
      ...common,
      name: 'OBJEVENTS',
      subjects: ['oev.>'],
      max_msgs_per_subject: 1,
      allow_msg_ttl: true,
      allow_rollup_hdrs: true,
      subject_delete_marker_ttl: markerTtlSeconds * nanosecondsPerSecond,
    },
    // A key that is destroyed is overwritten on the disk: its message is deleted, which the others deny.
    { ...common, name: 'KEYS', subjects: ['key.>', 'kek.>'], max_msgs_per_subject: -1, deny_delete: false },
  ]
}

/** Fields that must be as we set them. */
const checkedFields = [
  'storage',
  'retention',
  'max_age',
  'max_msgs',
  'max_bytes',
  'max_msgs_per_subject',
  'allow_direct',
  'allow_atomic',
  'allow_msg_ttl',
  'subject_delete_marker_ttl',
] as const satisfies readonly (keyof StreamConfig)[]

/** Tells one stream from another of the same name. */
export const incarnationOf = (info: StreamInfo): string => `${info.config.name} ${info.created}`

/** Throws LogUnavailable when an existing stream has another configuration, LogDamaged when it is another stream. */
export function checkStream(info: StreamInfo, config: OwnStreamConfig, expectIncarnation: string | undefined): void {
  const { name, subjects } = config
  for (const field of checkedFields) {
    const want = config[field] || false
    const have = info.config[field] || false
    if (want === have) continue
    throw new LogUnavailable(
      `Stream ${name} has ${field} = ${JSON.stringify(info.config[field])} where Shiplog needs ${JSON.stringify(config[field])}`,
      { ambiguous: false },
    )
  }
  if (JSON.stringify(info.config.subjects.toSorted()) !== JSON.stringify(subjects.toSorted())) {
    throw new LogUnavailable(`Stream ${name} has other subjects than ${subjects.join(', ')}`, { ambiguous: false })
  }
  if (expectIncarnation !== undefined && incarnationOf(info) !== expectIncarnation) {
    throw new LogDamaged(
      `Stream ${name} is another one (${incarnationOf(info)}) than the one known here (${expectIncarnation})`,
    )
  }
}

export interface EnsureStreamOptions {
  readonly deadlineMs: number
  /** True when the stream existed before: it is damage when it is gone. */
  readonly mustExist: boolean
  /** True for readers, who may not create streams. */
  readonly readOnly: boolean
  readonly expectIncarnation: string | undefined
}

/** Finds and checks the stream; creates it where it never existed. */
export async function ensureStream(
  management: Management,
  config: OwnStreamConfig,
  { deadlineMs, mustExist, readOnly, expectIncarnation }: EnsureStreamOptions,
): Promise<StreamInfo> {
  const { name } = config
  for (;;) {
    const found = await findStream(management, name, deadlineMs)
    if (found) {
      checkStream(found, config, expectIncarnation)
      return found
    }
    if (readOnly) throw new LogUnavailable(`Stream ${name} does not exist yet: a gateway makes it`, { ambiguous: false })
    if (mustExist) {
      throw new LogDamaged(
        `Stream ${name} is gone: it existed before, and a stream that once existed is never made anew. ` +
          'Restore the storage of nats-server, or begin with an empty data directory.',
      )
    }
    await management
      .call(`STREAM.CREATE.${name}`, deadlineMs, (manager) => manager.streams.add(config))
      .catch((error: unknown) => {
        if (!(error instanceof JetStreamApiError && error.code === streamNameInUse)) throw refusal(name, error)
      })
  }
}

/** Undefined when there is no such stream. */
export async function findStream(
  management: Management,
  name: string,
  deadlineMs: number,
): Promise<StreamInfo | undefined> {
  try {
    return await management.call(`STREAM.INFO.${name}`, deadlineMs, (manager) => manager.streams.info(name))
  } catch (error) {
    if (error instanceof JetStreamApiError && error.status === 404) return undefined
    throw refusal(name, error)
  }
}

/** A refusal by JetStream as the port's error; anything else as it is. */
export const refusal = (stream: string, error: unknown): unknown =>
  error instanceof JetStreamApiError
    ? new LogUnavailable(`Stream ${stream}: ${error.message} (${error.code})`, { ambiguous: false, cause: error })
    : error
