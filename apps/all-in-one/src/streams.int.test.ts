// `exec` and `portforward` all the way: HTTPS, gateway, bus (in memory, and a real nats-server), agent, streams of a
// container that the test plays. What clients of each protocol see, what becomes of it when somebody dies, and what clients
// that mean no good can do. Real kubectl: conformance/cases/streams.ts.
import { eventually } from '@shiplog/testing/eventually'
import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Duplex, duplexPair, PassThrough, Readable } from 'node:stream'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { type ApiGateway, createApiGateway } from '@shiplog/api-gateway/api-gateway'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { Bus } from '@shiplog/events/bus/bus'
import { createMemoryBus } from '@shiplog/events/bus/memory-bus'
import type { ClusterLog } from '@shiplog/events/event-log'
import { openNatsBus } from '@shiplog/events/jetstream/nats-bus'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { createObjectFeed, type LogObjectFeed } from '@shiplog/feed/object-feed-from-log'
import { provideNatsServer } from '@shiplog/nats-server/nats-binary'
import { startNatsServer } from '@shiplog/nats-server/nats-child'
import { RuntimeFailure } from '@shiplog/node/container-runtime'
import type { ContainerStream, NodeStreams, StreamExit } from '@shiplog/node/node-streams'
import { createSimulatedRuntime } from '@shiplog/node/simulated-runtime'
import { simulatedHost } from '@shiplog/node-agent/hosts/simulated-host'
import { createNodeAgent, type NodeAgent } from '@shiplog/node-agent/node-agent'
import { systemClock as clock } from '@shiplog/runtime/clock'
import { systemIds as ids } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import { createSpdySession, type SpdySession } from '@shiplog/spdy/session'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { loadPki, type Pki } from './pki.ts'

const deadlineMs = 30_000
const directory = mkdtempSync(join(tmpdir(), 'shiplog-streams-'))
const natsServer = await provideNatsServer()
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** Commands: `cat` gives back what is typed and ends with code 3, `flood` prints for ever, `hang` does nothing. */
function playedStreams(): NodeStreams & { open: number; printed: number } {
  const played = {
    ...{ open: 0, printed: 0 },
    exec: async (_target: unknown, { command }: { command: readonly string[] }): Promise<ContainerStream> => {
      if (command[0] === 'missing') throw new RuntimeFailure('ExecFailed', 'exec: "missing": not found')
      played.open += 1
      const exit = Promise.withResolvers<StreamExit>()
      let isOver = false
      const end = (how: StreamExit): void => {
        if (!isOver) played.open -= 1
        isOver = true
        exit.resolve(how)
      }
      const stdin = new PassThrough()
      const flood = (): Readable =>
        new Readable({
          read() {
            played.printed += 65_536
            setImmediate(() => this.push(Buffer.alloc(65_536, 'f')))
          },
        })
      const stdout = command[0] === 'cat' ? stdin : command[0] === 'flood' ? flood() : new PassThrough()
      stdin.on('end', () => end({ exitCode: 3 }))
      const close = (): void => {
        stdin.destroy()
        stdout.destroy()
        end({ exitCode: 137 })
      }
      return { stdin, stdout, resize: () => undefined, exit: exit.promise, close }
    },
    attach: () => Promise.reject(new RuntimeFailure('AttachFailed', 'not played')),
    async portForward(_podUid: string, port: number) {
      if (port === 1) throw new RuntimeFailure('PortForwardFailed', 'connection refused')
      const [data, far] = duplexPair()
      played.open += 1
      if (port === 2) far.end('bye')
      far.on('data', (bytes: Buffer) => far.write(String(bytes).toUpperCase())).on('end', () => far.end())
      const closed = new Promise<undefined>((resolve) => data.once('close', () => resolve(undefined)))
      void closed.then(() => (played.open -= 1))
      return { data, closed }
    },
  }
  return played
}

