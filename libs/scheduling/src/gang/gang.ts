// Gangs: pods that get their nodes together or not at all (upstream: a pod group scheduling cycle). Each is decided as a pod alone
// would be, in the order of the queue, with those before it on their nodes; if enough of them have one in the end, those are
// bound, in one atomic group, and else none is.
import type { Decision } from '../framework/schedule.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'

/** What is told of a pod that would have had a node; upstream's sentence. */
export const waitingForGang = 'waiting for minCount pods from a gang to be scheduled'

/** Why a pod of a group may not enter the queue yet; upstream's sentences. */
export function heldBackByGroup(pod: PodInfo, { objects }: Snapshot, membersKnown: number): string | undefined {
  if (pod.group === '') return undefined
  if (objects.podGroup(pod.group) === undefined) {
    const name = pod.group.slice(pod.group.indexOf('/') + 1)
    return `waiting for pods's pod group ${JSON.stringify(name)} to appear in scheduling queue`
  }
  const size = objects.gangSize(pod.group)
  if (size === undefined || membersKnown >= size) return undefined
  return 'waiting for minCount pods from a gang to appear in scheduling queue'
}

export interface GangDecision<Member> {
  /** Those that have a node, with their decisions, in the order in which they were decided. */
  readonly placed: readonly { readonly member: Member; readonly decision: Decision & { readonly node: string } }[]
  readonly failed: readonly { readonly member: Member; readonly decision: Decision }[]
  /** Whether enough have a node, those included that had one before. */
  readonly isWhole: boolean
}

/**
 * Decides about pods of one gang. `decide` sees the snapshot with the pods before on their nodes; afterwards it is as it was.
 * `placedBefore`: how many of the gang have a node already.
 */
export function decideGang<Member extends { readonly pod: PodInfo }>(
  members: readonly Member[],
  { snapshot, size, placedBefore }: { readonly snapshot: Snapshot; readonly size: number; readonly placedBefore: number },
  decide: (member: Member) => Decision,
): GangDecision<Member> {
  const placed: { member: Member; decision: Decision & { readonly node: string } }[] = []
  const failed: { member: Member; decision: Decision }[] = []
  try {
    for (const member of members) {
      const decision = decide(member)
      const { node } = decision
      if (node === undefined) failed.push({ member, decision })
      else {
        snapshot.assume(member.pod, node)
        placed.push({ member, decision: { ...decision, node } })
      }
    }
  } finally {
    for (const { member } of placed) snapshot.forget(member.pod.uid)
  }
  return { placed, failed, isWhole: placed.length > 0 && placedBefore + placed.length >= size }
}
