// Pods by the node that they are bound to, for the controllers that care about nodes.
import { viewIndex } from '@shiplog/reconcile/view'

export const podsByNodeIndex = viewIndex('pods', 'pods by node', (pod) =>
  pod.spec.nodeName ? [pod.spec.nodeName] : [],
)
