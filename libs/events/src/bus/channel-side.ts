// One side of a channel: numbers what it sends, keeps within the window that the other side gives back, and breaks when a
// number is missing, the other side is silent, or sends what no side of a channel sends.
import type { Clock } from '@shiplog/runtime/clock'
import { type Bus, type BusMessage, isNoBusAnswer } from './bus.ts'
import type { Channel } from './channel.ts'
import { ChannelBroken } from './channel-errors.ts'
import { dataHeaderBytes, decodeFrame, encodeFrame, type Frame } from './channel-frames.ts'

/** Bytes that may be under way to a reader that does not read; one longer message may be, alone. */
export const windowBytes = 256 * 1024
/** What each message counts in the window beside its bytes, so that the number of small ones is bounded too. */
export const messageCostBytes = 64
/** A side says so often that it is there, and learns whether anybody hears it. */
export const heartbeatMs = 2_000
/** A side that says nothing for so long is given up. */
export const silenceMs = 10_000
const tickMs = 1_000
/** Room is given back when so much of it has come together, or after a moment. */
const announceBytes = windowBytes / 4
const announceDelayMs = 10
/** Calls of `send` that wait for room. */
const sendsWaitingMax = 1_024

export interface ChannelSide {
  readonly channel: Channel
  /** The other side is there now: from here on it has to show it. */
  begin(): void
  /** Ends it at once, and tells the other side. */
  break(reason: string): void
}

export interface ChannelSideOptions {
  readonly bus: Bus
  readonly clock: Clock
  /** The subject that it sends on, and the one of the other side. */
  readonly says: string
  readonly hears: string
}

