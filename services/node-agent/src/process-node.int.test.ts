// Real processes as pods, and everything that may be killed is: the agent at any step, and the supervisor. What is counted
// is what really ran: every command writes a line before it does anything else.
import { eventually } from '@shiplog/testing/eventually'
import { type ChildProcess, fork } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { systemClock } from '@shiplog/runtime/clock'
import { createFakeCluster, type FakeCluster } from '@shiplog/testing/fake-cluster'
import { seededRandom } from '@shiplog/testing/seeded-random'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type FromAgent, processNodeName, type ToAgent } from './testing/process-agent.ts'

const program = join(import.meta.dirname, 'testing', 'process-agent.ts')
const secretText = 'this-is-nobodys-business'

let directory: string
let cluster: FakeCluster
let agent: Agent | undefined

interface Agent {
  readonly child: ChildProcess
  readonly ready: Promise<void>
  kill(): Promise<void>
  /** In order, as by SIGTERM. */
  stop(): Promise<void>
}

const nodeDirectory = (): string => join(directory, 'node')
const kill = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // Gone by itself.
  }
}
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'shiplog-process-'))
  mkdirSync(join(directory, 'runs'))
  cluster = createFakeCluster(systemClock)
})
afterEach(async () => {
  await agent?.kill()
  agent = undefined
  for (const pid of ourProcesses()) kill(pid)
  const supervisor = supervisorPid()
  if (supervisor !== undefined) kill(supervisor)
  await pause(50)
  rmSync(directory, { recursive: true, force: true })
})

function startAgent(): Agent {
  const child = fork(program, [nodeDirectory()], { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const abort = new AbortController()
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const ready = Promise.withResolvers<void>()
  const send = (message: ToAgent): void => {
    if (child.connected) child.send(message, () => undefined)
  }
  child.on('message', async (message: FromAgent) => {
    if (message.kind === 'ready') ready.resolve()
    else if (message.kind === 'request') {
      send({ kind: 'result', id: message.id, result: await cluster.client().request(message.request) })
    } else {
      const { id, resources } = message
      for await (const batch of cluster.feed.follow(resources, abort.signal)) send({ kind: 'batch', id, batch })
    }
  })
  return {
    child,
    ready: ready.promise,
    async kill() {
      child.kill('SIGKILL')
      abort.abort()
      await exited
    },
    async stop() {
      send({ kind: 'stop' })
      await exited
      abort.abort()
    },
  }
}

/** Writes a line with its own name first, then does what the script says. */
const command = (name: string, script: string): string[] => [
  'sh',
  '-c',
  `echo ran >> ${join(directory, 'runs', name)}; ${script}`,
]

const runsOf = (name: string): number => {
  const file = join(directory, 'runs', name)
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0
}

/** A process is told as running from its start on; its line comes a moment later. */
const hasRun = (name: string, times: number): Promise<boolean> =>
  eventually(`${name} has run ${times} times`, () => runsOf(name) >= times)

function createPod(name: string, script: string, spec: JsonObject = {}, container: JsonObject = {}): void {
  cluster.put('pods', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', generation: 1 },
    spec: {
      nodeName: processNodeName,
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 5,
      containers: [{ name: 'main', image: 'none', command: command(name, script), ...container }],
      ...spec,
    },
    status: { phase: 'Pending' },
  })
}

const pod = (name: string): KubeObject | undefined => cluster.get('pods', `default/${name}`)
const phase = (name: string): string => pod(name)?.['status'].phase
const main = (name: string): JsonObject => pod(name)?.['status'].containerStatuses?.[0] ?? {}

function deletePod(name: string): void {
  const object = structuredClone(pod(name)!)
  object.metadata.deletionTimestamp = new Date().toISOString()
  object.metadata['deletionGracePeriodSeconds'] = 5
  cluster.put('pods', object)
}

/** Processes that live in this test's node. */
function ourProcesses(): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      if (!Number.isSafeInteger(pid)) return false
      try {
        return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`SHIPLOG_ROOT=${nodeDirectory()}/`)
      } catch {
        return false
      }
    })
}

function supervisorPid(): number | undefined {
  try {
    const { pid } = JSON.parse(readFileSync(join(nodeDirectory(), 'supervisor', 'lock'), 'utf8')) as { pid: number }
    const line = readFileSync(`/proc/${pid}/cmdline`, 'latin1')
    return line.includes(nodeDirectory()) ? pid : undefined
  } catch {
    return undefined
  }
}

