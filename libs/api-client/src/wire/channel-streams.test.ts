// Streams over channels of a bus in memory.
import type { Readable } from 'node:stream'
import { type Channel, acceptChannels, openChannel } from '@shiplog/events/bus/channel'
import { createMemoryBus } from '@shiplog/events/bus/memory-bus'
import { systemClock as clock } from '@shiplog/runtime/clock'
import { systemIds as ids } from '@shiplog/runtime/ids'
import { describe, expect, test } from 'vitest'
import { type ChannelStreams, createChannelStreams, duplexOf, joinConnections } from './channel-streams.ts'

interface Side {
  readonly channel: Channel
  readonly streams: ChannelStreams
  readonly messages: unknown[]
}

async function pair(): Promise<{ one: Side; other: Side }> {
  const bus = createMemoryBus({ clock })
  const accepted = Promise.withResolvers<Side>()
  const side = (channel: Channel): Side => {
    const messages: unknown[] = []
    return { channel, messages, streams: createChannelStreams(channel, { onMessage: (message) => messages.push(message) }) }
  }
  acceptChannels({
    ...{ bus, clock, subject: 'tun.n.open', prefix: () => 'tun.n', mayReply: () => true, onFault: () => undefined },
    accept: () => ({
      serve: async (channel) => {
        accepted.resolve(side(channel))
        await new Promise((resolve) => channel.closed.addEventListener('abort', resolve))
      },
    }),
  })
  const one = side(await openChannel({ bus, clock, ids, subject: 'tun.n.open', prefix: 'tun.n', request: {}, timeoutMs: 5_000 }))
  return { one, other: await accepted.promise }
}

async function textOf(stream: Readable): Promise<string> {
  let text = ''
  for await (const part of stream) text += String(part)
  return text
}

describe('streams over a channel', () => {
  test('end one by one, in both directions, and messages keep their place', async () => {
    const { one, other } = await pair()
    const [input, output, errors] = [other.streams.readable(0), one.streams.readable(1), one.streams.readable(2)]
    const [stdin, stdout, stderr] = [one.streams.writable(0), other.streams.writable(1), other.streams.writable(2)]
    stdin.end('typed')
    expect(await textOf(input)).toBe('typed')
    stdout.write('printed')
    stderr.end('wrong')
    expect(await textOf(errors)).toBe('wrong')
    stdout.end(' on')
    expect(await textOf(output)).toBe('printed on')
    await other.streams.tell({ exit: { exitCode: 3 } })
    other.channel.close()
    await one.streams.over
    expect(one.messages).toEqual([{ exit: { exitCode: 3 } }])
  })

  test('carry 50 MB whole, and stop a sender that nobody reads', async () => {
    const { one, other } = await pair()
    const writable = one.streams.writable(0)
    const readable = other.streams.readable(0)
    const chunk = Buffer.alloc(1_000_000, 'x')
    let written = 0
    const writing = (async () => {
      for (let index = 0; index < 50; index++) {
        await new Promise<void>((resolve) => writable.write(chunk, () => resolve()))
        written += chunk.length
      }
      writable.end()
    })()
    await clock.sleep(200)
    expect(written).toBeLessThan(2_000_000)
    let read = 0
    for await (const part of readable) read += (part as Buffer).length
    await writing
    expect(read).toBe(50_000_000)
  })

  test('that nobody wants are dropped; one that is given up fails on the other side alone', async () => {
    const { one, other } = await pair()
    const [cut, kept] = [other.streams.readable(0), other.streams.readable(1)]
    one.streams.writable(3).write(Buffer.alloc(1_000_000))
    const [first, second] = [one.streams.writable(0), one.streams.writable(1)]
    first.write('half')
    first.destroy()
    second.end('whole')
    await expect(textOf(cut)).rejects.toThrow('gave the stream up')
    expect(await textOf(kept)).toBe('whole')
  })

  test('break with their channel, also when one of them waits for a reader', async () => {
    const { one, other } = await pair()
    const waits = other.streams.readable(0)
    one.streams.writable(0).write(Buffer.alloc(1_000_000))
    await clock.sleep(50)
    one.channel.close('gone')
    await other.streams.over
    await expect(textOf(waits)).rejects.toThrow('gone')
    await expect(other.streams.tell({})).rejects.toThrow()
  })

  test('what is no stream ends the channel', async () => {
    const { one, other } = await pair()
    const readable = other.streams.readable(0)
    await one.channel.send(Buffer.of(0, 200))
    await other.streams.over
    await expect(textOf(readable)).rejects.toThrow('no stream')
    expect(one.channel.closed.aborted || other.channel.closed.aborted).toBe(true)
  })

  test('are joined with a connection, each half with its own end', async () => {
    const [{ one, other }, { one: third, other: fourth }] = await Promise.all([pair(), pair()])
    void joinConnections(duplexOf(other.streams, 0), duplexOf(third.streams, 0))
    const [client, server] = [duplexOf(one.streams, 0), duplexOf(fourth.streams, 0)]
    client.end('asked')
    let heard = ''
    for await (const part of server.iterator({ destroyOnReturn: false })) heard += String(part)
    server.end(`heard ${heard}`)
    expect(await textOf(client)).toBe('heard asked')
  })
})
