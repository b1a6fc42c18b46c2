// NodeAffinity: spec.nodeSelector and spec.affinity.nodeAffinity, required and preferred.
import { normalizeByHighest, type Plugin, type Rejection } from '../framework/framework.ts'

const rejection: Rejection = { reasons: ["node(s) didn't match Pod's node affinity/selector"], resolvable: false }

export const nodeAffinity: Plugin = {
  name: 'NodeAffinity',
  preFilter: (pod) => {
    const names = pod.shape.required?.names
    if (names === undefined) return undefined
    return names.size === 0 ? { rejected: 'pod affinity terms conflict' } : { names }
  },
  // A pod that names its nodes looks at these alone: there is nothing to gain from an index.
  sign: (pod) => (pod.shape.required?.names === undefined ? '' : undefined),
  filters: (pod) => pod.shape.required !== undefined,
  filter: (pod, node) => (pod.shape.required === undefined || pod.shape.required.matches(node) ? undefined : rejection),
  scores: (pod) => pod.shape.preferred.length > 0,
  score: (pod, node) => {
    let sum = 0
    for (const term of pod.shape.preferred) if (term.matches(node)) sum += term.weight
    return sum
  },
  normalize: normalizeByHighest(false),
  wakes: (pod, event) =>
    event.type === 'NodeAdded' || (event.type === 'NodeUpdated' && event.difference.labels)
      ? (pod.shape.required?.matches(event.node) ?? true)
      : false,
}