interface World {
  readonly pki: Pki
  readonly gateway: ApiGateway
  readonly agent: NodeAgent
  readonly played: ReturnType<typeof playedStreams>
  /** The agent's process dies: nothing of it is heard any more. */
  killAgent(): Promise<void>
  stop(): Promise<void>
}

const user = { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] }

async function openBuses(kind: 'memory' | 'nats', undo: (() => Promise<void>)[]): Promise<{ gateway: Bus; agent: Bus }> {
  if (kind === 'memory') {
    const bus = createMemoryBus({ clock })
    undo.push(() => bus.close())
    return { gateway: bus, agent: bus }
  }
  const child = await startNatsServer({ binary: natsServer!.path, dataDir: mkdtempSync(join(directory, 'nats-')), nodes: ['node-0'] })
  const { credentials, url: servers } = child
  const gateway = await openNatsBus({ servers, credentials: credentials.gateway, clock })
  // With the rights of an agent, and no others.
  const agent = await openNatsBus({ servers, credentials: credentials.nodes['node-0']!, clock })
  undo.push(async () => {
    await Promise.all([gateway.close(), agent.close()])
    await child.stop()
  })
  return { gateway, agent }
}

async function startWorld(kind: 'memory' | 'nats'): Promise<World> {
  const undo: (() => Promise<void>)[] = []
  const pki = loadPki({ directory: mkdtempSync(join(directory, 'pki-')), nowMs: clock.nowMs(), hosts: [] })
  const buses = await openBuses(kind, undo)
  const log: ClusterLog = await openSqliteClusterLog({ dataDir: ':memory:' })
  undo.push(async () => await log.close())
  const gateway = createApiGateway({
    ...{ log, clock, ids, logger: silentLogger, bus: buses.gateway },
    https: { host: '127.0.0.1', port: 0, ca: pki.ca, cert: pki.server.certificate, key: pki.server.key },
  })
  await gateway.start()
  undo.push(() => gateway.stop())
  const feed: LogObjectFeed = createObjectFeed(log)
  undo.push(async () => feed.stop())
  const played = playedStreams()
  const simulated = simulatedHost(createSimulatedRuntime({ clock, ids }))
  const agent = createNodeAgent({
    ...{ feed, clock, ids, log: silentLogger, bus: buses.agent },
    client: gateway.clientFor(user),
    host: (ports) => ({ ...simulated(ports), streams: played }),
    nodes: { count: 1 },
  })
  await agent.start()
  undo.push(() => agent.stop())
  const client = gateway.clientFor(user)
  const create = async (resource: string, body: JsonObject, namespace = 'default'): Promise<void> => {
    const result = await client.request({ verb: 'create', group: '', resource, namespace, body })
    if (!result.ok) throw new Error(result.status.message)
  }
  await create('namespaces', { metadata: { name: 'default' } }, '')
  await create('serviceaccounts', { metadata: { name: 'default' } })
  await create('pods', {
    metadata: { name: 'web' },
    spec: { nodeName: 'node-0', automountServiceAccountToken: false, containers: [{ name: 'main', image: 'x' }] },
  })
  await eventually('the pod runs', async () => {
    const found = await client.request({ verb: 'get', group: '', resource: 'pods', namespace: 'default', name: 'web' })
    return found.ok && (found.object['status'] as JsonObject)['phase'] === 'Running'
  })
  return {
    ...{ pki, gateway, agent, played },
    killAgent: () => buses.agent.close(),
    async stop() {
      for (const step of undo.reverse()) await step()
    },
  }
}

const path = (what: string): string => `/api/v1/namespaces/default/pods/web/${what}`
const execPath = (command: string): string => path(`exec?command=${command}&stdin=1&stdout=1&container=main`)

interface ChannelClient {
  readonly socket: WebSocket
  /** What came, by channel. */
  text(channel: number): string
  /** The Status at the end. */
  readonly status: Promise<any>
}

