// NodePorts: host ports that the pod wants must be free on the node.
import type { Plugin, Rejection } from '../framework/framework.ts'
import type { NodeInfo } from '../snapshot/node-info.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'

const rejection: Rejection = {
  reasons: ["node(s) didn't have free ports for the requested pod ports"],
  resolvable: true,
}

const filter = (pod: PodInfo, node: NodeInfo): Rejection | undefined =>
  pod.shape.hostPorts.some((port) => node.holdsPort(port)) ? rejection : undefined

export const nodePorts: Plugin = {
  name: 'NodePorts',
  filters: (pod) => pod.shape.hostPorts.length > 0,
  filter,
  wakes: (pod, event) => {
    if (event.type === 'NodeAdded') return filter(pod, event.node) === undefined
    return (
      event.type === 'PodFreed' &&
      event.pod.shape.hostPorts.some((freed) =>
        pod.shape.hostPorts.some((wanted) => wanted.port === freed.port && wanted.protocol === freed.protocol),
      )
    )
  },
}
