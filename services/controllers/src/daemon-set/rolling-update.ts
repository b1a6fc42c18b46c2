// A rolling update of a DaemonSet, in one of two ways: the old pod of a node goes and a new one is made (maxUnavailable), or
// the new one is made beside the old one, which goes when the new one is available (maxSurge).
import type { DaemonSet } from '@shiplog/api/generated/types/apps-v1'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { scaledValue } from '@shiplog/api/int-or-string'
import { isBeingDeleted } from '../shared/ownership.ts'
import { isUpdated, type Placement } from './daemon-pods.ts'

/** A node with what there is and should be of the set. */
export interface DaemonNode {
  readonly name: string
  /** Undefined for a node that does not exist. */
  readonly placement: Placement | undefined
  readonly pods: readonly Pod[]
}

export interface UpdateSteps {
  readonly remove: readonly Pod[]
  /** Nodes that get a new pod beside the old one. */
  readonly create: readonly string[]
}

/** Both round up. */
const scaledOf = (value: number | string | undefined, nodes: number): number =>
  scaledValue(value ?? 0, nodes, true) ?? 0

const isRolling = (set: DaemonSet): boolean => set.spec.updateStrategy.type === 'RollingUpdate'

export const allowsSurge = (set: DaemonSet): boolean =>
  isRolling(set) && scaledOf(set.spec.updateStrategy.rollingUpdate?.maxSurge, 1) > 0

/** The old and the new pod of a node; undefined when there are several of either, which is for others to mend. */
function pairOf(set: DaemonSet, pods: readonly Pod[], hash: string): { old?: Pod; fresh?: Pod } | undefined {
  const live = pods.filter((pod) => !isBeingDeleted(pod))
  const fresh = live.filter((pod) => isUpdated(set, pod, hash))
  const old = live.filter((pod) => !isUpdated(set, pod, hash))
  if (fresh.length > 1 || old.length > 1) return undefined
  return { ...(old[0] ? { old: old[0] } : {}), ...(fresh[0] ? { fresh: fresh[0] } : {}) }
}

export function rollingUpdate(
  set: DaemonSet,
  all: readonly DaemonNode[],
  hash: string,
  isAvailable: (pod: Pod) => boolean,
): UpdateSteps {
  if (!isRolling(set)) return { remove: [], create: [] }
  const wanted = all.filter(({ placement }) => placement?.runs).length
  const nodes = all.filter(({ placement, pods }) => placement?.runs || pods.length > 0)
  const { maxSurge, maxUnavailable } = set.spec.updateStrategy.rollingUpdate ?? {}
  const surge = scaledOf(maxSurge, wanted)
  const unavailable = scaledOf(maxUnavailable, wanted)
  if (surge > 0) return surgeSteps(set, nodes, hash, { surge, wanted, isAvailable })
  const allowed = wanted > 0 && unavailable === 0 ? 1 : unavailable
  return { remove: replaceable(set, nodes, hash, { allowed, isAvailable }), create: [] }
}

function replaceable(
  set: DaemonSet,
  nodes: readonly DaemonNode[],
  hash: string,
  { allowed, isAvailable }: { readonly allowed: number; readonly isAvailable: (pod: Pod) => boolean },
): readonly Pod[] {
  let unavailable = 0
  const broken: Pod[] = []
  const candidates: Pod[] = []
  for (const { pods } of nodes) {
    const pair = pairOf(set, pods, hash)
    const only = pair?.old && pair.fresh ? undefined : (pair?.old ?? pair?.fresh)
    if (!only || !isAvailable(only)) unavailable++
    if (!only || only !== pair?.old) continue
    if (isAvailable(only)) candidates.push(only)
    else broken.push(only)
  }
  return [...broken, ...candidates.slice(0, Math.max(0, allowed - unavailable))]
}

function surgeSteps(
  set: DaemonSet,
  nodes: readonly DaemonNode[],
  hash: string,
  limits: { readonly surge: number; readonly wanted: number; readonly isAvailable: (pod: Pod) => boolean },
): UpdateSteps {
  const { isAvailable } = limits
  let surging = 0
  let available = 0
  const remove: Pod[] = []
  const leaving: Pod[] = []
  const create: string[] = []
  const candidates: string[] = []
  for (const { name, placement, pods } of nodes) {
    const pair = pairOf(set, pods, hash)
    if (!pair) {
      surging++
      continue
    }
    const { old, fresh } = pair
    const shown = old ?? fresh
    if (shown && isAvailable(shown)) available++
    if (!old) continue
    if (fresh) {
      if (isAvailable(fresh)) remove.push(old)
      else surging++
    } else if (!placement?.runs) (isAvailable(old) ? leaving : remove).push(old)
    else (isAvailable(old) ? candidates : create).push(name)
  }
  return {
    remove: [...remove, ...leaving.slice(0, Math.max(0, available - limits.wanted))],
    create: [...create, ...candidates.slice(0, Math.max(0, limits.surge - surging))],
  }
}
