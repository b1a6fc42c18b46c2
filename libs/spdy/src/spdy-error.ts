// What a peer does wrong, as an error that says how the session or the stream ends.

/** Of RST_STREAM. */
export const resetStatus = {
  protocolError: 1,
  invalidStream: 2,
  refusedStream: 3,
  unsupportedVersion: 4,
  cancel: 5,
  internalError: 6,
  flowControlError: 7,
  streamInUse: 8,
  streamAlreadyClosed: 9,
  frameTooLarge: 11,
} as const

/** Of GOAWAY. */
export const goAwayStatus = { ok: 0, protocolError: 1, internalError: 2 } as const

/** The session cannot go on: what comes after it would not be understood, or it costs too much. */
export class SpdyProtocolError extends Error {
  override readonly name = 'SpdyProtocolError'
}

/** The other side has given up a stream. */
export class SpdyStreamReset extends Error {
  override readonly name = 'SpdyStreamReset'
  readonly status: number
  constructor(status: number) {
    super(`the stream was reset with status ${status}`)
    this.status = status
  }
}

export const isSpdyStreamReset = (error: unknown): error is SpdyStreamReset =>
  error instanceof Error && error.name === 'SpdyStreamReset'
