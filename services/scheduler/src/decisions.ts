// What happens in a turn: pods are taken from the queue and decided, one after the other, until there is nothing to decide, or
// something has to come back from the log first.
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { Profiles } from '@shiplog/scheduling/framework/profiles'
import type { Decision } from '@shiplog/scheduling/framework/schedule'
import { tieRule } from '@shiplog/scheduling/framework/tie-break'
import type { PodInfo } from '@shiplog/scheduling/snapshot/pod-info'
import type { AttemptReports } from './attempt-reports.ts'
import type { BindingCycle } from './binding-cycle.ts'
import type { ClusterView } from './cluster-view.ts'
import type { ConfigurationRecords } from './configuration-records.ts'
import { type DecisionContext, decisionRecord } from './decision-record.ts'
import { GangDecisions } from './gang-decisions.ts'
import type { QueuedPod } from './queued-pods.ts'
import type { RoomMaker } from './room-maker.ts'
import type { Turns } from './turns.ts'

/** Decisions in one turn of the event loop; then I/O gets its turn. */
const decisionsPerTurnMax = 128

export interface DecisionsDeps {
  readonly profiles: Profiles
  /** One life of this scheduler. */
  readonly run: string
  readonly signal: AbortSignal
  readonly view: () => ClusterView
  readonly bindings: BindingCycle
  readonly roomMaker: RoomMaker
  readonly reports: AttemptReports
  readonly configurations: ConfigurationRecords
  readonly turns: Turns
  readonly owns: (uid: string) => boolean
}

export class Decisions {
  readonly #deps: DecisionsDeps
  readonly #gangs: GangDecisions
  /** Of the decisions that were made. */
  #count = 0

  constructor(deps: DecisionsDeps) {
    this.#deps = deps
    const { view, bindings, reports } = deps
    this.#gangs = new GangDecisions({
      ...{ view, bindings, reports },
      contextOf: (pod, first) => this.#contextOf(pod, first),
      giveUp: (pod, object, decision, context) => this.#giveUp(pod, object, decision, context),
      nextNumber: () => this.next,
    })
  }

  /** The number of the decision that comes next. */
  get next(): number {
    return this.#count + 1
  }

  pump(): void {
    const { signal, view, roomMaker, bindings, turns, owns } = this.#deps
    const { queue, synced } = view()
    if (signal.aborted || !synced || roomMaker.isNominating) return
    for (const end = this.#count + decisionsPerTurnMax; this.#count < end; ) {
      // The next binding that ends will ask again.
      if (bindings.isFull) return
      const queued = queue.pop()
      if (queued === undefined) {
        const atMs = queue.nextReadyMs()
        if (atMs !== undefined) turns.requestAt(atMs)
        return
      }
      if (owns(queued.pod.uid)) this.#attempt(queued)
      else view().giveAway(queued.pod.uid)
      // What is decided next has to see the nomination.
      if (roomMaker.isNominating) return
    }
    turns.request()
  }

  #attempt(queued: QueuedPod): void {
    const { view: viewOf, bindings } = this.#deps
    const view = viewOf()
    const { pod } = queued
    if (pod.group !== '') {
      if (view.heldBack(pod) !== undefined) {
        view.queue.hold(pod.uid)
        return
      }
      const size = view.snapshot.objects.gangSize(pod.group)
      if (size !== undefined) {
        this.#gangs.attempt(queued, size)
        return
      }
    }
    const object = view.waiting.get(pod.uid)!
    const decision = view.decide(pod)
    const context = this.#contextOf(pod)
    if (decision.failure) {
      this.#giveUp(pod, object, decision, context)
      return
    }
    const record = decisionRecord(context, decision)
    bindings.begin({ queued, object, node: decision.node!, number: context.number, record })
  }

  /** `first`: the number of the first decision that this one sees assumed, besides those of pods that are being bound. */
  #contextOf({ schedulerName }: PodInfo, first?: number): DecisionContext {
    const { profiles, configurations, bindings, view, run } = this.#deps
    const number = ++this.#count
    const profile = profiles.of(schedulerName)!
    const { hash, configuration } = profile
    configurations.note(profile)
    const { assumedCount: count, assumedDigest: digest } = view().snapshot
    return {
      ...{ scheduler: schedulerName, run, number, configuration: hash, seed: configuration.seed, ties: tieRule },
      assumed: { count, openFrom: bindings.openFrom(first ?? number), digest },
    }
  }

  /** Whether it was told: what is known already is not told again. */
  #giveUp(pod: PodInfo, object: Pod, decision: Decision, context: DecisionContext): boolean {
    const { reports, roomMaker, view } = this.#deps
    const { queue, sequence, reported } = view()
    const failure = decision.failure!
    queue.fail(pod.uid, failure.plugins)
    const record = { basis: sequence, ...decisionRecord(context, decision) }
    if (failure.preemption === undefined) return reports.unschedulable(pod, object, failure, record, reported)
    const preemptor = { pod, object, message: failure.message, basis: sequence, preemption: failure.preemption }
    reported.set(pod.uid, failure.message)
    reports.preempting(preemptor, record)
    roomMaker.make(preemptor)
    return true
  }
}
