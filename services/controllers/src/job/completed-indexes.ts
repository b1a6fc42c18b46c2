// The indexes of an Indexed Job as text (`0-2,5`) and as a set.

/** `{0, 1, 2, 5}` for `0-2,5`; indexes at or beyond `completions`, and what is no index, are ignored. */
export function parseIndexes(text: string | undefined, completions: number): Set<number> {
  const indexes = new Set<number>()
  for (const part of text ? text.split(',') : []) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part)
    if (!match) continue
    const last = Math.min(Number(match[2] ?? match[1]), completions - 1)
    for (let index = Number(match[1]); index <= last; index++) indexes.add(index)
  }
  return indexes
}

/** `0-2,5`: as upstream, two neighbours are written `3,4`, three and more as a range. */
export function formatIndexes(indexes: ReadonlySet<number>): string {
  const sorted = [...indexes].sort((a, b) => a - b)
  const parts: string[] = []
  for (let i = 0; i < sorted.length; ) {
    let end = i
    while (sorted[end + 1] === sorted[end]! + 1) end++
    const [first, last] = [sorted[i]!, sorted[end]!]
    if (first === last) parts.push(String(first))
    else parts.push(last === first + 1 ? `${first},${last}` : `${first}-${last}`)
    i = end + 1
  }
  return parts.join(',')
}
