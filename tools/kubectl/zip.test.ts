import { deflateRawSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { zipEntries } from './zip.ts'

/** A minimal archive writer, so that the reader meets every field that it relies on. */
function archiveOf(files: Readonly<Record<string, { content: string; deflate: boolean }>>, comment = ''): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const [name, { content, deflate }] of Object.entries(files)) {
    const packed = deflate ? deflateRawSync(content) : Buffer.from(content)
    const local = Buffer.alloc(30)
    local.writeUInt32LE(0x04034b50, 0)
    local.writeUInt16LE(Buffer.byteLength(name), 26)
    local.writeUInt16LE(4, 28)
    const entry = Buffer.alloc(46)
    entry.writeUInt32LE(0x02014b50, 0)
    entry.writeUInt16LE(deflate ? 8 : 0, 10)
    entry.writeUInt32LE(packed.length, 20)
    entry.writeUInt32LE(Buffer.byteLength(content), 24)
    entry.writeUInt16LE(Buffer.byteLength(name), 28)
    entry.writeUInt32LE(offset, 42)
    directory.push(entry, Buffer.from(name))
    parts.push(local, Buffer.from(name), Buffer.alloc(4), packed)
    offset += 30 + Buffer.byteLength(name) + 4 + packed.length
  }
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(Object.keys(files).length, 10)
  end.writeUInt32LE(offset, 16)
  end.writeUInt16LE(comment.length, 20)
  return Buffer.concat([...parts, ...directory, end, Buffer.from(comment)])
}

describe('zipEntries', () => {
  test('reads stored and deflated entries by name, past a comment at the end', () => {
    const archive = archiveOf(
      {
        'kubectl/kubectl': { content: 'x'.repeat(1000), deflate: true },
        'a.txt': { content: 'plain', deflate: false },
      },
      'a comment',
    )
    expect(zipEntries(archive).map((entry) => [entry.name, entry.read().toString()])).toEqual([
      ['kubectl/kubectl', 'x'.repeat(1000)],
      ['a.txt', 'plain'],
    ])
  })

  test('refuses a file that is no archive', () => {
    expect(() => zipEntries(Buffer.alloc(100))).toThrow('not an archive')
  })

  test('refuses an entry whose size is not what the directory says', () => {
    const archive = archiveOf({ a: { content: 'plain', deflate: false } })
    archive.writeUInt32LE(9, archive.indexOf(Buffer.from('504b0102', 'hex')) + 24)
    expect(() => zipEntries(archive)[0]!.read()).toThrow('has 5 bytes instead of 9')
  })
})
