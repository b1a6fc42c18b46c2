// What happens in a turn: pods are taken from the queue and decided, one after the other, until there is nothing to decide, or
// something has to come back from the log first.
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { Logger } from '@shiplog/runtime/logger'
import type { Profiles } from '@shiplog/scheduling/framework/profiles'
import { extenderName, type ExtenderOpinion, withOpinion } from '@shiplog/scheduling/framework/extenders'
import { type Decision, schedule } from '@shiplog/scheduling/framework/schedule'
import { tieRule } from '@shiplog/scheduling/framework/tie-break'
import type { PodInfo } from '@shiplog/scheduling/snapshot/pod-info'
import type { AttemptReports } from './attempt-reports.ts'
import type { BindingCycle } from './binding-cycle.ts'
import type { ClusterView } from './cluster-view.ts'
import type { ConfigurationRecords } from './configuration-records.ts'
import { type DecisionContext, decisionRecord, recordedOpinion } from './decision-record.ts'
import type { Extenders } from './extender-client.ts'
import { ExtenderDecisions } from './extender-decisions.ts'
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
  /** Undefined when there are none. */
  readonly extenders: Extenders | undefined
  readonly log: Logger
}

export class Decisions {
  readonly #deps: DecisionsDeps
  readonly #gangs: GangDecisions
  readonly #extended: ExtenderDecisions | undefined
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
    if (deps.extenders !== undefined) {
      this.#extended = new ExtenderDecisions({
        ...{ extenders: deps.extenders, view, reports, log: deps.log, signal: deps.signal },
        requestTurn: () => deps.turns.request(),
        decide: (queued, opinion) => this.#decideWith(queued, opinion),
      })
    }
  }

  /** The number of the decision that comes next. */
  get next(): number {
    return this.#count + 1
  }

  pump(): void {
    const { signal, view, roomMaker, bindings, turns, owns } = this.#deps
    const { queue, synced } = view()
    if (signal.aborted || !synced || roomMaker.isNominating || this.#extended?.isAsking) return
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
      // What is decided next has to see the nomination, or what extenders say.
      if (roomMaker.isNominating || this.#extended?.isAsking) return
    }
    turns.request()
  }

  #attempt(queued: QueuedPod): void {
    const { view: viewOf, profiles } = this.#deps
    const view = viewOf()
    const { pod } = queued
    if (pod.group !== '') {
      if (view.heldBack(pod) !== undefined) {
        view.queue.hold(pod.uid)
        return
      }
      const size = view.snapshot.objects.gangSize(pod.group)
      if (size !== undefined) {
        this.#attemptGang(queued, size)
        return
      }
    }
    const object = view.waiting.get(pod.uid)!
    if (this.#extended?.concern(object)) this.#extended.attempt(queued, profiles.of(pod.schedulerName)!)
    else this.#conclude(queued, view.decide(pod), this.#contextOf(pod))
  }

  #attemptGang(queued: QueuedPod, size: number): void {
    const { view, reports } = this.#deps
    const { queue, waiting } = view()
    const { pod } = queued
    const object = waiting.get(pod.uid)!
    if (!this.#extended?.concern(object)) {
      this.#gangs.attempt(queued, size)
      return
    }
    queue.fail(pod.uid, [extenderName])
    reports.waitingForGang(pod, object, 'pods of a gang cannot be shown to extenders', view())
  }

  #decideWith(queued: QueuedPod, opinion: ExtenderOpinion): void {
    const { pod } = queued
    const { profiles, view } = this.#deps
    const profile = profiles.of(pod.schedulerName)!
    const decision = schedule(pod, view().snapshot, withOpinion(profile, opinion), profile.configuration.seed)
    const extenders = recordedOpinion(opinion)!
    this.#conclude(queued, decision, { ...this.#contextOf(pod), extenders })
  }

  #conclude(queued: QueuedPod, decision: Decision, context: DecisionContext): void {
    const { pod } = queued
    const object = this.#deps.view().waiting.get(pod.uid)!
    if (decision.failure) {
      this.#giveUp(pod, object, decision, context)
      return
    }
    const record = decisionRecord(context, decision)
    this.#deps.bindings.begin({ queued, object, node: decision.node!, number: context.number, record })
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
