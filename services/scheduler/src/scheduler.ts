// The scheduler: follows nodes and pods, decides for each pod that waits, and sends bindings. All state is folded from
// the feed; what was decided but is not in the feed yet is *assumed*, and forgotten again when a binding is refused.
//
//   feed ─► cluster-view.ts (snapshot, queue) ─► turns.ts ─► decisions.ts: pop, decide ─► binding-cycle.ts: assume, bind ─► … ─► the feed
//                                                └► pods of a gang: gang-decisions.ts, bound together
//                                                └► fits nowhere: attempt-reports.ts; the queue keeps it until an event helps
//                                                └► victims make room: room-maker.ts
//
// Of several replicas each decides about its share of the pods, with all pods in its snapshot.
import type { ApiClient } from '@shiplog/api/api-client'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { FeedBatch, ObjectFeed } from '@shiplog/feed/object-feed'
import type { Worker } from '@shiplog/replicas/replica'
import type { Shares } from '@shiplog/replicas/shares'
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import type { Logger } from '@shiplog/runtime/logger'
import { createMetricsRegistry, type MetricSample, type MetricsRegistry } from '@shiplog/runtime/metrics'
import type { HealthCheck } from '@shiplog/runtime/service'
import { defaultConfiguration, type SchedulerConfiguration } from '@shiplog/scheduling/framework/configuration'
import { createProfiles, type Profiles } from '@shiplog/scheduling/framework/profiles'
import { clusterResources } from '@shiplog/scheduling/snapshot/cluster-objects'
import { type AttemptReports, createAttemptReports } from './attempt-reports.ts'
import { BindingCycle } from './binding-cycle.ts'
import { ClusterView } from './cluster-view.ts'
import { createConfigurationRecords } from './configuration-records.ts'
import { Decisions } from './decisions.ts'
import { createExtenders, type Extenders } from './extender-client.ts'
import { RoomMaker } from './room-maker.ts'
import { createSchedulerMetrics, type SchedulerMetrics } from './scheduler-metrics.ts'
import type { QueueDepths } from './queued-pods.ts'
import { SequenceWaiters } from './sequence-waiters.ts'
import { createTurns, type Turns } from './turns.ts'

export interface SchedulerDeps {
  readonly feed: ObjectFeed
  readonly client: ApiClient
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  /** Each for the pods that name it; default: upstream's default profile. */
  readonly profiles?: readonly SchedulerConfiguration[]
  /** Which pods (by uid) are this replica's. When absent all are, and nobody else binds: then nodes need no guard. */
  readonly shares?: Shares
  readonly metrics?: MetricsRegistry
}

export interface Scheduler extends Worker {
  queueDepths(): QueueDepths
  /** `scheduler_pending_pods` as of now. */
  metrics(): readonly MetricSample[]
}

/** How long to wait before following a feed again that failed. */
const feedRetryMs = 1_000
const flushEveryMs = 30_000
const followed = ['nodes', 'pods', ...clusterResources]
/** How long `stop` waits for bindings under way. */
const stopTimeoutMs = 3_000

export const createScheduler = (deps: SchedulerDeps): Scheduler => new KubeScheduler(deps)

class KubeScheduler implements Scheduler {
  readonly name = 'kube-scheduler'
  readonly #deps: SchedulerDeps
  readonly #logger: Logger
  readonly #profiles: Profiles
  readonly #run: string
  readonly #metrics: SchedulerMetrics
  readonly #reports: AttemptReports
  readonly #bindings: BindingCycle
  readonly #decisions: Decisions
  readonly #extenders: Extenders | undefined
  readonly #roomMaker: RoomMaker
  readonly #turns: Turns
  readonly #waiters = new SequenceWaiters()
  readonly #stopping = new AbortController()
  readonly #firstSync = Promise.withResolvers<void>()

  #view: ClusterView
  #flushTimer: Disposable | undefined
  #following: Promise<void> | undefined

