// Frames of SPDY/3.1 (draft-mbelshe-httpbis-spdy-00 with the session window of 3.1), to bytes and back. Nothing here
// knows a session: what is well-formed is told, whatever it means.
import { SpdyProtocolError } from './spdy-error.ts'

export type ControlFrame =
  | {
      readonly type: 'synStream'
      readonly streamId: number
      readonly fin: boolean
      readonly unidirectional: boolean
      /** Packed headers. */
      readonly block: Buffer
    }
  | { readonly type: 'synReply'; readonly streamId: number; readonly fin: boolean; readonly block: Buffer }
  | { readonly type: 'headers'; readonly streamId: number; readonly fin: boolean; readonly block: Buffer }
  | { readonly type: 'rstStream'; readonly streamId: number; readonly status: number }
  | { readonly type: 'settings'; readonly settings: ReadonlyMap<number, number> }
  | { readonly type: 'ping'; readonly id: number }
  | { readonly type: 'goAway'; readonly lastStreamId: number; readonly status: number }
  | { readonly type: 'windowUpdate'; readonly streamId: number; readonly delta: number }
  /** To be passed over. */
  | { readonly type: 'unknown' }

/** The setting that says how much may be sent on a new stream. */
export const initialWindowSetting = 7

export const frameHeadBytes = 8
/** Of the 24 bits of a frame's length. */
export const frameBodyBytesMax = 0xffffff
const version = 3
const finFlag = 0x01
const unidirectionalFlag = 0x02
const streamIdMask = 0x7fffffff

const types = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const

export function encodeControl(frame: Exclude<ControlFrame, { type: 'unknown' }>): Buffer {
  switch (frame.type) {
    case 'synStream': {
      const flags = (frame.fin ? finFlag : 0) | (frame.unidirectional ? unidirectionalFlag : 0)
      // No associated stream, priority 0, no slot.
      return control(types.synStream, flags, [frame.streamId, 0], Buffer.concat([Buffer.alloc(2), frame.block]))
    }
    case 'synReply':
    case 'headers':
      return control(types[frame.type], frame.fin ? finFlag : 0, [frame.streamId], frame.block)
    case 'rstStream':
      return control(types.rstStream, 0, [frame.streamId, frame.status])
    case 'settings': {
      const numbers = [...frame.settings].flat()
      return control(types.settings, 0, [frame.settings.size, ...numbers])
    }
    case 'ping':
      return control(types.ping, 0, [frame.id])
    case 'goAway':
      return control(types.goAway, 0, [frame.lastStreamId, frame.status])
    case 'windowUpdate':
      return control(types.windowUpdate, 0, [frame.streamId, frame.delta])
  }
}

function control(type: number, flags: number, numbers: readonly number[], rest: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(frameHeadBytes + 4 * numbers.length)
  head.writeUInt16BE(0x8000 | version, 0)
  head.writeUInt16BE(type, 2)
  head.writeUInt8(flags, 4)
  head.writeUIntBE(4 * numbers.length + rest.length, 5, 3)
  for (const [index, number] of numbers.entries()) head.writeUInt32BE(number, frameHeadBytes + 4 * index)
  return rest.length === 0 ? head : Buffer.concat([head, rest])
}

/** The head of a data frame; its bytes follow. */
export function dataHead(streamId: number, length: number, fin: boolean): Buffer {
  const head = Buffer.alloc(frameHeadBytes)
  head.writeUInt32BE(streamId, 0)
  head.writeUInt8(fin ? finFlag : 0, 4)
  head.writeUIntBE(length, 5, 3)
  return head
}

export interface FrameSink {
  onControl(frame: ControlFrame): void
  /** A part of a data frame; `fin` comes with its last one. */
  onData(streamId: number, bytes: Buffer, fin: boolean): void
}

