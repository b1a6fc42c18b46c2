// The log on NATS JetStream: the EventLog port for many processes. Compare-and-set travels in raw headers (the client's
// batch drops it), an unanswered append is asked again and recognises its own records, and everything is refused that a
// server older than 2.12 would silently ignore.
import { type Clock, systemClock } from '@shiplog/runtime/clock'
import { checkGroup, groupMembersMax } from '../commit/append-checks.ts'
import {
  type Append,
  type AppendResult,
  type ClusterLog,
  type Conflict,
  type EventLog,
  type FollowOptions,
  LogDamaged,
  type LogRecord,
  LogUnanswered,
  LogUnavailable,
  type ReadOptions,
} from '../event-log.ts'
import { markerTtlSeconds } from '../expiry.ts'
import { patiently } from '../commit/patience.ts'
import { createFollowHub, type FollowHub } from '../commit/follow-hub.ts'
import { shareCalls } from '../commit/shared-call.ts'
import { compileFilter, disjointFilters } from '../subject-filter.ts'
import {
  type Connection,
  type ConnectionOptions,
  jsonBytes,
  NoAnswer,
  notConnected,
  openConnection,
} from './connection.ts'
import { createOrderedConsumer, type OrderedConsumer } from './ordered-consumer.ts'
import {
  encodeHeaders,
  headerValue,
  type JetStreamRecord,
  recordOfDirectGet,
  restoredTimeHeader,
  splitMessage,
  statusOf,
} from './wire.ts'

/** An append that nobody has answered for this long gives up. */
const appendDeadlineMs = 10_000
/** One attempt of it. */
const attemptTimeoutMs = 3000
const readTimeoutMs = 5000
/** The same for a server that has left something unanswered and has been silent since. */
const muteTimeoutMs = 1000
const retryDelayMs = 20
/** Records and bytes of one page of a read. */
const pageRecordsMax = 512
const pageBytesMax = 2 * 1024 * 1024
/** Least message size that the server must accept: an object of 4 MB with its headers. */
const maxPayloadBytesMin = 4 * 1024 * 1024
/** Subjects of one question for the state as of a sequence (the server gives at most 1,024), and questions side by side. */
const statePartMax = 1000
const statePartsInFlight = 2
/** Direct gets side by side when a snapshot is doubted. */
const auditsInFlight = 128
/** Groups of padding side by side, where a log leaves sequences out. */
const paddingGroupsInFlight = 8
/** A replica that has not been heard of for longer says nothing about who leads. */
const replicaActiveMs = 2000

const wrongLastSequence: readonly number[] = [10071, 10164]
/** The batch was not stored, and sending it again may help: a gap after a reconnection, too many open batches. */
const batchRetryable: readonly number[] = [10176, 10210]
/** The server has no room (resources, memory, storage): it has stored nothing, and asking again at once does not help. */
const noRoom: readonly number[] = [10023, 10028, 10047]

export interface JetStreamLogOptions extends Omit<ConnectionOptions, 'clock'> {
  readonly clock?: Clock
  /** Copies of each stream; more than one needs a cluster of servers. Default 1. */
  readonly replicas?: number
  /** The incarnation of `events` that this data is known to have had: another one, or none, is damage. */
  readonly expectIncarnation?: string
  /** True: the streams must exist (a reader has no right to make them). */
  readonly readOnly?: boolean
  readonly disk?: LogDisk
}

/** The server has said that it has no room, or has said nothing of an append while it answers everything else. */
export type NoRoom = 'refused' | 'unanswered'

/** What is known of the disk of a server of our own; of others only they know. */
export interface LogDisk {
  /** Where it is and how much is left of it, in one sentence. */
  describe(): string
  onNoRoom(how: NoRoom): void
  /** True while an append would only be waited for: it found no room a moment ago, and there still is none. */
  isFull(): boolean
}

interface StreamConfig {
  readonly name: string
  readonly [field: string]: unknown
}

interface StreamInfo {
  readonly created: string
  readonly config: StreamConfig & { readonly num_replicas: number }
  readonly state: {
    readonly first_seq: number
    readonly last_seq: number
    readonly messages: number
    readonly subjects?: Record<string, number>
  }
  readonly cluster?: { readonly leader?: string; readonly replicas?: readonly Replica[] }
}

interface Replica {
  readonly current: boolean
  readonly offline?: boolean
  /** Nanoseconds since it was last heard of. */
  readonly active: number
}

