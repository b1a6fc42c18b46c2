// NodeName: a pod that names its node goes there or nowhere.
import type { Plugin, Rejection } from '../framework/framework.ts'

const rejection: Rejection = { reasons: ["node(s) didn't match the requested node name"], resolvable: false }

export const nodeName: Plugin = {
  name: 'NodeName',
  filters: (pod) => pod.nodeName !== '',
  filter: (pod, node) => (pod.nodeName === '' || pod.nodeName === node.name ? undefined : rejection),
  wakes: (pod, event) => event.type === 'NodeAdded' && event.node.name === pod.nodeName,
}
