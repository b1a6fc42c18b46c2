// YAML, with its keys in order as upstream writes them. A list is written entry by entry, so that a long one need not be made
// at once.
import type { ListParts } from '../representation/presenter.ts'

type Dump = (value: unknown) => string

/** Loads the writer: few ask for YAML. */
export async function yamlWriter(): Promise<Dump> {
  const { dump } = await import('js-yaml')
  return (value) => dump(value, { noRefs: true, lineWidth: -1, sortKeys: true, seqNoIndent: true })
}

/** What `dump` makes of the whole list, in pieces. */
export function* yamlPieces(dump: Dump, { fields, key, entries }: ListParts): Generator<Buffer> {
  const names = [...Object.keys(fields), key].sort()
  for (const name of names) {
    if (name !== key) {
      yield Buffer.from(dump({ [name]: fields[name] }))
      continue
    }
    let isEmpty = true
    for (const entry of entries) {
      yield Buffer.from(`${isEmpty ? `${key}:\n` : ''}${dump([entry])}`)
      isEmpty = false
    }
    if (isEmpty) yield Buffer.from(`${key}: []\n`)
  }
}