interface ApiError {
  readonly code: number
  readonly err_code: number
  readonly description: string
}

/** Connects, checks server and streams (making streams that never existed), and gives the three logs. */
export async function connectJetStreamClusterLog(options: JetStreamLogOptions): Promise<ClusterLog> {
  const clock = options.clock ?? systemClock
  const connection = await openConnection({ ...options, clock })
  try {
    checkServer(connection)
    const [events, leases, objectEvents] = await Promise.all(
      streamConfigs(options.replicas ?? 1).map(async (config, index) => {
        const expected = index === 0 ? options.expectIncarnation : undefined
        const never = options.expectIncarnation !== undefined
        const info = await ensureStream(connection, clock, config, never, options.readOnly === true, expected)
        return createStreamLog(connection, clock, info, options.disk)
      }),
    )
    const logs = [events, leases, objectEvents] as [StreamLog, StreamLog, StreamLog]
    return {
      events: logs[0].log,
      leases: logs[1].log,
      objectEvents: logs[2].log,
      description: `jetstream (nats-server ${connection.serverVersion})`,
      close: async () => {
        for (const each of logs) each.stop()
        await connection.close()
      },
    }
  } catch (error) {
    await connection.close()
    throw error
  }
}

function checkServer(connection: Connection): void {
  const [major = 0, minor = 0] = connection.serverVersion.split('.').map(Number)
  if (major < 2 || (major === 2 && minor < 12)) {
    throw new LogUnavailable(
      `nats-server ${connection.serverVersion} is too old: Shiplog needs 2.12 or newer, because older servers silently ignore atomic batches`,
      { ambiguous: false },
    )
  }
  if (connection.maxPayloadBytes < maxPayloadBytesMin) {
    throw new LogUnavailable(
      `nats-server accepts messages of ${connection.maxPayloadBytes} bytes: set max_payload to 8MB (at least ${maxPayloadBytesMin})`,
      { ambiguous: false },
    )
  }
}

function streamConfigs(replicas: number): StreamConfig[] {
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
  }
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
      subject_delete_marker_ttl: markerTtlSeconds * 1_000_000_000,
    },
  ]
}

/** What must be as we asked, or the log's promises do not hold. */
const decisive = [
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
] as const

async function ensureStream(
  connection: Connection,
  clock: Clock,
  config: StreamConfig,
  mustExist: boolean,
  readOnly: boolean,
  expectIncarnation: string | undefined,
): Promise<StreamInfo> {
  const deadlineMs = clock.nowMs() + appendDeadlineMs
  for (;;) {
    const found = await api<StreamInfo>(connection, clock, `STREAM.INFO.${config.name}`, undefined, deadlineMs)
    if (!('error' in found)) {
      checkStream(found, config, expectIncarnation)
      return found
    }
    if (found.error.code !== 404) throw refused(config.name, found.error)
    if (readOnly) {
      throw new LogUnavailable(`Stream ${config.name} does not exist yet: a gateway makes it`, { ambiguous: false })
    }
    if (mustExist) {
      throw new LogDamaged(
        `Stream ${config.name} is gone: it existed before, and a stream that once existed is never made anew. ` +
          'Restore the storage of nats-server, or begin with an empty data directory.',
      )
    }
    const made = await api<StreamInfo>(connection, clock, `STREAM.CREATE.${config.name}`, config, deadlineMs)
    // 10058: another gateway made it in the meantime.
    if ('error' in made && made.error.err_code !== 10058) throw refused(config.name, made.error)
  }
}

const refused = (stream: string, error: ApiError): Error =>
  new LogUnavailable(`Stream ${stream}: ${error.description} (${error.err_code})`, { ambiguous: false })

const incarnationOf = (info: StreamInfo): string => `${info.config.name} ${info.created}`

