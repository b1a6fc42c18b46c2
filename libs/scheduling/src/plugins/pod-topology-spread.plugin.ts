// PodTopologySpread: pods of a kind are to be spread evenly over topology domains, by their own constraints or by defaults.
import { type ClusterEvent, type Plugin, scoreMax } from '../framework/framework.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { defaultSelector } from './default-selector.ts'
import { type BoundConstraint, bindConstraint, hasAllKeys, spreadFilter, spreadScore, unjudged } from './pod-topology-spread.view.ts'
import { createSpreadClasses } from './pod-topology-spread.classes.ts'
import { compileConstraint, type SpreadConstraint } from './spread-constraints.ts'

export interface SpreadArguments {
  readonly defaultingType: 'System' | 'List'
  /** For List: the constraints of pods that bring none; their selector is found out. */
  readonly defaultConstraints: Parameters<typeof compileConstraint>[0][]
}

export const defaultSpreadArguments: SpreadArguments = { defaultingType: 'System', defaultConstraints: [] }

const systemConstraints: SpreadArguments['defaultConstraints'] = [
  { topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'ScheduleAnyway', maxSkew: 3 },
  { topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'ScheduleAnyway', maxSkew: 5 },
]

/** The plugin with its arguments. */
export function createPodTopologySpread({ defaultingType, defaultConstraints }: SpreadArguments): Plugin {
  const isSystem = defaultingType === 'System'
  const defaults = (isSystem ? systemConstraints : defaultConstraints).map(compileConstraint)
  const constraintsOf = (pod: PodInfo, snapshot: Snapshot) => bind(pod, snapshot, defaults)
  // Nodes without a zone still get an even share of pods by the defaults of the system.
  const requiresAll = ({ shape }: PodInfo): boolean => shape.spread.length > 0 || !isSystem
  return {
    name: 'PodTopologySpread',
    preFilter: (pod, snapshot) => {
      const hard = constraintsOf(pod, snapshot).filter(({ isHard }) => isHard)
      return hard.length === 0 ? undefined : { filter: spreadFilter(pod, snapshot, hard) }
    },
    preScore: (pod, snapshot, feasible) => {
      const soft = constraintsOf(pod, snapshot).filter(({ isHard }) => !isHard)
      return soft.length === 0 ? undefined : spreadScore(pod, snapshot, soft, requiresAll(pod), feasible)
    },
    normalize: (raw, { lowest, highest }) =>
      highest === 0 ? scoreMax : Math.trunc((scoreMax * (highest + lowest - raw)) / highest),
    unjudged,
    sign: (pod, snapshot) => signOf(pod, constraintsOf(pod, snapshot)),
    classify: (pod, snapshot) => createSpreadClasses(pod, snapshot, constraintsOf(pod, snapshot), requiresAll(pod)),
    wakes,
    wakesByLabels: true,
  }
}

/** What the constraints, which are part of the pod's shape or the same for all, mean for this pod. */
function signOf(pod: PodInfo, constraints: readonly BoundConstraint[]): string {
  if (constraints.length === 0) return ''
  const selected = constraints.map(({ selector }) => [
    selector.everything || selector.nothing ? '' : selector.requirements,
    selector.matches(pod.labels),
  ])
  return JSON.stringify([pod.namespace, selected])
}

/** The pod's own constraints, or the defaults with a selector of their own. */
function bind(pod: PodInfo, snapshot: Snapshot, defaults: readonly SpreadConstraint[]): readonly BoundConstraint[] {
  if (pod.shape.spread.length > 0) return pod.shape.spread.map((constraint) => bindConstraint(constraint, pod))
  if (defaults.length === 0) return []
  const selector = defaultSelector(pod, snapshot)
  return selector.everything ? [] : defaults.map((constraint) => ({ ...constraint, selector }))
}

/** A hint does not know Services and sets: pods with default constraints are helped by everything. */
function wakes(pod: PodInfo, event: ClusterEvent): boolean {
  const hard = pod.shape.spread.filter(({ isHard }) => isHard)
  const counts = (one: PodInfo): boolean =>
    one.namespace === pod.namespace &&
    (hard.length === 0 || hard.some((constraint) => bindConstraint(constraint, pod).selector.matches(one.labels)))
  switch (event.type) {
    case 'PodAdded':
    case 'PodFreed':
      return counts(event.pod)
    case 'PodRelabelled':
      return counts(event.before) || counts(event.after)
    case 'NodeAdded':
    case 'NodeRemoved':
      return hasAllKeys(event.node, hard)
    case 'NodeUpdated':
      return event.difference.labels || event.difference.taints
    default:
      return false
  }
}
