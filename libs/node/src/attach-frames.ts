// What goes over a connection to the supervisor that has become a way into a container: a first line that says which one,
// then, once the supervisor has said that it is ready, frames in both directions: a byte that says what, the length, the
// bytes.

export const frameKinds = { stdin: 0, stdout: 1, stderr: 2, end: 3, refused: 4, ready: 5 } as const

/** The first line of such a connection. */
export interface AttachOrder {
  readonly attach: { readonly containerID: string; readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean }
}

/** Nobody sends a longer one. */
const frameBytesMax = 1024 * 1024
const headBytes = 5

export function encodeFrame(kind: number, bytes: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(headBytes)
  head.writeUInt8(kind, 0)
  head.writeUInt32BE(bytes.length, 1)
  return bytes.length === 0 ? head : Buffer.concat([head, bytes])
}

/** Cuts bytes into frames; throws for what is none. */
export function frameReader(onFrame: (kind: number, bytes: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0)
  return (chunk) => {
    rest = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk
    while (rest.length >= headBytes) {
      const length = rest.readUInt32BE(1)
      if (length > frameBytesMax) throw new Error(`a frame of ${length} bytes`)
      if (rest.length < headBytes + length) return
      onFrame(rest[0]!, rest.subarray(headBytes, headBytes + length))
      rest = rest.subarray(headBytes + length)
    }
  }
}

export function attachOrderOf(value: unknown): AttachOrder['attach'] | undefined {
  const { attach } = (typeof value === 'object' && value !== null ? value : {}) as Partial<AttachOrder>
  return attach && typeof attach.containerID === 'string' ? attach : undefined
}
