// The contract of the Bus port, and of channels on it, as tests: what all adapters must do alike. `memory-bus.test.ts` and
// `nats-bus.int.test.ts` run it.
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Bus, type BusMessage, isNoBusAnswer, type NoBusAnswer } from './bus.ts'
import { acceptChannels, type Channel, type ChannelVerdict, openChannel } from './channel.ts'
import { isChannelRefused } from './channel-errors.ts'
import { windowBytes } from './channel-side.ts'

export interface ContractBus {
  /** Another party on the same bus; in one process it may be the same object. */
  join(): Promise<Bus>
  dispose(): Promise<void>
}

const bytes = (text: string): Uint8Array => Buffer.from(text)
const text = (payload: Uint8Array): string => Buffer.from(payload).toString()
const deadlineMs = 10_000
const clock = systemClock

/** Resolves when `done` says so; throws at the deadline. */
export async function eventually(done: () => boolean, what: string): Promise<void> {
  const endMs = clock.nowMs() + deadlineMs
  while (!done()) {
    if (clock.nowMs() > endMs) throw new Error(`it never came to this: ${what}`)
    await clock.sleep(2)
  }
}

const failure = async (promise: Promise<unknown>): Promise<unknown> =>
  await promise.then(
    () => undefined,
    (error: unknown) => error,
  )

