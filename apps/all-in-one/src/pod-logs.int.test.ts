// `GET pods/<name>/log` all the way: HTTPS, gateway, bus (in memory, and a real nats-server), agent, files of a log; and
// back, no faster than the client reads. What runs in the containers is played by the test.
import { eventually } from '@shiplog/testing/eventually'
import { mkdtempSync, rmSync } from 'node:fs'
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ApiGateway, createApiGateway } from '@shiplog/api-gateway/api-gateway'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { Bus } from '@shiplog/events/bus/bus'
import { createMemoryBus } from '@shiplog/events/bus/memory-bus'
import type { ClusterLog } from '@shiplog/events/event-log'
import { provideNatsServer } from '@shiplog/nats-server/nats-binary'
import { openNatsBus } from '@shiplog/events/jetstream/nats-bus'
import { startNatsServer } from '@shiplog/nats-server/nats-child'
import { createObjectFeed, type LogObjectFeed } from '@shiplog/feed/object-feed-from-log'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { type ContainerLogWriter, createContainerLogWriter } from '@shiplog/node/container-log-writer'
import type { ContainerExit, ContainerRuntime, RealContainers } from '@shiplog/node/container-runtime'
import { createProcessStreams } from '@shiplog/node/process-streams'
import { processHost } from '@shiplog/node-agent/hosts/process-host'
import { createSimulatedRuntime } from '@shiplog/node/simulated-runtime'
import { createNodeAgent, type NodeAgent } from '@shiplog/node-agent/node-agent'
import { systemClock as clock } from '@shiplog/runtime/clock'
import { systemIds as ids } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { loadPki, type Pki } from './pki.ts'

const deadlineMs = 20_000
const directory = mkdtempSync(join(tmpdir(), 'shiplog-pod-logs-'))
const natsServer = await provideNatsServer()

afterAll(() => rmSync(directory, { recursive: true, force: true }))

interface Buses {
  readonly gateway: Bus
  readonly agent: Bus
  /** The agent's process dies: nothing of it is heard any more. */
  close(): Promise<void>
}

const memoryBuses = async (): Promise<Buses> => {
  const bus = createMemoryBus({ clock })
  return { gateway: bus, agent: bus, close: () => bus.close() }
}

const natsBuses = async (): Promise<Buses> => {
  const dataDir = mkdtempSync(join(directory, 'nats-'))
  const child = await startNatsServer({ binary: natsServer!.path, dataDir, nodes: ['node-0'] })
  const { credentials, url: servers } = child
  const gateway = await openNatsBus({ servers, credentials: credentials.gateway, clock })
  // With the rights of an agent, and no others.
  const agent = await openNatsBus({ servers, credentials: credentials.nodes['node-0']!, clock })
  return {
    gateway,
    agent,
    async close() {
      await Promise.all([gateway.close(), agent.close()])
      await child.stop()
    },
  }
}

/** Containers that start at once, print what the test says and end when it says so. */
function playedRuntime(): {
  runtime: ContainerRuntime
  writer(pod: string, container?: string): ContainerLogWriter
  end(pod: string, exitCode: number, container?: string): void
} {
  const simulated = createSimulatedRuntime({ clock, ids })
  const started = new Map<string, { writer: ContainerLogWriter; podUid: string; containerID: string }>()
  const uids = new Map<string, { name: string; namespace: string }>()
  let onExit: (exit: ContainerExit) => void = () => undefined
  const place = (uid: string, container: string): string => join(directory, 'pods', uid, container)
  const runtime: ContainerRuntime = {
    ...simulated,
    version: 'played://1',
    real: {
      uid: 0,
      environment: () => ({}),
      updateVolumes: () => Promise.resolve(),
      exec: () => Promise.reject(new Error('not played')),
      keepOnly: () => undefined,
      streams: createProcessStreams({
        clock,
        placeOf: () => Promise.reject(new Error('not played')),
        attach: () => Promise.reject(new Error('not played')),
      }),
      logDirectory: (pod, container) => place(pod.uid, container),
    } satisfies RealContainers,
    runSandbox: async (config) => {
      uids.set(config.podUid, config)
      return ['10.0.0.1']
    },
    startContainer: async (podUid, container) => {
      const writer = createContainerLogWriter({
        directory: place(podUid, container.name),
        restartCount: container.attempt,
        clock,
      })
      const containerID = `played://${podUid}/${container.name}/${container.attempt}`
      started.set(`${uids.get(podUid)!.name}/${container.name}`, { writer, podUid, containerID })
      return { containerID, imageID: 'played', startedAtMs: clock.nowMs() }
    },
    stopContainer: () => undefined,
    recover: async () => [],
    readyAtMs: (_sandbox, _container, startedAtMs) => startedAtMs,
    onExit: (listener) => {
      onExit = listener
    },
  }
  return {
    runtime,
    writer: (pod, container = 'main') => started.get(`${pod}/${container}`)!.writer,
    end(pod, exitCode, container = 'main') {
      const { writer, podUid, containerID } = started.get(`${pod}/${container}`)!
      writer.close()
      const reason = exitCode === 0 ? 'Completed' : 'Error'
      onExit({ podUid, containerID, exitCode, reason, finishedAtMs: clock.nowMs() })
    },
  }
}

