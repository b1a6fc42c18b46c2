import { createServer, type IncomingMessage, type Server } from 'node:http'
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2'
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net'
import type { JsonObject } from '@shiplog/api/kube-object'
import { systemClock } from '@shiplog/runtime/clock'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { callProbe, type ProbeTarget } from './probe-call.ts'

let server: Server
let port = 0
let seen: IncomingMessage | undefined
const target = (more: Partial<ProbeTarget> = {}): ProbeTarget => ({
  podIP: '127.0.0.1',
  ports: new Map([['web', port]]),
  exec: () => Promise.reject(new Error('container not running')),
  ...more,
})
const call = (action: JsonObject, more: Partial<ProbeTarget> = {}, timeoutMs = 5_000) =>
  callProbe(action, target(more), timeoutMs, systemClock)

beforeAll(async () => {
  server = createServer((request, response) => {
    seen = request
    if (request.url === '/silent') return
    response.statusCode = Number(request.url!.slice(1)) || 200
    response.end('body')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

describe('httpGet', () => {
  test.each([
    [200, true],
    [302, true],
    [399, true],
    [400, false],
    [503, false],
  ])('status %i means %s', async (code, ok) => {
    const answer = await call({ httpGet: { port: 'web', path: `/${code}` } })
    expect(answer).toEqual({ ok, message: ok ? 'body' : `HTTP probe failed with statuscode: ${code}` })
  })

  test('sends the headers that are asked for', async () => {
    const httpHeaders = [
      { name: 'Host', value: 'shop.example' },
      { name: 'user-agent', value: 'me' },
      { name: 'X-A', value: '1' },
    ]
    expect((await call({ httpGet: { port, httpHeaders } })).ok).toBe(true)
    expect(seen!.headers).toMatchObject({ host: 'shop.example', 'user-agent': 'me', 'x-a': '1', accept: '*/*' })
  })

  test('says who does not answer, and does not wait for ever', async () => {
    expect(await call({ httpGet: { port: 1 } })).toEqual({
      ok: false,
      message: 'Get "http://127.0.0.1:1/": dial tcp 127.0.0.1:1: connect: connection refused',
    })
    const late = await call({ httpGet: { port, path: '/silent' } }, {}, 50)
    expect(late).toMatchObject({ ok: false, message: expect.stringContaining('context deadline exceeded') as string })
    expect((await call({ httpGet: { port: 'none' } })).message).toBe(`couldn't find port: "none"`)
  })
})

describe('tcpSocket', () => {
  test('is content with a connection', async () => {
    expect((await call({ tcpSocket: { port } })).ok).toBe(true)
    const closed = createTcpServer()
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve))
    const gone = (closed.address() as AddressInfo).port
    await new Promise((resolve) => closed.close(resolve))
    expect(await call({ tcpSocket: { port: gone } })).toEqual({
      ok: false,
      message: `dial tcp 127.0.0.1:${gone}: connect: connection refused`,
    })
  })
})

describe('exec', () => {
  test('goes by the exit code, and tells what was printed', async () => {
    const exec = (exitCode: number, timedOut = false) => ({
      exec: async () => ({ exitCode, output: 'said', timedOut }),
    })
    expect(await call({ exec: { command: ['x'] } }, exec(0))).toEqual({ ok: true, message: 'said' })
    expect(await call({ exec: { command: ['x'] } }, exec(2))).toEqual({ ok: false, message: 'said' })
    expect((await call({ exec: { command: ['x', 'y'] } }, exec(137, true), 1_000)).message).toBe(
      'command timed out: "x y" timed out after 1s',
    )
    expect(await call({ exec: { command: ['x'] } })).toEqual({ ok: false, message: 'container not running' })
  })
})

describe('grpc', () => {
  /** Answers health questions by the name of the service, as a gRPC server does. */
  const health = async (statuses: Readonly<Record<string, number>>): Promise<{ port: number; close(): void }> => {
    const server = createHttp2Server()
    server.on('stream', (stream: ServerHttp2Stream, headers) => {
      const parts: Buffer[] = []
      stream.on('data', (chunk: Buffer) => parts.push(chunk))
      stream.on('end', () => {
        const service = Buffer.concat(parts).subarray(7).toString()
        const status = statuses[service]
        const known = status !== undefined && headers[':path'] === '/grpc.health.v1.Health/Check'
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': known ? '0' : '5' }))
        stream.end(known ? Buffer.from([0, 0, 0, 0, 2, 0x08, status]) : undefined)
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return { port: (server.address() as AddressInfo).port, close: () => server.close() }
  }

  test('a service that serves is healthy, one that does not or is unknown is not', async () => {
    const server = await health({ '': 1, shop: 1, broken: 2 })
    try {
      expect(await call({ grpc: { port: server.port } })).toEqual({ ok: true, message: '' })
      expect(await call({ grpc: { port: server.port, service: 'shop' } })).toEqual({ ok: true, message: '' })
      expect(await call({ grpc: { port: server.port, service: 'broken' } })).toEqual({
        ok: false,
        message: 'service unhealthy (responded with "NOT_SERVING")',
      })
      expect(await call({ grpc: { port: server.port, service: 'nobody' } })).toMatchObject({ ok: false })
    } finally {
      server.close()
    }
  })

  test('nobody there is a failure', async () => {
    expect(await call({ grpc: { port: 1 } })).toEqual({
      ok: false,
      message: 'error: health rpc probe failed: dial tcp 127.0.0.1:1: connect: connection refused',
    })
  })
})

describe('over another network than the machine’s', () => {
  test('http and tcp probes go the way they are given', async () => {
    const asked: string[] = []
    const network = {
      dial: (host: string, wanted: number) => {
        asked.push(`${host}:${wanted}`)
        return new Promise<Socket>((resolve) => {
          const socket = connect(port, '127.0.0.1', () => resolve(socket))
        })
      },
    }
    const other = { podIP: '10.244.9.9', network }
    expect(await call({ httpGet: { port: 80, path: '/200' } }, other)).toEqual({ ok: true, message: 'body' })
    expect(await call({ tcpSocket: { port: 81 } }, other)).toEqual({ ok: true, message: '' })
    expect(asked).toEqual(['10.244.9.9:80', '10.244.9.9:81'])
    const refused = { ...other, network: { dial: () => Promise.reject(Object.assign(new Error(), { code: 'ECONNREFUSED' })) } }
    expect(await call({ tcpSocket: { port: 81 } }, refused)).toEqual({
      ok: false,
      message: 'dial tcp 10.244.9.9:81: connect: connection refused',
    })
    expect(await call({ httpGet: { port: 81 } }, refused)).toMatchObject({ ok: false, message: expect.stringContaining('connection refused') })
  })
})
