// Reads files out of a zip archive, so that nothing but Node is needed to unpack the kubectl package. It understands
// what that archive uses: the central directory, stored and deflated entries, sizes below 4 GiB.
import { inflateRawSync } from 'node:zlib'

export interface ZipEntry {
  readonly name: string
  /** The unpacked content; throws when it is damaged. */
  read(): Buffer
}

const endSignature = 0x06054b50
const endBytes = 22
const commentBytesMax = 0xffff
const entrySignature = 0x02014b50
const entryBytes = 46
const localBytes = 30
const methodStored = 0
const methodDeflated = 8

/** The entries of an archive, in its own order. */
export function zipEntries(archive: Buffer): readonly ZipEntry[] {
  const end = findEnd(archive)
  const count = archive.readUInt16LE(end + 10)
  let position = archive.readUInt32LE(end + 16)
  const entries: ZipEntry[] = []
  for (let index = 0; index < count; index++) {
    if (archive.readUInt32LE(position) !== entrySignature) throw new Error('zip: the central directory is damaged')
    const method = archive.readUInt16LE(position + 10)
    const packedBytes = archive.readUInt32LE(position + 20)
    const bytes = archive.readUInt32LE(position + 24)
    const nameBytes = archive.readUInt16LE(position + 28)
    const extraBytes = archive.readUInt16LE(position + 30)
    const commentBytes = archive.readUInt16LE(position + 32)
    const local = archive.readUInt32LE(position + 42)
    const name = archive.toString('utf8', position + entryBytes, position + entryBytes + nameBytes)
    entries.push({
      name,
      read() {
        const start = local + localBytes + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28)
        const packed = archive.subarray(start, start + packedBytes)
        if (method !== methodStored && method !== methodDeflated) throw new Error(`zip: ${name}: method ${method}`)
        const content = method === methodStored ? Buffer.from(packed) : inflateRawSync(packed)
        if (content.length !== bytes) throw new Error(`zip: ${name} has ${content.length} bytes instead of ${bytes}`)
        return content
      },
    })
    position += entryBytes + nameBytes + extraBytes + commentBytes
  }
  return entries
}

function findEnd(archive: Buffer): number {
  for (
    let position = archive.length - endBytes;
    position >= Math.max(0, archive.length - endBytes - commentBytesMax);
    position--
  ) {
    if (archive.readUInt32LE(position) === endSignature) return position
  }
  throw new Error('zip: this is not an archive, or it was cut')
}
