// What the decoders of request bodies throw among themselves; decode.ts turns it into a Status.

/** How deep a body may nest. Go's decoder allows 10,000; no real object comes near either. */
export const depthMax = 1000

export const tooDeep = "invalid character '{' exceeded max depth"

export class DecodeError extends Error {
  override readonly name = 'DecodeError'
  /** True when the text is not in the language at all, so another decoder may try. */
  readonly syntax: boolean
  constructor(message: string, options: { syntax?: boolean } = {}) {
    super(message)
    this.syntax = options.syntax ?? false
  }
}

/** Go's name of a JSON value that does not fit. */
export const goKindOf = (value: unknown): string =>
  value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value === 'bigint' ? 'number' : typeof value
