// Channels on a bus that loses, doubles and reorders: what arrives is always a beginning of what was sent, in order, and
// whoever waits for the rest is told within a bounded time.
import type { Clock } from '@shiplog/runtime/clock'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { seededRandom } from '@shiplog/testing/seeded-random'
import { describe, expect, test } from 'vitest'
import { type Bus, type BusMessage, NoBusAnswer } from './bus.ts'
import { eventually } from './bus.contract.ts'
import { acceptChannels, type Channel, openChannel } from './channel.ts'
import { heartbeatMs, silenceMs, windowBytes } from './channel-side.ts'
import { encodeFrame } from './channel-frames.ts'
import { createMemoryBus } from './memory-bus.ts'

type Fate = 'deliver' | 'lose' | 'double' | 'hold'

/** A clock that moves when it is told to. */
function manualClock(): Clock & { advance(ms: number): Promise<void> } {
  let nowMs = 1_000_000
  const timers = new Set<{ atMs: number; everyMs: number; callback: () => void }>()
  const add = (ms: number, everyMs: number, callback: () => void): Disposable => {
    const timer = { atMs: nowMs + ms, everyMs, callback }
    timers.add(timer)
    return { [Symbol.dispose]: () => void timers.delete(timer) }
  }
  return {
    nowMs: () => nowMs,
    sleep: (ms) => new Promise((resolve) => add(ms, 0, resolve)),
    after: (ms, callback) => add(ms, 0, callback),
    every: (ms, callback) => add(ms, ms, callback),
    async advance(ms) {
      const endMs = nowMs + ms
      while (nowMs < endMs) {
        nowMs = Math.min(endMs, nowMs + 500)
        for (const timer of [...timers]) {
          if (timer.atMs > nowMs || !timers.has(timer)) continue
          if (timer.everyMs === 0) timers.delete(timer)
          else timer.atMs += timer.everyMs
          timer.callback()
        }
        // What was said is heard before time goes on.
        for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve))
      }
    },
  }
}

/** A bus whose messages on channels meet a fate. */
function faultyBus(bus: Bus, fate: (subject: string) => Fate): Bus {
  let held: readonly [string, Uint8Array] | undefined
  const fateOf = (subject: string): Fate => (/\.(opener|acceptor)$/.test(subject) ? fate(subject) : 'deliver')
  return {
    ...bus,
    async request(subject, payload, how) {
      if (fateOf(subject) === 'lose') throw new NoBusAnswer('lost', false)
      return await bus.request(subject, payload, how)
    },
    publish(subject, payload) {
      const what = fateOf(subject)
      if (what === 'lose') return
      if (what === 'hold' && held === undefined) {
        held = [subject, payload]
        return
      }
      bus.publish(subject, payload)
      if (what === 'double') bus.publish(subject, payload)
      if (held) bus.publish(...held)
      held = undefined
    },
  }
}

async function pair(clock: Clock, bus: Bus, acceptorsBus = bus) {
  const accepted = Promise.withResolvers<Channel>()
  const acceptor = acceptChannels({
    bus: acceptorsBus,
    clock,
    subject: 'tun.n.open',
    prefix: () => 'tun.n',
    mayReply: () => true,
    accept: () => ({
      serve: async (channel) => {
        accepted.resolve(channel)
        await new Promise((resolve) => channel.closed.addEventListener('abort', resolve))
      },
    }),
    onFault: () => undefined,
  })
  const opener = await openChannel({
    ...{ bus, clock, ids: systemIds, request: {}, timeoutMs: 5_000 },
    ...{ subject: 'tun.n.open', prefix: 'tun.n' },
  })
  return { opener, acceptor, other: await accepted.promise }
}

/** Reads until the end; what came, and how it ended. */
function reading(channel: Channel): { readonly got: string[]; ended: string | undefined } {
  const state: { got: string[]; ended: string | undefined } = { got: [], ended: undefined }
  void (async () => {
    try {
      for await (const message of channel.incoming) state.got.push(Buffer.from(message).toString())
      state.ended = 'end'
    } catch (error) {
      state.ended = (error as Error).message
    }
  })()
  return state
}

const memory = (): Bus => createMemoryBus({ clock: systemClock })

