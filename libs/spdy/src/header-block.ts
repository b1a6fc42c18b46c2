// Names and values of headers as bytes, and their compression. All header blocks of one direction are one zlib stream that
// is flushed after each; each block is (un)packed at once, with what came before as its dictionary, so that nothing here
// waits and a block that would swell beyond the limit is refused before it has.
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib'
import { headerDictionary } from './dictionary.ts'
import { SpdyProtocolError } from './spdy-error.ts'

/** By name in lower case; several values of one name stand in their order. */
export type Headers = ReadonlyMap<string, readonly string[]>

export interface HeaderLimits {
  /** Unpacked. */
  readonly blockBytesMax: number
  readonly headersMax: number
}

/** How far back a packed block may refer. */
const windowBytes = 32 * 1024
/** Of zlib: deflate, 32 KiB window, a dictionary, no particular level. */
const zlibHeader = Buffer.from([0x78, 0xbb])
const dictionaryId = adler32(headerDictionary)
const zlibHeaderBytes = zlibHeader.length + 4

export function encodeHeaders(headers: Headers): Buffer {
  const parts: Buffer[] = [uint32(headers.size)]
  for (const [name, values] of headers) {
    for (const text of [name.toLowerCase(), values.join('\0')]) {
      const bytes = Buffer.from(text, 'utf8')
      parts.push(uint32(bytes.length), bytes)
    }
  }
  return Buffer.concat(parts)
}

/** Throws SpdyProtocolError for what is no header block. */
export function decodeHeaders(block: Buffer, { headersMax }: Pick<HeaderLimits, 'headersMax'>): Headers {
  let at = 0
  const number = (): number => {
    if (at + 4 > block.length) throw new SpdyProtocolError('a header block ends too early')
    at += 4
    return block.readUInt32BE(at - 4)
  }
  const text = (): string => {
    const bytes = number()
    if (bytes > block.length - at) throw new SpdyProtocolError('a header block ends too early')
    at += bytes
    return block.toString('utf8', at - bytes, at)
  }
  const count = number()
  if (count > headersMax) throw new SpdyProtocolError(`more than ${headersMax} headers`)
  const headers = new Map<string, readonly string[]>()
  for (let left = count; left > 0; left--) {
    const name = text().toLowerCase()
    if (name === '' || headers.has(name)) throw new SpdyProtocolError('a header without a name, or with one twice')
    headers.set(name, text().split('\0'))
  }
  if (at !== block.length) throw new SpdyProtocolError('a header block is longer than its headers')
  return headers
}

/** Packs blocks, in the order in which they are sent. */
export function createHeaderPacker(): (block: Buffer) => Buffer {
  let history: Buffer = headerDictionary
  let isFirst = true
  return (block) => {
    const packed = deflateRawSync(block, { dictionary: history, finishFlush: constants.Z_SYNC_FLUSH })
    history = lastOf(history, block)
    if (!isFirst) return packed
    isFirst = false
    return Buffer.concat([zlibHeader, uint32(dictionaryId), packed])
  }
}

/** Unpacks blocks, in the order in which they come. Throws SpdyProtocolError. */
export function createHeaderUnpacker({ blockBytesMax }: Pick<HeaderLimits, 'blockBytesMax'>): (packed: Buffer) => Buffer {
  let history: Buffer = headerDictionary
  let isFirst = true
  return (packed) => {
    const body = isFirst ? afterZlibHeader(packed) : packed
    isFirst = false
    const block = unpack(body, history, blockBytesMax)
    history = lastOf(history, block)
    return block
  }
}

function unpack(packed: Buffer, dictionary: Buffer, maxOutputLength: number): Buffer {
  try {
    return inflateRawSync(packed, { dictionary, finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength })
  } catch (cause) {
    throw new SpdyProtocolError('a header block cannot be unpacked', { cause })
  }
}

function afterZlibHeader(packed: Buffer): Buffer {
  const isDeflate = packed.length >= zlibHeaderBytes && (packed[0]! & 0x0f) === 8 && packed.readUInt16BE(0) % 31 === 0
  const hasOurs = isDeflate && (packed[1]! & 0x20) !== 0 && packed.readUInt32BE(2) === dictionaryId
  if (!hasOurs) throw new SpdyProtocolError('the headers are packed with another dictionary than that of SPDY/3')
  return packed.subarray(zlibHeaderBytes)
}

const lastOf = (history: Buffer, block: Buffer): Buffer => {
  const all = Buffer.concat([history, block])
  return all.length > windowBytes ? Buffer.from(all.subarray(-windowBytes)) : all
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** RFC 1950: how zlib names a dictionary. */
function adler32(bytes: Buffer): number {
  let low = 1
  let high = 0
  for (const byte of bytes) {
    low = (low + byte) % 65_521
    high = (high + low) % 65_521
  }
  return high * 65_536 + low
}
