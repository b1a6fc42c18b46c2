// The scheduler: follows nodes and pods, decides for each pod that waits, and sends bindings. All state is folded from
// the feed; what was decided but is not in the feed yet is *assumed*, and forgotten again when a binding is refused.
//
//   feed ─► snapshot, queue ─► pump: pop, decide, assume ─► binding ─► … ─► the feed shows it: confirmed
//                                  └► fits nowhere: condition, Event object, record; the queue keeps it until an event helps
//
// Of several replicas each decides about its share of the pods, with all pods in its snapshot. What the others bind comes
// by the feed; what they bind at the same moment is refused by a guard of the node (ApiRequest.once), and the pod is
// decided anew as soon as the snapshot shows it.
import type { ApiClient, ApiRequest, ApiResult, Once } from '@shiplog/api/api-client'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { FeedBatch, FeedObject, ObjectChange, ObjectFeed } from '@shiplog/events/object-feed'
import { decidedElsewhereAt } from '@shiplog/api/status'
import type { Worker } from '@shiplog/replicas/replica'
import type { Shares } from '@shiplog/replicas/shares'
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import type { Logger } from '@shiplog/runtime/logger'
import type { MetricSample } from '@shiplog/runtime/metrics'
import { createProfile, defaultConfiguration, type SchedulerConfiguration } from '@shiplog/scheduling/framework/configuration'
import { createPlacementIndex } from '@shiplog/scheduling/index/placement-index'
import type { PodInfo } from '@shiplog/scheduling/snapshot/pod-info'
import type { Decision, Failure } from '@shiplog/scheduling/framework/schedule'
import { Snapshot } from '@shiplog/scheduling/snapshot/snapshot'
import { tieRule } from '@shiplog/scheduling/framework/tie-break'
import { type DecisionContext, decisionRecord } from './decision-record.ts'
import { claimOf, mayClaim } from './node-claim.ts'
import { createOutbox } from './outbox.ts'
import { bindingRequest, eventRequest, type PodNote, unschedulableRequest } from './pod-messages.ts'
import { createSchedulerMetrics } from './scheduler-metrics.ts'
import { createSchedulingQueue, type QueueDepths, type QueuedPod } from './scheduling-queue.ts'

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
}

export interface Scheduler extends Worker {
  queueDepths(): QueueDepths
  /** Counters under upstream's names, and `scheduler_pending_pods` as of now. */
  metrics(): readonly MetricSample[]
}

/** Bindings under way at once: enough to fill group commits, few enough that a refusal does not undo much. */
export const bindingsInFlightMax = 512
/** Decisions in one turn of the event loop; then I/O gets its turn. */
const decisionsPerTurnMax = 128
/** A binding whose outcome is unknown is sent again so many times, after doubling pauses. */
const bindingTriesMax = 6
const bindingRetryMs = 100
/** How long to wait before following a feed again that failed. */
const feedRetryMs = 1_000
const flushEveryMs = 30_000
/** How long conditions and Event objects wait for company on their way to the log. */
const reportLingerMs = 5
const noteLingerMs = 50
/** How long `stop` waits for bindings under way. */
const stopTimeoutMs = 3_000

/** A decision whose binding the feed has not shown yet. */
interface Flight {
  readonly pod: PodInfo
  readonly object: FeedObject
  readonly node: string
  readonly number: number
  readonly startedMs: number
  /** The sequence that the binding got, once it is known. */
  boundAt: number | undefined
  /** The pod went to another replica: what has not been sent is not sent. */
  isLost: boolean
  /** Whether the binding waits for its answer. */
  isBinding: boolean
  /** What the feed showed of the pod since: bound as decided, or bound elsewhere, deleted, forgotten. */
  outcome: 'open' | 'bound' | 'void'
}

/** Why a binding did not come about. */
interface Refusal {
  readonly code?: number
  readonly message?: string
  readonly error?: string
}

const notShown = 'the feed did not show the binding'

