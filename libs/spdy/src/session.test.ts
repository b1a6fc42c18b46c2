// Two sessions of ours on one connection, and a peer that does what it likes. Real clients: conformance, with kubectl.
import { duplexPair, type Duplex } from 'node:stream'
import { createDeflate, constants } from 'node:zlib'
import { createManualClock } from '@shiplog/testing/manual-clock'
import { describe, expect, test } from 'vitest'
import { headerDictionary } from './dictionary.ts'
import { createFrameReader, dataHead, encodeControl, type ControlFrame } from './frames.ts'
import { createHeaderPacker, createHeaderUnpacker, decodeHeaders, encodeHeaders } from './header-block.ts'
import { createSpdySession, defaultLimits, type SpdySession, type SpdySessionOptions } from './session.ts'
import { isSpdyStreamReset } from './spdy-error.ts'
import type { SpdyStream } from './stream.ts'

const clock = createManualClock()
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const turns = async (count = 20): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await settled()
}

/** All that comes; the stream stays as it is, for what is said on it. */
async function textOf(io: Duplex): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of io.iterator({ destroyOnReturn: false })) parts.push(part as Buffer)
  return Buffer.concat(parts).toString()
}

function pair(serve: (stream: SpdyStream) => void, options: Partial<SpdySessionOptions> = {}): { client: SpdySession; server: SpdySession } {
  const [ours, theirs] = duplexPair()
  const server = createSpdySession({ role: 'server', socket: theirs, clock, onStream: serve, ...options })
  return { client: createSpdySession({ role: 'client', socket: ours, clock }), server }
}

/** A server, and a peer that writes frames of its own. */
function peer(options: Partial<SpdySessionOptions> = {}) {
  const [ours, theirs] = duplexPair()
  const streams: SpdyStream[] = []
  const server = createSpdySession({ role: 'server', socket: theirs, clock, onStream: (stream) => streams.push(stream), ...options })
  const heard: ControlFrame[] = []
  const data: Buffer[] = []
  ours.on('error', () => undefined)
  ours.on('data', createFrameReader({ onControl: (frame) => heard.push(frame), onData: (_id, bytes) => data.push(bytes) }, 1 << 20))
  const pack = createHeaderPacker()
  const syn = (streamId: number, headers: Record<string, string> = { streamtype: 'data' }): void => {
    const block = pack(encodeHeaders(new Map(Object.entries(headers).map(([name, value]) => [name, [value]]))))
    ours.write(encodeControl({ type: 'synStream', streamId, fin: false, unidirectional: false, block }))
  }
  const send = (streamId: number, bytes: Buffer, fin = false): void => {
    ours.write(Buffer.concat([dataHead(streamId, bytes.length, fin), bytes]))
  }
  return { server, streams, ours, heard, data, syn, send, types: () => heard.map(({ type }) => type) }
}

describe('headers', () => {
  test('of thousands of streams survive packing, also by a zlib that keeps its state', async () => {
    const unpack = createHeaderUnpacker(defaultLimits)
    const deflate = createDeflate({ dictionary: headerDictionary, level: 9 })
    const packed = (block: Buffer): Promise<Buffer> =>
      new Promise((resolve) => {
        const parts: Buffer[] = []
        const take = (part: Buffer): void => void parts.push(part)
        deflate.on('data', take)
        deflate.write(block)
        deflate.flush(constants.Z_SYNC_FLUSH, () => {
          deflate.off('data', take)
          resolve(Buffer.concat(parts))
        })
      })
    for (let index = 0; index < 1_000; index++) {
      const headers = new Map([
        ['streamtype', ['error']],
        ['requestid', [String(index), 'x'.repeat(index % 97)]],
      ])
      const block = encodeHeaders(headers)
      expect(decodeHeaders(unpack(await packed(block)), defaultLimits)).toEqual(headers)
    }
  })

  test('that swell, repeat themselves, lie about their length or use another dictionary are refused', () => {
    const bomb = createHeaderPacker()(encodeHeaders(new Map([['bomb', ['0'.repeat(10_000_000)]]])))
    expect(bomb.length).toBeLessThan(20_000)
    expect(() => createHeaderUnpacker(defaultLimits)(bomb)).toThrow('cannot be unpacked')
    expect(() => createHeaderUnpacker(defaultLimits)(Buffer.from('78bb00000000000000', 'hex'))).toThrow('another dictionary')
    const block = encodeHeaders(new Map([['a', ['b']]]))
    for (const wrong of [block.subarray(0, -1), Buffer.concat([block, Buffer.of(0)]), Buffer.from('ffffffff', 'hex')])
      expect(() => decodeHeaders(wrong, defaultLimits)).toThrow()
  })
})

