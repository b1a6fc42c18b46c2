// The bare bones of a DNS message, for what is passed on without being understood: where its times to live are. Pure.

const headerBytes = 12
const pointerMask = 0xc0
const optType = 41

/** Behind a name; undefined when the message ends within it. */
function skipName(bytes: Buffer, start: number): number | undefined {
  let at = start
  while (at < bytes.length) {
    const length = bytes[at]!
    if (length === 0) return at + 1
    if ((length & pointerMask) === pointerMask) return at + 2 <= bytes.length ? at + 2 : undefined
    if ((length & pointerMask) !== 0) return undefined
    at += length + 1
  }
  return undefined
}

/** Where the times to live of all records are; undefined for what is no whole message. */
export function ttlOffsets(bytes: Buffer): number[] | undefined {
  if (bytes.length < headerBytes) return undefined
  const counts = [4, 6, 8, 10].map((at) => bytes.readUInt16BE(at))
  let at: number | undefined = headerBytes
  for (let index = 0; index < counts[0]!; index++) {
    at = skipName(bytes, at)
    if (at === undefined || at + 4 > bytes.length) return undefined
    at += 4
  }
  const offsets: number[] = []
  for (let index = 0; index < counts[1]! + counts[2]! + counts[3]!; index++) {
    at = skipName(bytes, at)
    if (at === undefined || at + 10 > bytes.length) return undefined
    if (bytes.readUInt16BE(at) !== optType) offsets.push(at + 4)
    at += 10 + bytes.readUInt16BE(at + 8)
    if (at > bytes.length) return undefined
  }
  return offsets
}

/** The same message for another query, some seconds later. */
export function aged(bytes: Buffer, id: number, seconds: number): Buffer {
  const copy = Buffer.from(bytes)
  copy.writeUInt16BE(id, 0)
  for (const at of ttlOffsets(copy) ?? []) copy.writeUInt32BE(Math.max(0, copy.readUInt32BE(at) - seconds), at)
  return copy
}