function channelClient({ pki, gateway }: World, protocol: string, what: string): ChannelClient {
  const socket = new WebSocket(`wss://127.0.0.1:${gateway.port}${what}`, protocol === '' ? [] : [protocol], {
    ...{ ca: pki.ca, cert: pki.admin.certificate, key: pki.admin.key },
  })
  const isBase64 = protocol.includes('base64')
  const texts = new Map<number, string>()
  socket.on('message', (data: Buffer) => {
    const channel = isBase64 ? Number(String.fromCharCode(data[0]!)) : data[0]!
    const bytes = isBase64 ? Buffer.from(data.toString('latin1', 1), 'base64') : data.subarray(1)
    if (bytes.length < 100_000) texts.set(channel, (texts.get(channel) ?? '') + bytes.toString())
  })
  socket.on('error', () => undefined)
  const text = (channel: number): string => texts.get(channel) ?? ''
  const status = new Promise<any>((resolve) => {
    socket.on('close', () => resolve(text(3).startsWith('{') ? JSON.parse(text(3)) : text(3)))
    socket.on('unexpected-response', (_, answer) => {
      let body = ''
      answer.on('data', (part) => (body += part)).on('end', () => resolve(`${answer.statusCode} ${body}`))
    })
  })
  return { socket, text, status }
}

const opened = (socket: WebSocket): Promise<unknown> => new Promise((resolve) => socket.once('open', resolve))

/** A connection that was switched to SPDY, or the answer to who asked for it. */
function upgrade({ pki, gateway }: World, what: string, protocol: string): Promise<TLSSocket | string> {
  return new Promise((resolve, reject) => {
    const asked = request({
      ...{ host: '127.0.0.1', port: gateway.port, path: what, method: 'POST', agent: false },
      ...{ ca: pki.ca, cert: pki.admin.certificate, key: pki.admin.key },
      headers: { connection: 'Upgrade', upgrade: 'SPDY/3.1', 'x-stream-protocol-version': protocol },
    })
    asked.on('error', reject)
    asked.on('upgrade', (_answer, socket) => resolve(socket as TLSSocket))
    asked.on('response', (answer) => {
      let text = ''
      answer.on('data', (part) => (text += part)).on('end', () => resolve(`${answer.statusCode} ${text.trim()}`))
    })
    asked.end()
  })
}

async function spdy(world: World, what: string, protocol = 'v4.channel.k8s.io'): Promise<SpdySession> {
  const socket = await upgrade(world, what, protocol)
  if (typeof socket === 'string') throw new Error(socket)
  return createSpdySession({ role: 'client', socket, clock })
}

async function textOf(io: Duplex): Promise<string> {
  let text = ''
  for await (const part of io.iterator({ destroyOnReturn: false })) text += String(part)
  return text
}

const kinds = natsServer === undefined ? (['memory'] as const) : (['memory', 'nats'] as const)

