// The loop of one controller: takes keys from its work queue, runs the reconciler, sends what it returns, and waits until
// the view has seen the effects before the key may run again. Its queue, back-off and outcomes are controller-runtime's.
import type { JsonObject } from '@shiplog/api/kube-object'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import type { ActiveKey, ActiveKeys } from './active-keys.ts'
import type { CommandSender, RoundBasis } from './command-sender.ts'
import type { EventRecorder } from './events-recorder.ts'
import type { Reconciler, ReconcileResult } from './reconciler.ts'
import { decisionOf, isRace, KeyHistories, type KeyHistory, observeWith, outcomeOf, type RoundOutcome } from './round.ts'
import type { ProjectedView } from './view.ts'
import { createWorkQueue, type WorkQueueMetrics, type WorkQueueTimes } from './work-queue.ts'

/** How long a round waits for the view to see what it wrote. */
export const viewWaitMs = 30_000
const workersDefault = 64
/** A round that costs so much CPU time is followed by a pause of its key, so that one huge object cannot take it all. */
const costlyRoundMs = 4
const pausePerCost = 4
const pauseMaxMs = 500

export interface ControllerLoopOptions {
  readonly reconciler: Reconciler
  readonly view: ProjectedView
  readonly sender: CommandSender
  readonly keys: ActiveKeys
  readonly recorder: Pick<EventRecorder, 'record'>
  readonly clock: Clock
  readonly log: Logger
  readonly stopping: AbortSignal
  /** When the view was first complete. */
  readonly startedMs: () => number
  /** A name for each round, different from those of all other runners. */
  readonly nextRound: () => string
  readonly workers?: number | undefined
  /** Where the queue records how long its keys wait and are worked on. */
  readonly times?: WorkQueueTimes | undefined
}

/** How a round ended, apart from what its answers say. */
interface Conclusion {
  readonly result: ReconcileResult
  readonly failures: RoundOutcome['failures']
  readonly metUsedName: boolean
  readonly skipped: boolean
}

export class ControllerLoop {
  readonly reconciler: Reconciler
  readonly #options: ControllerLoopOptions
  readonly #queue
  readonly #histories = new KeyHistories()
  readonly #workersMax: number
  #busy = 0
  #pausing = 0
  #isScheduled = false

  constructor(options: ControllerLoopOptions) {
    this.#options = options
    this.reconciler = options.reconciler
    this.#queue = createWorkQueue(options.clock, options.times)
    this.#workersMax = options.reconciler.workers ?? options.workers ?? workersDefault
    this.#queue.onReady(() => this.schedule())
  }

  /** Keys that are being worked on. */
  get busy(): number {
    return this.#busy
  }

  /** True when no key waits, is worked on or is delayed for a retry. */
  get isIdle(): boolean {
    return this.#busy === 0 && this.#pausing === 0 && this.#queue.metrics().depth === 0 && this.#histories.failing === 0
  }

  metrics(): WorkQueueMetrics {
    return this.#queue.metrics()
  }

  enqueue(key: string, cause: number | undefined): void {
    if (!this.#owns(key)) return
    this.#histories.noteCause(key, cause)
    this.#queue.add(key)
  }

  /** Starts workers soon. Never inside a batch: a reconciler sees whole batches only. */
  schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    queueMicrotask(() => this.#startWorkers())
  }

  shutDown(): void {
    this.#queue.shutDown()
  }

  readonly #nameOf = (key: string): string => `${this.reconciler.name}/${key}`

  #owns(key: string): boolean {
    return this.#options.keys.owns(this.#nameOf(key))
  }

