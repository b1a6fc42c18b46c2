// How channels fail, as errors that are told apart by name.

/** The channel is over, and not by an ordinary end. */
export class ChannelBroken extends Error {
  override readonly name = 'ChannelBroken'
  /** True when the other side said so itself: it closed for a reason, or has given up. */
  readonly told: boolean
  constructor(message: string, told: boolean) {
    super(message)
    this.told = told
  }
}

export const isChannelBroken = (error: unknown): error is ChannelBroken =>
  error instanceof Error && error.name === 'ChannelBroken'

/** The other side does not want the channel; `refusal` is what its `accept` gave, as JSON brought it. */
export class ChannelRefused extends Error {
  override readonly name = 'ChannelRefused'
  readonly refusal: unknown
  constructor(subject: string, refusal: unknown) {
    super(`a channel on ${subject} was refused: ${JSON.stringify(refusal)}`)
    this.refusal = refusal
  }
}

export const isChannelRefused = (error: unknown): error is ChannelRefused =>
  error instanceof Error && error.name === 'ChannelRefused'
