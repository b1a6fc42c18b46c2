// Pods by the node that they are bound to, for the controllers that care about nodes.
import type { ViewIndex } from '@shiplog/reconcile/view'

export const podsByNodeIndex: ViewIndex = {
  name: 'pods by node',
  groupResource: 'pods',
  keys: (pod) => (pod['spec']?.nodeName ? [pod['spec'].nodeName as string] : []),
}
