// Which pods a NoExecute taint drives off a node, and when: upstream's taint manager as a function.
import type { Pod, Taint, Toleration } from '@shiplog/api/generated/types/core-v1'

/** core/v1 Toleration.ToleratesTaint. */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false
  if (toleration.key && toleration.key !== taint.key) return false
  switch (toleration.operator ?? 'Equal') {
    case 'Exists':
      return true
    case 'Equal':
      return Boolean(toleration.key) && (toleration.value ?? '') === (taint.value ?? '')
    default:
      return false
  }
}

/**
 * When the pod must go, in milliseconds since the epoch: 0 for at once, undefined for never. A pod stays as long as the
 * shortest `tolerationSeconds` among the tolerations that it uses, counted from the youngest of the taints.
 */
export function evictionTimeMs(pod: Pod, taints: readonly Taint[], nowMs: number): number | undefined {
  if (taints.length === 0) return undefined
  const tolerations = pod.spec.tolerations ?? []
  let seconds: number | undefined
  for (const taint of taints) {
    const used = tolerations.filter((toleration) => tolerates(toleration, taint))
    if (used.length === 0) return 0
    for (const toleration of used) {
      const limit = toleration.tolerationSeconds
      if (limit === undefined) continue
      seconds = Math.min(seconds ?? Number.POSITIVE_INFINITY, Math.max(0, limit))
    }
  }
  if (seconds === undefined) return undefined
  const addedMs = Math.max(...taints.map((taint) => (taint.timeAdded ? Date.parse(taint.timeAdded) : nowMs)))
  return addedMs + seconds * 1000
}