  constructor(deps: SchedulerDeps) {
    this.#deps = deps
    this.#logger = deps.log.child({ component: this.name })
    this.#profiles = createProfiles(deps.profiles ?? [defaultConfiguration])
    const { extenders } = this.#profiles.first.configuration
    this.#extenders = extenders && createExtenders(extenders, deps.clock)
    this.#metrics = createSchedulerMetrics(deps.metrics ?? createMetricsRegistry())
    this.#run = deps.ids.uuid()
    this.#turns = createTurns(deps.clock, () => this.#decisions.pump())
    this.#view = this.#newView()
    const { client, clock, ids } = deps
    this.#reports = createAttemptReports({
      client,
      clock,
      logger: this.#logger,
      metrics: this.#metrics,
      run: this.#run,
      isBusy: () => this.#bindings.isBusy,
    })
    const shared = {
      ...{ client, clock, log: this.#logger, reports: this.#reports, signal: this.#stopping.signal },
      ...{ view: () => this.#view, requestTurn: () => this.#turns.request() },
    }
    this.#bindings = new BindingCycle({
      ...shared,
      ids,
      owns: (uid) => this.#owns(uid),
      isShared: deps.shares !== undefined,
      nextNumber: () => this.#decisions.next,
      epoch: this.#run,
    })
    this.#roomMaker = new RoomMaker({ ...shared, waitForSequence: (sequence, signal) => this.waitForSequence(sequence, signal) })
    this.#decisions = new Decisions({
      ...shared,
      ...{ profiles: this.#profiles, run: this.#run, turns: this.#turns, configurations: createConfigurationRecords(shared) },
      extenders: this.#extenders,
      ...{ bindings: this.#bindings, roomMaker: this.#roomMaker, owns: (uid) => this.#owns(uid) },
    })
  }

  async start(): Promise<void> {
    if (this.#following === undefined && !this.#stopping.signal.aborted) {
      this.#following = this.#follow()
      this.#flushTimer = this.#deps.clock.every(flushEveryMs, () => {
        this.#view.queue.flush()
        this.#turns.request()
      })
    }
    await this.#firstSync.promise
  }

  async stop(): Promise<void> {
    if (!this.#stopping.signal.aborted) this.#stopping.abort(new Error('the scheduler is stopping'))
    this.#firstSync.resolve()
    this.#flushTimer?.[Symbol.dispose]()
    this.#turns.stop()
    this.#reports.clear()
    this.#extenders?.close()
    await this.#bindings.idle(stopTimeoutMs)
  }

  health(): HealthCheck[] {
    if (this.#view.synced) return [{ name: 'informer-sync', ok: true }]
    return [{ name: 'informer-sync', ok: false, reason: 'the scheduler has not caught up with the log' }]
  }

  queueDepths(): QueueDepths {
    return this.#view.queue.depths()
  }

  metrics(): readonly MetricSample[] {
    return Object.entries(this.queueDepths()).map(
      ([queue, value]): MetricSample => ({ name: 'scheduler_pending_pods', type: 'gauge', labels: { queue }, value }),
    )
  }

  // ── The replica's share of the pods ──────────────────────────────────────────────────────────────────────────────

  letGo(): Promise<void> {
    const revoked = this.#bindings.revoke()
    for (const uid of this.#view.waiting.keys()) {
      if (!this.#owns(uid) && !this.#bindings.has(uid)) this.#view.giveAway(uid)
    }
    return revoked
  }

  gained(): void {
    const { waiting, queue, snapshot } = this.#view
    for (const [uid, object] of waiting) {
      if (this.#bindings.has(uid) || !this.#owns(uid) || queue.get(uid) !== undefined) continue
      queue.set(snapshot.readPod(object))
    }
    this.#turns.request()
  }

  async waitForSequence(sequence: number, waiting: AbortSignal): Promise<void> {
    if (this.#view.synced && sequence <= this.#view.sequence) return
    await this.#waiters.wait(sequence, waiting)
  }

  /** Pods of one group are one replica's. */
  #owns(uid: string): boolean {
    return this.#deps.shares?.owns(this.#view.groups.groupOf(uid) ?? uid) ?? true
  }

  // ── From the feed ────────────────────────────────────────────────────────────────────────────────────────────────

  #newView(): ClusterView {
    return new ClusterView({
      profiles: this.#profiles,
      nowMs: () => this.#deps.clock.nowMs(),
      onIncoming: (queue, event) => this.#metrics.incoming(queue, event),
    })
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      this.#view = this.#newView()
      try {
        for await (const batch of this.#deps.feed.follow(followed, signal)) this.#apply(batch)
        if (!signal.aborted) this.#logger.warn({}, 'feed disconnected, reconnecting')
      } catch (err) {
        if (!signal.aborted) this.#logger.error({ err }, 'feed disconnected, reconnecting')
      }
      this.#view.synced = false
      if (!signal.aborted) await this.#deps.clock.sleep(feedRetryMs, signal).catch(() => undefined)
    }
  }

  #apply(batch: FeedBatch): void {
    const view = this.#view
    for (const change of batch.changes) {
      if (change.groupResource === 'pods') this.#applyPod(change.object as Pod, change.deleted)
      else if (change.groupResource === 'nodes') view.applyNode(change)
      else view.applyObject(change)
    }
    if (batch.synced && !view.synced) this.#synced(batch.sequence)
    view.advanceTo(batch.sequence)
    if (view.synced) this.#waiters.reached(view.sequence)
    this.#bindings.expire(view.sequence)
    this.#turns.request()
  }

  #applyPod(pod: Pod, deleted: boolean): void {
    const { uid } = pod.metadata
    const { nodeName } = pod.spec
    if (!deleted && !nodeName) {
      // One that is being bound is still ours to end.
      this.#view.applyWaitingPod(pod, () => this.#owns(uid) || this.#bindings.has(uid))
      return
    }
    this.#bindings.shown(uid, nodeName)
    this.#view.applySettledPod(pod, deleted)
  }

  #synced(sequence: number): void {
    const view = this.#view
    view.sequence = sequence
    view.synced = true
    this.#bindings.resume()
    this.#firstSync.resolve()
    this.#logger.info({ sequence, nodes: view.snapshot.nodeCount, ...view.queue.depths() }, 'scheduler synced')
  }
}
