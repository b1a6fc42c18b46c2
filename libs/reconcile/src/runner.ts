// The runner: the thin shell around pure reconcilers. It keeps the view in step with the feed, enqueues the keys that a
// change concerns, and runs one controller loop for each reconciler (controller-loop.ts). Killed at any point, or run twice
// side by side, it converges: names are deterministic and every update is a compare-and-set. Of several replicas each works
// only on the keys assigned to it (libs/replicas).
import type { ApiClient } from '@shiplog/api/api-client'
import type { KubeObject } from '@shiplog/api/kube-object'
import { splitGroupResource } from '@shiplog/api/schema/schema'
import type { ObjectChange, ObjectFeed } from '@shiplog/feed/object-feed'
import type { Worker } from '@shiplog/replicas/replica'
import type { Shares } from '@shiplog/replicas/shares'
import type { Clock } from '@shiplog/runtime/clock'
import { type Ids, systemIds } from '@shiplog/runtime/ids'
import type { Logger } from '@shiplog/runtime/logger'
import type { MetricsRegistry } from '@shiplog/runtime/metrics'
import { ActiveKeys } from './active-keys.ts'
import { createCommandGate } from './command-gate.ts'
import { CommandSender } from './command-sender.ts'
import { ControllerLoop } from './controller-loop.ts'
import { createEventRecorder } from './events-recorder.ts'
import { type Reconciler, type ResourceWatch, watchesOf } from './reconciler.ts'
import { createObjectView, type ObjectView, type ProjectedView } from './view.ts'
import type { WorkQueueMetrics } from './work-queue.ts'
import { workQueueTimes } from './work-queue-metrics.ts'

/** Commands that one runner has in flight at most. */
export const commandsInFlightMax = 500
const stopWaitMs = 4_000
const feedRetryMs = 500
/** Objects whose keys are looked up in one turn of the event loop, when all of them are. */
const objectsPerTurn = 2_000

export interface ControllerRunnerOptions {
  /** Where the times of the work queues are recorded. */
  readonly metrics?: MetricsRegistry
  readonly name: string
  readonly feed: ObjectFeed
  readonly client: ApiClient
  readonly clock: Clock
  readonly log: Logger
  readonly reconcilers: readonly Reconciler[]
  /** Keys that one reconciler works on at a time; default 64. */
  readonly workers?: number
  readonly fieldManager?: string
  readonly ids?: Ids
  /** Which keys (`<reconciler>/<key>`) are this replica's; all when absent. */
  readonly shares?: Shares
}

export interface ControllerRunner extends Worker {
  readonly view: ObjectView
  /** Per reconciler. */
  metrics(): Readonly<Record<string, WorkQueueMetrics>>
  /** True when no key waits, is worked on or is delayed for a retry; keys that wait for a time do not count. */
  idle(): boolean
}

/** Creates a service that runs reconcilers over one view of the feed. */
export const createControllerRunner = (options: ControllerRunnerOptions): ControllerRunner => new Runner(options)

/** An empty view of everything that the reconcilers follow, with their indexes. */
export function viewFor(reconcilers: readonly Reconciler[]): ProjectedView {
  const resources = new Set(reconcilers.flatMap((one) => one.resources.map((watch) => watch.groupResource)))
  const indexes = new Map(reconcilers.flatMap((one) => one.indexes ?? []).map((index) => [index.name, index]))
  return createObjectView([...resources], [...indexes.values()])
}

/** A loop and which of its keys a change of the resource concerns. */
interface Subscription {
  readonly loop: ControllerLoop
  readonly keys: ResourceWatch['keys']
}

/** The loops' watches by resource, so that a change reaches only those who care; kept, because it is asked with every change. */
function subscriptionsOf(loops: readonly ControllerLoop[]): (groupResource: string) => readonly Subscription[] {
  const known = new Map<string, readonly Subscription[]>()
  return (groupResource) => {
    let found = known.get(groupResource)
    if (!found) {
      found = loops.flatMap((loop) => watchesOf(loop.reconciler, groupResource).map(({ keys }) => ({ loop, keys })))
      known.set(groupResource, found)
    }
    return found
  }
}

/** An object of the view as the change that created it. */
const creationOf = (groupResource: string, object: KubeObject, timeMs: number): ObjectChange => ({
  ...splitGroupResource(groupResource),
  groupResource,
  namespace: object.metadata.namespace ?? '',
  name: object.metadata.name,
  sequence: Number(object.metadata.resourceVersion),
  timeMs,
  type: `${object.kind}Created`,
  deleted: false,
  object,
})

class Runner implements ControllerRunner {
  readonly name: string
  readonly view: ProjectedView
  readonly #feed: ObjectFeed
  readonly #clock: Clock
  readonly #log: Logger
  readonly #keys: ActiveKeys
  readonly #loops: readonly ControllerLoop[]
  readonly #subscriptions: (groupResource: string) => readonly Subscription[]
  readonly #stopping = new AbortController()
  #startedMs = 0
  #running: Promise<void> | undefined
  #started: Promise<void> | undefined
  #feedProblem = 'not started'