/** Cuts a stream of bytes into frames. What it is given throws SpdyProtocolError when it cannot be a frame. */
export function createFrameReader(sink: FrameSink, controlBytesMax: number): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0)
  let data: { readonly streamId: number; readonly fin: boolean; left: number } | undefined

  /** Takes what there is of the data frame that is under way; returns what is behind it. */
  const takeData = (chunk: Buffer): Buffer => {
    const { streamId, fin, left } = data!
    const part = chunk.subarray(0, left)
    data!.left -= part.length
    const isLast = data!.left === 0
    if (isLast) data = undefined
    if (part.length > 0 || isLast) sink.onData(streamId, part, isLast && fin)
    return chunk.subarray(part.length)
  }

  /** Takes one frame, or the head of one; undefined when it is not there as a whole yet. */
  const takeFrame = (chunk: Buffer): Buffer | undefined => {
    if (chunk.length < frameHeadBytes) return undefined
    const length = chunk.readUIntBE(5, 3)
    if ((chunk[0]! & 0x80) === 0) {
      data = { streamId: chunk.readUInt32BE(0), fin: (chunk[4]! & finFlag) !== 0, left: length }
      return takeData(chunk.subarray(frameHeadBytes))
    }
    if (length > controlBytesMax) throw new SpdyProtocolError(`a control frame of ${length} bytes`)
    if (chunk.length < frameHeadBytes + length) return undefined
    sink.onControl(decodeControl(chunk.subarray(0, frameHeadBytes + length)))
    return chunk.subarray(frameHeadBytes + length)
  }

  return (chunk) => {
    let left: Buffer | undefined = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk
    rest = Buffer.alloc(0)
    while (left.length > 0) {
      const next: Buffer | undefined = data ? takeData(left) : takeFrame(left)
      if (next === undefined) {
        // A copy: the chunk may be large, and this is the beginning of one small frame.
        rest = Buffer.from(left)
        return
      }
      left = next
    }
  }
}

function decodeControl(frame: Buffer): ControlFrame {
  if ((frame.readUInt16BE(0) & 0x7fff) !== version) throw new SpdyProtocolError('a control frame of another version')
  const type = frame.readUInt16BE(2)
  const fin = (frame[4]! & finFlag) !== 0
  const body = frame.subarray(frameHeadBytes)
  const number = (index: number): number => {
    if (body.length < 4 * (index + 1)) throw new SpdyProtocolError('a control frame is too short')
    return body.readUInt32BE(4 * index)
  }
  const streamId = (): number => number(0) & streamIdMask
  switch (type) {
    case types.synStream: {
      if (body.length < 10) throw new SpdyProtocolError('a control frame is too short')
      const unidirectional = (frame[4]! & unidirectionalFlag) !== 0
      return { type: 'synStream', streamId: streamId(), fin, unidirectional, block: body.subarray(10) }
    }
    case types.synReply:
      return { type: 'synReply', streamId: streamId(), fin, block: body.subarray(4) }
    case types.headers:
      return { type: 'headers', streamId: streamId(), fin, block: body.subarray(4) }
    case types.rstStream:
      return { type: 'rstStream', streamId: streamId(), status: number(1) }
    case types.settings:
      return { type: 'settings', settings: settingsOf(number) }
    case types.ping:
      return { type: 'ping', id: number(0) }
    case types.goAway:
      return { type: 'goAway', lastStreamId: streamId(), status: number(1) }
    case types.windowUpdate:
      return { type: 'windowUpdate', streamId: streamId(), delta: number(1) & streamIdMask }
    default:
      return { type: 'unknown' }
  }
}

function settingsOf(number: (index: number) => number): ReadonlyMap<number, number> {
  const settings = new Map<number, number>()
  const count = number(0)
  // Each is flags and an id of 24 bits, and a value; a frame that claims more than it holds is too short.
  for (let index = 0; index < count; index++) settings.set(number(1 + 2 * index) & 0xffffff, number(2 + 2 * index))
  return settings
}