interface WaitingSend {
  readonly message: Uint8Array
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

const costOf = (message: Uint8Array): number => message.length + messageCostBytes

/** Hears from the start; `begin` starts the heartbeats. */
export function createChannelSide({ bus, clock, says, hears }: ChannelSideOptions): ChannelSide {
  const messageBytesMax = bus.payloadBytesMax - dataHeaderBytes
  const closed = new AbortController()
  const handles: Disposable[] = []
  let over = false
  let failure: ChannelBroken | undefined

  // What we send.
  let sent = 0
  let sentCost = 0
  let takenByOther = 0
  let closing = false
  const waiting: WaitingSend[] = []

  // What we hear.
  let received = 0
  let taken = 0
  let announced = 0
  let announcing = false
  const buffered: Uint8Array[] = []
  let bufferedCost = 0
  let wake: (() => void) | undefined
  let hasReader = false
  let heardMs = clock.nowMs()
  let tickedMs = heardMs
  let ticks = 0

  const say = (frame: Frame): void => bus.publish(says, encodeFrame(frame))

  function pulse(): void {
    announced = taken
    say({ type: 'pulse', last: sent, taken })
  }

  /** As a request, which the bus answers when nobody listens: a process that was killed is found out so. */
  async function heartbeat(): Promise<void> {
    announced = taken
    try {
      await bus.request(says, encodeFrame({ type: 'pulse', last: sent, taken }), { timeoutMs: heartbeatMs })
    } catch (error) {
      // The other side gives no answer; it hears, and says the same of itself.
      if (isNoBusAnswer(error) && error.unheard) finish(new ChannelBroken('the other side is gone', false))
    }
  }

  function finish(reason?: ChannelBroken): void {
    if (over) return
    over = true
    failure = reason
    for (const handle of handles.splice(0)) handle[Symbol.dispose]()
    const error = reason ?? new ChannelBroken('the channel is closed', false)
    for (const each of waiting.splice(0)) each.reject(error)
    wake?.()
    closed.abort(reason)
  }

  function breakOff(reason: string): void {
    if (over) return
    say({ type: 'gone', reason })
    finish(new ChannelBroken(reason, false))
  }

  const hasRoom = (cost: number): boolean => {
    const underWay = sentCost - takenByOther
    return underWay === 0 || underWay + cost <= windowBytes
  }

  function transmit(message: Uint8Array): void {
    sent += 1
    sentCost += costOf(message)
    say({ type: 'data', number: sent, payload: message })
  }

  function flush(): void {
    while (waiting.length > 0 && hasRoom(costOf(waiting[0]!.message))) {
      const { message, resolve } = waiting.shift()!
      transmit(message)
      resolve()
    }
    if (closing && waiting.length === 0) end('')
  }

  function end(reason: string): void {
    sent += 1
    say({ type: 'close', number: sent, reason })
    finish()
  }

  /** The next of the numbered ones? Doubled ones are passed over, a gap breaks the channel. */
  function isNext(number: number): boolean {
    if (number <= received) return false
    if (number !== received + 1) {
      breakOff('a message was lost')
      return false
    }
    received = number
    return true
  }

  function onFrame(frame: Frame): void {
    switch (frame.type) {
      case 'data': {
        if (!isNext(frame.number)) return
        const cost = costOf(frame.payload)
        if (bufferedCost > 0 && bufferedCost + cost > windowBytes) {
          breakOff('more was sent than there was room for')
          return
        }
        buffered.push(frame.payload)
        bufferedCost += cost
        wake?.()
        return
      }
      case 'pulse':
        if (frame.last > received) breakOff('a message was lost')
        else if (frame.taken > sentCost) breakOff('more was taken than was sent')
        else {
          takenByOther = Math.max(takenByOther, frame.taken)
          flush()
        }
        return
      case 'close':
        if (isNext(frame.number)) {
          finish(frame.reason === '' ? undefined : new ChannelBroken(frame.reason, true))
        }
        return
      case 'gone':
        finish(new ChannelBroken(frame.reason || 'the other side gave up', true))
    }
  }

  function onMessage({ payload }: BusMessage): void {
    if (over) return
    heardMs = clock.nowMs()
    const frame = decodeFrame(payload)
    if (frame === undefined) breakOff('the other side sent what is no message of a channel')
    else onFrame(frame)
  }

  function onTick(): void {
    const nowMs = clock.nowMs()
    // A pause of our own is not the other side's fault: what it said may lie in the socket.
    if (nowMs - tickedMs > heartbeatMs) heardMs = Math.max(heardMs, nowMs - heartbeatMs)
    tickedMs = nowMs
    ticks += 1
    if (nowMs - heardMs >= silenceMs) breakOff(`the other side said nothing for ${silenceMs / 1_000} s`)
    else if (ticks % (heartbeatMs / tickMs) === 0) void heartbeat()
  }

  function take(): Uint8Array {
    const message = buffered.shift()!
    const cost = costOf(message)
    bufferedCost -= cost
    taken += cost
    if (over) return message
    if (taken - announced >= announceBytes) pulse()
    else if (!announcing) {
      announcing = true
      clock.after(announceDelayMs, () => {
        announcing = false
        if (!over && taken > announced) pulse()
      })
    }
    return message
  }

  async function* read(): AsyncGenerator<Uint8Array> {
    for (;;) {
      while (buffered.length > 0) yield take()
      if (over) {
        if (failure) throw failure
        return
      }
      const { promise, resolve } = Promise.withResolvers<void>()
      wake = resolve
      await promise
      wake = undefined
    }
  }

  handles.push(
    bus.subscribe(hears, onMessage),
    bus.onInterrupted(() => breakOff('the connection to the bus broke')),
  )

  return {
    begin() {
      if (over) return
      heardMs = tickedMs = clock.nowMs()
      handles.push(clock.every(tickMs, onTick))
    },
    break: breakOff,
    channel: {
      incoming: {
        [Symbol.asyncIterator]() {
          if (hasReader) throw new Error('a channel has one reader')
          hasReader = true
          return read()
        },
      },
      messageBytesMax,
      async send(message) {
        if (message.length > messageBytesMax) {
          throw new RangeError(`a message of ${message.length} bytes is larger than ${messageBytesMax}`)
        }
        if (over || closing) throw failure ?? new ChannelBroken('the channel is closed', false)
        if (waiting.length === 0 && hasRoom(costOf(message))) {
          transmit(message)
          return
        }
        if (waiting.length >= sendsWaitingMax) throw new RangeError('too many messages wait to be sent')
        await new Promise<void>((resolve, reject) => {
          waiting.push({ message, resolve, reject })
        })
      },
      close(reason = '') {
        if (over || closing) return
        if (reason !== '') {
          end(reason)
          return
        }
        closing = true
        flush()
      },
      closed: closed.signal,
    },
  }
}
