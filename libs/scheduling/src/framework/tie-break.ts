// Ties are broken by the seed and the pod's uid alone, so that a decision can be computed again years later. Every node
// has a point among the 32-bit numbers, which puts equally good nodes in an order that depends on nothing but their
// names; the pod's own point says at which of them to begin.
//
// A decision records the number of the rule it was made by; a rule never changes, a better one gets the next number.
//   1  (2026-11) the first node at or after the pod's point, on a ring: a node with a wide gap before it is favoured
//   2  (2026-11-23) the node in the place `point of the pod modulo how many there are`: all are as likely

export type TieRule = 1 | 2

/** The rule of new decisions. */
export const tieRule: TieRule = 2

/** A 32-bit hash of a text (FNV-1a with a finalizer that spreads its bits). */
export function hashText(seed: number, text: string): number {
  let hash = (0x811c9dc5 ^ Math.imul(seed | 0, 0x9e3779b1)) | 0
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** The point of a node. */
export const nodePoint = (seed: number, nodeName: string): number => hashText(seed, nodeName)

/** The point of a pod. */
export const podPoint = (seed: number, uid: string): number => hashText(seed, uid)

export interface TiedNode {
  readonly name: string
  readonly point: number
}

/** Orders nodes by their points, then by name. */
export const comparePoints = (a: TiedNode, b: TiedNode): number =>
  a.point - b.point || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)

/** Equally good nodes, the chosen one first. */
export function orderTies<Node extends TiedNode>(nodes: readonly Node[], from: number, rule: TieRule): readonly Node[] {
  const ordered = nodes.toSorted(comparePoints)
  const start = rule === 1 ? ordered.findIndex(({ point }) => point >= from) : from % ordered.length
  return start <= 0 ? ordered : [...ordered.slice(start), ...ordered.slice(0, start)]
}
