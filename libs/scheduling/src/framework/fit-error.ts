// The sentence that tells why a pod fits nowhere, word for word as upstream's:
// `0/5 nodes are available: 2 Insufficient cpu, 3 node(s) had untolerated taint(s). …`

/** The message when there is not a single node. */
export const noNodesAvailable = 'no nodes available to schedule pods'

/** Counts of sentences, sorted as upstream sorts them: as text, count and all. */
export const histogram = (reasons: ReadonlyMap<string, number>): string =>
  [...reasons]
    .map(([reason, count]) => `${count} ${reason}`)
    .sort()
    .join(', ')

export function fitError(parts: {
  readonly nodes: number
  /** What a plugin said before any node was looked at; then `reasons` do not count. */
  readonly preFilter?: string | undefined
  readonly reasons: ReadonlyMap<string, number>
  /** What came of the attempt to make room. */
  readonly postFilter?: string | undefined
}): string {
  const reasons = parts.preFilter ?? histogram(parts.reasons)
  return [
    `0/${parts.nodes} nodes are available:`,
    ...(reasons ? [`${reasons}.`] : []),
    ...(parts.postFilter ? [parts.postFilter] : []),
  ].join(' ')
}
