// Which pods a ReplicaSet gives up first when it has too many: upstream's order (ActivePodsWithRanks).
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import { isReady, podRestarts, readySinceMs } from '../shared/pods.ts'

const phaseRank: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 }
const deletionCostAnnotation = 'controller.kubernetes.io/pod-deletion-cost'

const deletionCost = (pod: Pod): number => {
  const text = pod.metadata.annotations?.[deletionCostAnnotation]
  return text !== undefined && /^(0|-?[1-9][0-9]{0,9}|[0-9]{1,10})$/.test(text) ? Number(text) : 0
}

/** Times are compared by order of magnitude of their age, so that pods that are about equally old are picked evenly. */
const logarithm = (sinceMs: number, nowMs: number): number => Math.floor(Math.log2(Math.max(nowMs - sinceMs, 1)))

const byUid = (a: KubeObject, b: KubeObject): number =>
  a.metadata.uid < b.metadata.uid ? -1 : a.metadata.uid > b.metadata.uid ? 1 : 0

/** Orders pods, the first to go first. `rank`: how many pods of the same kind share the pod's node. */
export function comparePodsForDeletion(rank: (pod: Pod) => number, nowMs: number): (a: Pod, b: Pod) => number {
  return (a, b) => {
    const assigned = Number(Boolean(a.spec.nodeName)) - Number(Boolean(b.spec.nodeName))
    if (assigned !== 0) return assigned
    const phase = (phaseRank[a.status.phase ?? ''] ?? 0) - (phaseRank[b.status.phase ?? ''] ?? 0)
    if (phase !== 0) return phase
    const ready = Number(isReady(a)) - Number(isReady(b))
    if (ready !== 0) return ready
    const cost = deletionCost(a) - deletionCost(b)
    if (cost !== 0) return cost
    const doubled = rank(b) - rank(a)
    if (doubled !== 0) return doubled
    if (isReady(a) && isReady(b)) {
      const aMs = readySinceMs(a) ?? 0
      const bMs = readySinceMs(b) ?? 0
      if (aMs !== bMs) {
        const age = logarithm(aMs, nowMs) - logarithm(bMs, nowMs)
        return age !== 0 ? age : byUid(a, b)
      }
    }
    const restarts = podRestarts(b) - podRestarts(a)
    if (restarts !== 0) return restarts
    const aMs = Date.parse(a.metadata.creationTimestamp)
    const bMs = Date.parse(b.metadata.creationTimestamp)
    if (aMs !== bMs) {
      const age = logarithm(aMs, nowMs) - logarithm(bMs, nowMs)
      if (age !== 0) return age
    }
    return byUid(a, b)
  }
}
