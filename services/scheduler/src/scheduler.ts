// The scheduler: follows nodes and pods, decides for each pod that waits, and sends bindings. All state is folded from
// the feed; what was decided but is not in the feed yet is *assumed*, and forgotten again when a binding is refused.
//
//   feed ─► cluster-view.ts (snapshot, queue) ─► pump: pop, decide, assume ─► binder.ts ─► … ─► the feed shows it: confirmed
//                                                └► fits nowhere: attempt-reports.ts; the queue keeps it until an event helps
//
// Of several replicas each decides about its share of the pods, with all pods in its snapshot. What the others bind comes
// by the feed; what they bind at the same moment is refused by a guard of the node (ApiRequest.once), and the pod is
// decided anew as soon as the snapshot shows it.
import type { ApiClient, ApiRequest, Once } from '@shiplog/api/api-client'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { FeedBatch, ObjectFeed } from '@shiplog/feed/object-feed'
import type { Worker } from '@shiplog/replicas/replica'
import type { Shares } from '@shiplog/replicas/shares'
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import type { Logger } from '@shiplog/runtime/logger'
import { createMetricsRegistry, type MetricSample, type MetricsRegistry } from '@shiplog/runtime/metrics'
import type { HealthCheck } from '@shiplog/runtime/service'
import {
  createProfile,
  defaultConfiguration,
  type SchedulerConfiguration,
} from '@shiplog/scheduling/framework/configuration'
import type { Decision } from '@shiplog/scheduling/framework/schedule'
import { tieRule } from '@shiplog/scheduling/framework/tie-break'
import type { PodInfo } from '@shiplog/scheduling/snapshot/pod-info'
import { clusterResources } from '@shiplog/scheduling/snapshot/cluster-objects'
import { type AttemptReports, createAttemptReports } from './attempt-reports.ts'
import { bind, type BindOutcome } from './binder.ts'
import { ClusterView } from './cluster-view.ts'
import { type DecisionContext, decisionRecord } from './decision-record.ts'
import { claimOf, contestedDomains, mayClaim } from './node-claim.ts'
import { clearNominations, evictVictims, nominate, type Preemptor } from './preemption.ts'
import { anyRevokedInFlight, createPendingBinding, type PendingBinding, type Refusal } from './pending-binding.ts'
import { bindingRequest } from './pod-messages.ts'
import { createSchedulerMetrics, type SchedulerMetrics } from './scheduler-metrics.ts'
import type { QueueDepths, QueuedPod } from './scheduling-queue.ts'

export interface SchedulerDeps {
  readonly feed: ObjectFeed
  readonly client: ApiClient
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  /** Default: upstream's default profile. */
  readonly configuration?: SchedulerConfiguration
  /** Which pods (by uid) are this replica's. When absent all are, and nobody else binds: then nodes need no guard. */
  readonly shares?: Shares
  readonly metrics?: MetricsRegistry
}

export interface Scheduler extends Worker {
  queueDepths(): QueueDepths
  /** `scheduler_pending_pods` as of now. */
  metrics(): readonly MetricSample[]
}

/** Bindings under way at once: enough to fill group commits, few enough that a refusal does not undo much. */
export const bindingsInFlightMax = 512
/** Decisions in one turn of the event loop; then I/O gets its turn. */
const decisionsPerTurnMax = 128
/** How long to wait before following a feed again that failed. */
const feedRetryMs = 1_000
const flushEveryMs = 30_000
const followed = ['nodes', 'pods', ...clusterResources]
/** How long `stop` waits for bindings under way. */
const stopTimeoutMs = 3_000

/** How long decisions wait for the feed to show a nomination that is stored. */
const nominationTimeoutMs = 5_000

const notShown: Refusal = { error: 'the feed did not show the binding' }
const podGone: Refusal = { message: 'the pod is gone' }

export const createScheduler = (deps: SchedulerDeps): Scheduler => new KubeScheduler(deps)

