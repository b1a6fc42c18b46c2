// Pods of a gang are taken from the queue together, decided one after the other, and bound in one atomic group; or, when not enough
// of them have a node, all of them wait.
//
// A gang that came to nothing leaves no trace in the snapshot. What is told of it (why which pod fits nowhere) was decided with the
// pods before it on their nodes: these are recorded as refused, so that it can be computed again.
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { placementsMax } from '@shiplog/api/placements'
import type { Decision } from '@shiplog/scheduling/framework/schedule'
import { decideGang, type GangDecision, waitingForGang } from '@shiplog/scheduling/gang/gang'
import type { PodInfo } from '@shiplog/scheduling/snapshot/pod-info'
import type { AttemptReports } from './attempt-reports.ts'
import type { BindingCycle } from './binding-cycle.ts'
import type { ClusterView } from './cluster-view.ts'
import { type DecisionContext, decisionRecord } from './decision-record.ts'
import type { QueuedPod } from './queued-pods.ts'

export interface GangDecisionsDeps {
  readonly view: () => ClusterView
  readonly bindings: BindingCycle
  readonly reports: AttemptReports
  readonly contextOf: (pod: PodInfo, first?: number) => DecisionContext
  readonly giveUp: (pod: PodInfo, object: Pod, decision: Decision, context: DecisionContext) => boolean
  readonly nextNumber: () => number
}

type Decided = GangDecision<QueuedPod>

export class GangDecisions {
  readonly #deps: GangDecisionsDeps

  constructor(deps: GangDecisionsDeps) {
    this.#deps = deps
  }

  /** `queued` is the one that came first; `size`: how many have to have a node. */
  attempt(queued: QueuedPod, size: number): void {
    const { view: viewOf, bindings, contextOf, nextNumber } = this.#deps
    const view = viewOf()
    const { group, schedulerName } = queued.pod
    const uids = view.groups.members(group)
    const others = view.queue.popTogether(uids).filter(({ pod }) => pod.schedulerName === schedulerName)
    const members = [queued, ...others].sort(byPriority)
    if (uids.values().some((uid) => bindings.has(uid))) {
      // What is under way may yet come to nothing, and these would be alone then: they wait for it.
      for (const { pod } of members) view.queue.retry(pod.uid)
      return
    }
    const isPlaced = (uid: string): boolean => view.snapshot.nodeOf(uid) !== undefined
    const placedBefore = uids.values().reduce((sum, uid) => sum + (isPlaced(uid) ? 1 : 0), 0)
    const contexts = new Map<QueuedPod, DecisionContext>()
    const first = nextNumber()
    const decided = decideGang(members, { snapshot: view.snapshot, size, placedBefore }, (member) => {
      contexts.set(member, contextOf(member.pod, first))
      return view.decide(member.pod)
    })
    const isTooLarge = decided.placed.length > placementsMax
    if (decided.isWhole && !isTooLarge) this.#bind(group, decided, contexts)
    this.#giveUp(group, decided, contexts, isTooLarge ? tooLarge(decided.placed.length) : waitingForGang)
  }

  #bind(group: string, { placed }: Decided, contexts: ReadonlyMap<QueuedPod, DecisionContext>): void {
    const { view, bindings, reports } = this.#deps
    const placements = placed.map(({ member, decision }) => {
      const context = contexts.get(member)!
      const { number } = context
      const object = view().waiting.get(member.pod.uid)!
      return { queued: member, object, node: decision.node, number, record: decisionRecord(context, decision) }
    })
    bindings.beginTogether(placements, () => {
      const podGroup = view().snapshot.objects.podGroup(group)
      if (podGroup !== undefined) reports.groupScheduled(podGroup, true)
    })
  }

  /** What is left over of a gang that is bound, or all of one that is not. */
  #giveUp(group: string, { placed, failed, isWhole }: Decided, contexts: ReadonlyMap<QueuedPod, DecisionContext>, why: string): void {
    const { view: viewOf, reports, giveUp, nextNumber } = this.#deps
    const view = viewOf()
    let isTold = false
    for (const { member, decision } of failed) {
      const { pod } = member
      if (giveUp(pod, view.waiting.get(pod.uid)!, decision, contexts.get(member)!)) isTold = true
    }
    if (isWhole && why === waitingForGang) return
    const plugins = [...new Set(failed.flatMap(({ decision }) => decision.failure!.plugins))].sort()
    const forgotten = { forgottenBefore: nextNumber(), basis: view.sequence }
    for (const { member, decision } of placed) {
      const { pod } = member
      view.queue.fail(pod.uid, plugins)
      reports.waitingForGang(pod, view.waiting.get(pod.uid)!, why, view)
      const refused = { pod, node: decision.node, number: contexts.get(member)!.number }
      if (isTold) reports.recordRefusal(refused, { message: why }, forgotten)
    }
    const podGroup = view.snapshot.objects.podGroup(group)
    if (podGroup !== undefined) reports.groupScheduled(podGroup, false)
  }
}

/** As upstream orders a group: the queue's order among those of equal priority. */
const byPriority = (a: QueuedPod, b: QueuedPod): number => b.priority - a.priority || a.enqueuedMs - b.enqueuedMs

const tooLarge = (count: number): string =>
  `a gang is bound in one atomic group, which holds ${placementsMax} pods: this one has ${count}`
