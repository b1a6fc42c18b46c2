import Fastify from 'fastify'
import { gunzipSync } from 'node:zlib'
import { tooManyRequests } from '@shiplog/api/status'
import { expect, test } from 'vitest'
import type { HttpReply, HttpServer } from './fastify-types.ts'
import { answerJson, answerStatus, warningHeader } from './responses.ts'

/** Fastify without a port, which answers as `answer` has it. */
function serving(answer: (reply: HttpReply) => void): HttpServer {
  const server = Fastify() as unknown as HttpServer
  server.get('/', async (_, reply) => {
    answer(reply)
    return reply
  })
  return server
}

test('a Status that says when to come back has the header, too', async () => {
  const server = serving((reply) => answerStatus(reply, tooManyRequests('later', 3)))
  const answer = await server.inject('/')
  expect(answer.statusCode).toBe(429)
  expect(answer.headers['retry-after']).toBe('3')
  expect(answer.body.endsWith('}\n')).toBe(true)
})

test('an answer is indented for who asks for it, and only a long one is compressed', async () => {
  const short = serving((reply) => answerJson(reply, 200, { a: 1 }))
  expect((await short.inject('/?pretty=1')).body).toBe('{\n  "a": 1\n}\n')
  expect((await short.inject({ url: '/', headers: { 'accept-encoding': 'gzip' } })).headers['content-encoding']).toBe(
    undefined,
  )
  const text = 'x'.repeat(200_000)
  const long = serving((reply) => answerJson(reply.header('vary', 'Accept'), 200, { text }))
  const answer = await long.inject({ url: '/', headers: { 'accept-encoding': 'gzip' } })
  expect(answer.headers['content-encoding']).toBe('gzip')
  expect(answer.headers['vary']).toBe('Accept, Accept-Encoding')
  expect(JSON.parse(gunzipSync(answer.rawPayload).toString())).toEqual({ text })
})

test('the text of a warning is quoted', () => {
  expect(warningHeader('a "b"\\\n')).toBe('299 - "a \\"b\\"\\\\ "')
})
