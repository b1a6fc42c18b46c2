// Ties are broken by the seed and the pod's uid alone, so that a decision can be computed again years later. Every node
// has a point on a ring of 32-bit numbers, every pod too; of equally good nodes the first one at or after the pod's
// point is taken. That needs no order of nodes but their names, and it can be answered from an index without a scan.

/** A 32-bit hash of a text (FNV-1a with a finalizer that spreads its bits). */
export function hashText(seed: number, text: string): number {
  let hash = (0x811c9dc5 ^ Math.imul(seed | 0, 0x9e3779b1)) | 0
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** The point of a node on the ring. */
export const nodePoint = (seed: number, nodeName: string): number => hashText(seed, nodeName)

/** The point of a pod on the ring. */
export const podPoint = (seed: number, uid: string): number => hashText(seed, uid)

/** How far the node's point is after the pod's. */
export const ringDistance = (point: number, from: number): number => (point - from) >>> 0

/** Orders nodes of equal score for a pod: by distance, then by name. */
export const compareTies = (
  a: { readonly point: number; readonly name: string },
  b: { readonly point: number; readonly name: string },
  from: number,
): number =>
  ringDistance(a.point, from) - ringDistance(b.point, from) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