const choices: readonly (readonly [string, () => Promise<Buses>])[] = [
  ['a bus in memory', memoryBuses],
  ...(natsServer === undefined ? [] : ([['a real nats-server', natsBuses]] as const)),
]

describe.each(choices)('logs over %s', (_name, openBuses) => {
  let pki: Pki
  let log: ClusterLog
  let feed: LogObjectFeed
  let gateway: ApiGateway
  let agent: NodeAgent
  let buses: Buses
  const played = playedRuntime()
  const { writer, end } = played
  const user = { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] }

  beforeAll(async () => {
    pki = loadPki({ directory: mkdtempSync(join(directory, 'pki-')), nowMs: clock.nowMs(), hosts: [] })
    buses = await openBuses()
    log = await openSqliteClusterLog({ dataDir: ':memory:' })
    gateway = createApiGateway({
      ...{ log, clock, ids, logger: silentLogger, bus: buses.gateway },
      https: { host: '127.0.0.1', port: 0, ca: pki.ca, cert: pki.server.certificate, key: pki.server.key },
      tokenFile: 'reader-token,reader,1\n',
    })
    await gateway.start()
    feed = createObjectFeed(log)
    agent = createNodeAgent({
      ...{ feed, clock, ids, log: silentLogger, bus: buses.agent },
      client: gateway.clientFor(user),
      host: processHost(played.runtime),
      nodes: { count: 1 },
    })
    await agent.start()
    await create('namespaces', { metadata: { name: 'default' } }, '')
    await create('serviceaccounts', { metadata: { name: 'default' } })
  }, 2 * deadlineMs)

  afterAll(async () => {
    await agent?.stop()
    await feed?.stop()
    await gateway?.stop()
    await log?.close()
    await buses?.close()
  })

  async function create(resource: string, body: JsonObject, namespace = 'default'): Promise<void> {
    const result = await gateway.clientFor(user).request({ verb: 'create', group: '', resource, namespace, body })
    if (!result.ok) throw new Error(result.status.message)
  }

  async function run(name: string, spec: JsonObject = {}): Promise<void> {
    await create('pods', {
      metadata: { name },
      spec: {
        nodeName: 'node-0',
        // Nobody here makes the ConfigMap that its volume would hold.
        automountServiceAccountToken: false,
        containers: [{ name: 'main', image: 'x', command: ['x'] }],
        ...spec,
      },
    })
  }

  const status = async (name: string): Promise<JsonObject> => {
    const pod = { verb: 'get', group: '', resource: 'pods', namespace: 'default', name } as const
    const result = await gateway.clientFor(user).request(pod)
    return result.ok ? ((result.object['status'] ?? {}) as JsonObject) : {}
  }

  const running = async (name: string): Promise<void> => {
    await eventually(`${name} runs`, async () => (await status(name))['phase'] === 'Running')
  }

  const path = (name: string, query = ''): string => `/api/v1/namespaces/default/pods/${name}/log${query}`

  /** Over HTTP/1.1; `code` 0 when the answer was broken off. */
  const get = (
    path: string,
    more: { token?: string; method?: string } = {},
  ): Promise<{ code: number; type: string; text: string; json: any }> =>
    new Promise((resolve, reject) => {
      const sent = request(
        {
          host: '127.0.0.1',
          port: gateway.port,
          path,
          method: more.method ?? 'GET',
          ca: pki.ca,
          ...(more.token === undefined
            ? { cert: pki.admin.certificate, key: pki.admin.key }
            : { headers: { authorization: `Bearer ${more.token}` } }),
        },
        (answer) => {
          let text = ''
          answer.on('data', (chunk: Buffer) => {
            text += chunk.toString()
          })
          const done = (code: number) => (): void => {
            const type = String(answer.headers['content-type'] ?? '')
            resolve({ code, type, text, json: type === 'application/json' && text !== '' ? JSON.parse(text) : undefined })
          }
          answer.on('end', done(answer.statusCode!))
          answer.on('error', done(0))
        },
      )
      sent.setTimeout(deadlineMs, () => sent.destroy(new Error('no answer in time')))
      sent.on('error', reject)
      sent.end()
    })

  const sessions: ClientHttp2Session[] = []
  /** Over HTTP/2, to read at one's own pace. */
  function open2(path: string): ClientHttp2Stream {
    const session = connect(`https://127.0.0.1:${gateway.port}`, {
      ca: pki.ca,
      cert: pki.admin.certificate,
      key: pki.admin.key,
    })
    session.on('error', () => undefined)
    sessions.push(session)
    return session.request({ ':path': path })
  }
  afterAll(() => {
    for (const session of sessions) session.destroy()
  })

  test('shows what a container has printed, with every option', async () => {
    await run('web')
    await running('web')
    writer('web').write('stdout', Buffer.from('one\ntwo\n'))
    writer('web').write('stderr', Buffer.from('oops\n'))
    writer('web').write('stdout', Buffer.from('three\nhalf'))
    const all = await get(path('web'))
    expect(all).toMatchObject({ code: 200, type: 'text/plain', text: 'one\ntwo\noops\nthree\n' })
    expect((await get(path('web', '?tailLines=2'))).text).toBe('oops\nthree\n')
    expect((await get(path('web', '?tailLines=0'))).text).toBe('')
    expect((await get(path('web', '?limitBytes=5'))).text).toBe('one\nt')
    expect((await get(path('web', '?stream=Stderr'))).text).toBe('oops\n')
    expect((await get(path('web', '?container=main&sinceSeconds=3600'))).text).toBe(all.text)
    expect((await get(path('web', '?sinceTime=2999-01-01T00:00:00Z'))).text).toBe('')
    const time = '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{9}Z'
    expect((await get(path('web', '?timestamps=true&tailLines=1'))).text).toMatch(new RegExp(`^${time} three\\n$`))
  })

  test('follows, and ends when the container has ended', async () => {
    await run('job', { restartPolicy: 'Never' })
    await running('job')
    writer('job').write('stdout', Buffer.from('before\n'))
    const following = get(path('job', '?follow=true'))
    for (let i = 0; i < 20; i++) {
      writer('job').write('stdout', Buffer.from(`line ${i}\n`))
      await clock.sleep(10)
    }
    end('job', 0)
    const { code, text } = await following
    expect(code).toBe(200)
    expect(text).toBe(`before\n${Array.from({ length: 20 }, (_, i) => `line ${i}\n`).join('')}`)
    await eventually('the pod succeeds', async () => (await status('job'))['phase'] === 'Succeeded')
    expect((await get(path('job', '?tailLines=1'))).text).toBe('line 19\n')
  })

  test.each([
    ['', true],
    ['binary.k8s.io', true],
    ['base64.binary.k8s.io', false],
  ])('go over a WebSocket, too: subprotocol "%s"', async (protocol, isBinary) => {
    const name = `socket-${protocol.length}`
    await run(name)
    await running(name)
    writer(name).write('stdout', Buffer.from('one\nzwei ü\n'))
    const socket = new WebSocket(`wss://127.0.0.1:${gateway.port}${path(name)}`, protocol === '' ? [] : [protocol], {
      ...{ ca: pki.ca, cert: pki.admin.certificate, key: pki.admin.key },
    })
    const messages: Buffer[] = []
    const kinds = new Set<boolean>()
    socket.on('message', (data: Buffer, binary) => {
      messages.push(binary ? data : Buffer.from(data.toString(), 'base64'))
      kinds.add(binary)
    })
    const code = await new Promise<number>((resolve, reject) => socket.on('close', resolve).on('error', reject))
    expect({ code, protocol: socket.protocol }).toEqual({ code: 1000, protocol })
    expect(messages[0]!.length).toBe(0)
    expect(Buffer.concat(messages).toString()).toBe('one\nzwei ü\n')
    expect([...kinds]).toEqual([isBinary])
  })

  test('over a WebSocket with a subprotocol that nobody here knows are refused', async () => {
    const socket = new WebSocket(`wss://127.0.0.1:${gateway.port}${path('web')}`, ['v5.channel.k8s.io'], {
      ...{ ca: pki.ca, cert: pki.admin.certificate, key: pki.admin.key },
    })
    const code = await new Promise((resolve) =>
      socket.on('unexpected-response', (_, { statusCode }) => resolve(statusCode)),
    )
    expect(code).toBe(403)
  })

  test('the attempt before is there after a restart, and while the next one waits', async () => {
    await run('crash')
    await running('crash')
    expect((await get(path('crash', '?previous=true'))).json).toMatchObject({
      code: 400,
      reason: 'BadRequest',
      message: 'previous terminated container "main" in pod "crash" not found',
    })
    const restarts = async (): Promise<number> => (await status('crash'))['containerStatuses']?.[0].restartCount
    writer('crash').write('stdout', Buffer.from('first\n'))
    end('crash', 1)
    await eventually('it runs again', async () => (await restarts()) === 1)
    writer('crash').write('stdout', Buffer.from('second\n'))
    expect((await get(path('crash', '?previous=true'))).text).toBe('first\n')
    expect((await get(path('crash'))).text).toBe('second\n')
    end('crash', 1)
    await eventually(
      'it backs off',
      async () => (await status('crash'))['containerStatuses']?.[0].state.waiting?.reason === 'CrashLoopBackOff',
    )
    expect((await get(path('crash'))).text).toBe('second\n')
    expect((await get(path('crash', '?previous=true'))).text).toBe('second\n')
    expect((await get(path('crash', '?follow=true'))).text).toBe('second\n')
  })

  test('which container is meant must be clear', async () => {
    const container = (name: string): JsonObject => ({ name, image: 'x', command: ['x'] })
    await run('two', { initContainers: [container('setup')], containers: [container('a'), container('b')] })
    await eventually('setup has begun', async () => {
      const statuses: JsonObject[] | undefined = (await status('two'))['initContainerStatuses']
      return statuses?.[0]?.['state'].running !== undefined
    })
    writer('two', 'setup').write('stdout', Buffer.from('preparing\n'))
    const refusals = {
      '': 'a container name must be specified for pod two, choose one of: [a b] or one of the init containers: [setup]',
      '?container=c': 'container c is not valid for pod two',
      '?container=a': 'container "a" in pod "two" is waiting to start: PodInitializing',
    }
    for (const [query, message] of Object.entries(refusals)) {
      expect((await get(path('two', query))).json).toMatchObject({ code: 400, reason: 'BadRequest', message })
    }
    expect((await get(path('two', '?container=setup'))).text).toBe('preparing\n')
    end('two', 0, 'setup')
    await running('two')
    writer('two', 'b').write('stdout', Buffer.from('from b\n'))
    expect((await get(path('two', '?container=b'))).text).toBe('from b\n')
    expect((await get(path('two', '?container=setup&follow=1'))).text).toBe('preparing\n')
  })

  test.each([
    [
      'tailLines=-1',
      422,
      'PodLogOptions "web" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0',
    ],
    ['limitBytes=0', 422, 'PodLogOptions "web" is invalid: limitBytes: Invalid value: 0: must be greater than 0'],
    ['sinceSeconds=0', 422, 'PodLogOptions "web" is invalid: sinceSeconds: Invalid value: 0: must be greater than 0'],
    [
      'sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z',
      422,
      'PodLogOptions "web" is invalid: []: Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified',
    ],
    [
      'stream=Both',
      422,
      'PodLogOptions "web" is invalid: stream: Unsupported value: "Both": supported values: "All", "Stderr", "Stdout"',
    ],
    ['tailLines=many', 400, 'strconv.ParseInt: parsing "many": invalid syntax'],
    ['limitBytes=99999999999999999999', 400, 'strconv.ParseInt: parsing "99999999999999999999": value out of range'],
    ['sinceTime=yesterday', 400, /^parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse/],
  ])('%s is refused', async (query, code, message) => {
    const answer = await get(path('web', `?${query}`))
    expect(answer.json).toMatchObject({
      kind: 'Status',
      code,
      message: message instanceof RegExp ? expect.stringMatching(message) : message,
    })
    expect(answer.code).toBe(code)
  })

  test('who may read pods may not read their logs without being told so', async () => {
    expect((await get(path('web'), { token: 'reader-token' })).json).toMatchObject({
      code: 403,
      message: expect.stringContaining('User "reader" cannot get resource "pods/log" in API group ""'),
    })
  })

  test('there are none of pods that do not exist, have no node, or of the past; nor can they be written', async () => {
    expect((await get(path('nobody'))).json).toMatchObject({ code: 404, message: 'pods "nobody" not found' })
    await create('pods', { metadata: { name: 'homeless' }, spec: { containers: [{ name: 'main', image: 'x' }] } })
    expect((await get(path('homeless'))).code).toBe(204)
    const { metadata } = (await get('/api/v1/namespaces/default/pods/web')).json
    expect((await get(`/at/${metadata.resourceVersion}${path('web')}`)).json).toMatchObject({
      code: 400,
      message: expect.stringContaining("not part of the cluster's log"),
    })
    expect((await get(path('web'), { method: 'POST' })).code).toBe(405)
    expect((await get(path('web', '?follow=true'), { method: 'HEAD' })).code).toBe(405)
  })

  test('a node without an agent is told of within 5 s', async () => {
    await run('elsewhere', { nodeName: 'node-9' })
    const beganMs = clock.nowMs()
    expect((await get(path('elsewhere'))).json).toMatchObject({
      code: 503,
      message: 'the agent of node "node-9" cannot be reached',
    })
    expect(clock.nowMs() - beganMs).toBeLessThan(5_000)
  })

  test('a slow reader stops the node, gets everything in the end, and nothing piles up in between', async () => {
    await run('loud', { restartPolicy: 'Never' })
    await running('loud')
    const line = `${'x'.repeat(1_023)}\n`
    const lines = 40 * 1024
    for (let i = 0; i < lines; i++) writer('loud').write('stdout', Buffer.from(line))
    end('loud', 0)
    const before = process.memoryUsage().arrayBuffers
    const stream = open2(path('loud', '?follow=true'))
    let received = 0
    for await (const chunk of stream) {
      if (received === 0) {
        await clock.sleep(700)
        // Also what is garbage by now counts: so little was read of 40 MiB.
        expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * 1024 * 1024)
      }
      received += (chunk as Buffer).length
    }
    expect(received).toBe(lines * line.length)
  })

  test('a client that goes away ends the reading on the node within a second', async () => {
    await run('followed')
    await running('followed')
    writer('followed').write('stdout', Buffer.from('x\n'))
    const openFiles = (): number => openIn(join(directory, 'pods'))
    const idle = openFiles()
    const stream = open2(path('followed', '?follow=true'))
    stream.on('error', () => undefined)
    await new Promise((resolve) => stream.once('data', resolve))
    expect(openFiles()).toBe(idle + 1)
    const metric = 
      'apiserver_longrunning_requests{verb="GET",group="",version="v1",resource="pods",subresource="log",scope="resource",component="apiserver"}'
    expect((await get('/metrics')).text).toContain(`${metric} 1\n`)
    const beganMs = clock.nowMs()
    stream.close()
    await eventually('the file is closed', () => openFiles() === idle)
    expect(clock.nowMs() - beganMs).toBeLessThan(1_000)
    expect((await get('/metrics')).text).toContain(`${metric} 0\n`)
  })

  test('an agent that stops breaks the answer off; the client does not wait for ever', async () => {
    const following = get(path('followed', '?follow=true'))
    await eventually('the log is read', () => openIn(join(directory, 'pods')) > 0)
    await clock.sleep(100)
    await agent.stop()
    expect((await following).code).toBe(0)
    expect((await get(path('followed'))).json).toMatchObject({
      code: 503,
      message: 'the agent of node "node-0" cannot be reached',
    })
  })
})

/** Files below a directory that this process reads now. */
function openIn(directory: string): number {
  const { readdirSync, readlinkSync, readFileSync } = process.getBuiltinModule('node:fs')
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      if (!readlinkSync(`/proc/self/fd/${fd}`).startsWith(directory)) return false
      // Writers append (O_APPEND is 02000).
      const flags = Number.parseInt(/flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))![1]!, 8)
      return (flags & 0o2000) === 0
    } catch {
      return false
    }
  }).length
}
