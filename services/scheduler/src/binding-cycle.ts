// What becomes of a decision for a node: the pod is assumed there, its binding goes to the log, and the feed shows it; or it is
// refused, and the assumption is taken back.
//
// Of several replicas each decides about its share of the pods. What the others bind at the same moment is refused by a guard
// of the node (ApiRequest.once), and the pod is decided anew as soon as the snapshot shows it.
import type { ApiClient, ApiRequest, Once } from '@shiplog/api/api-client'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import type { Logger } from '@shiplog/runtime/logger'
import type { AttemptReports } from './attempt-reports.ts'
import { bind, type BindOutcome } from './binder.ts'
import type { ClusterView } from './cluster-view.ts'
import { claimOf, contestedDomains, mayClaim, onceTogether } from './node-claim.ts'
import { anyRevokedInFlight, createPendingBinding, type PendingBinding, type Refusal } from './pending-binding.ts'
import { bindingRequest, placementsRequest } from './pod-messages.ts'
import type { QueuedPod } from './queued-pods.ts'

/** Bindings under way at once: enough to fill group commits, few enough that a refusal does not undo much. */
export const bindingsInFlightMax = 512

const notShown: Refusal = { error: 'the feed did not show the binding' }
const podGone: Refusal = { message: 'the pod is gone' }

export interface BindingCycleDeps {
  readonly client: ApiClient
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly reports: AttemptReports
  readonly signal: AbortSignal
  readonly view: () => ClusterView
  readonly owns: (uid: string) => boolean
  /** Whether others bind, too: then nodes need a guard. */
  readonly isShared: boolean
  /** The number of the decision that comes next. */
  readonly nextNumber: () => number
  readonly requestTurn: () => void
  /** Claims of one epoch reckon with each other; this is the first. */
  readonly epoch: string
}

export interface Placement {
  readonly queued: QueuedPod
  readonly object: Pod
  readonly node: string
  readonly number: number
  readonly record: JsonObject
}

export class BindingCycle {
  readonly #deps: BindingCycleDeps
  /** Decisions by pod, oldest first; they outlive a feed that has to be followed anew. */
  readonly #pending = new Map<string, PendingBinding>()
  #epoch: string
  #inFlight = 0
  #onIdle: (() => void) | undefined
  readonly #revocationWaiters: (() => void)[] = []

  constructor(deps: BindingCycleDeps) {
    this.#deps = deps
    this.#epoch = deps.epoch
  }

  get isBusy(): boolean {
    return this.#inFlight > 0
  }

  get isFull(): boolean {
    return this.#inFlight >= bindingsInFlightMax
  }

  /** A decision about this pod is under way. */
  has(uid: string): boolean {
    return this.#pending.has(uid)
  }

  /** The lowest number among the decisions that are still open. */
  openFrom(number: number): number {
    return this.#pending.values().next().value?.number ?? number
  }

  /** Assumes the pod on its node, and sends the binding. */
  begin(placement: Placement): void {
    const pending = this.#pendingOf(placement)
    const request = this.#requestOf(pending, placement.record)
    this.#assume(pending)
    this.#send([pending], [placement], request)
  }

