// Pieces over real sockets: what arrives is what was sent, whoever reads slowly or goes away.
import { createServer, get, request, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect, createServer as createHttp2Server, type Http2ServerResponse } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { createPieceReader, partBytes, sendPieces } from './piece-stream.ts'

type Response = ServerResponse | Http2ServerResponse

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

/** Pieces of many sizes, some larger than a part, some empty; `seed` makes them differ. */
function* pieces(seed: number, count: number, onPiece: () => void = () => undefined): Generator<Buffer> {
  for (let i = 0; i < count; i++) {
    onPiece()
    yield Buffer.alloc((i * 7919) % 13 === 0 ? partBytes + i : (i * 31) % 5_000, (seed + i) % 251)
  }
}

async function listen(answer: (response: Response, seed: number) => void): Promise<number> {
  const server = createServer((incoming, response) => answer(response, Number(incoming.url!.slice(1))))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

const answerOf = (port: number, seed: number): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    get({ port, host: '127.0.0.1', path: `/${seed}`, agent: false }, resolve).on('error', reject)
  })

async function bodyOf(incoming: IncomingMessage, pauseMs = 0): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of incoming) {
    parts.push(part as Buffer)
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
  return Buffer.concat(parts)
}

describe('sendPieces', () => {
  test('sends every byte in order, to fast and slow readers at the same time', async () => {
    const port = await listen((response, seed) => void sendPieces(response, pieces(seed, 600)))
    const answers = await Promise.all(
      [1, 2, 3, 4, 5, 6].map(async (seed) => bodyOf(await answerOf(port, seed), seed % 2)),
    )
    for (const [index, answer] of answers.entries())
      expect(answer.equals(Buffer.concat([...pieces(index + 1, 600)]))).toBe(true)
  })

  test('sends them over HTTP/2', async () => {
    const server = createHttp2Server((_incoming, response) => void sendPieces(response, pieces(7, 600)))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    closing.push(() => {
      session.destroy()
      server.close()
    })
    const parts: Buffer[] = []
    for await (const part of session.request({ ':path': '/' })) parts.push(part as Buffer)
    expect(Buffer.concat(parts).equals(Buffer.concat([...pieces(7, 600)]))).toBe(true)
  })

  test('answers HEAD without a body', async () => {
    const port = await listen((response, seed) => void sendPieces(response, pieces(seed, 50)))
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      request({ port, host: '127.0.0.1', method: 'HEAD', path: '/1', agent: false }, resolve).on('error', reject).end()
    })
    expect(await bodyOf(answer)).toHaveLength(0)
  })

  test('asks for no more pieces than a reader takes, and ends when the reader is gone', async () => {
    let asked = 0
    const ended = Promise.withResolvers<void>()
    const endless = 1_000_000
    const port = await listen((response) => {
      sendPieces(
        response,
        pieces(1, endless, () => {
          asked++
        }),
      ).then(ended.resolve, ended.reject)
    })
    const answer = await answerOf(port, 1)
    answer.destroy()
    await ended.promise
    expect(asked).toBeLessThan(endless)
    // The buffers of the broken answer do no harm to the next.
    const whole = await listen((response, seed) => void sendPieces(response, pieces(seed, 100)))
    expect((await bodyOf(await answerOf(whole, 3))).equals(Buffer.concat([...pieces(3, 100)]))).toBe(true)
  })

  test('fails when a piece cannot be made', async () => {
    const failed = Promise.withResolvers<unknown>()
    const port = await listen((response) => {
      const broken = function* (): Generator<Buffer> {
        yield Buffer.alloc(3 * partBytes)
        throw new Error('damaged')
      }
      sendPieces(response, broken()).catch((error: Error) => {
        response.destroy()
        failed.resolve(error.message)
      })
    })
    await expect(answerOf(port, 1).then(bodyOf)).rejects.toThrow()
    expect(await failed.promise).toBe('damaged')
  })
})

test('a piece reader fills buffers to the brim until the pieces end', () => {
  const reader = createPieceReader(['ab', '', 'cdefg', 'h'].map((text) => Buffer.from(text)))
  const buffer = Buffer.alloc(3)
  const read = (): string => buffer.toString('latin1', 0, reader.fill(buffer))
  expect([read(), read(), read(), read()]).toEqual(['abc', 'def', 'gh', ''])
})
