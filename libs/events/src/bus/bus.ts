// The Bus port: what services say to one another beside the log. Commands of node agents, their feeds, and the tunnels to
// what runs on a node go over it. Messages are delivered at most once and kept nowhere; whoever needs more (order, flow
// control, an end that is noticed) opens a channel on it.
//
//   cmd.<identity>.<what>        a command of that identity, answered by one of the gateways
//   feed.<node>.<id>.<side>      a channel of a node's feed
//   tun.<node>.open              asks the agent of a node for a channel; tun.<node>.<id>.<side> is the channel
//   use.<node>                   what the containers of a node use, heard by all gateways
//
// On NATS the subjects are what a user's permissions speak of: an agent can publish and hear nothing but its own.

/** A message as a subscriber gets it. Its bytes are shared: never change them. */
export interface BusMessage {
  readonly subject: string
  readonly payload: Uint8Array
  /** Where an answer is awaited; undefined when none is. */
  readonly reply: string | undefined
}

export interface BusRequestOptions {
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

export interface Bus {
  /** Largest payload of one message. */
  readonly payloadBytesMax: number

  /**
   * Sends to everybody who listens now (and to one of each queue group). It is not known whether it arrives; without a
   * connection it does not. Throws RangeError when the payload is too large.
   */
  publish(subject: string, payload: Uint8Array): void

  /** One answer of one listener. Throws NoBusAnswer. */
  request(subject: string, payload: Uint8Array, options: BusRequestOptions): Promise<Uint8Array>

  /**
   * Hears a subject, which may hold `*` (one token) and, at its end, `>` (one or more), until it is disposed. Of
   * subscribers with the same queue one gets each message. `onMessage` is called in the order of each sender, never from
   * within a call of this port.
   */
  subscribe(
    subject: string,
    onMessage: (message: BusMessage) => void,
    options?: { readonly queue?: string },
  ): Disposable

  /** Told when messages may have been lost: the connection broke, and stands again. */
  onInterrupted(callback: () => void): Disposable

  close(): Promise<void>
}

/** A request got no answer. */
export class NoBusAnswer extends Error {
  override readonly name = 'NoBusAnswer'
  /** True when nobody can have acted on it: nobody listened, or it was never sent. */
  readonly unheard: boolean
  constructor(message: string, unheard: boolean, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.unheard = unheard
  }
}

export const isNoBusAnswer = (error: unknown): error is NoBusAnswer =>
  error instanceof Error && error.name === 'NoBusAnswer'
