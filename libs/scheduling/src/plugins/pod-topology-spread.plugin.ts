// PodTopologySpread: pods of a kind are to be spread evenly over topology domains, by their own constraints or by defaults.
import { type ClusterEvent, type Plugin, scoreMax } from '../framework/framework.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { defaultSelector } from './default-selector.ts'
import { type BoundConstraint, bindConstraint, hasAllKeys, spreadFilter, spreadScore, unjudged } from './pod-topology-spread.view.ts'
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
  return {
    name: 'PodTopologySpread',
    preFilter: (pod, snapshot) => {
      const hard = constraintsOf(pod, snapshot).filter(({ isHard }) => isHard)
      return hard.length === 0 ? undefined : { filter: spreadFilter(pod, snapshot, hard) }
    },
    preScore: (pod, snapshot, feasible) => {
      const soft = constraintsOf(pod, snapshot).filter(({ isHard }) => !isHard)
      if (soft.length === 0) return undefined
      // Nodes without a zone still get an even share of pods by the defaults of the system.
      const requiresAll = pod.shape.spread.length > 0 || !isSystem
      return spreadScore(pod, snapshot, soft, requiresAll, feasible)
    },
    normalize: (raw, { lowest, highest }) =>
      highest === 0 ? scoreMax : Math.trunc((scoreMax * (highest + lowest - raw)) / highest),
    unjudged,
    // Where pods of the kind are changes with every decision, and with it every node's verdict: such pods are decided alone.
    sign: (pod, snapshot) => (constraintsOf(pod, snapshot).length === 0 ? '' : undefined),
    wakes,
    wakesByLabels: true,
  }
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