  #startWorkers(): void {
    this.#isScheduled = false
    const { view, stopping } = this.#options
    if (!view.synced || stopping.aborted) return
    while (this.#busy < this.#workersMax) {
      const key = this.#queue.take()
      if (key === undefined) return
      if (this.#owns(key)) {
        this.#busy++
        void this.#work(key)
      } else {
        this.#forget(key)
        this.#queue.done(key)
      }
    }
  }

  async #work(key: string): Promise<void> {
    const { keys, stopping, log } = this.#options
    const active = keys.begin(this.#nameOf(key))
    let costMs = 0
    try {
      costMs = await this.#round(key, active)
    } catch (err) {
      if (active?.isRevoked) this.#forget(key)
      else if (!stopping.aborted) {
        const delayMs = this.#queue.addRateLimited(key)
        log.error({ err, key, delayMs }, 'reconcile failed')
      }
    } finally {
      keys.end(active)
      this.#busy--
      this.schedule()
    }
    await this.#pauseAfter(costMs)
    this.#queue.done(key)
  }

  /** The worker is free again; only the key itself rests. */
  async #pauseAfter(costMs: number): Promise<void> {
    if (costMs < costlyRoundMs) return
    const { clock, stopping } = this.#options
    this.#pausing++
    await clock.sleep(Math.min(costMs * pausePerCost, pauseMaxMs), stopping).catch(() => undefined)
    this.#pausing--
  }

  /** One round of one key. Returns what the reconciler cost in milliseconds. */
  async #round(key: string, active: ActiveKey | undefined): Promise<number> {
    const { view, recorder, clock, startedMs, nextRound } = this.#options
    const begun = this.#histories.begin(key)
    const observed = await this.#observe(key, begun, active)
    const nowMs = clock.nowMs()
    const { failures, usedNameRounds, memory } = begun
    const context = { nowMs, startedMs: startedMs(), failures, usedNameRounds, observed, memory }
    const result = this.reconciler.reconcile(key, view, context)
    const decision = result.commands?.length ? decisionOf(this.reconciler.name, key, observed, memory) : ''
    const basis: RoundBasis = { basis: view.sequence, round: nextRound(), cause: begun.cause, decision, key: active }
    const costMs = clock.nowMs() - nowMs
    for (const event of result.events ?? []) recorder.record(this.reconciler.component, event)
    const conclusion = await this.#carryOut(result, basis, failures.length > 0, nowMs)
    // Its new owner starts from the beginning.
    if (active?.isRevoked) this.#forget(key)
    else this.#conclude(key, begun, conclusion)
    return costMs
  }

  /** What the reconciler wants to know that the view does not hold. What fails is retried with back-off. */
  async #observe(key: string, begun: KeyHistory, active: ActiveKey | undefined): Promise<JsonObject | undefined> {
    const { view, sender, clock } = this.#options
    const observation = this.reconciler.observe?.(key, view, { nowMs: clock.nowMs(), memory: begun.memory })
    if (!observation) return undefined
    const basis: RoundBasis = { basis: view.sequence, round: '', cause: begun.cause, key: active }
    try {
      return await observeWith(observation, (requests) => sender.ask(requests, basis))
    } catch (error) {
      // The retry has this round's cause.
      this.#histories.noteCause(key, begun.cause)
      throw error
    }
  }

  /** Sends the commands and waits until the view has seen their effects. */
  async #carryOut(result: ReconcileResult, basis: RoundBasis, careful: boolean, nowMs: number): Promise<Conclusion> {
    const { sender, recorder, view } = this.#options
    const { answered, skipped } = await sender.send(result.commands ?? [], basis, careful)
    const outcome = outcomeOf(answered)
    for (const event of outcome.events) recorder.record(this.reconciler.component, event)
    for (const { groupResource, key } of outcome.usedNames) view.noteDeleted(groupResource, key, nowMs)
    let { sequence, failures } = outcome
    const usedName = outcome.usedNames.at(-1)
    if (usedName) {
      // Whoever used the name may have had a reason that this view does not show yet, and another one to let the object go.
      // Choosing another name without knowing both would make a second child.
      const end = await sender.logEnd(usedName.request, view.sequence)
      if (end.ok) sequence = Math.max(sequence, end.sequence)
      else failures = [...failures, { request: usedName.request, status: end.status }]
    }
    await this.#waitForView(sequence)
    const isSkippedOnly = skipped && outcome.failures.length === 0
    return { result, failures, metUsedName: usedName !== undefined, skipped: isSkippedOnly }
  }

  async #waitForView(sequence: number): Promise<void> {
    const { view, clock, stopping } = this.#options
    if (sequence <= view.sequence) return
    const deadline = new AbortController()
    using _timer = clock.after(viewWaitMs, () => {
      deadline.abort(new Error(`the view has not seen sequence ${sequence} within ${viewWaitMs} ms`))
    })
    await view.waitForSequence(sequence, AbortSignal.any([stopping, deadline.signal]))
  }

  /** Failures are retried with back-off; what was skipped or needs other names runs again at once. */
  #conclude(key: string, begun: KeyHistory, { result, failures, metUsedName, skipped }: Conclusion): void {
    this.#histories.conclude(key, begun, failures, metUsedName)
    this.#histories.remember(key, result.memory)
    if (failures.length > 0) {
      this.#reportFailures(key, failures, this.#queue.addRateLimited(key))
      return
    }
    this.#queue.forget(key)
    if (metUsedName || skipped) this.#queue.add(key)
    else if (result.requeueAfterMs !== undefined) this.#queue.addAfter(key, Math.max(1, result.requeueAfterMs))
  }

  #reportFailures(key: string, failures: RoundOutcome['failures'], delayMs: number): void {
    const { log } = this.#options
    const { request, status } = failures[0]!
    const fields = { key, verb: request.verb, resource: request.resource, status: status.message, delayMs }
    if (isRace(status)) log.debug(fields, 'command refused, retrying')
    else log.warn({ ...fields, failures: failures.length }, 'command failed, retrying')
  }

  #forget(key: string): void {
    this.#histories.forget(key)
    this.#queue.forget(key)
  }
}
