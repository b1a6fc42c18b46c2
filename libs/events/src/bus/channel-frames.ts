// What the two sides of a channel send one another, as bytes. A first byte says what it is; numbers take six bytes.
//
//   data    number, payload   the messages, numbered from 1
//   pulse   last, taken       the number of the last message sent, and how much of the other's was taken in all: room
//                             given back, sign of life, and the means to see that the last message was lost
//   close   number, reason    the last message: nothing more comes
//   gone    reason            the channel is broken; not numbered

export type Frame =
  | { readonly type: 'data'; readonly number: number; readonly payload: Uint8Array }
  | { readonly type: 'pulse'; readonly last: number; readonly taken: number }
  | { readonly type: 'close'; readonly number: number; readonly reason: string }
  | { readonly type: 'gone'; readonly reason: string }

const types = { data: 1, pulse: 2, close: 3, gone: 4 } as const
const numberBytes = 6
/** What a data frame needs beside its payload. */
export const dataHeaderBytes = 1 + numberBytes
/** A longer reason is cut. */
const reasonBytesMax = 1_024

export function encodeFrame(frame: Frame): Uint8Array {
  switch (frame.type) {
    case 'data': {
      const bytes = Buffer.allocUnsafe(dataHeaderBytes + frame.payload.length)
      bytes.writeUInt8(types.data, 0)
      bytes.writeUIntBE(frame.number, 1, numberBytes)
      bytes.set(frame.payload, dataHeaderBytes)
      return bytes
    }
    case 'pulse': {
      const bytes = Buffer.allocUnsafe(1 + 2 * numberBytes)
      bytes.writeUInt8(types.pulse, 0)
      bytes.writeUIntBE(frame.last, 1, numberBytes)
      bytes.writeUIntBE(frame.taken, 1 + numberBytes, numberBytes)
      return bytes
    }
    case 'close': {
      const head = Buffer.allocUnsafe(1 + numberBytes)
      head.writeUInt8(types.close, 0)
      head.writeUIntBE(frame.number, 1, numberBytes)
      return Buffer.concat([head, Buffer.from(frame.reason, 'utf8').subarray(0, reasonBytesMax)])
    }
    case 'gone':
      return Buffer.concat([Buffer.of(types.gone), Buffer.from(frame.reason, 'utf8').subarray(0, reasonBytesMax)])
  }
}

/** Undefined for what no side of a channel sends. */
export function decodeFrame(bytes: Uint8Array): Frame | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const textFrom = (offset: number): string => buffer.subarray(offset, offset + reasonBytesMax).toString('utf8')
  switch (buffer[0]) {
    case types.data:
      if (buffer.length < dataHeaderBytes) return undefined
      return {
        type: 'data',
        number: buffer.readUIntBE(1, numberBytes),
        payload: bytes.subarray(dataHeaderBytes),
      }
    case types.pulse:
      if (buffer.length !== 1 + 2 * numberBytes) return undefined
      return {
        type: 'pulse',
        last: buffer.readUIntBE(1, numberBytes),
        taken: buffer.readUIntBE(1 + numberBytes, numberBytes),
      }
    case types.close:
      if (buffer.length < 1 + numberBytes) return undefined
      return { type: 'close', number: buffer.readUIntBE(1, numberBytes), reason: textFrom(1 + numberBytes) }
    case types.gone:
      return { type: 'gone', reason: textFrom(1) }
    default:
      return undefined
  }
}