describe.each(kinds)('streams over a bus: %s', (kind) => {
  let world: World
  beforeAll(async () => {
    world = await startWorld(kind)
  }, 2 * deadlineMs)
  afterAll(() => world?.stop())
  beforeEach(() => eventually('nothing is left open', () => world.played.open === 0))

  test.each(['v5.channel.k8s.io', 'v4.channel.k8s.io', 'v4.base64.channel.k8s.io'])('exec over %s', async (protocol) => {
    const client = channelClient(world, protocol, execPath('cat'))
    await opened(client.socket)
    client.socket.send(protocol.includes('base64') ? `0${Buffer.from('typed').toString('base64')}` : Buffer.from('\0typed'))
    await eventually('it is given back', () => client.text(1) === 'typed')
    if (!protocol.startsWith('v5')) return client.socket.close()
    // Its input ends, and nothing else.
    client.socket.send(Buffer.of(255, 0))
    expect(await client.status).toMatchObject({ reason: 'NonZeroExitCode', details: { causes: [{ reason: 'ExitCode', message: '3' }] } })
  })

  test('exec over SPDY, in the versions that there are', async () => {
    for (const protocol of ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io']) {
      const session = await spdy(world, execPath('cat'), protocol)
      const [errors, stdin, stdout] = await Promise.all(['error', 'stdin', 'stdout'].map((streamType) => session.open({ streamType })))
      stdin!.io.end('typed')
      expect(await textOf(stdout!.io)).toBe('typed')
      const end = await textOf(errors!.io)
      if (protocol.startsWith('v4')) expect(JSON.parse(end)).toMatchObject({ status: 'Failure', reason: 'NonZeroExitCode' })
      else expect(end).toBe('command terminated with non-zero exit code: error executing command [cat], exit code 3')
      session.close()
    }
  })

  test('what cannot be is told in the words of each protocol', async () => {
    expect(await upgrade(world, execPath('cat'), 'v9.channel.k8s.io')).toContain('403 unable to upgrade: unable to negotiate protocol: client supports [v9.channel.k8s.io], server accepts [v4.channel.k8s.io v3')
    expect(await upgrade(world, path('portforward'), 'v4.channel.k8s.io')).toContain('403 unable to upgrade')
    expect(await channelClient(world, 'v8.channel.k8s.io', execPath('cat')).status).toContain('requested protocol(s) are not supported')
    expect(await channelClient(world, 'v5.channel.k8s.io', execPath('missing')).status).toMatchObject({
      message: 'Internal error occurred: error executing command in container: exec: "missing": not found',
    })
  })

  test('a client that does not read stops the program, and no memory fills', async () => {
    const session = await spdy(world, execPath('flood'))
    await Promise.all(['error', 'stdin', 'stdout'].map((streamType) => session.open({ streamType })))
    await clock.sleep(500)
    const before = world.played.printed
    await clock.sleep(1_000)
    expect(world.played.printed - before).toBeLessThan(2_000_000)
    expect(world.played.printed).toBeLessThan(20_000_000)
    session.destroy()
  })

  test('port-forward: many connections in one session, each half with its end; faults are told', async () => {
    const session = await spdy(world, path('portforward'), 'portforward.k8s.io')
    const say = async (id: number, port = '8080'): Promise<readonly [string, string]> => {
      const errors = await session.open({ streamType: 'error', port, requestID: String(id) })
      const data = await session.open({ streamType: 'data', port, requestID: String(id) })
      data.io.end(`hello ${id}`)
      return await Promise.all([textOf(data.io).catch(() => 'reset'), textOf(errors.io)])
    }
    const all = await Promise.all(Array.from({ length: 20 }, (_, id) => say(id)))
    expect(all).toEqual(Array.from({ length: 20 }, (_, id) => [`HELLO ${id}`, '']))
    const [data, fault] = await say(99, '1')
    expect([data, fault]).toEqual(['reset', expect.stringMatching(/^error forwarding port 1 to pod .*: connection refused$/)])
    for (const headers of [{ streamType: 'data' }, { streamType: 'data', port: '0' }, { streamType: 'other', port: '80' }])
      await expect(session.open(headers as Record<string, string>)).rejects.toThrow('refused the stream')
    session.close()
  })

  test('port-forward: when the port ends first, the connection is over and no fault', async () => {
    const session = await spdy(world, path('portforward'), 'portforward.k8s.io')
    const errors = await session.open({ streamType: 'error', port: '2', requestID: '1' })
    const data = await session.open({ streamType: 'data', port: '2', requestID: '1' })
    expect([await textOf(data.io), await textOf(errors.io)]).toEqual(['bye', ''])
    await eventually('its tunnel is closed', () => world.played.open === 0)
    session.close()
    const socket = channelClient(world, 'v4.channel.k8s.io', path('portforward?ports=2'))
    await socket.status
    expect([socket.text(0).slice(2), socket.text(1).slice(2)]).toEqual(['bye', ''])
  })

  test('who leaves in the middle leaves nothing behind', async () => {
    const socket = channelClient(world, 'v5.channel.k8s.io', execPath('hang'))
    const session = await spdy(world, execPath('hang'))
    await Promise.all(['error', 'stdin', 'stdout'].map((streamType) => session.open({ streamType })))
    const forward = await spdy(world, path('portforward'), 'portforward.k8s.io')
    await Promise.all(['error', 'data'].map((streamType) => forward.open({ streamType, port: '80', requestID: '1' })))
    await eventually('all three are there', () => world.played.open === 3)
    socket.socket.terminate()
    session.destroy()
    forward.destroy()
    await eventually('all are gone', () => world.played.open === 0)
  })

  test('clients that mean no good end their own connection', async () => {
    const bomb = Buffer.concat([Buffer.from('800300010000ff0a', 'hex'), Buffer.alloc(0xff0a)])
    for (const bytes of [Buffer.from('GET / HTTP/1.1\r\n\r\n'.repeat(10)), bomb, Buffer.from('8003000100ffffff', 'hex')]) {
      const socket = await upgrade(world, execPath('cat'), 'v4.channel.k8s.io')
      if (typeof socket === 'string') throw new Error(socket)
      socket.on('error', () => undefined).resume()
      const closed = new Promise((resolve) => socket.once('close', resolve))
      socket.write(bytes)
      await closed
    }
    const odd = channelClient(world, 'v5.channel.k8s.io', execPath('cat'))
    await opened(odd.socket)
    for (const message of [Buffer.of(), Buffer.of(255), Buffer.of(255, 77), Buffer.of(9, 9), Buffer.of(4, 0x7b), Buffer.of(3, 3), Buffer.of(255, 0), Buffer.of(0, 65)])
      odd.socket.send(message)
    expect(await odd.status).toMatchObject({ reason: 'NonZeroExitCode' })
    // Half open: it asked, and is gone before it said anything.
    for (let index = 0; index < 20; index++) {
      const half = connectTls({ host: '127.0.0.1', port: world.gateway.port, ca: world.pki.ca, cert: world.pki.admin.certificate, key: world.pki.admin.key })
      half.on('error', () => undefined)
      await new Promise((resolve) => half.once('secureConnect', resolve))
      half.write(`POST ${execPath('hang')} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n`)
      half.destroy()
    }
    const session = await spdy(world, execPath('cat'))
    const [, stdin, stdout] = await Promise.all(['error', 'stdin', 'stdout'].map((streamType) => session.open({ streamType })))
    stdin!.io.end('still here')
    expect(await textOf(stdout!.io)).toBe('still here')
    session.close()
  })
})