describe('a session', () => {
  test('carries streams both ways; ending one is half a close', async () => {
    const { client, server } = pair((stream) => {
      void textOf(stream.io).then((text) => stream.io.end(`${stream.headers.get('streamtype')![0]}: ${text}`))
    })
    const [one, two] = await Promise.all([client.open({ streamType: 'one' }), client.open({ streamType: 'two' })])
    one.io.write('a')
    two.io.end('c')
    one.io.end('b')
    expect(await textOf(one.io)).toBe('one: ab')
    expect(await textOf(two.io)).toBe('two: c')
    expect([client.streams, server.streams]).toEqual([0, 0])
    await client.ping()
    client.close()
    await turns()
    expect(server.closed.aborted).toBe(true)
  })

  test('moves 20 MB in pieces of any size, and a reader that does not read stops the sender', async () => {
    let taken: SpdyStream | undefined
    const { client } = pair((stream) => (taken = stream))
    const { io } = await client.open({})
    const chunk = Buffer.alloc(1_000_000, 'x')
    let written = 0
    const writing = (async () => {
      for (let index = 0; index < 20; index++) {
        await new Promise<void>((resolve) => io.write(chunk, () => resolve()))
        written += chunk.length
      }
      io.end()
    })()
    await turns(200)
    expect(written).toBeLessThanOrEqual(chunk.length)
    let read = 0
    for await (const part of taken!.io) read += (part as Buffer).length
    await writing
    expect(read).toBe(20_000_000)
  })

  test('one stream that nobody reads does not hold up another whose peer counts windows', async () => {
    const served: SpdyStream[] = []
    const { client, server } = pair((stream) => served.push(stream))
    const stuck = await client.open({})
    // The first room given back tells the sender that this peer counts.
    const first = await client.open({})
    first.io.end(Buffer.alloc(200_000))
    expect((await textOf(served[1]!.io)).length).toBe(200_000)
    stuck.io.write(Buffer.alloc(1_000_000))
    await turns()
    const other = await client.open({})
    other.io.end('through')
    expect(await textOf(served[2]!.io)).toBe('through')
    expect(server.closed.aborted).toBe(false)
  })

  test('tells a reset; what came before an end is read although a reset and the end of all came after', async () => {
    const { client, server } = pair((stream) => {
      if (stream.headers.get('kind')![0] === 'reset') setImmediate(() => stream.reset(5))
      else {
        stream.io.end('kept')
        setImmediate(() => {
          stream.reset(5)
          server.destroy()
        })
      }
    })
    const reset = await client.open({ kind: 'reset' })
    const failure = await textOf(reset.io).catch((error: unknown) => error)
    expect(isSpdyStreamReset(failure)).toBe(true)
    const kept = await client.open({ kind: 'kept' })
    await turns()
    expect(client.closed.aborted).toBe(true)
    expect(await textOf(kept.io)).toBe('kept')
  })

  test('that is over says so to whoever opens, waits or writes', async () => {
    const { client, server } = pair(() => undefined)
    const stream = await client.open({})
    const waits = new Promise((resolve) => stream.io.once('close', resolve))
    server.destroy()
    await waits
    await expect(client.open({})).rejects.toThrow()
    await expect(client.ping()).rejects.toThrow()
    expect(stream.io.destroyed).toBe(true)
  })

  test('what it was asked to serve and does not is refused to the one who opened', async () => {
    const { client } = pair(() => {
      throw new Error('not this one')
    })
    await expect(client.open({})).rejects.toThrow('refused the stream')
  })
})

describe('a peer that counts no windows', () => {
  test('is sent more than a window, and may send as much', async () => {
    const { streams, syn, send, data } = peer()
    syn(1)
    await turns()
    streams[0]!.io.write(Buffer.alloc(1_000_000))
    await turns(100)
    expect(data.reduce((sum, bytes) => sum + bytes.length, 0)).toBe(1_000_000)
    send(1, Buffer.alloc(200_000))
    send(1, Buffer.from('end'), true)
    expect((await textOf(streams[0]!.io)).length).toBe(200_003)
  })

  test('is not read any more when nobody reads what it sends', async () => {
    const { streams, syn, send, ours } = peer()
    syn(1)
    for (let index = 0; index < 100; index++) send(1, Buffer.alloc(65_536))
    await turns(200)
    expect(ours.writableLength).toBeGreaterThan(5_000_000)
    let read = 0
    streams[0]!.io.on('data', (bytes: Buffer) => (read += bytes.length))
    await turns(400)
    expect(read).toBe(6_553_600)
  })

  test('that counts after all is held to it', async () => {
    const { streams, syn, ours, data } = peer()
    syn(1)
    ours.write(encodeControl({ type: 'windowUpdate', streamId: 1, delta: 10 }))
    await turns()
    streams[0]!.io.write(Buffer.alloc(100_000))
    await turns()
    const sum = (): number => data.reduce((total, bytes) => total + bytes.length, 0)
    expect(sum()).toBe(65_536)
    ours.write(encodeControl({ type: 'windowUpdate', streamId: 0, delta: 1_000_000 }))
    await turns()
    expect(sum()).toBe(65_546)
    ours.write(encodeControl({ type: 'windowUpdate', streamId: 1, delta: 1_000_000 }))
    await turns()
    expect(sum()).toBe(100_000)
  })
})