function checkStream(info: StreamInfo, config: StreamConfig, expectIncarnation: string | undefined): void {
  const echoed: Readonly<Record<string, unknown>> = info.config
  for (const field of decisive) {
    const [want, have] = [config[field] ?? false, echoed[field] ?? false]
    if (want !== have && !(want === false && have === 0)) {
      throw new LogUnavailable(
        `Stream ${config.name} has ${field} = ${JSON.stringify(echoed[field])} where Shiplog needs ${JSON.stringify(config[field])}`,
        { ambiguous: false },
      )
    }
  }
  const subjects = config.subjects as readonly string[]
  if (JSON.stringify([...(echoed.subjects as string[])].sort()) !== JSON.stringify([...subjects].sort())) {
    throw new LogUnavailable(`Stream ${config.name} has other subjects than ${subjects.join(', ')}`, {
      ambiguous: false,
    })
  }
  if (expectIncarnation !== undefined && incarnationOf(info) !== expectIncarnation) {
    throw new LogDamaged(
      `Stream ${config.name} is another one (${incarnationOf(info)}) than the one known here (${expectIncarnation})`,
    )
  }
}

/** An attempt does not outlast its deadline. */
const attemptMs = (clock: Clock, deadlineMs: number): number =>
  Math.max(1, Math.min(attemptTimeoutMs, deadlineMs - clock.nowMs()))

/** When a read gives up: soon, where the server is known to be silent. */
const readDeadlineMs = (connection: Connection, clock: Clock): number =>
  clock.nowMs() + (connection.mute ? muteTimeoutMs : readTimeoutMs)

/** One call of JetStream's API; asked again while nobody answers, until the deadline. */
async function api<T extends object>(
  connection: Connection,
  clock: Clock,
  call: string,
  body: unknown,
  deadlineMs: number,
): Promise<T | { readonly error: ApiError }> {
  for (;;) {
    await connection.connected(deadlineMs)
    try {
      const timeoutMs = attemptMs(clock, deadlineMs)
      const answer = await connection.request(`$JS.API.${call}`, jsonBytes(body), { timeoutMs })
      if (answer.data.length > 0) {
        const parsed = answer.json<T | { error: ApiError }>()
        if (!('error' in parsed) || parsed.error.code !== 503) return parsed
      }
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error
    }
    if (clock.nowMs() >= deadlineMs) {
      throw new LogUnanswered(`JetStream gives no answer to ${call}`)
    }
    await clock.sleep(retryDelayMs)
  }
}

interface StreamLog {
  readonly log: EventLog
  stop(): void
}

let batchSerial = 0