const filesWith = (text: string): string[] =>
  readdirSync(nodeDirectory(), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => readFileSync(file, 'latin1').includes(text))

describe('an agent that is killed at any moment', () => {
  test('while twenty pods start, end and go: each command ran as often as its status says, nothing is left', async () => {
    const random = seededRandom(20_261_123)
    cluster.put('secrets', {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'key', namespace: 'default' },
      data: { password: Buffer.from(secretText).toString('base64') },
    })
    const secretVolume = {
      volumes: [{ name: 'key', secret: { secretName: 'key' } }],
    }
    const mount = { volumeMounts: [{ name: 'key', mountPath: '/key' }] }
    const servers = Array.from({ length: 8 }, (_, index) => `server-${index}`)
    const jobs = Array.from({ length: 6 }, (_, index) => `job-${index}`)
    const flaky = Array.from({ length: 4 }, (_, index) => `flaky-${index}`)
    const staged = ['staged-0', 'staged-1']
    const create: (() => void)[] = [
      ...servers.map((name) => () => createPod(name, 'exec sleep 1000', secretVolume, mount)),
      ...jobs.map(
        (name) => () =>
          createPod(name, 'sleep 0.2; cat key/password', { restartPolicy: 'Never', ...secretVolume }, mount),
      ),
      // Fails the first time.
      ...flaky.map((name) => () => {
        const script = `test $(wc -l < ${join(directory, 'runs', name)}) -gt 1`
        createPod(name, script, { restartPolicy: 'OnFailure' })
      }),
      ...staged.map((name) => () => {
        const init = (step: string) => ({ name: step, image: 'none', command: command(`${name}-${step}`, 'sleep 0.1') })
        createPod(name, 'exec sleep 1000', { initContainers: [init('one'), init('two')] })
      }),
    ]
    const gone = [...servers.slice(0, 4), ...jobs.slice(0, 2)]
    let lives = 0
    /** Killed while it starts, or some time after. */
    const live = async (ms: number): Promise<void> => {
      lives++
      agent = startAgent()
      if (random.chance(0.5)) await agent.ready
      else await pause(100 + random.below(200))
      await pause(ms)
      await agent.kill()
    }
    for (const step of create) {
      step()
      if (random.below(4) === 0) await live(random.below(150))
    }
    for (let round = 0; round < 4; round++) await live(random.below(250))
    for (const name of gone) {
      deletePod(name)
      if (random.below(2) === 0) await live(random.below(100))
    }
    expect(lives).toBeGreaterThanOrEqual(8)
    agent = startAgent()

    const rest = servers.filter((name) => !gone.includes(name))
    for (const name of [...rest, ...staged]) await eventually(`${name} runs`, () => phase(name) === 'Running')
    for (const name of [...jobs.slice(2), ...flaky])
      await eventually(`${name} is done`, () => phase(name) === 'Succeeded')
    for (const name of gone) await eventually(`${name} is gone`, () => pod(name) === undefined)

    for (const name of [...rest, ...staged]) await hasRun(name, 1)
    const told = (name: string): number => main(name)['restartCount'] + 1
    for (const name of [...rest, ...staged, ...jobs.slice(2)])
      expect([name, runsOf(name), told(name)]).toEqual([name, 1, 1])
    for (const name of flaky) expect([name, runsOf(name), told(name)]).toEqual([name, 2, 2])
    for (const name of staged) expect([runsOf(`${name}-one`), runsOf(`${name}-two`)]).toEqual([1, 1])
    for (const name of gone) expect(runsOf(name)).toBeLessThanOrEqual(1)

    for (const name of [...rest, ...staged, ...jobs.slice(2), ...flaky]) deletePod(name)
    await eventually('all pods are gone', () => [...rest, ...staged, ...jobs, ...flaky].every((name) => !pod(name)))
    const left = () => ['pods', 'state', 'work'].flatMap((name) => readdirSync(join(nodeDirectory(), name)))
    await eventually('nothing is left on disk', () => left().length === 0)
    await eventually('no process is left', () => ourProcesses().length === 0)
    expect(filesWith(secretText)).toEqual([])
  }, 120_000)
})

