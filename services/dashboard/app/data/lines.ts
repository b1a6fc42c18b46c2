// A stream of text, line by line.

/** A line of an answer is one object at most: beyond this it is no line of ours. */
const lineCharactersMax = 64 * 1024 * 1024

export async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  /** Of a line that has not ended yet: put together once, when it has. */
  let pieces: string[] = []
  let length = 0
  for await (const bytes of stream) {
    const parts = decoder.decode(bytes, { stream: true }).split('\n')
    pieces.push(parts[0]!)
    length += parts[0]!.length
    if (length > lineCharactersMax) throw new Error('the server sends a line without an end')
    if (parts.length === 1) continue
    const first = pieces.join('')
    pieces = [parts.at(-1)!]
    length = pieces[0]!.length
    if (first !== '') yield first
    for (const line of parts.slice(1, -1)) if (line !== '') yield line
  }
  const rest = pieces.join('')
  if (rest !== '') yield rest
}