function createStreamLog(connection: Connection, clock: Clock, made: StreamInfo, disk?: LogDisk): StreamLog {
  const stream = made.config.name
  const incarnation = incarnationOf(made)
  /** Highest sequence that any answer has shown; a record stored later lies beyond it. */
  let seenSequence = made.state.last_seq
  const stopping = new AbortController()
  const batchPrefix = `${process.pid.toString(36)}${process.hrtime.bigint().toString(36)}`

  const see = (sequence: number): void => {
    if (sequence > seenSequence) seenSequence = sequence
  }

  const info = async (): Promise<StreamInfo> => {
    const known = seenSequence
    const answer = await api<StreamInfo>(
      connection,
      clock,
      `STREAM.INFO.${stream}`,
      undefined,
      readDeadlineMs(connection, clock),
    )
    if ('error' in answer) {
      if (answer.error.code === 404) throw new LogDamaged(`Stream ${stream} is gone`)
      throw refused(stream, answer.error)
    }
    if (incarnationOf(answer) !== incarnation) {
      throw new LogDamaged(`Stream ${stream} was replaced: ${incarnationOf(answer)} instead of ${incarnation}`)
    }
    if (answer.state.last_seq < known && answer.config.num_replicas === 1) {
      throw new LogDamaged(
        `Stream ${stream} was shortened: it ends at sequence ${answer.state.last_seq}, but sequence ${known} was acknowledged`,
      )
    }
    return answer
  }

  // ---- append ----

  type Outcome =
    | { readonly stored: readonly number[] }
    | { readonly conflict: true; readonly actual: number | undefined }
    | { readonly retry: string }

  const send = async (group: readonly Append[]): Promise<Outcome> => {
    const answer = group.length === 1 ? await sendOne(group[0]!) : await sendBatch(group)
    const { head } = splitMessage(answer)
    if (statusOf(head) === 503) return { retry: 'no stream answers' }
    const ack = answer.json<{ seq?: number; error?: ApiError }>()
    if (ack.error) {
      if (wrongLastSequence.includes(ack.error.err_code)) {
        const actual = /: (\d+)$/.exec(ack.error.description)?.[1]
        return { conflict: true, actual: actual === undefined ? undefined : Number(actual) }
      }
      if (noRoom.includes(ack.error.err_code)) {
        disk?.onNoRoom('refused')
        throw new LogUnavailable(
          `Stream ${stream}: nats-server says "${ack.error.description}" (${ack.error.err_code}): ` +
            (disk?.describe() ?? 'its store limit is reached or its disk is full; make room there and restart it'),
          { ambiguous: false },
        )
      }
      if (ack.error.code === 503 || batchRetryable.includes(ack.error.err_code)) return { retry: ack.error.description }
      throw refused(stream, ack.error)
    }
    const last = ack.seq ?? 0
    see(last)
    return { stored: group.map((_, index) => last - group.length + 1 + index) }
  }

  const controlOf = (member: Append): Record<string, string | number | undefined> => ({
    'Nats-Expected-Last-Subject-Sequence': member.expected,
    [restoredTimeHeader]: member.timeMs,
    'Nats-TTL': member.ttlSeconds === undefined ? undefined : `${Math.max(1, Math.ceil(member.ttlSeconds))}s`,
  })

  const sendOne = (member: Append) =>
    connection.request(member.subject, member.payload, {
      timeoutMs: attemptTimeoutMs,
      headers: encodeHeaders(member.headers, controlOf(member)),
    })

  const sendBatch = (group: readonly Append[]) => {
    batchSerial += 1
    const id = `${batchPrefix}${batchSerial.toString(36)}`
    const headersOf = (index: number) =>
      encodeHeaders(group[index]!.headers, {
        ...controlOf(group[index]!),
        'Nats-Batch-Id': id,
        'Nats-Batch-Sequence': index + 1,
        'Nats-Batch-Commit': index + 1 === group.length ? 1 : undefined,
      })
    for (let index = 0; index < group.length - 1; index += 1) {
      const { subject, payload } = group[index]!
      connection.publish(subject, payload, { headers: headersOf(index) })
    }
    const { subject, payload } = group.at(-1)!
    return connection.request(subject, payload, { timeoutMs: attemptTimeoutMs, headers: headersOf(group.length - 1) })
  }

  /** Nothing is sent to a server that hangs: what is not sent is not ambiguous. */
  const refuseWhileMute = async (): Promise<void> => {
    if (!connection.mute) return
    await connection.heard(clock.nowMs() + muteTimeoutMs)
    if (connection.mute) throw new LogUnavailable(`Stream ${stream}: nats-server gives no answer`, { ambiguous: false })
  }

  /** A server that answers everything but appends has most likely met a full disk. */
  const notAppended = async (subject: string, why: string, ambiguous: boolean): Promise<LogUnavailable> => {
    const answers =
      disk !== undefined &&
      (await info().then(
        () => true,
        () => false,
      ))
    if (answers) disk.onNoRoom('unanswered')
    const about = answers ? `; ${disk.describe()}` : ''
    return new LogUnavailable(`${subject} could not be appended in ${appendDeadlineMs} ms: ${why}${about}`, { ambiguous })
  }

  const append = async (group: readonly Append[]): Promise<AppendResult> => {
    checkGroup(group)
    if (disk?.isFull()) throw new LogUnavailable(`Stream ${stream}: ${disk.describe()}`, { ambiguous: false })
    await refuseWhileMute()
    const deadlineMs = clock.nowMs() + appendDeadlineMs
    const floor = seenSequence
    let members = group
    let ambiguous = false
    let why = 'no answer'
    for (;;) {
      try {
        await connection.connected(deadlineMs)
        const outcome = await send(members)
        if ('stored' in outcome) return { ok: true, sequences: outcome.stored }
        if ('conflict' in outcome) {
          // The one that stands in our way may be ourselves, from an attempt whose answer was lost.
          const own = ambiguous ? await findOwn(group, floor) : undefined
          if (own) return { ok: true, sequences: own }
          const conflict = await blame(group, outcome.actual)
          if (conflict) return { ok: false, conflict }
        }
        why = 'retry' in outcome ? outcome.retry : 'a conflict that is gone again'
      } catch (error) {
        if (error instanceof LogUnavailable && ambiguous)
          throw new LogUnavailable(error.message, { ambiguous, cause: error })
        if (!(error instanceof NoAnswer)) throw error
        why = error.message
        ambiguous = error.message !== notConnected || ambiguous
      }
      if (clock.nowMs() > deadlineMs) throw await notAppended(group[0]!.subject, why, ambiguous)
      if (ambiguous && group.every((member) => member.expected === undefined)) {
        // Nothing would stop a second copy: look for the first one, and make the next attempt conditional.
        await connection.connected(deadlineMs)
        const own = await findOwn(group, floor).catch(() => undefined)
        if (own) return { ok: true, sequences: own }
        const before = await lastOf(group[0]!.subject).catch(() => undefined)
        members = group.map((member, index) => (index === 0 ? { ...member, expected: before?.sequence ?? 0 } : member))
      }
      await clock.sleep(retryDelayMs)
    }
  }

  /** Which member is stale; undefined when none is any more. */
  const blame = async (group: readonly Append[], actual: number | undefined): Promise<Conflict | undefined> => {
    const [only] = group
    if (group.length === 1 && only!.expected !== undefined) {
      return { subject: only!.subject, expected: only!.expected, actual }
    }
    const lasts = await Promise.all(
      group.map(({ subject, expected }) => (expected === undefined ? undefined : lastOf(subject))),
    )
    for (const [index, { subject, expected }] of group.entries()) {
      const sequence = lasts[index]?.sequence ?? 0
      if (expected !== undefined && sequence !== expected) return { subject, expected, actual: sequence }
    }
    return undefined
  }

  /** The sequences at which an earlier attempt of this very append was stored. */
  const findOwn = async (group: readonly Append[], floor: number): Promise<number[] | undefined> => {
    const sequences: number[] = []
    for (const member of group) {
      let from = (member.expected ?? floor) + 1
      let own: LogRecord | undefined
      while (own === undefined) {
        const next = await directGet({ seq: from, next_by_subj: member.subject })
        if (next === undefined) return undefined
        if (isSame(next, member)) own = next
        else if (member.expected !== undefined) return undefined
        from = next.sequence + 1
      }
      sequences.push(own.sequence)
    }
    see(sequences.at(-1)!)
    return sequences
  }

  // ---- read ----

  /** A single record by JetStream's direct get; asked again while nobody answers. */
  const directGet = async (body: object | undefined, subject?: string): Promise<JetStreamRecord | undefined> => {
    const deadlineMs = readDeadlineMs(connection, clock)
    const call = `$JS.API.DIRECT.GET.${stream}${subject === undefined ? '' : `.${subject}`}`
    for (;;) {
      await connection.connected(deadlineMs)
      try {
        const answer = await connection.request(call, jsonBytes(body), { timeoutMs: attemptMs(clock, deadlineMs) })
        const { head } = splitMessage(answer)
        const status = statusOf(head)
        if (status === 0) return recordOfDirectGet(answer)
        if (status === 404) return undefined
        if (status !== 503) throw new LogUnavailable(`Stream ${stream}: ${head.split('\r\n')[0]}`, { ambiguous: false })
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error
      }
      if (clock.nowMs() >= deadlineMs) throw new LogUnanswered(`Stream ${stream} gives no answer`)
      await clock.sleep(retryDelayMs)
    }
  }

  const lastOf = (subject: string): Promise<JetStreamRecord | undefined> => directGet(undefined, subject)

  /** The last record of each subject as of a sequence; undefined when there are more than the server gives at once. */
  const lastOfEach = async (
    subjects: readonly string[],
    sequence: number,
  ): Promise<readonly JetStreamRecord[] | undefined> => {
    // To the server, 0 means "no bound".
    if (sequence < 1) return []
    const { status, records, short } = await directGetMany({ multi_last: subjects, up_to_seq: sequence })
    if (status === 413) return undefined
    return short ? await lastOfEachAlone(subjects, sequence) : records
  }

  /** The server stops at a record that it cannot read: subject by subject it gives the others. */
  const lastOfEachAlone = async (subjects: readonly string[], sequence: number): Promise<JetStreamRecord[]> => {
    const names = await namesOf(subjects)
    const found: JetStreamRecord[] = []
    for (let index = 0; index < names.length; index += auditsInFlight) {
      const some = names.slice(index, index + auditsInFlight)
      const answers = await Promise.all(some.map((name) => directGetMany({ multi_last: [name], up_to_seq: sequence })))
      for (const { records } of answers) found.push(...records)
    }
    return found
  }

  /** The subjects that the log's index knows by these filters. */
  const namesOf = async (subjects: readonly string[]): Promise<string[]> => {
    const matches = compileFilter(subjects)
    const names = new Set<string>()
    for (const filter of subjects) for (const name of (await countBySubject(filter)).keys()) names.add(name)
    return [...names].filter(matches)
  }

  async function* stateAt(sequence: number, subjects: readonly string[]): AsyncIterable<readonly LogRecord[]> {
    const few = await lastOfEach(subjects, sequence)
    if (few !== undefined) {
      if (few.length > 0) yield [...few].sort((a, b) => a.sequence - b.sequence)
      return
    }
    const wanted = await namesOf(subjects)
    const records: JetStreamRecord[] = []
    for (let index = 0; index < wanted.length; index += statePartMax * statePartsInFlight) {
      const parts = Array.from({ length: statePartsInFlight }, (_, part) => {
        const from = index + part * statePartMax
        return wanted.slice(from, from + statePartMax)
      })
      for (const some of await Promise.all(
        parts.map((part) => (part.length === 0 ? Promise.resolve([]) : lastOfEach(part, sequence))),
      )) {
        if (some === undefined)
          throw new LogUnavailable(`Stream ${stream} gives no state of so many subjects`, { ambiguous: false })
        for (const record of some) records.push(record)
      }
    }
    records.sort((a, b) => a.sequence - b.sequence)
    for (let index = 0; index < records.length; index += pageRecordsMax)
      yield records.slice(index, index + pageRecordsMax)
  }

  /** One page of records from a sequence on; `more` tells whether the server has others behind it. */
  const page = async (from: number, filter: string): Promise<{ records: JetStreamRecord[]; more: boolean }> => {
    const { records, pending } = await directGetMany({
      seq: from,
      batch: pageRecordsMax,
      max_bytes: pageBytesMax,
      next_by_subj: filter,
    })
    return { records, more: pending > 0 }
  }

  /** Many records by one direct get; asked again while nobody answers. Status 204 is its end, 413 too many of them. */
  const directGetMany = async (
    body: object,
  ): Promise<{
    readonly status: number
    readonly records: JetStreamRecord[]
    readonly pending: number
    /** The server promised more than it gave. */
    readonly short: boolean
  }> => {
    const deadlineMs = readDeadlineMs(connection, clock)
    for (;;) {
      await connection.connected(deadlineMs)
      const records: JetStreamRecord[] = []
      let pending = 0
      let status = 0
      let promised = 0
      try {
        await connection.requestMany(`$JS.API.DIRECT.GET.${stream}`, jsonBytes(body), attemptMs(clock, deadlineMs), (answer) => {
          const { head } = splitMessage(answer)
          status = statusOf(head)
          if (status === 0) {
            const record = recordOfDirectGet(answer)
            if (record) records.push(record)
            if (records.length === 1) promised = 1 + Number(headerValue(head, 'Nats-Num-Pending') ?? 0)
            return false
          }
          if (status === 204) pending = Number(headerValue(head, 'Nats-Num-Pending') ?? 0)
          return true
        })
        if (status === 204 || status === 404 || status === 413)
          return { status, records, pending, short: records.length + pending < promised }
        if (status !== 503)
          throw new LogUnavailable(`Stream ${stream} refuses to be read (${status})`, { ambiguous: false })
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error
      }
      if (clock.nowMs() >= deadlineMs) throw new LogUnanswered(`Stream ${stream} gives no answer`)
      await clock.sleep(retryDelayMs)
    }
  }

  async function* read(options: ReadOptions = {}): AsyncIterable<readonly LogRecord[]> {
    const to = options.to ?? (await lastSequence())
    let from = Math.max(1, options.from ?? 1)
    const { subjects } = options
    const filter = subjects?.length === 1 ? subjects[0]! : '>'
    const matches = compileFilter(subjects)
    while (from <= to) {
      const { records, more } = await page(from, filter)
      if (records.length === 0) return
      const wanted = records.filter((record) => record.sequence <= to && matches(record.subject))
      if (wanted.length > 0) yield wanted
      from = records.at(-1)!.sequence + 1
      if (!more) return
    }
  }

  const lastSequence = shareCalls(async (): Promise<number> => {
    const { state, config, cluster } = await info()
    if (config.num_replicas > 1) {
      const alive = (cluster?.replicas ?? []).filter(
        ({ active, offline }) => offline !== true && active <= replicaActiveMs * 1_000_000,
      ).length
      if (alive + 1 <= config.num_replicas / 2) {
        throw new LogUnavailable(`Stream ${stream}: its leader does not hear from a majority`, { ambiguous: false })
      }
    }
    see(state.last_seq)
    return state.last_seq
  })

  // ---- follow ----

  let tail: Promise<{ hub: FollowHub; consumer: OrderedConsumer }> | undefined
  const startTail = async (): Promise<{ hub: FollowHub; consumer: OrderedConsumer }> => {
    const start = (await info()).state.last_seq + 1
    const hub = createFollowHub(start, (from, to, subjects) => read({ from, to, subjects }))
    let arrived: LogRecord[] = []
    const consumer = createOrderedConsumer({
      connection,
      clock,
      stream,
      subjects: [],
      start,
      beforeBegin: async () => void (await info()),
      onRecord: (record) => {
        see(record.sequence)
        arrived.push(record)
        if (arrived.length > 1) return
        // All messages of one chunk from the socket are handled before this runs.
        queueMicrotask(() => {
          const records = arrived
          arrived = []
          hub.push(records)
        })
      },
      onError: (error) => hub.end(connection.closed || stopping.signal.aborted ? undefined : (error as Error)),
    })
    return { hub, consumer }
  }
  const sharedTail = async (): Promise<FollowHub> => {
    tail ??= startTail().catch((error: unknown) => {
      tail = undefined
      throw error
    })
    return (await tail).hub
  }

  async function* follow(options: FollowOptions): AsyncIterable<readonly LogRecord[]> {
    // Who follows has time: a server that is slow, as it is while everything starts, is waited for.
    const hub = await patiently(clock, sharedTail, options.signal)
    let from = options.from
    if (from === undefined) {
      let through = (await patiently(clock, info, options.signal)).state.last_seq
      for await (const records of snapshot(options)) {
        through = Math.max(records.at(-1)!.sequence, 0)
        yield records
        from = through + 1
      }
      from ??= through + 1
    }
    if (options.signal.aborted) return
    yield []
    yield* hub.follow({ from, subjects: options.subjects, signal: options.signal })
  }

  /** The last record of every subject in ascending order; ends when everything as of its beginning has come. */
  async function* snapshot(options: FollowOptions): AsyncIterable<readonly LogRecord[]> {
    const abort = AbortSignal.any([options.signal, stopping.signal])
    const filters = disjointFilters(options.subjects)
    const matches = compileFilter(options.subjects)
    let waiting: LogRecord[] = []
    let answers: (() => void)[] = []
    let reached = 0
    let left = Number.POSITIVE_INFINITY
    /** The server has nothing more to send, though not all that it promised has come. */
    let short = false
    let failure: { readonly error: unknown } | undefined
    let wake = (): void => undefined
    const consumer = createOrderedConsumer({
      connection,
      clock,
      stream,
      subjects: filters === undefined || filters.includes('>') ? [] : filters,
      start: 'last-per-subject',
      onBegin: (pending) => {
        left = pending
        short = false
        wake()
      },
      onRecord: (record, pending) => {
        left -= 1
        if (pending === 0 && left > 0) short = true
        // After a restart the snapshot comes again from its start: what was handed over before is skipped.
        if (record.sequence > reached) {
          if (matches(record.subject)) waiting.push(record)
          reached = record.sequence
        }
        wake()
      },
      onIdle: () => {
        short = left > 0
        wake()
      },
      onFlowControl: (answer) => {
        answers.push(answer)
        wake()
      },
      onError: (error) => {
        failure = { error }
        wake()
      },
    })
    const onAbort = (): void => wake()
    abort.addEventListener('abort', onAbort)
    try {
      for (;;) {
        if (abort.aborted) return
        if (failure) throw failure.error
        // What came after the snapshot's end is left to the tail.
        const done = left <= 0 || short
        const records = waiting
        waiting = []
        const due = answers
        answers = []
        if (records.length > 0) yield records
        for (const answer of due) answer()
        if (done && waiting.length === 0) {
          if (short) await patiently(clock, () => audit(options.subjects), options.signal)
          return
        }
        if (waiting.length === 0 && answers.length === 0 && !done) {
          await new Promise<void>((resolve) => {
            wake = resolve
          })
        }
      }
    } finally {
      abort.removeEventListener('abort', onAbort)
      consumer.stop()
    }
  }

  const countBySubject = async (filter = '>'): Promise<Map<string, number>> => {
    const counts = new Map<string, number>()
    for (;;) {
      const answer = await api<StreamInfo & { total?: number }>(
        connection,
        clock,
        `STREAM.INFO.${stream}`,
        { subjects_filter: filter, offset: counts.size },
        readDeadlineMs(connection, clock),
      )
      if ('error' in answer) throw refused(stream, answer.error)
      const found = Object.entries(answer.state.subjects ?? {})
      for (const [subject, count] of found) counts.set(subject, count)
      if (found.length === 0 || counts.size >= (answer.total ?? 0)) return counts
    }
  }

  /**
   * A snapshot brought fewer records than its beginning promised: they were superseded meanwhile, or the server cannot
   * read them and passes over them in silence. Every subject of its index must still have a last record.
   */
  const audit = async (subjects: readonly string[]): Promise<void> => {
    const matches = compileFilter(subjects)
    const names = [...(await countBySubject()).keys()].filter(matches)
    for (let index = 0; index < names.length; index += auditsInFlight) {
      const some = names.slice(index, index + auditsInFlight)
      const lasts = await Promise.all(some.map(lastOf))
      const gone = some.filter((_, place) => lasts[place] === undefined)
      if (gone.length === 0) continue
      // A record may have expired or been purged since the index was read.
      const now = await countBySubject()
      const damaged = gone.find((subject) => now.has(subject))
      if (damaged !== undefined)
        throw new LogDamaged(`Stream ${stream} is damaged: the last record of ${damaged} cannot be read`)
    }
  }

  const purge = async (body: object): Promise<void> => {
    const answer = await api<object>(
      connection,
      clock,
      `STREAM.PURGE.${stream}`,
      body,
      clock.nowMs() + appendDeadlineMs,
    )
    if ('error' in answer) throw refused(stream, answer.error)
  }

  /**
   * An empty stream can be told where to begin. One that holds records numbers on by counting: records that nobody is to
   * see are stored, and forgotten.
   */
  const skipTo = async (sequence: number): Promise<void> => {
    if ((await lastSequence()) >= sequence) return
    if ((await info()).state.messages === 0) await purge({ seq: sequence + 1 })
    const place = (made.config['subjects'] as readonly string[]).at(-1)!.replace('>', 'padding')
    const last = await lastSequence()
    const pad = async (count: number): Promise<void> => {
      const group = Array.from({ length: count }, (_, index) => ({
        subject: `${place}.${index}`,
        expected: undefined,
        headers: {},
        payload: new Uint8Array(0),
      }))
      const result = await append(group)
      if (!result.ok) throw new LogUnavailable(`Stream ${stream}: somebody else writes`, { ambiguous: false })
    }
    for (let left = sequence - last; left > 0; ) {
      const groups: number[] = []
      while (groups.length < paddingGroupsInFlight && left > 0) {
        groups.push(Math.min(left, groupMembersMax))
        left -= groups.at(-1)!
      }
      await Promise.all(groups.map(pad))
    }
    if (sequence > last) await purge({ filter: `${place}.>` })
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

  const log: EventLog = {
    incarnation,
    groupsAppends: false,
    append,
    read,
    // To the server, a request for 0 is an empty one.
    get: async (sequence) => (sequence < 1 ? undefined : directGet({ seq: sequence })),
    last: lastOf,
    lastUpTo: async (subject, sequence) => (await lastOfEach([subject], sequence))?.at(-1),
    stateAt,
    follow,
    lastSequence,
    firstSequence: async () => {
      const { state } = await info()
      return state.messages === 0 ? state.last_seq + 1 : state.first_seq
    },
    countBySubject: () => countBySubject(),
    recordCount: async () => (await info()).state.messages,
    skipTo,
    compact: (subject, before) => purge({ filter: subject, ...(before === undefined ? { keep: 1 } : { seq: before }) }),
    purge: (subject, through) => purge({ filter: subject, ...(through === undefined ? {} : { seq: through + 1 }) }),
    close: async () => stop(),
  }
  return { log, stop }
}

/** True when the record is what this append would have stored: the request id in the headers makes it unique. */
function isSame(record: LogRecord, append: Append): boolean {
  if (record.payload.length !== append.payload.length) return false
  for (const name in append.headers) if (record.headers[name] !== append.headers[name]) return false
  return Buffer.compare(record.payload, append.payload) === 0
}
