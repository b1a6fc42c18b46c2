// The pods that stand in a namespace when its enforced level is raised: they stay, and whoever raised it is told of them.
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { evaluatePod, reasonsText } from './evaluate.ts'
import { type LevelVersion, levelVersionText } from './policy.ts'

/** A write waits for this: of more pods only the first are looked at. */
export const podsCheckedMax = 3_000

interface Violators {
  /** The first of their names. */
  readonly name: string
  readonly count: number
}

/** The warnings about the pods of a namespace that what is enforced from now on would refuse. */
export function existingPodWarnings(namespace: string, pods: readonly Pod[], enforce: LevelVersion): string[] {
  const violators = new Map<string, Violators>()
  for (const pod of byController(pods).slice(0, podsCheckedMax)) {
    const violations = evaluatePod(pod, enforce)
    if (violations.length === 0) continue
    const reasons = reasonsText(violations)
    const { name = pod.metadata.name, count = 0 } = violators.get(reasons) ?? {}
    violators.set(reasons, { name: pod.metadata.name < name ? pod.metadata.name : name, count: count + 1 })
  }
  return [
    ...(pods.length > podsCheckedMax
      ? [
          `new PodSecurity enforce level only checked against the first ${podsCheckedMax} of ${pods.length} existing pods`,
        ]
      : []),
    ...(violators.size > 0
      ? [
          `existing pods in namespace "${namespace}" violate the new PodSecurity enforce level "${levelVersionText(enforce)}"`,
        ]
      : []),
    ...[...violators].map(([reasons, { name, count }]) => `${name}${othersText(count - 1)}: ${reasons}`).sort(),
  ]
}

const othersText = (count: number): string =>
  count === 0 ? '' : count === 1 ? ' (and 1 other pod)' : ` (and ${count} other pods)`

/** One pod of each controller first: its others are most likely like it. */
function byController(pods: readonly Pod[]): readonly Pod[] {
  const seen = new Set<string>()
  const [first, others]: [Pod[], Pod[]] = [[], []]
  for (const pod of pods) {
    const controller = pod.metadata.ownerReferences?.find((owner) => owner.controller)?.uid
    const isLikeAnother = controller !== undefined && seen.has(controller)
    if (controller !== undefined) seen.add(controller)
    ;(isLikeAnother ? others : first).push(pod)
  }
  return [...first, ...others]
}