describe('a streaming server of Kubernetes', () => {
  test('is granted no room, and what it said before it cancelled is read to the end', async () => {
    const { streams, ours, send, syn, types } = peer({ toKubernetes: true })
    syn(1)
    await turns()
    const text = textOf(streams[0]!.io)
    for (let part = 0; part < 10; part++) send(1, Buffer.alloc(32 * 1024, 'x'))
    ours.write(encodeControl({ type: 'rstStream', streamId: 1, status: 5 }))
    ours.end()
    expect((await text).length).toBe(10 * 32 * 1024)
    expect(types()).not.toContain('windowUpdate')
  })
})

describe('a hostile peer', () => {
  test.each([
    ['garbage', Buffer.from('GET / HTTP/1.1\r\n\r\n'.repeat(4))],
    ['another version', Buffer.from('800200060000000400000001', 'hex')],
    ['a control frame without end', Buffer.from('8003000100ffffff', 'hex')],
    ['a frame that is too short', Buffer.from('8003000900000000', 'hex')],
    ['settings that claim a million', Buffer.from('8003000400000004000f4240', 'hex')],
    ['headers that cannot be unpacked', Buffer.concat([Buffer.from('800300010000000f00000001000000000000', 'hex'), Buffer.from('78bb000000', 'hex')])],
    ['data on a stream that was never opened', Buffer.from('0000000900000001ff', 'hex')],
  ])('that sends %s ends its session and nothing else', async (_what, bytes) => {
    const { server, ours } = peer()
    ours.write(bytes)
    await turns()
    const fault = server.closed.reason as Error | undefined
    // Plain text is a data frame of a stream that nobody opened.
    expect(server.closed.aborted).toBe(true)
    expect(fault?.name).toBe('SpdyProtocolError')
  })

  test('that opens streams out of order, or opens its peer’s, ends its session', async () => {
    for (const ids of [[3, 1], [2], [1, 1]]) {
      const { server, syn } = peer()
      for (const id of ids) syn(id)
      await turns()
      expect(server.closed.aborted).toBe(true)
    }
  })

  test('gets no more streams than there may be; when one ends there is room again', async () => {
    const { server, syn, send, heard, streams } = peer({ limits: { streamsMax: 3 } })
    for (let index = 0; index < 5; index++) syn(1 + 2 * index)
    await turns()
    expect(heard.filter(({ type }) => type === 'rstStream')).toHaveLength(2)
    expect(server.streams).toBe(3)
    streams[0]!.io.resume().end()
    send(1, Buffer.alloc(0), true)
    await turns()
    syn(11)
    await turns()
    expect([server.streams, streams.length]).toEqual([3, 4])
  })

  test('that asks without reading the answers is dropped', async () => {
    const [ours, theirs] = duplexPair()
    const server = createSpdySession({ role: 'server', socket: theirs, clock, limits: { answersBytesMax: 64 * 1024 } })
    ours.on('error', () => undefined)
    const pings = Buffer.concat(Array.from({ length: 1_000 }, (_, id) => encodeControl({ type: 'ping', id: 2 * id + 1 })))
    for (let index = 0; index < 40 && !server.closed.aborted; index++) {
      ours.write(pings)
      await turns()
    }
    expect((server.closed.reason as Error).message).toContain('does not read')
  })

  test('whose frames come byte by byte is understood', async () => {
    const { streams, ours, heard } = peer()
    const block = createHeaderPacker()(encodeHeaders(new Map([['port', ['80']]])))
    const bytes = Buffer.concat([
      encodeControl({ type: 'synStream', streamId: 1, fin: false, unidirectional: false, block }),
      encodeControl({ type: 'ping', id: 7 }),
      dataHead(1, 5, true),
      Buffer.from('hello'),
    ])
    for (const byte of bytes) ours.write(Buffer.of(byte))
    await turns()
    expect(streams[0]!.headers.get('port')).toEqual(['80'])
    expect(await textOf(streams[0]!.io)).toBe('hello')
    expect(heard.map(({ type }) => type)).toEqual(['synReply', 'ping'])
  })
})
