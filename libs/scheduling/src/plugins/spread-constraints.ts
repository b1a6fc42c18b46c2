// Topology spread constraints, compiled once per shape of pod; and the constraints of pods that bring none of their own.
import type { TopologySpreadConstraint } from '@shiplog/api/generated/types/core-v1'
import type { LabelSelector } from '@shiplog/api/selectors'

export interface SpreadConstraint {
  readonly maxSkew: number
  readonly topologyKey: string
  readonly isHard: boolean
  readonly labelSelector: LabelSelector | undefined
  readonly matchLabelKeys: readonly string[]
  readonly minDomains: number
  /** Whether only nodes that the pod's node affinity and selector allow count. */
  readonly honorsAffinity: boolean
  /** Whether nodes with taints that the pod does not tolerate count for nothing. */
  readonly honorsTaints: boolean
}

export const compileConstraint = (constraint: TopologySpreadConstraint): SpreadConstraint => ({
  maxSkew: constraint.maxSkew,
  topologyKey: constraint.topologyKey,
  isHard: constraint.whenUnsatisfiable === 'DoNotSchedule',
  labelSelector: constraint.labelSelector as LabelSelector | undefined,
  matchLabelKeys: constraint.matchLabelKeys ?? [],
  minDomains: constraint.minDomains ?? 1,
  honorsAffinity: (constraint.nodeAffinityPolicy ?? 'Honor') === 'Honor',
  honorsTaints: (constraint.nodeTaintsPolicy ?? 'Ignore') === 'Honor',
})

export const compileConstraints = (
  constraints: readonly TopologySpreadConstraint[] | undefined,
): readonly SpreadConstraint[] => (constraints ?? []).map(compileConstraint)
