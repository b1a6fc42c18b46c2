// The fast path: pods of one shape and equal signs get the same verdicts and scores, so their nodes are kept sorted by score
// (shape-index.ts). Its decisions equal those of the plain path (schedule.ts); a property test holds the two against each
// other.
import type { Profile } from '../framework/configuration.ts'
import type { Plugin } from '../framework/framework.ts'
import { type Decision, schedule } from '../framework/schedule.ts'
import { podPoint } from '../framework/tie-break.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { type Classification, CombinedClasses } from './combined-classes.ts'
import { buildOrder, type Order, ShapeIndex } from './shape-index.ts'

export interface PlacementIndex {
  /** The same decision as `schedule(pod, snapshot, profile, seed)`. */
  schedule(pod: PodInfo): Decision
}

/** How many nodes of how many shapes are kept sorted at most: some 30 bytes each. */
const indexedMax = 2_000_000
const shapesMin = 32

/** How many shapes are kept sorted at a time; the one that was used longest ago goes first. */
export const shapesIndexedMax = (nodes: number): number =>
  Math.max(shapesMin, Math.trunc(indexedMax / Math.max(nodes, 500)))

/** How many failures are remembered while nothing changes. */
const failuresMax = 1000

export function createPlacementIndex(snapshot: Snapshot, profile: Profile, seed: number): PlacementIndex {
  let order: Order | undefined
  let shapes = new Map<string, ShapeIndex>()
  const failures = new Map<string, Decision>()
  let failuresAt = ''

  const currentOrder = (): Order => {
    if (order === undefined || order.version !== snapshot.nodeSetVersion) {
      order = buildOrder(snapshot, seed)
      shapes = new Map()
    }
    return order
  }

  /** Failures cost a look at every node; while nothing changes, pods that are alike fail in the same way. */
  const failed = (pod: PodInfo, key: string): Decision => {
    const at = `${snapshot.nodeSetVersion} ${snapshot.changeCount} ${snapshot.objects.version}`
    if (failuresAt !== at) {
      failures.clear()
      failuresAt = at
    }
    const known = `${pod.priority} ${pod.preemptionPolicy} ${pod.schedulerName} ${pod.group} ${key}`
    let decision = failures.get(known)
    if (decision === undefined) {
      decision = schedule(pod, snapshot, profile, seed)
      // Where room is made is for each pod to find out.
      if (!decision.failure?.preemption && failures.size < failuresMax) failures.set(known, decision)
    }
    return decision
  }

  /** Undefined when a plugin cannot follow pods like this one. */
  const indexFor = (pod: PodInfo, key: string, signed: readonly Plugin[]): ShapeIndex | undefined => {
    const nodes = currentOrder()
    let index = shapes.get(key)
    if (index?.isCurrent) shapes.delete(key)
    else {
      const classifications: Classification[] = []
      for (const plugin of signed) {
        const classifier = plugin.classify!(pod, snapshot)
        if (classifier === undefined) return undefined
        classifications.push({ plugin, classifier })
      }
      index = new ShapeIndex(pod, profile, nodes, new CombinedClasses(profile, classifications))
      if (shapes.size >= shapesIndexedMax(nodes.nodes.length)) shapes.delete(shapes.keys().next().value!)
    }
    shapes.set(key, index)
    return index
  }

  return {
    schedule(pod) {
      const sign = pod.nodeName === '' && pod.nominatedNode === '' ? signOf(pod, snapshot, profile) : undefined
      // What nominated pods keep from others is not indexed.
      if (sign === undefined || snapshot.nominations.concern(pod)) return schedule(pod, snapshot, profile, seed)
      const index = indexFor(pod, sign.key, sign.signed)
      if (index === undefined) return schedule(pod, snapshot, profile, seed)
      index.refresh(snapshot)
      if (index.feasible === 0) return failed(pod, sign.key)
      const top = index.best(podPoint(seed, pod.uid))
      return { node: top[0]!.node, feasible: index.feasible, evaluated: order!.nodes.length, top, failure: undefined }
    },
  }
}

/** What is equal for pods that are decided alike, and the plugins that judge them by more than pod and node. */
function signOf(pod: PodInfo, snapshot: Snapshot, profile: Profile) {
  let key = pod.shape.signature
  const signed: Plugin[] = []
  for (const plugin of profile.plugins) {
    if (plugin.preFilter === undefined && plugin.preScore === undefined) continue
    const sign = plugin.sign?.(pod, snapshot)
    if (sign === undefined) return undefined
    if (sign === '') continue
    if (plugin.classify === undefined) return undefined
    key = `${key} ${plugin.name} ${sign}`
    signed.push(plugin)
  }
  return { key, signed }
}
