// Frames over real connections, by whatever version of HTTP a client speaks.
import { Agent, createServer, get, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import { type AddressInfo, connect } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { frameSink } from './frame-sink.ts'
import type { FrameSink } from './watch.ts'

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

const frames = Array.from({ length: 300 }, (_, i) => Buffer.from(`{"frame":${i},"filler":"${'ä'.repeat(i * 17)}"}\n`))
const whole = Buffer.concat(frames)

/** As the gateway begins a watch. */
function sinkOf(response: ServerResponse): FrameSink {
  response.writeHead(200, { 'content-type': 'application/json' })
  response.flushHeaders()
  return frameSink(response)
}

async function writeAll(sink: FrameSink): Promise<void> {
  for (const frame of frames) if (!sink.write(frame)) await sink.drained()
  sink.end()
}

async function listen(answer: (response: ServerResponse, incoming: IncomingMessage) => void): Promise<number> {
  const server = createServer((incoming, response) => answer(response, incoming))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

const answerOf = (port: number, agent: Agent, method = 'GET'): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    request({ port, host: '127.0.0.1', agent, method }, resolve).on('error', reject).end()
  })

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of incoming) parts.push(part as Buffer)
  return Buffer.concat(parts)
}

describe('a sink of frames', () => {
  test('sends every frame, ends in order, and leaves the connection fit for the next request', async () => {
    const sockets = new Set<unknown>()
    const port = await listen((response, incoming) => {
      sockets.add(incoming.socket)
      void writeAll(sinkOf(response))
    })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    closing.push(() => agent.destroy())
    for (let round = 0; round < 3; round++) expect((await bodyOf(await answerOf(port, agent))).equals(whole)).toBe(true)
    expect(sockets.size).toBe(1)
  })

  test('tells many the same, and each something else in between', async () => {
    const sinks: FrameSink[] = []
    const all = Promise.withResolvers<void>()
    const watchers = 5
    const port = await listen((response) => {
      if (sinks.push(sinkOf(response)) === watchers) all.resolve()
    })
    const answers = Promise.all(
      Array.from({ length: watchers }, async () => bodyOf(await answerOf(port, new Agent({ keepAlive: false })))),
    )
    await all.promise
    for (const frame of frames) {
      for (const [index, sink] of sinks.entries()) {
        sink.write(frame)
        if (index % 2 === 1) sink.write(Buffer.from(`own ${index}\n`))
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
    for (const sink of sinks) sink.end()
    // The order of the sinks is the order of arrival, not of the requests: their own lines tell them apart.
    const texts = (await answers).map((body) => body.toString())
    expect(texts.map((text) => text.replace(/own \d\n/g, '') === whole.toString())).toEqual(texts.map(() => true))
    expect(texts.map((text) => text.match(/own \d\n/g)?.length ?? 0).sort()).toEqual([0, 0, 0, 300, 300])
  })

  test('says what waits, and when it has drained', async () => {
    const sink = Promise.withResolvers<FrameSink>()
    const port = await listen((response) => sink.resolve(sinkOf(response)))
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      get({ port, host: '127.0.0.1', agent: false }, resolve).on('error', reject)
    })
    answer.pause()
    const to = await sink.promise
    const large = Buffer.alloc(1 << 20, 'x')
    let written = 0
    while (to.buffered < 4 * large.length) {
      to.write(large)
      written += large.length
      await new Promise((resolve) => setImmediate(resolve))
    }
    const body = bodyOf(answer)
    await to.drained()
    expect(to.buffered).toBe(0)
    to.end()
    expect((await body).length).toBe(written)
  })

  test('keeps quiet when the client is gone', async () => {
    const sink = Promise.withResolvers<FrameSink>()
    const port = await listen((response) => sink.resolve(sinkOf(response)))
    const answer = await answerOf(port, new Agent())
    const to = await sink.promise
    answer.destroy()
    while (!to.closed.aborted) {
      to.write(frames[0]!)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(to.write(frames[0]!)).toBe(true)
    await to.drained()
    to.end()
  })

  test('sends no body to HEAD, and no chunks to a client of HTTP/1.0', async () => {
    const port = await listen((response) => void writeAll(sinkOf(response)))
    expect(await bodyOf(await answerOf(port, new Agent(), 'HEAD'))).toHaveLength(0)
    const socket = connect(port, '127.0.0.1')
    socket.end('GET / HTTP/1.0\r\n\r\n')
    const parts: Buffer[] = []
    for await (const part of socket) parts.push(part as Buffer)
    const text = Buffer.concat(parts)
    expect(text.subarray(text.indexOf('\r\n\r\n') + 4).equals(whole)).toBe(true)
  })

  test('waits for the answer before it on its connection', async () => {
    const responses: ServerResponse[] = []
    const both = Promise.withResolvers<void>()
    const port = await listen((response) => {
      if (responses.push(response) === 2) both.resolve()
    })
    const socket = connect(port, '127.0.0.1')
    const one = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'
    socket.write(one + one.replace('Host', 'Connection: close\r\nHost'))
    await both.promise
    const writing = writeAll(sinkOf(responses[1]!))
    responses[0]!.end('first')
    await writing
    const parts: Buffer[] = []
    for await (const part of socket) parts.push(part as Buffer)
    const text = Buffer.concat(parts).toString()
    expect(text.indexOf('first')).toBeGreaterThan(0)
    expect(text.indexOf('first')).toBeLessThan(text.indexOf('"frame":0'))
    expect(text).toMatch(/\r\n0\r\n\r\n$/)
  })

  test('speaks HTTP/2', async () => {
    const server = createHttp2Server((_incoming, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      void writeAll(frameSink(response))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    closing.push(() => {
      session.destroy()
      server.close()
    })
    const parts: Buffer[] = []
    for await (const part of session.request({ ':path': '/' })) parts.push(part as Buffer)
    expect(Buffer.concat(parts).equals(whole)).toBe(true)
  })
})
