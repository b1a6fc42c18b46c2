// JSON as people read it: what `curl` and browsers get. It works on bytes as they come, piece by piece, so that a long list
// is neither held whole nor parsed, and every number and every key stays as it is stored.

const [quote, backslash, comma, colon, newline, space] = [0x22, 0x5c, 0x2c, 0x3a, 0x0a, 0x20]
const isOpening = (byte: number): boolean => byte === 0x7b || byte === 0x5b
const isClosing = (byte: number): boolean => byte === 0x7d || byte === 0x5d
const isBlank = (byte: number): boolean => byte === space || byte === newline || byte === 0x0d || byte === 0x09

/** Indents a text that comes in pieces, with two blanks a level, as Go's MarshalIndent does. */
export interface JsonIndenter {
  /** The piece as it goes out; a piece may end anywhere. */
  next(piece: Uint8Array): Buffer
}

export function createJsonIndenter(): JsonIndenter {
  let depth = 0
  let inString = false
  let escaped = false
  /** An object or a list was opened, and nothing of it was seen yet: an empty one stays on its line. */
  let opened = false
  let out = Buffer.allocUnsafe(0)
  let length = 0

  function room(bytes: number): void {
    if (length + bytes <= out.length) return
    const larger = Buffer.allocUnsafe(Math.max(out.length * 2, length + bytes, 1024))
    out.copy(larger, 0, 0, length)
    out = larger
  }
  function put(byte: number): void {
    room(1)
    out[length++] = byte
  }
  function breakLine(): void {
    room(1 + 2 * depth)
    out[length++] = newline
    out.fill(space, length, length + 2 * depth)
    length += 2 * depth
  }
  function inside(byte: number): void {
    put(byte)
    if (escaped) escaped = false
    else if (byte === backslash) escaped = true
    else if (byte === quote) inString = false
  }
  function outside(byte: number): void {
    if (isBlank(byte)) return
    if (isClosing(byte)) {
      depth--
      if (!opened) breakLine()
      opened = false
      put(byte)
      return
    }
    if (opened) breakLine()
    opened = isOpening(byte)
    put(byte)
    if (opened) depth++
    else if (byte === comma) breakLine()
    else if (byte === colon) put(space)
    else if (byte === quote) inString = true
  }

  return {
    next(piece) {
      out = Buffer.allocUnsafe(piece.length * 2)
      length = 0
      for (const byte of piece) {
        if (inString) inside(byte)
        else outside(byte)
      }
      return out.subarray(0, length)
    },
  }
}

export function* indentedPieces(pieces: Iterable<Buffer>): Generator<Buffer> {
  const indenter = createJsonIndenter()
  for (const piece of pieces) yield indenter.next(piece)
}
