// The words of facts/definitions.json. One field is a short line of words:
//   "2.5 drop list:map(name,port) patch:merge(name) enum:Protocol default:\"TCP\""
// 2.5     protobuf number 5 inside the message that field 2 holds (JSON inlines that message); "-" has no number
// drop    the zero value ("", 0, false, empty list or map) is left out; always: an empty struct is kept and written
// empty   but an empty list is told from none
// list:, map:, struct:  merge rules of server-side apply; patch:  those of strategic merge
// go:     the type as Go's decoder names it in errors, where it is not the obvious one
// quantity, micro, format:  formats that the client package's types do not tell; enum: a name in enums.json

export interface FieldFact {
  readonly number?: number
  readonly inlined?: readonly number[]
  readonly omitZero?: boolean
  readonly keepsEmpty?: boolean
  readonly always?: boolean
  readonly quantity?: boolean
  readonly format?: string
  readonly listType?: 'map' | 'set' | 'atomic'
  readonly listMapKeys?: readonly string[]
  readonly mapType?: 'atomic' | 'granular'
  readonly structType?: 'atomic' | 'granular'
  readonly patchStrategy?: string
  readonly patchMergeKey?: string
  readonly enumName?: string
  /** Named types of Go, which its decoder shows in errors; only where the schema does not tell. */
  readonly goType?: string
  readonly default?: unknown
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

export const parseFieldFact = (text: string): FieldFact => {
  const fact: Mutable<FieldFact> = {}
  // A default is JSON to the end of the line, so that it may hold spaces.
  const at = text.indexOf(' default:')
  if (at >= 0) fact.default = JSON.parse(text.slice(at + ' default:'.length))
  const [path, ...words] = (at >= 0 ? text.slice(0, at) : text).split(' ')
  if (path !== '-') {
    const numbers = path!.split('.').map(Number)
    if (numbers.some((number) => !Number.isInteger(number))) throw new Error(`not a field number: ${text}`)
    fact.number = numbers.pop()!
    if (numbers.length > 0) fact.inlined = numbers
  }
  for (const word of words) {
    if (word.startsWith('go:')) {
      fact.goType = word.slice('go:'.length)
      continue
    }
    const match = /^([a-z]+)(?::([^(]*)(?:\(([^)]*)\))?)?$/.exec(word)
    if (!match) throw new Error(`not a field fact: ${word} in ${text}`)
    const [, name, value, inner] = match
    switch (name) {
      case 'drop':
        fact.omitZero = true
        break
      case 'empty':
        fact.keepsEmpty = true
        break
      case 'always':
        fact.always = true
        break
      case 'quantity':
        fact.quantity = true
        break
      case 'micro':
        break
      case 'format':
        fact.format = value!
        break
      case 'list':
        fact.listType = value as 'map' | 'set' | 'atomic'
        if (inner) fact.listMapKeys = inner.split(',')
        break
      case 'map':
        fact.mapType = value as 'atomic' | 'granular'
        break
      case 'struct':
        fact.structType = value as 'atomic' | 'granular'
        break
      case 'patch':
        if (value) fact.patchStrategy = value
        if (inner) fact.patchMergeKey = inner
        break
      case 'enum':
        fact.enumName = value!
        break
      default:
        throw new Error(`unknown field fact: ${word} in ${text}`)
    }
  }
  return fact
}
