// Judges what an informer told through a restart of the API server: nothing lost, nothing twice, nothing out of order.

/** A line of an informer's program. */
export interface Told {
  readonly event: 'add' | 'update' | 'delete'
  readonly name: string
  readonly version: string
}

/** A change as the server acknowledged it; `version` is the object's resourceVersion after it. */
export interface Done {
  readonly event: 'add' | 'update' | 'delete'
  readonly name: string
  readonly version: string
}

/** What is wrong with a ledger; nothing when all is well. `cache` is what the informer held at its end. */
export function judgeLedger(
  told: readonly Told[],
  done: readonly Done[],
  cache: Readonly<Record<string, string>>,
): string[] {
  const faults: string[] = []
  const held = new Map<string, string>()
  for (const { event, name, version } of told) {
    const before = held.get(name)
    if (event === 'add' && before !== undefined) faults.push(`${name} was added twice (${before}, ${version})`)
    if (event === 'update' && before === undefined) faults.push(`${name} was updated before it was added`)
    if (event === 'update' && before === version) faults.push(`${name} was told twice at ${version}`)
    if (event === 'delete' && before === undefined) faults.push(`${name} was deleted before it was added`)
    if (before !== undefined && BigInt(version) < BigInt(before))
      faults.push(`${name} went back from ${before} to ${version}`)
    if (event === 'delete') held.delete(name)
    else held.set(name, version)
  }
  // A deletion may be told with the version that the informer held.
  const key = ({ event, name, version }: Told): string => `${event} ${name}${event === 'delete' ? '' : ` at ${version}`}`
  const seen = new Set(told.map(key))
  for (const change of done) if (!seen.has(key(change))) faults.push(`lost: ${key(change)}`)
  const right = new Map<string, string>()
  for (const { event, name, version } of done) {
    if (event === 'delete') right.delete(name)
    else right.set(name, version)
  }
  const text = (entries: Iterable<[string, string]>): string => JSON.stringify([...entries].sort())
  if (text(Object.entries(cache)) !== text(right)) faults.push(`the cache is ${text(Object.entries(cache))}, not ${text(right)}`)
  return faults
}
