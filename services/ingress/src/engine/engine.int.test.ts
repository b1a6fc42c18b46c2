// The engine with real sockets: what clients and pods see.
import { request, type IncomingMessage } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2 } from 'node:http2'
import { type AddressInfo, connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { afterEach, describe, expect, test } from 'vitest'
import { eventually } from '@shiplog/testing/eventually'
import { untrustedCertificate } from '../certificates.ts'
import { ingressOf, serviceOf, sliceOf } from '../testing/objects.ts'
import { type Front, raw, startFront, startPod } from '../testing/front.ts'

const undo: (() => unknown)[] = []
afterEach(async () => {
  for (const one of undo.splice(0).reverse()) await one()
})

async function front(...objects: object[]): Promise<Front> {
  const made = await startFront(...objects)
  undo.push(() => made.service.stop())
  return made
}

async function pod(listener: Parameters<typeof startPod>[0], host?: string, port?: number): ReturnType<typeof startPod> {
  const server = await startPod(listener, host, port)
  undo.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return server
}

interface Got {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
}

function ask(port: number, path: string, given: { host?: string; method?: string; headers?: Record<string, string>; body?: string | Buffer; chunked?: boolean } = {}): Promise<Got> {
  return new Promise((resolve, reject) => {
    const { host = 'shop.example', method = 'GET', headers = {}, body } = given
    const length = body === undefined || given.chunked ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    const asked = request({ port, host: '127.0.0.1', path, method, agent: false, headers: { host, ...length, ...headers } }, (answer) => {
      let text = ''
      answer.on('data', (chunk: Buffer) => (text += chunk.toString()))
      answer.on('end', () => resolve({ status: answer.statusCode!, headers: answer.headers, text }))
      answer.on('error', reject)
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

const shop = ingressOf('shop', { hosts: { 'shop.example': { '/': 'web' } } })
const webAt = (port: number, ...addresses: string[]): object[] => [
  serviceOf('web'),
  sliceOf('web', port, addresses.map((address) => ({ address }))),
]

/** Says what it saw. */
const echo = (req: IncomingMessage, res: Parameters<Parameters<typeof startPod>[0]>[1]): void => {
  let body = ''
  req.on('data', (chunk: Buffer) => (body += chunk.toString()))
  req.on('end', () => res.end(JSON.stringify({ method: req.method, url: req.url, headers: req.headers, body })))
}

describe('a request', () => {
  test('reaches the pod with what the ingress says of the client, and not with what the client says', async () => {
    const server = await pod(echo)
    const { service } = await front(shop, ...webAt(server.at, '127.0.0.1'))
    const got = await ask(service.httpPort, '/a/../b%2Fc?x=1', {
      method: 'POST',
      body: 'hello',
      headers: { 'x-forwarded-for': '6.6.6.6', forwarded: 'for=6.6.6.6', x_real_ip: '6.6.6.6', connection: 'close, x-secret', 'x-secret': '1', 'x-kept': '2' },
    })
    const seen = JSON.parse(got.text)
    expect(got.status).toBe(200)
    expect(seen).toMatchObject({ method: 'POST', url: '/a/../b%2Fc?x=1', body: 'hello' })
    expect(seen.headers).toMatchObject({ host: 'shop.example', 'x-kept': '2', 'x-real-ip': '127.0.0.1', 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'http' })
    expect(Object.keys(seen.headers).filter((name) => ['x-secret', 'forwarded', 'x_real_ip'].includes(name))).toEqual([])
    expect(seen.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/)
  })

  test('gets 404 without a route, 503 without endpoints, 502 from who refuses or breaks, 504 from who is silent', async () => {
    const silent = await pod(() => undefined, '127.0.0.3')
    const broken = await pod((req) => req.socket.destroy())
    const { service, put } = await front(shop, serviceOf('web'))
    const statusOf = async (path = '/', host?: string): Promise<number> => (await ask(service.httpPort, path, host ? { host } : {})).status
    expect([await statusOf('/', 'other.example'), await statusOf()]).toEqual([404, 503])
    await put(...webAt(broken.at, '127.0.0.1'))
    expect(await statusOf()).toBe(502)
    await put(...webAt(1, '127.0.0.1'))
    expect(await statusOf()).toBe(502)
    await put(ingressOf('shop', { annotations: { 'ingress.shiplog.dev/answer-timeout-seconds': '1' }, hosts: { 'shop.example': { '/': 'web' } } }))
    await put(...webAt(silent.at, '127.0.0.3'))
    expect(await statusOf()).toBe(504)
  })

  test('goes to another pod when the first is not there, whatever the method; once sent, only when it is safe', async () => {
    let broke = 0
    const good = await pod(echo, '127.0.0.2')
    const { service, put } = await front(shop, ...webAt(good.at, '127.0.0.1', '127.0.0.2'))
    for (let i = 0; i < 4; i++) expect((await ask(service.httpPort, '/', { method: 'POST', body: 'once' })).status).toBe(200)
    await pod(
      (req) => {
        broke++
        req.socket.destroy()
      },
      '127.0.0.3',
      good.at,
    )
    await put(...webAt(good.at, '127.0.0.2', '127.0.0.3'))
    for (let i = 0; i < 4; i++) expect((await ask(service.httpPort, '/')).status).toBe(200)
    expect(broke).toBeGreaterThan(0)
    const posted = await Promise.all([1, 2, 3, 4].map(() => ask(service.httpPort, '/', { method: 'POST', body: 'once' })))
    expect(posted.map(({ status }) => status).sort()).toEqual([200, 200, 502, 502])
  })

  test('with a body larger than allowed is refused with 413, whether it says its length or not', async () => {
    const server = await pod(echo)
    const small = ingressOf('shop', { annotations: { 'ingress.shiplog.dev/body-bytes-max': '100' }, hosts: { 'shop.example': { '/': 'web' } } })
    const { service } = await front(small, ...webAt(server.at, '127.0.0.1'))
    const post = (bytes: number, chunked: boolean): Promise<Got> =>
      ask(service.httpPort, '/', { method: 'POST', body: 'x'.repeat(bytes), chunked, headers: chunked ? { 'transfer-encoding': 'chunked' } : {} })
    expect([(await post(100, false)).status, (await post(101, false)).status]).toEqual([200, 413])
    expect([(await post(100, true)).status, (await post(101, true)).status]).toEqual([200, 413])
  })

  test('that two servers would read in two ways is refused', async () => {
    const seen: string[] = []
    const server = await pod((req, res) => {
      seen.push(req.url!)
      res.end()
    })
    const { service } = await front(shop, ...webAt(server.at, '127.0.0.1'))
    const hostile = [
      'POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      'POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!',
      'POST / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: shop.example\r\nHost: other.example\r\n\r\n',
      'GET / HTTP/1.1\r\nHost : shop.example\r\n\r\n',
      'GET / HTTP/1.1\r\n\r\n',
      'GET /a/../../etc HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n',
      'GET /%00 HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: shop.example\r\nX: a\nb\r\n\r\n',
    ]
    for (const text of hostile) expect.soft(await raw(service.httpPort, text.replace('Host: other.example\r\n', 'Host: other.example\r\nConnection: close\r\n'))).toMatch(/^HTTP\/1\.1 400 /)
    expect(await raw(service.httpPort, 'CONNECT shop.example:80 HTTP/1.1\r\nHost: shop.example\r\n\r\n')).toMatch(/^HTTP\/1\.1 405 /)
    expect(seen).toEqual([])
  })

  test('whose answer breaks off is broken off for the client, too', async () => {
    const server = await pod((_, res) => {
      res.writeHead(200, { 'content-length': '100' })
      res.write('half', () => setTimeout(() => res.destroy(), 20))
    })
    const { service } = await front(shop, ...webAt(server.at, '127.0.0.1'))
    await expect(ask(service.httpPort, '/')).rejects.toMatchObject({ code: 'ECONNRESET' })
  })

  test('stays with its pod by a cookie where the Ingress says so, as long as that one is there', async () => {
    const one = await pod((_, res) => res.end('one'), '127.0.0.1')
    await pod((_, res) => res.end('two'), '127.0.0.2', one.at)
    const sticky = ingressOf('shop', { annotations: { 'ingress.shiplog.dev/affinity': 'cookie' }, hosts: { 'shop.example': { '/': 'web' } } })
    const { service, put } = await front(sticky, ...webAt(one.at, '127.0.0.1', '127.0.0.2'))
    const first = await ask(service.httpPort, '/')
    const cookie = first.headers['set-cookie']![0]!.split(';')[0]!
    for (let i = 0; i < 5; i++) expect((await ask(service.httpPort, '/', { headers: { cookie: `a=b; ${cookie}` } })).text).toBe(first.text)
    await put(...webAt(one.at, first.text === 'one' ? '127.0.0.2' : '127.0.0.1'))
    expect((await ask(service.httpPort, '/', { headers: { cookie } })).text).toBe(first.text === 'one' ? 'two' : 'one')
  })
})

test('a change to another HTTP, in which paths would pass unseen, is passed over', async () => {
  const server = await pod(echo)
  server.on('upgrade', (_, socket) => socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n'))
  const { service } = await front(shop, ...webAt(server.at, '127.0.0.1'))
  const got = await raw(
    service.httpPort,
    'GET /a HTTP/1.1\r\nHost: shop.example\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n',
  )
  expect(got).toMatch(/^HTTP\/1\.1 200 /)
  expect(got).toContain('"url":"/a"')
  expect(got.toLowerCase()).not.toContain('upgrade')
})

test('a protocol that is changed to carries bytes both ways', async () => {
  const server = await pod(echo)
  server.on('upgrade', (req, socket) => {
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${req.headers.upgrade}\r\nSec-WebSocket-Accept: yes\r\n\r\n`)
    socket.pipe(socket)
  })
  const { service } = await front(shop, ...webAt(server.at, '127.0.0.1'))
  const socket = connect(service.httpPort, '127.0.0.1')
  undo.push(() => socket.destroy())
  socket.write('GET /ws HTTP/1.1\r\nHost: shop.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly')
  let got = ''
  await new Promise<void>((resolve) =>
    socket.on('data', (chunk: Buffer) => {
      got += chunk.toString()
      if (got.endsWith('early')) socket.write('late')
      if (got.endsWith('earlylate')) resolve()
    }),
  )
  expect(got).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/)
  expect(got.toLowerCase()).toContain('sec-websocket-accept: yes')
})

describe('with TLS', () => {
  const secretOf = (name: string): { secret: object; cert: string } => {
    const { cert, key } = untrustedCertificate(Date.now())
    const base64 = (text: string): string => Buffer.from(text).toString('base64')
    const metadata = { name, namespace: 'default', uid: name, creationTimestamp: '2026-01-01T00:00:00Z' }
    return { cert, secret: { kind: 'Secret', type: 'kubernetes.io/tls', metadata, data: { 'tls.crt': base64(cert), 'tls.key': base64(key) } } }
  }
  const secured = ingressOf('shop', { tls: [{ hosts: ['shop.example'], secretName: 'cert' }], hosts: { 'shop.example': { '/': 'web' } } })
  const pemOf = (der: Buffer): string => der.toString('base64')
  const shown = (port: number, servername: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connectTls({ port, host: '127.0.0.1', servername, rejectUnauthorized: false }, () => {
        resolve(pemOf(socket.getPeerCertificate().raw))
        socket.destroy()
      })
      socket.on('error', reject)
    })
  const bare = (pem: string): string => pem.replaceAll(/-----[A-Z ]+-----|\s/g, '')

  test('each name has its certificate, a new one holds at once, and open connections go on', async () => {
    const server = await pod(echo)
    const [first, second] = [secretOf('cert'), secretOf('cert')]
    const { service, put } = await front(secured, first.secret, ...webAt(server.at, '127.0.0.1'))
    const port = service.httpsPort!
    expect(await shown(port, 'shop.example')).toBe(bare(first.cert))
    expect(await shown(port, 'other.example')).not.toBe(bare(first.cert))
    const session = connectHttp2(`https://127.0.0.1:${port}`, { servername: 'shop.example', rejectUnauthorized: false })
    undo.push(() => session.destroy())
    const get = (): Promise<string> =>
      new Promise((resolve, reject) => {
        let text = ''
        const stream = session.request({ ':path': '/', ':authority': 'shop.example' })
        stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
        stream.on('end', () => resolve(text))
        stream.on('error', reject)
      })
    expect(JSON.parse(await get()).headers).toMatchObject({ host: 'shop.example', 'x-forwarded-proto': 'https' })
    await put(second.secret)
    expect(await shown(port, 'shop.example')).toBe(bare(second.cert))
    expect(JSON.parse(await get()).method).toBe('GET')
    // Plain HTTP is sent here.
    const moved = await ask(service.httpPort, '/a?b')
    expect([moved.status, moved.headers.location]).toEqual([308, `https://shop.example:${port}/a?b`])
  })

  test('what only HTTP/2 can say is refused, and the ingress goes on', async () => {
    const server = await pod(echo)
    const { service } = await front(secured, secretOf('cert').secret, ...webAt(server.at, '127.0.0.1'))
    const session = connectHttp2(`https://127.0.0.1:${service.httpsPort}`, { servername: 'shop.example', rejectUnauthorized: false })
    undo.push(() => session.destroy())
    session.on('error', () => undefined)
    const statusOf = (headers: Record<string, string>): Promise<number> =>
      new Promise((resolve) => {
        const stream = session.request({ ':path': '/', ':authority': 'shop.example', ...headers })
        stream.on('response', (got) => resolve(Number(got[':status'])))
        stream.on('error', () => resolve(0))
        stream.on('close', () => resolve(0))
        stream.resume()
      })
    // 0: the library of the protocol ended the stream before anybody here saw it.
    const hostile = [{ ':path': '/\u{1f600}' }, { ':path': '/a b' }, { ':path': '*' }, { ':authority': 'a/../b' }, { ':method': 'BR EW' }]
    for (const headers of hostile) expect([0, 400, 404, 502], JSON.stringify(headers)).toContain(await statusOf(headers as Record<string, string>))
    expect(await statusOf({ ':method': 'OPTIONS', ':path': '*' })).toBe(400)
    await statusOf({ 'x-word': '\u{1f600}' })
    expect(await statusOf({})).toBe(200)
  })

  test('gRPC goes through to pods that speak HTTP/2: messages both ways, and the status in the trailers', async () => {
    const grpc = createHttp2((req, res) => {
      res.writeHead(200, { 'content-type': 'application/grpc', trailer: 'grpc-status' })
      req.on('data', (chunk: Buffer) => res.write(`<${chunk.toString()}>`))
      req.on('end', () => {
        res.addTrailers({ 'grpc-status': '0', 'x-te': String(req.headers['te']) })
        res.end()
      })
    })
    await new Promise<void>((resolve) => grpc.listen(0, '127.0.0.1', resolve))
    undo.push(() => grpc.close())
    const at = (grpc.address() as AddressInfo).port
    const { service } = await front(secured, secretOf('cert').secret, serviceOf('web', 'kubernetes.io/h2c'), sliceOf('web', at, [{ address: '127.0.0.1' }]))
    const session = connectHttp2(`https://127.0.0.1:${service.httpsPort}`, { servername: 'shop.example', rejectUnauthorized: false })
    undo.push(() => session.destroy())
    const stream = session.request({ ':method': 'POST', ':path': '/svc/M', ':authority': 'shop.example', 'content-type': 'application/grpc', te: 'trailers' })
    let text = ''
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      if (text === '<one>') stream.end('two')
    })
    stream.write('one')
    const trailers = await new Promise<object>((resolve, reject) => {
      stream.on('trailers', resolve)
      stream.on('error', reject)
    })
    expect([text, trailers]).toEqual(['<one><two>', expect.objectContaining({ 'grpc-status': '0', 'x-te': 'trailers' })])
  })
})

test('an end lets requests finish and takes no new ones', async () => {
  let release = (): void => undefined
  const server = await pod((_, res) => void (release = () => res.end('finished')))
  const { service } = await startFront(shop, ...webAt(server.at, '127.0.0.1'))
  const slow = ask(service.httpPort, '/')
  while (String(release).includes('undefined')) await new Promise((resolve) => setTimeout(resolve, 5))
  const port = service.httpPort
  const stopped = service.stop()
  await expect(ask(port, '/')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  release()
  expect((await slow).text).toBe('finished')
  await stopped
})

test('status, Events and counts say what is served and what is not', async () => {
  const server = await pod(echo)
  const bad = ingressOf('bad', { hosts: { 'bad.example': { '/': 'gone' } }, tls: [{ hosts: ['bad.example'], secretName: 'none' }] })
  const { service, metrics, requests } = await front(shop, bad, ...webAt(server.at, '127.0.0.1'))
  await ask(service.httpPort, '/')
  const statusesOf = () => requests.filter(({ subresource }) => subresource === 'status')
  await eventually(() => statusesOf().length === 2)
  const statuses = statusesOf()
  expect(statuses.map(({ name, body }) => [name, body.status.loadBalancer.ingress])).toEqual([
    ['shop', [{ ip: '192.0.2.1' }]],
    ['bad', [{ ip: '192.0.2.1' }]],
  ])
  expect(requests.filter(({ resource }) => resource === 'events').map(({ body }) => `${body.reason}: ${body.message}`)).toEqual([
    'ServiceNotFound: service "default/gone" does not exist',
    'InvalidCertificate: secret "default/none" does not exist, or is not of type kubernetes.io/tls',
  ])
  const counted = metrics.samples().find(({ name }) => name === 'nginx_ingress_controller_requests')
  expect(counted).toMatchObject({ value: 1, labels: { namespace: 'default', ingress: 'shop', service: 'web', method: 'GET', status: '200' } })
})
