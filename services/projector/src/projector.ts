// The projector: log → read model. It follows each stream from the position that the model holds, in batches, and owns a
// stream by the model's claim: of several projectors one writes a stream and the others stand by, ready to go on from the
// same position. It may be killed at any moment: position and rows move together or not at all.
import type { ClusterLog, EventLog } from '@shiplog/events/event-log'
import type { LogInspection } from '@shiplog/events/integrity/log-inspection'
import type { KeyState } from '@shiplog/encryption/key-records'
import type { KeyStore } from '@shiplog/encryption/key-store'
import { type StreamName, streamNames } from '@shiplog/feed/stream-of'
import type { ClaimedStream, ReadModel } from '@shiplog/read-model/read-model'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import type { MetricSample } from '@shiplog/runtime/metrics'
import type { HealthCheck, Service } from '@shiplog/runtime/service'
import { gather } from './record-batches.ts'

export interface ProjectorDeps {
  readonly log: ClusterLog
  readonly model: ReadModel
  /** What is known of damage to EVENTS: it is marked in the model. */
  readonly inspection?: LogInspection
  /** Keys of encrypted records: what is known of their objects goes with them. */
  readonly keys?: Pick<KeyStore, 'keys' | 'onDestroyed'> | undefined
  readonly clock: Clock
  readonly logger: Logger
  /** Most records of one transaction; 1,000 by default. */
  readonly batchRecordsMax?: number
  /** How often a projector that stands by looks whether a stream is free; 1 s by default. */
  readonly standbyMs?: number
  /** First wait after a fault; it doubles up to `retryMaxMs`. */
  readonly retryMs?: number
}

export interface StreamProgress {
  readonly stream: StreamName
  /** `writing` owns the stream, `standby` waits for another's end, `failing` tries again. */
  readonly state: 'starting' | 'writing' | 'standby' | 'failing'
  /** Everything up to here is in the model, by this projector's own knowledge. */
  readonly position: number
  /** The end of the log when it was last looked at. */
  readonly logEnd: number
  readonly events: number
  readonly error?: string
}

export interface Projector extends Service {
  progress(): readonly StreamProgress[]
  /** Prometheus text. */
  metrics(): readonly MetricSample[]
}

const batchRecordsMaxDefault = 1_000
const batchBytesMax = 8 * 1024 * 1024
const waitingRecordsMax = 4_000
const retryMaxMs = 5_000
const startTimeoutMs = 10_000
const logEndIntervalMs = 5_000
/** How often a projector that has everything says so, for those who ask about a time. */
const completeIntervalMs = 1_000
/** Keys that were destroyed, of which the model is told at a time, and how often. */
const goneKeysMax = 1_000
const tellsOfGoneKeys = 2
/** The log's clock and ours may differ by so much. */
const clockSkewMs = 1_000

interface Progress {
  state: StreamProgress['state']
  position: number
  logEnd: number
  events: number
  error: string | undefined
}

