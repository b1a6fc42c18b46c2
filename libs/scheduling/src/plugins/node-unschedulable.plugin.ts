// NodeUnschedulable: a cordoned node takes only pods that tolerate its being so.
import type { Plugin, Rejection } from '../framework/framework.ts'
import type { NodeInfo } from '../snapshot/node-info.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'
import { isTolerated, type Taint } from './tolerations.ts'

const unschedulableTaint: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }

const rejection: Rejection = { reasons: ['node(s) were unschedulable'], resolvable: false }

const filter = (pod: PodInfo, node: NodeInfo): Rejection | undefined =>
  node.unschedulable && !isTolerated(pod.shape.tolerations, unschedulableTaint) ? rejection : undefined

export const nodeUnschedulable: Plugin = {
  name: 'NodeUnschedulable',
  filter,
  wakes: (pod, event) =>
    event.type === 'NodeAdded' || (event.type === 'NodeUpdated' && event.difference.unschedulable)
      ? filter(pod, event.node) === undefined
      : false,
}