export function describeBusContract(name: string, open: () => Promise<ContractBus>): void {
  describe(`${name}: the bus`, () => {
    let contract: ContractBus
    let a: Bus
    let b: Bus
    beforeAll(async () => {
      contract = await open()
      a = await contract.join()
      b = await contract.join()
    })
    afterAll(async () => await contract.dispose())

    /** Until a subscription of `b` is known to `a`. */
    let echoes = 0
    const known = async (): Promise<void> => {
      echoes += 1
      const subject = `tun.echo${echoes}.open`
      using _echo = b.subscribe(subject, ({ reply, payload }) => b.publish(reply!, payload))
      for (let tries = 0; ; tries++) {
        const answer = await failure(a.request(subject, bytes('x'), { timeoutMs: 2_000 }))
        if (answer === undefined) return
        if (tries > 100) throw answer
        await clock.sleep(5)
      }
    }

    test('delivers to everybody who listens, in the order of the sender, also by wildcards', async () => {
      const heard: string[] = []
      const note = (who: string) => (message: BusMessage) =>
        void heard.push(`${who} ${message.subject} ${text(message.payload)}`)
      using _1 = b.subscribe('feed.one.x.opener', note('exact'))
      using _2 = b.subscribe('feed.*.x.opener', note('star'))
      using _3 = b.subscribe('feed.>', note('rest'))
      await known()
      a.publish('feed.one.x.opener', bytes('1'))
      a.publish('feed.two.x.opener', bytes('2'))
      a.publish('feed.one.x.opener', bytes('3'))
      a.publish('feed', bytes('unheard'))
      await eventually(() => heard.length === 8, 'eight messages')
      const of = (who: string) => heard.filter((line) => line.startsWith(who)).map((line) => line.split(' ').at(-1))
      expect([of('exact'), of('star'), of('rest')]).toEqual([
        ['1', '3'],
        ['1', '2', '3'],
        ['1', '2', '3'],
      ])
    })

    test('calls nobody from within publish, and nobody who has stopped listening', async () => {
      const heard: string[] = []
      const subscription = b.subscribe('feed.stop.x.opener', ({ payload }) => {
        heard.push(text(payload))
        if (text(payload) === 'last') subscription[Symbol.dispose]()
      })
      await known()
      a.publish('feed.stop.x.opener', bytes('first'))
      expect(heard).toEqual([])
      a.publish('feed.stop.x.opener', bytes('last'))
      a.publish('feed.stop.x.opener', bytes('too late'))
      await eventually(() => heard.length === 2, 'two messages')
      await known()
      expect(heard).toEqual(['first', 'last'])
    })

    test('gives each message to one of a queue', async () => {
      const heard = [0, 0]
      using _1 = a.subscribe('cmd.q.request', () => void heard[0]!++, { queue: 'gateways' })
      using _2 = b.subscribe('cmd.q.request', () => void heard[1]!++, { queue: 'gateways' })
      await known()
      for (let i = 0; i < 200; i++) a.publish('cmd.q.request', bytes('x'))
      await eventually(() => heard[0]! + heard[1]! >= 200, 'all were heard')
      await known()
      expect(heard[0]! + heard[1]!).toBe(200)
      expect(Math.min(...heard)).toBeGreaterThan(0)
    })

    test('answers a request once; one that nobody hears is known to be unheard, at once', async () => {
      using _ = b.subscribe('cmd.x.request', ({ reply, payload }) => {
        b.publish(reply!, Buffer.concat([payload, bytes('!')]))
        b.publish(reply!, bytes('again'))
      })
      await known()
      expect(text(await a.request('cmd.x.request', bytes('ask'), { timeoutMs: deadlineMs }))).toBe('ask!')
      const startMs = clock.nowMs()
      const unheard = await failure(a.request('cmd.nobody.request', bytes('ask'), { timeoutMs: deadlineMs }))
      expect(isNoBusAnswer(unheard) && unheard.unheard).toBe(true)
      expect(clock.nowMs() - startMs).toBeLessThan(deadlineMs / 2)
    })

    test('a request without an answer ends at its timeout or with its signal, and may have been heard', async () => {
      using _ = b.subscribe('cmd.mute.request', () => undefined)
      await known()
      const late = await failure(a.request('cmd.mute.request', bytes('ask'), { timeoutMs: 60 }))
      expect((late as NoBusAnswer).unheard).toBe(false)
      const controller = new AbortController()
      const asked = failure(
        a.request('cmd.mute.request', bytes('ask'), { timeoutMs: deadlineMs, signal: controller.signal }),
      )
      controller.abort(new Error('no longer wanted'))
      expect(((await asked) as Error).message).toBe('no longer wanted')
    })

    test('refuses a payload that is too large', async () => {
      const large = new Uint8Array(a.payloadBytesMax + 1)
      expect(() => a.publish('feed.x', large)).toThrow(RangeError)
      expect(await failure(a.request('cmd.x.request', large, { timeoutMs: 100 }))).toBeInstanceOf(RangeError)
    })
  })

  describe(`${name}: channels`, () => {
    let contract: ContractBus
    let a: Bus
    let b: Bus
    beforeAll(async () => {
      contract = await open()
      a = await contract.join()
      b = await contract.join()
    })
    afterAll(async () => await contract.dispose())

    let serial = 0

    /** Opens a channel from `a` to an acceptor on `b`. */
    async function pair(accept?: (request: Readonly<Record<string, unknown>>) => ChannelVerdict) {
      const accepted = Promise.withResolvers<Channel>()
      const faults: unknown[] = []
      serial += 1
      const prefix = `tun.n${serial}`
      const subject = `${prefix}.open`
      const acceptor = acceptChannels({
        bus: b,
        clock,
        subject,
        prefix: () => prefix,
        mayReply: () => true,
        accept: accept
          ? (request) => accept(request)
          : () => ({
              serve: async (channel) => {
                accepted.resolve(channel)
                await new Promise((resolve) => channel.closed.addEventListener('abort', resolve))
              },
            }),
        onFault: (error) => faults.push(error),
      })
      const how = { bus: a, clock, ids: systemIds, subject, prefix, timeoutMs: deadlineMs }
      const ask = async (request: Record<string, unknown> = {}) => await openChannel({ ...how, request })
      for (let tries = 0; ; tries++) {
        try {
          const opener = await ask({ kind: 'test' })
          return { acceptor, faults, ask, opener, accepted: accepted.promise }
        } catch (error) {
          if (!isNoBusAnswer(error) || tries > 200) {
            acceptor[Symbol.dispose]()
            throw error
          }
          await clock.sleep(5)
        }
      }
    }

    async function collect(channel: Channel, all: string[] = []): Promise<string[]> {
      for await (const message of channel.incoming) all.push(text(message))
      return all
    }

    test('carries messages both ways in order and ends in order, after all that was sent', async () => {
      const { opener, accepted, acceptor } = await pair()
      const other = await accepted
      const count = 3_000
      const there = collect(other)
      const answers: string[] = []
      const back = collect(opener, answers)
      for (let i = 0; i < count; i++) {
        // Waiting for each would prove less.
        if (i % 500 === 499) await opener.send(bytes(`${i} ${'x'.repeat(i % 3_000)}`))
        else void opener.send(bytes(`${i} ${'x'.repeat(i % 3_000)}`))
      }
      await other.send(bytes('hello'))
      await eventually(() => answers.length === 1, 'the answer')
      opener.close()
      const got = await there
      expect(got.length).toBe(count)
      expect(got.every((line, i) => line === `${i} ${'x'.repeat(i % 3_000)}`)).toBe(true)
      expect(await back).toEqual(['hello'])
      await eventually(() => opener.closed.aborted && other.closed.aborted && acceptor.open === 0, 'both ended')
      acceptor[Symbol.dispose]()
    })

    test('a reader that does not read stops the sender within the window, and lets it go on when it reads', async () => {
      const { opener, accepted, acceptor } = await pair()
      const other = await accepted
      const message = new Uint8Array(32 * 1024)
      let sent = 0
      const sending = (async () => {
        for (; sent < 100; sent++) await opener.send(message)
        opener.close()
      })()
      await clock.sleep(150)
      expect(sent).toBeGreaterThan(0)
      expect(sent).toBeLessThanOrEqual(windowBytes / message.length)
      expect((await collect(other)).length).toBe(100)
      await sending
      acceptor[Symbol.dispose]()
    })

    test('carries a message that is larger than the window, alone', async () => {
      const { opener, accepted, acceptor } = await pair()
      const other = await accepted
      const sizes = [10, windowBytes * 3, 10, windowBytes * 3, 10]
      const received = (async () => {
        const lengths: number[] = []
        for await (const message of other.incoming) lengths.push(message.length)
        return lengths
      })()
      for (const size of sizes) await opener.send(new Uint8Array(size))
      opener.close()
      expect(await received).toEqual(sizes)
      acceptor[Symbol.dispose]()
    })

    test('a close for a reason reaches the reader as that reason, after what was sent before', async () => {
      const { opener, accepted, acceptor } = await pair()
      const other = await accepted
      await opener.send(bytes('one'))
      opener.close('the disk is full')
      const got: string[] = []
      const error = await failure(
        (async () => {
          for await (const message of other.incoming) got.push(text(message))
        })(),
      )
      expect(got).toEqual(['one'])
      expect(error).toMatchObject({ name: 'ChannelBroken', message: 'the disk is full', told: true })
      expect(await failure(opener.send(bytes('late')))).toMatchObject({ name: 'ChannelBroken' })
      expect(await failure(other.send(bytes('late')))).toMatchObject({ name: 'ChannelBroken' })
      acceptor[Symbol.dispose]()
    })

    test('a refusal reaches the opener as data; nobody there is no answer', async () => {
      const refused = await failure(pair(() => ({ refusal: { code: 404, message: 'no such pod' } })))
      expect(isChannelRefused(refused) && refused.refusal).toEqual({ code: 404, message: 'no such pod' })
      const nobody = await failure(
        openChannel({
          ...{ bus: a, clock, ids: systemIds, request: {}, timeoutMs: deadlineMs },
          subject: 'tun.nobody.open',
          prefix: 'tun.nobody',
        }),
      )
      expect(isNoBusAnswer(nobody) && nobody.unheard).toBe(true)
    })

    test('what the acceptor throws breaks the channel and is told; an acceptor that stops ends its channels', async () => {
      const { opener, faults, acceptor, ask } = await pair((request) => ({
        serve: async (channel) => {
          if (request['fail'] === true) throw new Error('a bug')
          await new Promise((resolve) => channel.closed.addEventListener('abort', resolve))
        },
      }))
      const failing = await ask({ fail: true })
      expect(await failure(collect(failing))).toMatchObject({ name: 'ChannelBroken', told: true })
      expect((faults[0] as Error).message).toBe('a bug')
      acceptor[Symbol.dispose]()
      expect(await failure(collect(opener))).toMatchObject({ message: 'the other side is stopping' })
    })
  })
}