describe('an agent that is stopped in order', () => {
  test('ends every process, also one that does not listen, and the next life goes on', async () => {
    agent = startAgent()
    createPod('polite', "trap 'exit 0' TERM; while true; do sleep 0.05; done")
    createPod(
      'deaf',
      `trap '' TERM; echo >> ${join(directory, 'runs', 'deaf-by-now')}; while true; do sleep 0.05; done`,
    )
    createPod('daemon', 'setsid sleep 1000 & exec sleep 1000')
    for (const name of ['polite', 'deaf', 'daemon'])
      await eventually(`${name} runs`, () => runsOf(name) === 1 && phase(name) === 'Running')
    await eventually('one does not listen any more', () => runsOf('deaf-by-now') === 1)
    await agent.stop()
    await eventually('no process is left', () => ourProcesses().length === 0)
    await eventually('the supervisor has left', () => supervisorPid() === undefined)
    agent = startAgent()
    for (const name of ['polite', 'deaf', 'daemon'])
      await eventually(`${name} runs again`, () => main(name)['restartCount'] === 1)
    expect(main('deaf')['lastState'].terminated).toMatchObject({ exitCode: 137, reason: 'Error' })
    expect(main('daemon')['lastState'].terminated).toMatchObject({ exitCode: 143, reason: 'Error' })
    for (const name of ['polite', 'deaf', 'daemon']) await hasRun(name, 2)
    expect(['polite', 'deaf', 'daemon'].map(runsOf)).toEqual([2, 2, 2])
  }, 60_000)
})

test('an agent that is stopped before it has looked around ends what an earlier one left', async () => {
  agent = startAgent()
  createPod('server', 'exec sleep 1000')
  await eventually('it runs', () => phase('server') === 'Running')
  await agent.kill()
  expect(ourProcesses()).toHaveLength(1)
  agent = startAgent()
  await agent.stop()
  await eventually('nothing is left', () => ourProcesses().length === 0)
}, 60_000)

describe('a supervisor that is killed', () => {
  test('leaves processes that nobody reads: they are ended, told as 137, and started again', async () => {
    agent = startAgent()
    createPod('server', 'exec sleep 1000')
    createPod('once', 'exec sleep 1000', { restartPolicy: 'Never' })
    await eventually('both run', () => phase('server') === 'Running' && phase('once') === 'Running')
    for (const name of ['server', 'once']) await hasRun(name, 1)
    const before = ourProcesses()
    expect(before).toHaveLength(2)
    process.kill(supervisorPid()!, 'SIGKILL')
    await eventually('it is started again', () => main('server')['restartCount'] === 1 && phase('server') === 'Running')
    await eventually('the other has failed', () => phase('once') === 'Failed')
    expect(main('once')['state'].terminated).toMatchObject({
      exitCode: 137,
      message: expect.stringContaining('supervised'),
    })
    expect(main('server')['lastState'].terminated.exitCode).toBe(137)
    await hasRun('server', 2)
    expect([runsOf('server'), runsOf('once')]).toEqual([2, 1])
    expect(ourProcesses().filter((pid) => before.includes(pid))).toEqual([])
    expect(ourProcesses()).toHaveLength(1)
  }, 60_000)

  test('together with the agent, is no different', async () => {
    agent = startAgent()
    createPod('server', 'exec sleep 1000')
    await eventually('it runs', () => phase('server') === 'Running')
    await hasRun('server', 1)
    process.kill(supervisorPid()!, 'SIGKILL')
    await agent.kill()
    agent = startAgent()
    await eventually('it is started again', () => main('server')['restartCount'] === 1 && phase('server') === 'Running')
    await hasRun('server', 2)
    expect(runsOf('server')).toBe(2)
    expect(ourProcesses()).toHaveLength(1)
  }, 60_000)
})

test('a node whose directory is removed ends by itself', async () => {
  agent = startAgent()
  createPod('server', 'exec sleep 1000')
  await eventually('it runs', () => phase('server') === 'Running')
  const supervisor = supervisorPid()!
  await agent.kill()
  rmSync(nodeDirectory(), { recursive: true, force: true })
  await eventually('nothing is left', () => ourProcesses().length === 0 && !existsSync(`/proc/${supervisor}`))
}, 60_000)
