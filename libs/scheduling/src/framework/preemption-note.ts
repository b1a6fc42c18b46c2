// What upstream's post-filter plugins say when no room can be made: the second half of a FailedScheduling message. It
// is computed, not assumed: a node counts as "no victims" only when no pod of lower priority is on it, and when removing
// all of those would let the pod in, nothing is said, as upstream says nothing when it found victims.
import type { ActivePlugins } from './configuration.ts'
import { evaluate, type RejectedNode } from './evaluate.ts'
import { fitError } from './fit-error.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'

const notHelpful = 'Preemption is not helpful for scheduling'
const noVictims = 'No preemption victims found for incoming pod'

/** DynamicResources speaks first; the pods here have no claims. */
const claims = 'no new claims to deallocate'

export interface PreemptionQuestion {
  readonly pod: PodInfo
  readonly active: ActivePlugins
  readonly nodes: number
  /** The nodes that were looked at and why each was rejected; all others could not be helped by making room. */
  readonly rejected: readonly RejectedNode[]
}

/** The note, or undefined when making room would have helped. */
export function preemptionNote(question: PreemptionQuestion): string | undefined {
  const { pod, active, nodes, rejected } = question
  if (pod.preemptionPolicy === 'Never') return `${claims}, preemption: not eligible due to preemptionPolicy=Never.`
  const reasons = new Map<string, number>()
  const count = (reason: string, by = 1): void => void reasons.set(reason, (reasons.get(reason) ?? 0) + by)
  if (nodes > rejected.length) count(notHelpful, nodes - rejected.length)
  for (const { node, rejection } of rejected) {
    if (!rejection.resolvable) count(notHelpful)
    else if (!node.holdsLowerPriority(pod.priority)) count(noVictims)
    else {
      const emptied = node.withoutLowerPriority(pod.priority)
      const still = evaluate(active.filters, pod, emptied)
      if (still === undefined) return undefined
      for (const reason of still.rejection.reasons) count(reason)
    }
  }
  return `${claims}, preemption: ${fitError({ nodes, reasons })}`
}