describe('a channel', () => {
  test.each(['lose', 'hold'] as const)('breaks on both sides when a message meets the fate "%s"', async (fate) => {
    let count = 0
    const clock = manualClock()
    const bus = faultyBus(memory(), (subject) => {
      if (!subject.endsWith('opener')) return 'deliver'
      count += 1
      return count === 3 ? fate : 'deliver'
    })
    const { opener, other } = await pair(clock, bus)
    const read = reading(other)
    for (let i = 1; i <= 6; i++) await opener.send(Buffer.from(`${i}`)).catch(() => undefined)
    await eventually(() => read.ended !== undefined && opener.closed.aborted, 'both ended')
    expect(read).toEqual({ got: ['1', '2'], ended: 'a message was lost' })
  })

  test('finds out by the next heartbeat that the last message was lost', async () => {
    const clock = manualClock()
    let losing = false
    const bus = faultyBus(memory(), (subject) => (losing && subject.endsWith('opener') ? 'lose' : 'deliver'))
    const { opener, other } = await pair(clock, bus)
    const read = reading(other)
    await opener.send(Buffer.from('1'))
    losing = true
    await opener.send(Buffer.from('2'))
    losing = false
    await clock.advance(heartbeatMs + 1_000)
    expect(read).toEqual({ got: ['1'], ended: 'a message was lost' })
  })

  test('takes a doubled message once', async () => {
    const { opener, other } = await pair(
      manualClock(),
      faultyBus(memory(), () => 'double'),
    )
    const read = reading(other)
    for (let i = 1; i <= 5; i++) await opener.send(Buffer.from(`${i}`))
    opener.close()
    await eventually(() => read.ended !== undefined, 'the end')
    expect(read).toEqual({ got: ['1', '2', '3', '4', '5'], ended: 'end' })
  })

  test('stands while both are idle, and breaks after some seconds when one falls silent, whoever it is', async () => {
    for (const silent of ['opener', 'acceptor']) {
      const clock = manualClock()
      let dead = false
      const bus = faultyBus(memory(), (subject) => (dead && subject.endsWith(silent) ? 'lose' : 'deliver'))
      const { opener, other } = await pair(clock, bus)
      await clock.advance(60_000)
      expect([opener.closed.aborted, other.closed.aborted]).toEqual([false, false])
      dead = true
      const hearing = silent === 'opener' ? other : opener
      await clock.advance(silenceMs - heartbeatMs - 1_000)
      expect(hearing.closed.aborted).toBe(false)
      await clock.advance(heartbeatMs + 2_000)
      expect(hearing.closed.aborted).toBe(true)
    }
  })

  test('notices with its next heartbeat that the other side has vanished without a word', async () => {
    const clock = manualClock()
    const bus = memory()
    const subscriptions: Disposable[] = []
    let vanished = false
    const mortal: Bus = {
      ...bus,
      publish: (subject, payload) => {
        if (!vanished) bus.publish(subject, payload)
      },
      subscribe: (subject, onMessage, how) => {
        const subscription = bus.subscribe(subject, onMessage, how)
        subscriptions.push(subscription)
        return subscription
      },
    }
    const { opener } = await pair(clock, bus, mortal)
    await clock.advance(heartbeatMs * 3)
    expect(opener.closed.aborted).toBe(false)
    vanished = true
    for (const subscription of subscriptions) subscription[Symbol.dispose]()
    await clock.advance(heartbeatMs)
    expect((opener.closed.reason as Error).message).toBe('the other side is gone')
  })

  test('a sender that waits for room is told when the reader goes', async () => {
    const { opener, other } = await pair(manualClock(), memory())
    const large = new Uint8Array(windowBytes - 100)
    await opener.send(large)
    const waiting = opener.send(large).catch((error: unknown) => error)
    other.close('enough')
    expect(await waiting).toMatchObject({ name: 'ChannelBroken', message: 'enough' })
  })

  test('garbage from the other side breaks the channel and nothing else', async () => {
    const random = seededRandom(7)
    const garbage = [
      Buffer.alloc(0),
      Buffer.from([9, 9, 9]),
      Buffer.from([1, 0]),
      Buffer.from([2, 0, 0]),
      Buffer.from([3]),
      Buffer.from('{"type":"data"}'),
      Buffer.from(Array.from({ length: 40 }, () => 10 + random.below(245))),
      encodeFrame({ type: 'pulse', last: 0, taken: 2 ** 47 }),
      encodeFrame({ type: 'pulse', last: 2 ** 47, taken: 0 }),
      encodeFrame({ type: 'data', number: 2 ** 47, payload: Buffer.from('x') }),
    ]
    for (const bytes of garbage) {
      const bus = memory()
      const subjects: string[] = []
      using _ = bus.subscribe('tun.n.*.*', ({ subject }: BusMessage) => void subjects.push(subject))
      const { opener, other } = await pair(manualClock(), bus)
      const read = reading(other)
      await opener.send(Buffer.from('1'))
      await eventually(() => subjects.length > 0 && read.got.length === 1, 'the first message')
      bus.publish(subjects[0]!.replace(/[a-z]+$/, 'opener'), bytes)
      await eventually(() => opener.closed.aborted && other.closed.aborted, `${bytes.toString('hex')} broke it`)
      expect(read.got).toEqual(['1'])
      expect(read.ended).not.toBe('end')
    }
  })

  test('a sender that ignores the window is cut off', async () => {
    const bus = memory()
    const { other, opener } = await pair(manualClock(), bus)
    const subjects: string[] = []
    using _ = bus.subscribe('tun.n.*.opener', ({ subject }) => void subjects.push(subject))
    await opener.send(Buffer.from('x'))
    await eventually(() => subjects.length === 1, 'the subject')
    const payload = Buffer.alloc(windowBytes / 2)
    for (let number = 2; number < 8; number++) bus.publish(subjects[0]!, encodeFrame({ type: 'data', number, payload }))
    await eventually(() => other.closed.aborted, 'the break')
    expect((other.closed.reason as Error).message).toBe('more was sent than there was room for')
  })

  test('an acceptor refuses what cannot be read, whom it may not answer, and more channels than it may have', async () => {
    const bus = memory()
    const clock = systemClock
    let mayReply = true
    using acceptor = acceptChannels({
      ...{ bus, clock, subject: 'tun.*.open', channelsMax: 2, onFault: () => undefined },
      prefix: (subject) => subject.split('.').slice(0, 2).join('.'),
      mayReply: () => mayReply,
      accept: () => ({
        serve: (channel) => new Promise((resolve) => channel.closed.addEventListener('abort', () => resolve())),
      }),
    })
    const ask = async (text: string) =>
      Buffer.from(await bus.request('tun.n.open', Buffer.from(text), { timeoutMs: 100 })).toString()
    for (const text of ['', '{', '[]', '{}', '{"id":"short","request":{}}', '{"id":"a.b.c.d.e.f.g","request":{}}']) {
      expect(await ask(text)).toBe('{"refusal":"the request for a channel cannot be read"}')
    }
    const request = (id: string) => JSON.stringify({ id, request: {} })
    expect(await ask(request('channel-1'))).toBe('{"accepted":true}')
    expect(await ask(request('channel-2'))).toBe('{"accepted":true}')
    expect(await ask(request('channel-3'))).toBe('{"refusal":"too many channels are open"}')
    expect(acceptor.open).toBe(2)
    mayReply = false
    await expect(ask(request('channel-4'))).rejects.toMatchObject({ name: 'NoBusAnswer' })
  })

  test('whatever the bus does, what arrives is a beginning of what was sent, and both sides come to an end', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = seededRandom(seed)
      const clock = manualClock()
      const bus = faultyBus(memory(), () =>
        random.chance(0.97) ? 'deliver' : random.pick(['lose', 'double', 'hold'] as const),
      )
      const { opener, other, acceptor } = await pair(clock, bus)
      const sides = [opener, other]
      const reads = sides.map(reading)
      const sent = sides.map(async (side, which) => {
        const messages: string[] = []
        const count = random.below(120)
        for (let i = 0; i < count; i++) {
          const message = `${which} ${i} ${'x'.repeat(random.below(20_000))}`
          messages.push(message)
          try {
            await side.send(Buffer.from(message))
          } catch {
            break
          }
        }
        if (which === 0) side.close()
        return messages
      })
      let settled = false
      const all = Promise.all(sent).then((messages) => {
        settled = true
        return messages
      })
      for (let steps = 0; steps < 200 && !(settled && sides.every((side) => side.closed.aborted)); steps++) {
        await clock.advance(500)
      }
      expect([seed, ...sides.map((side) => side.closed.aborted)]).toEqual([seed, true, true])
      const messages = await all
      await eventually(() => reads.every((read) => read.ended !== undefined), `seed ${seed}: readers end`)
      expect(messages[1]!.slice(0, reads[0]!.got.length)).toEqual(reads[0]!.got)
      expect(messages[0]!.slice(0, reads[1]!.got.length)).toEqual(reads[1]!.got)
      // An ordinary end means that all of it came.
      if (reads[1]!.ended === 'end') expect(reads[1]!.got).toEqual(messages[0])
      acceptor[Symbol.dispose]()
    }
  })
})
