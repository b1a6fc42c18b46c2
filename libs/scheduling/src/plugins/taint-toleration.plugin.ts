// TaintToleration: nodes with NoSchedule or NoExecute taints take only pods that tolerate them; untolerated
// PreferNoSchedule taints make a node less welcome.
import { normalizeByHighest, type Plugin, type Rejection } from '../framework/framework.ts'
import type { NodeInfo } from '../snapshot/node-info.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'
import { isTolerated } from './tolerations.ts'

const rejection: Rejection = { reasons: ['node(s) had untolerated taint(s)'], resolvable: false }

function filter(pod: PodInfo, node: NodeInfo): Rejection | undefined {
  for (const taint of node.taints) {
    if (taint.effect !== 'NoSchedule' && taint.effect !== 'NoExecute') continue
    if (!isTolerated(pod.shape.tolerations, taint)) return rejection
  }
  return undefined
}

export const taintToleration: Plugin = {
  name: 'TaintToleration',
  filter,
  score: (pod, node) => {
    let untolerated = 0
    for (const taint of node.taints) {
      if (taint.effect === 'PreferNoSchedule' && !isTolerated(pod.shape.tolerations, taint)) untolerated++
    }
    return untolerated
  },
  normalize: normalizeByHighest(true),
  wakes: (pod, event) =>
    event.type === 'NodeAdded' || (event.type === 'NodeUpdated' && event.difference.taints)
      ? filter(pod, event.node) === undefined
      : false,
}