  constructor(options: ControllerRunnerOptions) {
    this.name = options.name
    this.view = viewFor(options.reconcilers)
    this.#feed = options.feed
    this.#clock = options.clock
    this.#log = options.log.child({ component: options.name })
    this.#keys = new ActiveKeys(options.shares)
    this.#loops = this.#createLoops(options)
    this.#subscriptions = subscriptionsOf(this.#loops)
  }

  #createLoops(options: ControllerRunnerOptions): ControllerLoop[] {
    const { client, clock, reconcilers, workers, fieldManager, ids, metrics } = options
    const stopping = this.#stopping.signal
    const keys = this.#keys
    const recorder = createEventRecorder({ client, clock, log: this.#log })
    const gate = createCommandGate(commandsInFlightMax)
    const sender = new CommandSender({ client, gate, keys, stopping, fieldManager })
    const instance = (ids ?? systemIds).uuid()
    let rounds = 0
    return reconcilers.map(
      (reconciler) =>
        new ControllerLoop({
          reconciler,
          view: this.view,
          sender,
          keys,
          recorder,
          clock,
          log: this.#log.child({ controller: reconciler.name }),
          stopping,
          startedMs: () => this.#startedMs,
          nextRound: () => `${instance}/${++rounds}`,
          workers,
          times: metrics && workQueueTimes(metrics, reconciler.name),
        }),
    )
  }

  metrics(): Readonly<Record<string, WorkQueueMetrics>> {
    return Object.fromEntries(this.#loops.map((loop) => [loop.reconciler.name, loop.metrics()]))
  }

  idle(): boolean {
    return this.#loops.every((loop) => loop.isIdle)
  }

  start(): Promise<void> {
    this.#started ??= new Promise<void>((resolve) => {
      this.#running = this.#follow(resolve)
      // Stopped before the view was complete: there is nothing more to wait for.
      this.#stopping.signal.addEventListener('abort', () => resolve(), { once: true })
    })
    return this.#started
  }

  async stop(): Promise<void> {
    if (!this.#stopping.signal.aborted) this.#stopping.abort(new Error('stopping'))
    for (const loop of this.#loops) loop.shutDown()
    const deadlineMs = this.#clock.nowMs() + stopWaitMs
    while (this.#loops.some((loop) => loop.busy > 0) && this.#clock.nowMs() < deadlineMs) await this.#clock.sleep(10)
    await Promise.race([this.#running, this.#clock.sleep(stopWaitMs)])
  }

  letGo(): Promise<void> {
    return this.#keys.revoke()
  }

  gained(): void {
    void this.#enqueueAll()
  }

  waitForSequence(sequence: number, signal: AbortSignal): Promise<void> {
    return this.view.waitForSequence(sequence, signal)
  }

  health(): { readonly name: string; readonly ok: boolean; readonly reason?: string }[] {
    const name = 'informer-sync'
    return [this.#feedProblem === '' ? { name, ok: true } : { name, ok: false, reason: this.#feedProblem }]
  }

  async #follow(onSynced: () => void): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      try {
        await this.#followOnce(onSynced)
        if (!signal.aborted) throw new Error('the feed ended')
      } catch (err) {
        if (signal.aborted) return
        this.#feedProblem = err instanceof Error ? err.message : String(err)
        this.#log.warn({ err }, 'feed disconnected, reconnecting')
        this.view.restart()
        await this.#clock.sleep(feedRetryMs, signal).catch(() => undefined)
      }
    }
  }

  async #followOnce(onSynced: () => void): Promise<void> {
    const { view } = this
    for await (const batch of this.#feed.follow(view.groupResources, this.#stopping.signal)) {
      view.apply(batch, (change, before) => this.#enqueue(change, before, change.sequence))
      if (!view.synced || this.#feedProblem === '') continue
      this.#feedProblem = ''
      if (this.#startedMs === 0) this.#startedMs = this.#clock.nowMs()
      onSynced()
      for (const loop of this.#loops) loop.schedule()
    }
  }

  #enqueue(change: ObjectChange, before: KubeObject | undefined, cause: number | undefined): void {
    for (const { loop, keys } of this.#subscriptions(change.groupResource)) {
      for (const key of keys(change, before, this.view)) loop.enqueue(key, cause)
    }
  }

  /** Enqueues every key there is, as the first snapshot did. */
  async #enqueueAll(): Promise<void> {
    let turn = 0
    for (const groupResource of this.view.known()) {
      for (const object of [...this.view.list(groupResource)]) {
        if (++turn % objectsPerTurn === 0) await this.#clock.sleep(0)
        if (this.#stopping.signal.aborted) return
        this.#enqueue(creationOf(groupResource, object, this.#clock.nowMs()), undefined, undefined)
      }
    }
  }
}