export function createScheduler(deps: SchedulerDeps): Scheduler {
  const { feed, client, clock, shares } = deps
  const configuration = deps.configuration ?? defaultConfiguration
  const profile = createProfile(configuration)
  const log = deps.log.child({ component: 'kube-scheduler' })
  const run = deps.ids.uuid()
  const reporter = { controller: configuration.schedulerName, instance: `${configuration.schedulerName}-${run}` }
  const metrics = createSchedulerMetrics()
  const stopping = new AbortController()
  const { signal } = stopping

  const onError = (err: unknown): void => log.warn({ err }, 'message of the scheduler was not delivered')
  /** Conditions and records of attempts: what people and replays need. */
  const reports = createOutbox({ clock, waveMax: 256, waitingMax: 50_000, lingerMs: reportLingerMs, onError })
  /** Event objects: nice to have. */
  const notes = createOutbox({
    clock,
    waveMax: 256,
    waitingMax: 10_000,
    lingerMs: noteLingerMs,
    isBusy: () => bindings > 0,
    onError,
  })

  /** Decisions by pod, oldest first; they outlive a feed that has to be followed anew. */
  const flights = new Map<string, Flight>()
  let view = createView()
  let decisions = 0
  /** Whose claims reckon with each other. */
  let round = run
  let bindings = 0
  let noteNumber = 0
  let pumpRequested = false
  let wakeUp: { readonly atMs: number; readonly timer: Disposable } | undefined
  let flushTimer: Disposable | undefined
  let following: Promise<void> | undefined
  let onIdle: (() => void) | undefined
  /** Pods whose node another replica filled meanwhile, with the sequence that the next decision has to have seen. */
  const overtaken = new Map<string, number>()
  const seen = new Set<{ readonly sequence: number; readonly resolve: () => void }>()
  const whenLetGo: (() => void)[] = []
  const owns = (uid: string): boolean => shares?.owns(uid) ?? true
  const firstSync = Promise.withResolvers<void>()

  function createView() {
    const snapshot = new Snapshot()
    return {
      snapshot,
      index: createPlacementIndex(snapshot, profile, configuration.seed),
      queue: createSchedulingQueue({
        profile,
        nowMs: () => clock.nowMs(),
        onIncoming: (queue, event) => metrics.increment('scheduler_queue_incoming_pods_total', { queue, event }),
      }),
      /** All pods that wait for a node, also those of other replicas. */
      objects: new Map<string, FeedObject>(),
      /** The message of the last failure that was reported, by pod. */
      reported: new Map<string, string>(),
      sequence: 0,
      synced: false,
    }
  }

  // ── From the feed ────────────────────────────────────────────────────────────────────────────────────────────────

  async function follow(): Promise<void> {
    while (!signal.aborted) {
      view = createView()
      overtaken.clear()
      try {
        for await (const batch of feed.follow(['nodes', 'pods'], signal)) apply(batch)
        if (!signal.aborted) log.warn({}, 'object feed ended, following it again')
      } catch (err) {
        if (!signal.aborted) log.error({ err }, 'object feed failed, following it again')
      }
      view.synced = false
      if (!signal.aborted) await clock.sleep(feedRetryMs, signal).catch(() => undefined)
    }
  }

  function apply(batch: FeedBatch): void {
    for (const change of batch.changes) {
      if (change.groupResource === 'pods') applyPod(change)
      else if (change.groupResource === 'nodes') applyNode(change)
    }
    view.sequence = batch.sequence
    if (batch.synced && !view.synced) {
      view.synced = true
      resumeFlights()
      firstSync.resolve()
      log.info({ sequence: view.sequence, nodes: view.snapshot.nodeCount, ...view.queue.depths() }, 'scheduler synced')
    }
    for (const [uid, sequence] of overtaken) {
      if (sequence > view.sequence) continue
      overtaken.delete(uid)
      view.queue.again(uid)
    }
    if (view.synced) {
      for (const waiter of seen) if (waiter.sequence <= view.sequence) waiter.resolve()
    }
    // What the log is known to hold has been shown by now; if it was not, something undid it.
    for (const flight of flights.values()) {
      if (flight.boundAt !== undefined && flight.boundAt <= view.sequence) takeBack(flight, { error: notShown })
    }
    requestPump()
  }

  function applyNode({ deleted, object }: ObjectChange): void {
    const { snapshot, queue } = view
    if (deleted) {
      snapshot.removeNode(object.metadata.name)
      return
    }
    const change = snapshot.setNode(object as JsonObject)
    if (change.type === 'added') queue.wake({ type: 'NodeAdded', node: change.node })
    else if (change.type === 'updated') {
      queue.wake({ type: 'NodeUpdated', node: change.node, difference: change.difference })
    }
  }

  function applyPod({ deleted, object }: ObjectChange): void {
    const { snapshot, queue } = view
    const { uid } = object.metadata
    const spec = (object['spec'] ?? {}) as JsonObject
    const isBound = Boolean(spec['nodeName'])
    if (deleted || isBound) {
      leaveQueue(uid)
      const flight = flights.get(uid)
      flights.delete(uid)
      if (flight !== undefined) {
        flight.outcome = spec['nodeName'] === flight.node ? 'bound' : 'void'
        // What was assumed and will never be in the log must be told, or decisions made meanwhile cannot be computed again.
        if (flight.outcome === 'void') recordRefusal(flight, { message: 'the pod is gone' })
      }
      const freed = deleted ? snapshot.removePod(uid) : snapshot.setPod(object as JsonObject).freed
      if (freed !== undefined) queue.wake({ type: 'PodFreed', pod: freed })
      return
    }
    const phase = (object['status'] as JsonObject | undefined)?.['phase']
    const isOver = object.metadata['deletionTimestamp'] !== undefined || phase === 'Succeeded' || phase === 'Failed'
    if (isOver) {
      leaveQueue(uid)
      return
    }
    const pod = snapshot.readPod(object as JsonObject)
    if (pod.schedulerName !== configuration.schedulerName) return
    view.objects.set(uid, object)
    // One that is being bound is still ours to end.
    if (owns(uid) || flights.has(uid)) queue.set(pod)
  }

  function leaveQueue(uid: string): void {
    view.objects.delete(uid)
    giveAway(uid)
  }

  /** Another replica's: nothing more is done about it. */
  function giveAway(uid: string): void {
    view.queue.delete(uid)
    view.reported.delete(uid)
    overtaken.delete(uid)
  }

  /** After the feed was followed anew: decisions that it does not show are assumed again. */
  function resumeFlights(): void {
    for (const [uid, flight] of flights) {
      if (view.objects.has(uid)) {
        view.queue.take(uid)
        view.snapshot.assume(flight.pod, flight.node)
      } else {
        flights.delete(uid)
        flight.outcome = view.snapshot.nodeOf(uid) === flight.node ? 'bound' : 'void'
      }
    }
  }

  // ── Deciding ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Decides in the next turn of the event loop, so that all that arrives in this one is seen, and I/O is not starved. */
  function requestPump(): void {
    if (pumpRequested || signal.aborted) return
    pumpRequested = true
    setImmediate(() => {
      pumpRequested = false
      pump()
    })
  }

  function pump(): void {
    if (signal.aborted || !view.synced) return
    for (let count = 0; count < decisionsPerTurnMax; count++) {
      // The next binding that ends will ask again.
      if (bindings >= bindingsInFlightMax) return
      const queued = view.queue.pop()
      if (queued === undefined) {
        wakeUpWhenReady()
        return
      }
      if (owns(queued.pod.uid)) attempt(queued)
      else giveAway(queued.pod.uid)
    }
    requestPump()
  }

  function wakeUpWhenReady(): void {
    const atMs = view.queue.nextReadyMs()
    if (atMs === undefined || (wakeUp !== undefined && wakeUp.atMs <= atMs)) return
    wakeUp?.timer[Symbol.dispose]()
    const timer = clock.after(Math.max(0, atMs - clock.nowMs()), () => {
      wakeUp = undefined
      requestPump()
    })
    wakeUp = { atMs, timer }
  }

  function attempt(queued: QueuedPod): void {
    const { pod } = queued
    const { snapshot, index } = view
    const object = view.objects.get(pod.uid)!
    const decision = index.schedule(pod)
    const number = ++decisions
    const context: DecisionContext = {
      scheduler: configuration.schedulerName,
      run,
      number,
      configuration: profile.hash,
      seed: configuration.seed,
      ties: tieRule,
      assumed: {
        count: snapshot.assumedCount,
        openFrom: flights.values().next().value?.number ?? number,
        digest: snapshot.assumedDigest,
      },
    }
    if (decision.failure !== undefined) {
      giveUp(pod, object, decision, decision.failure, context)
      return
    }
    const flight: Flight = {
      pod,
      object,
      node: decision.node!,
      number,
      startedMs: clock.nowMs(),
      boundAt: undefined,
      isLost: false,
      isBinding: true,
      outcome: 'open',
    }
    const once = shares && onceOf(pod, flight.node, number)
    flights.set(pod.uid, flight)
    snapshot.assume(pod, flight.node)
    bindings++
    bind(flight, queued, decisionRecord(context, decision), once)
      .catch((err: unknown) => {
        if (!signal.aborted) log.error({ err, pod: reference(pod) }, 'binding failed')
        refuse(flight, { error: String(err) })
      })
      .finally(() => {
        bindings--
        flight.isBinding = false
        if (bindings === 0) onIdle?.()
        if (flight.isLost) checkLetGo()
        requestPump()
      })
  }

  // ── A pod that has a place ───────────────────────────────────────────────────────────────────────────────────────

  function onceOf(pod: PodInfo, nodeName: string, order: number): Once {
    const node = view.snapshot.node(nodeName)
    const claim = node && mayClaim(pod) ? { claim: claimOf(pod, node, order) } : {}
    return { matter: `node/${nodeName}`, round, ...claim }
  }

  async function bind(flight: Flight, queued: QueuedPod, record: JsonObject, once: Once | undefined): Promise<void> {
    const { pod, node } = flight
    const request: ApiRequest = {
      ...bindingRequest(pod, node, view.sequence, record),
      ...(once ? { once, isWanted: () => !flight.isLost } : {}),
    }
    let cause: unknown
    for (let tries = 1; tries <= bindingTriesMax; tries++) {
      if (tries > 1) await clock.sleep(bindingRetryMs * 2 ** (tries - 2), signal)
      if (flight.outcome === 'bound') return bound(flight, queued, 0)
      if (flight.isLost || flight.outcome === 'void') break
      let result: ApiResult
      try {
        result = await client.request(request)
      } catch (err) {
        cause = err
        continue
      }
      if (result.ok) {
        bound(flight, queued, result.sequence)
        return
      }
      if (isUnknown(result.code)) {
        cause = result.status.message
        continue
      }
      // After an unknown outcome, a conflict may be our own first try.
      if (tries > 1 && result.code === 409) {
        const sequence = await boundSequence(flight)
        if (sequence !== undefined) {
          bound(flight, queued, sequence)
          return
        }
      }
      const message = result.status.message ?? result.status.reason ?? ''
      refuse(flight, { code: result.code, message }, decidedElsewhereAt(result.status))
      return
    }
    // It may be stored all the same, though nothing here reckons with it any more: then it counts as another's.
    round = deps.ids.uuid()
    if (flight.outcome === 'void') return
    refuse(flight, { error: flight.isLost ? 'the pod is another replica’s' : String(cause) })
  }

  /** The version of the pod, if the API says that it is bound as we decided. */
  async function boundSequence({ pod, node }: Flight): Promise<number | undefined> {
    const { namespace, name, uid } = pod
    const result = await client.request({ verb: 'get', group: '', resource: 'pods', namespace, name })
    if (!result.ok || result.object.metadata.uid !== uid || result.object['spec']?.nodeName !== node) return undefined
    return Number(result.object.metadata.resourceVersion)
  }

  function bound(flight: Flight, queued: QueuedPod, sequence: number): void {
    const { pod, object, node } = flight
    count('scheduled', flight.startedMs)
    metrics.observe('scheduler_pod_scheduling_attempts', {}, queued.attempts)
    metrics.observe(
      'scheduler_pod_scheduling_sli_duration_seconds',
      { attempts: String(Math.min(queued.attempts, 16)) },
      (clock.nowMs() - queued.enqueuedMs) / 1000,
    )
    note(object, {
      type: 'Normal',
      reason: 'Scheduled',
      action: 'Binding',
      message: `Successfully assigned ${pod.namespace}/${pod.name} to ${node}`,
    })
    if (sequence === 0) return
    flight.boundAt = sequence
    // The feed may have been faster than the answer.
    if (sequence <= view.sequence) takeBack(flight, { error: notShown })
  }

  function refuse(flight: Flight, why: Refusal, overtakenAt?: number): void {
    if (signal.aborted) return
    if (overtakenAt === undefined) count('error', flight.startedMs)
    else metrics.increment('shiplog_scheduler_overtaken_bindings_total', {})
    takeBack(flight, why, overtakenAt)
    if (why.code === 404 || why.code === 409 || flight.isLost) return
    note(flight.object, {
      type: 'Warning',
      reason: 'FailedScheduling',
      action: 'Scheduling',
      message: `binding rejected: running Bind plugin "DefaultBinder": ${why.message ?? why.error ?? ''}`,
    })
  }

  /**
   * Forgets an assumption: the room is free for others, and the pod is tried again, after a while or, when another replica
   * was merely faster, as soon as the snapshot shows what that one did.
   */
  function takeBack(flight: Flight, why: Refusal, overtakenAt?: number): void {
    const { pod, node } = flight
    // When the feed has shown the pod bound or deleted, it has taken the flight away already.
    if (flights.get(pod.uid) !== flight) return
    flights.delete(pod.uid)
    if (overtakenAt === undefined) log.warn({ pod: reference(pod), node, why }, 'assumed pod was forgotten')
    if (!owns(pod.uid)) giveAway(pod.uid)
    else if (overtakenAt === undefined) view.queue.retry(pod.uid)
    else if (overtakenAt <= view.sequence) view.queue.again(pod.uid)
    else overtaken.set(pod.uid, overtakenAt)
    if (view.snapshot.forget(pod.uid)) view.queue.wake({ type: 'PodFreed', pod })
    recordRefusal(flight, why)
  }

  function recordRefusal({ pod, node, number }: Flight, why: Refusal): void {
    const record = {
      scheduler: configuration.schedulerName,
      run,
      number,
      node,
      refused: why,
      // Decisions from this number on did not assume it any more.
      forgottenBefore: decisions + 1,
      basis: view.sequence,
    }
    reports.put(`refused/${pod.uid}/${number}`, () => recordAttempt(pod, record))
  }

  // ── A pod that fits nowhere ──────────────────────────────────────────────────────────────────────────────────────

  function giveUp(
    pod: PodInfo,
    object: FeedObject,
    decision: Decision,
    failure: Failure,
    context: DecisionContext,
  ): void {
    const { uid } = pod
    const { message } = failure
    const { reported } = view
    const nowMs = clock.nowMs()
    view.queue.fail(uid, failure.plugins)
    count('unschedulable', nowMs)
    const isKnown = reported.get(uid) === message
    const request = unschedulableRequest(object, message, nowMs)
    reported.set(uid, message)
    // A condition that says so already was reported in an earlier life.
    if (isKnown || request === undefined) return
    const record = { basis: view.sequence, ...decisionRecord(context, decision) }
    const put = reports.put(`condition/${uid}`, async () => {
      // What does not get through is reported again with the next attempt.
      const again = (): void => void (reported.get(uid) === message && reported.delete(uid))
      try {
        const result = await client.request({ ...request, basis: record.basis })
        if (!result.ok) again()
      } catch (err) {
        again()
        throw err
      }
    })
    if (!put) reported.delete(uid)
    reports.put(`attempt/${uid}`, () => recordAttempt(pod, record))
    note(object, { type: 'Warning', reason: 'FailedScheduling', action: 'Scheduling', message })
  }

  function checkLetGo(): void {
    if (flights.values().some(({ isLost, isBinding }) => isLost && isBinding)) return
    for (const resolve of whenLetGo.splice(0)) resolve()
  }

  const recordAttempt = (pod: PodInfo, record: JsonObject): Promise<void> =>
    client.recordAttempt({ scheduler: configuration.schedulerName, namespace: pod.namespace, pod: pod.name, record })

  function note(object: FeedObject, what: PodNote): void {
    const request = eventRequest(object, what, { ...reporter, nowMs: clock.nowMs(), unique: noteNumber++ })
    const put = notes.put(`${object.metadata.uid} ${what.reason}`, () => client.request(request))
    if (!put) metrics.increment('scheduler_event_objects_discarded_total', {})
  }

  function count(result: 'scheduled' | 'unschedulable' | 'error', startedMs: number): void {
    const labels = { result, profile: configuration.schedulerName }
    metrics.increment('scheduler_schedule_attempts_total', labels)
    metrics.observe('scheduler_scheduling_attempt_duration_seconds', labels, (clock.nowMs() - startedMs) / 1000)
  }

  return {
    name: 'kube-scheduler',

    async start() {
      if (following === undefined && !signal.aborted) {
        following = follow()
        flushTimer = clock.every(flushEveryMs, () => {
          view.queue.flush()
          requestPump()
        })
      }
      await firstSync.promise
    },

    async stop() {
      if (!signal.aborted) stopping.abort(new Error('the scheduler is stopping'))
      firstSync.resolve()
      flushTimer?.[Symbol.dispose]()
      wakeUp?.timer[Symbol.dispose]()
      reports.clear()
      notes.clear()
      if (bindings > 0) {
        const idle = Promise.withResolvers<void>()
        onIdle = idle.resolve
        const timer = clock.after(stopTimeoutMs, idle.resolve)
        await idle.promise
        timer[Symbol.dispose]()
      }
    },

    letGo() {
      for (const [uid, flight] of flights) if (!owns(uid)) flight.isLost = true
      for (const uid of view.objects.keys()) if (!owns(uid) && !flights.has(uid)) giveAway(uid)
      return new Promise((resolve) => {
        whenLetGo.push(resolve)
        checkLetGo()
      })
    },

    async waitForSequence(sequence, waiting) {
      if (view.synced && sequence <= view.sequence) return
      waiting.throwIfAborted()
      const reached = Promise.withResolvers<void>()
      const waiter = { sequence, resolve: reached.resolve }
      const onAbort = (): void => reached.reject(waiting.reason)
      seen.add(waiter)
      waiting.addEventListener('abort', onAbort, { once: true })
      try {
        await reached.promise
      } finally {
        seen.delete(waiter)
        waiting.removeEventListener('abort', onAbort)
      }
    },

    gained() {
      for (const [uid, object] of view.objects) {
        if (flights.has(uid) || !owns(uid) || view.queue.get(uid) !== undefined) continue
        view.queue.set(view.snapshot.readPod(object as JsonObject))
      }
      requestPump()
    },

    health: () => [
      view.synced
        ? { name: 'informer-sync', ok: true }
        : { name: 'informer-sync', ok: false, reason: 'the scheduler has not caught up with the log' },
    ],

    queueDepths: () => view.queue.depths(),

    metrics: () => [
      ...metrics.samples(),
      ...Object.entries(view.queue.depths()).map(
        ([queue, value]): MetricSample => ({ name: 'scheduler_pending_pods', type: 'gauge', labels: { queue }, value }),
      ),
    ],
  }
}

const reference = ({ namespace, name }: PodInfo): { namespace: string; name: string } => ({ namespace, name })

/** Answers after which nobody knows whether the binding was stored, or that ask to try again. */
const isUnknown = (code: number): boolean => code === 429 || code >= 500