class KubeScheduler implements Scheduler {
  readonly name = 'kube-scheduler'
  readonly #deps: SchedulerDeps
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #configuration: SchedulerConfiguration
  readonly #profile
  readonly #run: string
  readonly #metrics: SchedulerMetrics
  readonly #reports: AttemptReports
  readonly #stopping = new AbortController()
  readonly #firstSync = Promise.withResolvers<void>()

  #view: ClusterView
  /** Decisions by pod, oldest first; they outlive a feed that has to be followed anew. */
  readonly #pending = new Map<string, PendingBinding>()
  #decisions = 0
  /** Claims of one epoch reckon with each other; see ApiRequest.once. */
  #epoch: string
  #bindingsInFlight = 0
  /** A nomination is on its way to the log and back. */
  #isNominating = false

  #pumpRequested = false
  #wakeUp: { readonly atMs: number; readonly timer: Disposable } | undefined
  #flushTimer: Disposable | undefined
  #following: Promise<void> | undefined
  #onIdle: (() => void) | undefined
  readonly #sequenceWaiters = new Set<{ readonly sequence: number; readonly resolve: () => void }>()
  readonly #revocationWaiters: (() => void)[] = []

  constructor(deps: SchedulerDeps) {
    this.#deps = deps
    this.#clock = deps.clock
    this.#logger = deps.log.child({ component: this.name })
    this.#configuration = deps.configuration ?? defaultConfiguration
    this.#profile = createProfile(this.#configuration)
    this.#metrics = createSchedulerMetrics(deps.metrics ?? createMetricsRegistry())
    this.#run = deps.ids.uuid()
    this.#epoch = this.#run
    this.#reports = createAttemptReports({
      client: deps.client,
      clock: deps.clock,
      logger: this.#logger,
      metrics: this.#metrics,
      schedulerName: this.#configuration.schedulerName,
      run: this.#run,
      isBusy: () => this.#bindingsInFlight > 0,
    })
    this.#view = this.#newView()
  }

  async start(): Promise<void> {
    if (this.#following === undefined && !this.#stopping.signal.aborted) {
      this.#following = this.#follow()
      this.#flushTimer = this.#clock.every(flushEveryMs, () => {
        this.#view.queue.flush()
        this.#requestPump()
      })
    }
    await this.#firstSync.promise
  }

  async stop(): Promise<void> {
    if (!this.#stopping.signal.aborted) this.#stopping.abort(new Error('the scheduler is stopping'))
    this.#firstSync.resolve()
    this.#flushTimer?.[Symbol.dispose]()
    this.#wakeUp?.timer[Symbol.dispose]()
    this.#reports.clear()
    if (this.#bindingsInFlight === 0) return
    const idle = Promise.withResolvers<void>()
    this.#onIdle = idle.resolve
    const timer = this.#clock.after(stopTimeoutMs, idle.resolve)
    await idle.promise
    timer[Symbol.dispose]()
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
    for (const [uid, pending] of this.#pending) if (!this.#owns(uid)) pending.isRevoked = true
    for (const uid of this.#view.waiting.keys()) {
      if (!this.#owns(uid) && !this.#pending.has(uid)) this.#view.giveAway(uid)
    }
    return new Promise((resolve) => {
      this.#revocationWaiters.push(resolve)
      this.#resolveRevocations()
    })
  }

  gained(): void {
    const { waiting, queue, snapshot } = this.#view
    for (const [uid, object] of waiting) {
      if (this.#pending.has(uid) || !this.#owns(uid) || queue.get(uid) !== undefined) continue
      queue.set(snapshot.readPod(object))
    }
    this.#requestPump()
  }

  async waitForSequence(sequence: number, waiting: AbortSignal): Promise<void> {
    if (this.#view.synced && sequence <= this.#view.sequence) return
    waiting.throwIfAborted()
    const reached = Promise.withResolvers<void>()
    const waiter = { sequence, resolve: reached.resolve }
    const onAbort = (): void => reached.reject(waiting.reason)
    this.#sequenceWaiters.add(waiter)
    waiting.addEventListener('abort', onAbort, { once: true })
    try {
      await reached.promise
    } finally {
      this.#sequenceWaiters.delete(waiter)
      waiting.removeEventListener('abort', onAbort)
    }
  }

  #owns(uid: string): boolean {
    return this.#deps.shares?.owns(uid) ?? true
  }

  #resolveRevocations(): void {
    if (anyRevokedInFlight(this.#pending)) return
    for (const resolve of this.#revocationWaiters.splice(0)) resolve()
  }

  // ── From the feed ────────────────────────────────────────────────────────────────────────────────────────────────

  #newView(): ClusterView {
    return new ClusterView({
      profile: this.#profile,
      schedulerName: this.#configuration.schedulerName,
      seed: this.#configuration.seed,
      nowMs: () => this.#clock.nowMs(),
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
      if (!signal.aborted) await this.#clock.sleep(feedRetryMs, signal).catch(() => undefined)
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
    if (view.synced) {
      for (const waiter of this.#sequenceWaiters) if (waiter.sequence <= view.sequence) waiter.resolve()
    }
    // What the log is known to hold has been shown by now; if it was not, something undid it.
    for (const pending of this.#pending.values()) {
      if (pending.boundAt !== undefined && pending.boundAt <= view.sequence) this.#takeBack(pending, notShown)
    }
    this.#requestPump()
  }

  #applyPod(pod: Pod, deleted: boolean): void {
    const { uid } = pod.metadata
    const { nodeName } = pod.spec
    if (!deleted && !nodeName) {
      // One that is being bound is still ours to end.
      this.#view.applyWaitingPod(pod, () => this.#owns(uid) || this.#pending.has(uid))
      return
    }
    const pending = this.#pending.get(uid)
    this.#pending.delete(uid)
    if (pending) {
      pending.outcome = nodeName === pending.node ? 'bound' : 'void'
      // What was assumed and will never be in the log is told, or decisions made meanwhile cannot be computed again.
      if (pending.outcome === 'void') this.#recordRefusal(pending, podGone)
    }
    this.#view.applySettledPod(pod, deleted)
  }

  #synced(sequence: number): void {
    const view = this.#view
    view.sequence = sequence
    view.synced = true
    this.#resumePending()
    this.#firstSync.resolve()
    this.#logger.info({ sequence, nodes: view.snapshot.nodeCount, ...view.queue.depths() }, 'scheduler synced')
  }

  /** After the feed was followed anew: decisions that it does not show are assumed again. */
  #resumePending(): void {
    const { waiting, queue, snapshot } = this.#view
    for (const [uid, pending] of this.#pending) {
      if (waiting.has(uid)) {
        queue.take(uid)
        snapshot.assume(pending.pod, pending.node)
      } else {
        this.#pending.delete(uid)
        pending.outcome = snapshot.nodeOf(uid) === pending.node ? 'bound' : 'void'
      }
    }
  }

  // ── Deciding ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Decides in the next turn of the event loop, so that all that arrives in this one is seen, and I/O is not starved. */
  #requestPump(): void {
    if (this.#pumpRequested || this.#stopping.signal.aborted) return
    this.#pumpRequested = true
    setImmediate(() => {
      this.#pumpRequested = false
      this.#pump()
    })
  }

  #pump(): void {
    const view = this.#view
    if (this.#stopping.signal.aborted || !view.synced || this.#isNominating) return
    for (let count = 0; count < decisionsPerTurnMax; count++) {
      // The next binding that ends will ask again.
      if (this.#bindingsInFlight >= bindingsInFlightMax) return
      const queued = view.queue.pop()
      if (queued === undefined) {
        this.#wakeUpWhenReady()
        return
      }
      if (this.#owns(queued.pod.uid)) this.#attempt(queued)
      else view.giveAway(queued.pod.uid)
      // What is decided next has to see the nomination.
      if (this.#isNominating) return
    }
    this.#requestPump()
  }

  #wakeUpWhenReady(): void {
    const atMs = this.#view.queue.nextReadyMs()
    if (atMs === undefined || (this.#wakeUp !== undefined && this.#wakeUp.atMs <= atMs)) return
    this.#wakeUp?.timer[Symbol.dispose]()
    const timer = this.#clock.after(Math.max(0, atMs - this.#clock.nowMs()), () => {
      this.#wakeUp = undefined
      this.#requestPump()
    })
    this.#wakeUp = { atMs, timer }
  }

  #attempt(queued: QueuedPod): void {
    const { pod } = queued
    const view = this.#view
    const object = view.waiting.get(pod.uid)!
    const decision = view.index.schedule(pod)
    const context = this.#decisionContext(++this.#decisions)
    if (decision.failure) this.#giveUp(pod, object, decision, context)
    else this.#assumeAndBind(queued, object, decision, context)
  }

  #decisionContext(number: number): DecisionContext {
    const { snapshot } = this.#view
    return {
      scheduler: this.#configuration.schedulerName,
      run: this.#run,
      number,
      configuration: this.#profile.hash,
      seed: this.#configuration.seed,
      ties: tieRule,
      assumed: {
        count: snapshot.assumedCount,
        openFrom: this.#pending.values().next().value?.number ?? number,
        digest: snapshot.assumedDigest,
      },
    }
  }

  #giveUp(pod: PodInfo, object: Pod, decision: Decision, context: DecisionContext): void {
    const { queue, sequence, reported } = this.#view
    const failure = decision.failure!
    queue.fail(pod.uid, failure.plugins)
    const record = { basis: sequence, ...decisionRecord(context, decision) }
    if (failure.preemption === undefined) {
      this.#reports.unschedulable(pod, object, failure, record, reported)
      return
    }
    const preemptor = { pod, object, message: failure.message, basis: sequence, preemption: failure.preemption }
    reported.set(pod.uid, failure.message)
    this.#reports.preempting(preemptor, record)
    this.#isNominating = true
    void this.#preempt(preemptor).catch((err: unknown) => {
      if (!this.#stopping.signal.aborted) this.#logger.error({ err, pod: reference(pod) }, 'preemption failed')
    })
  }

  /** Nominates the pod; once the snapshot shows that, decisions go on, and the victims are deleted meanwhile. */
  async #preempt(preemptor: Preemptor): Promise<void> {
    const { pod, preemption } = preemptor
    const deps = {
      client: this.#deps.client,
      clock: this.#clock,
      log: this.#logger,
      schedulerName: this.#configuration.schedulerName,
      signal: this.#stopping.signal,
    }
    let nominatedAt: number | undefined
    try {
      nominatedAt = await nominate(deps, preemptor)
      if (nominatedAt !== undefined) await this.#waitUntilShown(nominatedAt)
    } finally {
      this.#isNominating = false
      this.#requestPump()
    }
    const isDone =
      nominatedAt !== undefined &&
      (await evictVictims(deps, preemptor, nominatedAt, (victim) => this.#reports.preempted(victim, preemptor)))
    if (!isDone) this.#view.queue.activate(pod.uid)
    const here = this.#view.snapshot.nominations.on(preemption.node)
    const displaced = here.filter(({ priority }) => priority < pod.priority)
    await clearNominations(deps, displaced)
    for (const { uid } of displaced) this.#view.queue.activate(uid)
    this.#requestPump()
  }

  async #waitUntilShown(sequence: number): Promise<void> {
    const limit = new AbortController()
    using _timer = this.#clock.after(nominationTimeoutMs, () => limit.abort(new Error('the feed did not show it in time')))
    await this.waitForSequence(sequence, AbortSignal.any([limit.signal, this.#stopping.signal]))
  }

  // ── A pod that has a place ───────────────────────────────────────────────────────────────────────────────────────

  #assumeAndBind(queued: QueuedPod, object: Pod, decision: Decision, context: DecisionContext): void {
    const { pod } = queued
    const node = decision.node!
    const { number } = context
    const pending = createPendingBinding({ pod, object, node, number, startedMs: this.#clock.nowMs() })
    const request = this.#bindingRequest(pending, decisionRecord(context, decision))
    this.#pending.set(pod.uid, pending)
    this.#view.snapshot.assume(pod, node)
    this.#bindingsInFlight++
    const { client } = this.#deps
    bind({ client, clock: this.#clock, signal: this.#stopping.signal }, pending, request)
      .then((outcome) => this.#settle(pending, queued, outcome))
      .catch((err: unknown) => {
        if (!this.#stopping.signal.aborted) this.#logger.error({ err, pod: reference(pod) }, 'binding failed')
        this.#refuse(pending, { error: String(err) })
      })
      .finally(() => this.#bindingEnded(pending))
  }

  #bindingRequest(pending: PendingBinding, record: JsonObject): ApiRequest {
    const { pod, node } = pending
    const request = bindingRequest(pod, node, this.#view.sequence, record)
    if (!this.#deps.shares) return request
    return { ...request, once: this.#onceOf(pending), isWanted: () => !pending.isRevoked }
  }

  #onceOf({ pod, node: nodeName, number }: PendingBinding): Once {
    const { snapshot } = this.#view
    const node = snapshot.node(nodeName)
    const claim = node && mayClaim(pod) ? { claim: claimOf(pod, node, number) } : {}
    const also = node ? contestedDomains(pod, node, snapshot) : []
    return { matter: `node/${nodeName}`, round: this.#epoch, ...claim, ...(also.length > 0 ? { also } : {}) }
  }

  #settle(pending: PendingBinding, queued: QueuedPod, outcome: BindOutcome): void {
    switch (outcome.kind) {
      case 'bound':
        this.#reports.scheduled(pending, queued)
        if (outcome.sequence === 0) return
        pending.boundAt = outcome.sequence
        // The feed may have been faster than the answer.
        if (outcome.sequence <= this.#view.sequence) this.#takeBack(pending, notShown)
        return
      case 'refused':
        this.#refuse(pending, outcome.why, outcome.overtakenAt)
        return
      case 'unknown':
        // It may be stored all the same, though nothing here reckons with it any more: then it counts as another's.
        this.#epoch = this.#deps.ids.uuid()
        if (pending.outcome !== 'void') this.#refuse(pending, outcome.why)
        return
    }
  }

  #bindingEnded(pending: PendingBinding): void {
    this.#bindingsInFlight--
    pending.isInFlight = false
    if (this.#bindingsInFlight === 0) this.#onIdle?.()
    if (pending.isRevoked) this.#resolveRevocations()
    this.#requestPump()
  }

  #refuse(pending: PendingBinding, why: Refusal, overtakenAt?: number): void {
    if (this.#stopping.signal.aborted) return
    if (overtakenAt === undefined) this.#reports.failed(pending)
    else this.#reports.overtaken()
    this.#takeBack(pending, why, overtakenAt)
    if (why.code === 404 || why.code === 409 || pending.isRevoked) return
    this.#reports.noteRejection(pending, why)
  }

  /**
   * Forgets an assumption: the room is free for others, and the pod is tried again, after a while or, when another replica
   * was merely faster, as soon as the snapshot shows what that one did.
   */
  #takeBack(pending: PendingBinding, why: Refusal, overtakenAt?: number): void {
    const { pod, node } = pending
    const view = this.#view
    // When the feed has shown the pod bound or deleted, it has taken the decision away already.
    if (this.#pending.get(pod.uid) !== pending) return
    this.#pending.delete(pod.uid)
    if (overtakenAt === undefined) this.#logger.warn({ pod: reference(pod), node, why }, 'assumed pod was forgotten')
    if (!this.#owns(pod.uid)) view.giveAway(pod.uid)
    else if (overtakenAt === undefined) view.queue.retry(pod.uid)
    else if (overtakenAt <= view.sequence) view.queue.again(pod.uid)
    else view.overtaken.set(pod.uid, overtakenAt)
    if (view.snapshot.forget(pod.uid)) view.queue.wake({ type: 'PodFreed', pod })
    this.#recordRefusal(pending, why)
  }

  /** Decisions from the next number on did not assume it any more. */
  #recordRefusal(pending: PendingBinding, why: Refusal): void {
    this.#reports.recordRefusal(pending, why, { forgottenBefore: this.#decisions + 1, basis: this.#view.sequence })
  }
}

const reference = ({ namespace, name }: PodInfo): { namespace: string; name: string } => ({ namespace, name })
