// A channel: two parties on the bus, each sending messages in order to the other, with flow control. A message that was
// lost, a party that is gone or falls silent breaks the channel; it never hangs and never skips. Feeds and tunnels are
// channels.

export interface Channel {
  /**
   * What the other side sends. Ends when it closes in order; throws ChannelBroken when it is gone, silent, or a message
   * was lost. Room for more is given back as messages are taken: a reader that does not read stops the sender.
   */
  readonly incoming: AsyncIterable<Uint8Array>
  /** Resolves when it was sent and the window has room again. Throws ChannelBroken. */
  send(message: Uint8Array): Promise<void>
  /** Tells the other side, after all that was sent, that nothing more comes; `reason` when it is no ordinary end. */
  close(reason?: string): void
  /** Aborted when the channel is over, for whatever reason. */
  readonly closed: AbortSignal
}

/** What the opener asks for; the acceptor reads it as untrusted input. */
export type ChannelRequest = Readonly<Record<string, unknown>>