  /** The same for pods that are bound together, all or none. */
  beginTogether(placements: readonly Placement[], onBound: () => void): void {
    const { view, isShared } = this.#deps
    const pending = placements.map((placement) => this.#pendingOf(placement))
    const bare = placementsRequest(placements.map(({ queued, node, record }) => ({ pod: queued.pod, node, record })), view().sequence)
    const { snapshot, knownTerms } = view()
    const once = isShared ? { once: onceTogether(pending, this.#epoch, snapshot, knownTerms) } : {}
    const isWanted = (): boolean => !pending.some(({ isRevoked }) => isRevoked)
    for (const one of pending) this.#assume(one)
    this.#send(pending, placements, { ...bare, ...once, isWanted }, onBound)
  }

  #pendingOf({ queued, object, node, number }: Placement): PendingBinding {
    return createPendingBinding({ pod: queued.pod, object, node, number, startedMs: this.#deps.clock.nowMs() })
  }

  #assume(pending: PendingBinding): void {
    this.#pending.set(pending.pod.uid, pending)
    this.#deps.view().snapshot.assume(pending.pod, pending.node)
    this.#inFlight++
  }

  #send(pending: readonly PendingBinding[], placements: readonly Placement[], request: ApiRequest, onBound?: () => void): void {
    const { client, clock, signal, log } = this.#deps
    const [first] = pending
    bind({ client, clock, signal }, first!, request)
      .then((outcome) => {
        for (const [index, one] of pending.entries()) this.#settle(one, placements[index]!.queued, outcome)
        if (outcome.kind === 'bound') onBound?.()
      })
      .catch((err: unknown) => {
        if (!signal.aborted) log.error({ err, pod: reference(first!) }, 'binding failed')
        for (const one of pending) this.#refuse(one, { error: String(err) })
      })
      .finally(() => {
        for (const one of pending) this.#ended(one)
      })
  }

  /** The feed shows the pod on a node, or that it is gone. */
  shown(uid: string, nodeName: string | undefined): void {
    const pending = this.#pending.get(uid)
    if (pending === undefined) return
    this.#pending.delete(uid)
    pending.outcome = nodeName === pending.node ? 'bound' : 'void'
    // What was assumed and will never be in the log is told, or decisions made meanwhile cannot be computed again.
    if (pending.outcome === 'void') this.#recordRefusal(pending, podGone)
  }

  /** What the log is known to hold up to this sequence has been shown by now; if it was not, something undid it. */
  expire(sequence: number): void {
    for (const pending of this.#pending.values()) {
      if (pending.boundAt !== undefined && pending.boundAt <= sequence) this.#takeBack(pending, notShown)
    }
  }

  /** After the feed was followed anew: decisions that it does not show are assumed again. */
  resume(): void {
    const { waiting, queue, snapshot } = this.#deps.view()
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

  /** Pods that are another replica's by now: what has not been sent is not sent. Resolves when nothing of theirs is under way. */
  revoke(): Promise<void> {
    for (const [uid, pending] of this.#pending) if (!this.#deps.owns(uid)) pending.isRevoked = true
    return new Promise((resolve) => {
      this.#revocationWaiters.push(resolve)
      this.#resolveRevocations()
    })
  }

  /** Resolves when no binding is under way, or after the timeout. */
  async idle(timeoutMs: number): Promise<void> {
    if (this.#inFlight === 0) return
    const idle = Promise.withResolvers<void>()
    this.#onIdle = idle.resolve
    using _timer = this.#deps.clock.after(timeoutMs, idle.resolve)
    await idle.promise
  }

  #resolveRevocations(): void {
    if (anyRevokedInFlight(this.#pending)) return
    for (const resolve of this.#revocationWaiters.splice(0)) resolve()
  }

  #requestOf(pending: PendingBinding, record: JsonObject): ApiRequest {
    const request = bindingRequest(pending.pod, pending.node, this.#deps.view().sequence, record)
    if (!this.#deps.isShared) return request
    return { ...request, once: this.#onceOf(pending), isWanted: () => !pending.isRevoked }
  }

  #onceOf({ pod, node: nodeName, number }: PendingBinding): Once {
    const { snapshot, knownTerms } = this.#deps.view()
    const node = snapshot.node(nodeName)
    const claim = node && mayClaim(pod) ? { claim: claimOf(pod, node, number) } : {}
    const also = node ? contestedDomains(pod, node, snapshot, knownTerms) : []
    return { matter: `node/${nodeName}`, round: this.#epoch, ...claim, ...(also.length > 0 ? { also } : {}) }
  }

  #settle(pending: PendingBinding, queued: QueuedPod, outcome: BindOutcome): void {
    switch (outcome.kind) {
      case 'bound':
        this.#deps.reports.scheduled(pending, queued)
        if (outcome.sequence === 0) return
        pending.boundAt = outcome.sequence
        // The feed may have been faster than the answer.
        if (outcome.sequence <= this.#deps.view().sequence) this.#takeBack(pending, notShown)
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

  #ended(pending: PendingBinding): void {
    this.#inFlight--
    pending.isInFlight = false
    if (this.#inFlight === 0) this.#onIdle?.()
    if (pending.isRevoked) this.#resolveRevocations()
    this.#deps.requestTurn()
  }

  #refuse(pending: PendingBinding, why: Refusal, overtakenAt?: number): void {
    const { signal, reports } = this.#deps
    if (signal.aborted) return
    if (overtakenAt === undefined) reports.failed(pending)
    else reports.overtaken()
    this.#takeBack(pending, why, overtakenAt)
    if (why.code === 404 || why.code === 409 || pending.isRevoked) return
    reports.noteRejection(pending, why)
  }

  /**
   * Forgets an assumption: the room is free for others, and the pod is tried again, after a while or, when another replica
   * was merely faster, as soon as the snapshot shows what that one did.
   */
  #takeBack(pending: PendingBinding, why: Refusal, overtakenAt?: number): void {
    const { pod, node } = pending
    const view = this.#deps.view()
    // When the feed has shown the pod bound or deleted, it has taken the decision away already.
    if (this.#pending.get(pod.uid) !== pending) return
    this.#pending.delete(pod.uid)
    if (overtakenAt === undefined) this.#deps.log.warn({ pod: reference(pending), node, why }, 'assumed pod was forgotten')
    if (!this.#deps.owns(pod.uid)) view.giveAway(pod.uid)
    else if (overtakenAt === undefined) view.queue.retry(pod.uid)
    else if (overtakenAt <= view.sequence) view.queue.again(pod.uid)
    else view.overtaken.set(pod.uid, overtakenAt)
    if (view.snapshot.forget(pod.uid)) view.queue.wake({ type: 'PodFreed', pod })
    this.#recordRefusal(pending, why)
  }

  /** Decisions from the next number on did not assume it any more. */
  #recordRefusal(pending: PendingBinding, why: Refusal): void {
    const { reports, nextNumber, view } = this.#deps
    reports.recordRefusal(pending, why, { forgottenBefore: nextNumber(), basis: view().sequence })
  }
}

const reference = ({ pod: { namespace, name } }: PendingBinding): { namespace: string; name: string } => ({ namespace, name })