describe('when somebody dies', () => {
  const hanging = async (world: World): Promise<ChannelClient> => {
    const client = channelClient(world, 'v5.channel.k8s.io', execPath('hang'))
    await eventually('the command runs', () => world.played.open === 1)
    return client
  }

  test.skipIf(natsServer === undefined)('an agent, its clients are told within seconds', async () => {
    const world = await startWorld('nats')
    try {
      const client = await hanging(world)
      const beganMs = clock.nowMs()
      await world.killAgent()
      expect(await client.status).toMatchObject({ code: 500, message: expect.stringContaining('the connection to the node of the pod broke') })
      expect(clock.nowMs() - beganMs).toBeLessThan(15_000)
      await eventually('its side has given up', () => world.played.open === 0)
      const next = await upgrade(world, execPath('cat'), 'v4.channel.k8s.io')
      expect(next).toContain('the agent of node \\"node-0\\" cannot be reached')
    } finally {
      await world.stop()
    }
  }, 3 * deadlineMs)

  test('a gateway, what it had begun is ended on the node', async () => {
    const world = await startWorld('memory')
    try {
      const client = await hanging(world)
      await world.gateway.stop()
      await eventually('the command is ended', () => world.played.open === 0)
      await client.status
    } finally {
      await world.stop()
    }
  }, 3 * deadlineMs)
})