export function createProjector(deps: ProjectorDeps): Projector {
  const { clock } = deps
  const stopping = new AbortController()
  const batchRecordsMax = deps.batchRecordsMax ?? batchRecordsMaxDefault
  const progress = new Map<StreamName, Progress>(
    streamNames.map((stream) => [stream, { state: 'starting', position: 0, logEnd: 0, events: 0, error: undefined }]),
  )
  const firstState = new Map(streamNames.map((stream) => [stream, Promise.withResolvers<void>()]))
  let running: Promise<void> | undefined
  /** Keys that were destroyed, and how often the model is still to be told: a batch under way may have been read before. */
  const goneKeys = new Map<KeyState, number>()
  const isGone = (key: KeyState): unknown => key.destroyed !== undefined && goneKeys.set(key, tellsOfGoneKeys)
  deps.keys?.onDestroyed(isGone)

  async function run(stream: StreamName): Promise<void> {
    const own = progress.get(stream)!
    const log = deps.log[stream]
    let faults = 0
    while (!stopping.signal.aborted) {
      try {
        own.logEnd = await log.lastSequence()
        const identity = { incarnation: log.incarnation, lastSequence: own.logEnd }
        const outcome = await deps.model.withStream(stream, identity, async (claimed) => {
          faults = 0
          own.state = 'writing'
          own.error = undefined
          own.position = claimed.position
          firstState.get(stream)!.resolve()
          await follow(stream, log, claimed, own)
        })
        if (outcome === 'taken') {
          own.state = 'standby'
          own.error = undefined
          firstState.get(stream)!.resolve()
          await pause(deps.standbyMs ?? 1_000)
        }
      } catch (error) {
        if (stopping.signal.aborted) return
        own.state = 'failing'
        own.error = error instanceof Error ? error.message : String(error)
        deps.logger.warn({ err: error, stream }, 'the projection of a stream was interrupted; it goes on')
        await pause(Math.min(retryMaxMs, (deps.retryMs ?? 100) * 2 ** faults))
        faults = Math.min(faults + 1, 10)
      }
    }
  }

  const pause = (ms: number): Promise<void> => clock.sleep(ms, stopping.signal).catch(() => undefined)

  async function follow(stream: StreamName, log: EventLog, claimed: ClaimedStream, own: Progress): Promise<void> {
    const ending = new AbortController()
    const signal = AbortSignal.any([stopping.signal, ending.signal])
    // Streams that age are read from their snapshot each time: what is no longer there leaves no record behind.
    const ages = stream !== 'events'
    const source = log.follow({ subjects: ['>'], signal, ...(ages ? {} : { from: claimed.position + 1 }) })
    const present: number[] = []
    let inSnapshot = ages
    let snapshotEnd = 0
    const endBefore = own.logEnd
    let fault: { readonly error: unknown } | undefined
    let telling: Promise<void> | undefined
    const marked = new Set<number>()
    /** Damage that lies behind the position; what lies before it may still come from the log as a record. */
    const markDamage = async (): Promise<void> => {
      const due = (deps.inspection?.damages ?? []).filter(
        ({ sequence }) => sequence <= claimed.position && !marked.has(sequence),
      )
      if (due.length === 0) return
      await claimed.markDamage(due)
      for (const { sequence } of due) marked.add(sequence)
    }
    /** All of them when a projector takes over: another one may have ended before it told. */
    for (const key of ages ? [] : (deps.keys?.keys.values() ?? [])) isGone(key)
    const forgetContents = async (): Promise<void> => {
      const due = [...goneKeys].slice(0, goneKeysMax)
      if (due.length === 0) return
      await claimed.forgetContents(
        due.map(([{ id, subject, destroyed }]) => ({ subject, uid: id, problem: `its key was destroyed ${destroyed}` })),
      )
      for (const [key, times] of due) {
        if (times > 1) goneKeys.set(key, times - 1)
        else goneKeys.delete(key)
      }
    }
    const tellCompleteness = async (): Promise<void> => {
      const timeMs = clock.nowMs() - clockSkewMs
      await markDamage()
      await forgetContents()
      if (claimed.position >= (await log.lastSequence()) && !signal.aborted) await claimed.completeUntil(timeMs)
    }
    const completeness = ages
      ? undefined
      : clock.every(completeIntervalMs, () => {
          telling ??= tellCompleteness()
            .catch((error: unknown) => {
              // Whoever lost the stream, or the database, begins again.
              if (signal.aborted) return
              fault = { error }
              ending.abort()
            })
            .finally(() => {
              telling = undefined
            })
        })
    try {
      for await (const gathered of gather(source, {
        recordsMax: batchRecordsMax,
        bytesMax: batchBytesMax,
        waitingMax: waitingRecordsMax,
      })) {
        if ('snapshotEnd' in gathered) {
          // The newest record may have expired: all up to where the log ended before is in the snapshot.
          if (ages) await claimed.keepOnly(present.splice(0), Math.max(snapshotEnd, endBefore))
          inSnapshot = false
          continue
        }
        const { records } = gathered
        const last = records.at(-1)!.sequence
        if (inSnapshot) {
          for (const record of records) present.push(record.sequence)
          snapshotEnd = last
        }
        await claimed.apply(records, last)
        own.position = claimed.position
        own.logEnd = Math.max(own.logEnd, last)
        own.events += records.length
        if (stopping.signal.aborted) return
      }
      if (fault) throw fault.error
    } finally {
      completeness?.[Symbol.dispose]()
      ending.abort()
      await telling
    }
  }

  let logEndTimer: Disposable | undefined
  const lookAtEnds = (): void => {
    for (const stream of streamNames) {
      deps.log[stream].lastSequence().then(
        (end) => {
          const own = progress.get(stream)!
          own.logEnd = Math.max(own.logEnd, end)
        },
        () => undefined,
      )
    }
  }

  const all = (): StreamProgress[] =>
    streamNames.map((stream) => {
      const { error, ...rest } = progress.get(stream)!
      return { stream, ...rest, ...(error === undefined ? {} : { error }) }
    })

  return {
    name: 'shiplog-projector',
    async start() {
      running ??= Promise.all(streamNames.map(run)).then(() => undefined)
      logEndTimer ??= clock.every(logEndIntervalMs, lookAtEnds)
      await Promise.race([
        Promise.all([...firstState.values()].map(({ promise }) => promise)),
        clock.sleep(startTimeoutMs, stopping.signal).catch(() => undefined),
      ])
    },
    async stop() {
      stopping.abort()
      logEndTimer?.[Symbol.dispose]()
      await running
    },
    health: (): readonly HealthCheck[] =>
      all().map(({ stream, state, error }) => ({
        name: `projection-${stream}`,
        ok: state === 'writing' || state === 'standby',
        ...(state === 'writing' || state === 'standby' ? {} : { reason: error ?? 'not begun yet' }),
      })),
    progress: all,
    metrics: () => all().flatMap(samplesOf),
  }
}

const samplesOf = ({ stream, state, position, logEnd, events }: StreamProgress): MetricSample[] => [
  {
    ...{ name: 'shiplog_projector_position', type: 'gauge', labels: { stream }, value: position },
    help: 'Everything up to this sequence is in SQL.',
  },
  {
    ...{ name: 'shiplog_projector_lag_events', type: 'gauge', labels: { stream } },
    value: state === 'standby' ? 0 : Math.max(0, logEnd - position),
    help: 'Sequences between the position and the end of the log.',
  },
  {
    ...{ name: 'shiplog_projector_events_total', type: 'counter', labels: { stream }, value: events },
    help: 'Records projected by this process.',
  },
]
