import { eventually } from '@shiplog/testing/eventually'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ContainerConfig, ContainerExit, ContainerRuntime, PodVolume, SandboxConfig } from './container-runtime.ts'
import { createProcessRuntime } from './process-runtime.ts'

const deadlineMs = 20_000
let top: string
let directory: string
let runtime: ContainerRuntime
let exits: ContainerExit[]

function open(): ContainerRuntime {
  const opened = createProcessRuntime({
    directory,
    clock: systemClock,
    ids: systemIds,
    log: silentLogger,
    onStop: 'end',
  })
  opened.onExit((exit) => exits.push(exit))
  return opened
}

beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'shiplog-runtime-'))
  directory = join(top, 'node')
  exits = []
  runtime = open()
})
afterEach(async () => {
  await runtime.stop()
  rmSync(top, { recursive: true, force: true })
})

const sandbox = (podUid: string, volumes: readonly PodVolume[] = []): SandboxConfig => ({
  podUid,
  namespace: 'default',
  name: `pod-${podUid}`,
  nodeName: 'here',
  nodeIPs: ['127.0.0.1'],
  podCIDRs: ['10.0.0.0/24'],
  hostNetwork: false,
  annotations: {},
  restartPolicy: 'Always',
  ownedByJob: false,
  volumes,
})

const shell = (
  script: string,
  more: Partial<ContainerConfig['process'] & object> = {},
  attempt = 0,
): ContainerConfig => ({
  name: 'main',
  image: 'none',
  role: 'main',
  attempt,
  probeDelaySeconds: 0,
  process: {
    command: ['/bin/sh', '-c', script],
    env: { ...runtime.real!.environment('one', 'main') },
    workingDir: '/',
    mounts: [],
    terminationMessagePath: '/dev/termination-log',
    outputAsMessage: false,
    ...more,
  },
})

const exitOf = (containerID: string): Promise<ContainerExit> =>
  eventually('the exit is told', () => exits.find((exit) => exit.containerID === containerID))
const output = (): string => {
  const place = runtime.real!.logDirectory({ namespace: 'default', name: 'pod-one', uid: 'one' }, 'main')
  const file = join(place, '0.log')
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}
const run = async (config: ContainerConfig): Promise<ContainerExit> => {
  await runtime.runSandbox(sandbox('one'))
  const started = await runtime.startContainer('one', config)
  return started.ended ?? exitOf(started.containerID)
}

describe('how a process ends', () => {
  test.each([
    ['exit 0', 0, 'Completed'],
    ['exit 3', 3, 'Error'],
    ['kill -TERM $$', 143, 'Error'],
    ['kill -SEGV $$', 139, 'Error'],
  ])('%s is told as %i, %s', async (script, exitCode, reason) => {
    expect(await run(shell(script))).toMatchObject({ exitCode, reason })
  })

  test('a program that cannot run counts as an end at once, and exit is not told besides', async () => {
    await runtime.runSandbox(sandbox('one'))
    const { ended } = await runtime.startContainer('one', shell('', { command: ['/no/such/program'] }))
    expect(ended).toMatchObject({ exitCode: 128, reason: 'StartError' })
    expect(ended!.message).toContain('exec: "/no/such/program": stat /no/such/program: no such file or directory')
    const denied = await runtime.startContainer('one', shell('', { command: ['/etc/passwd'] }, 1))
    expect(denied.ended!.message).toContain('exec: "/etc/passwd": permission denied')
    expect(exits).toEqual([])
  })

  test('its message is what it left, or the end of its output where that is wished', async () => {
    const left = await run(shell('echo fine > dev/termination-log; exit 1', { outputAsMessage: true }))
    expect(left.message).toBe('fine\n')
    const started = await runtime.startContainer('one', shell('echo broken >&2; exit 1', { outputAsMessage: true }, 1))
    expect((started.ended ?? (await exitOf(started.containerID))).message).toBe('broken\n')
  })

  test('all that it printed is in its log before its end is told', async () => {
    await run(shell('for i in 1 2 3 4 5; do echo line $i; done; printf last'))
    expect(output()).toMatch(/line 1\n(.*\n){4}.* stdout P last\n$/)
  })

  test('what it has started ends with it, in whatever session', async () => {
    const { exitCode } = await run(shell('sleep 1000 & setsid sleep 1001 & echo $! > child; sleep 0.2; exit 4'))
    expect(exitCode).toBe(4)
    const marked = (): string[] =>
      readdirSync('/proc').filter((pid) => {
        try {
          return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`SHIPLOG_ROOT=${directory}/`)
        } catch {
          return false
        }
      })
    await eventually('those that were killed are gone', () => marked().length === 0)
  })
})

describe('a start', () => {
  test('that was ordered before is not done twice, also after its end', async () => {
    await runtime.runSandbox(sandbox('one'))
    const config = shell('echo ran; exec sleep 1000')
    const first = await runtime.startContainer('one', config)
    expect(await runtime.startContainer('one', config)).toEqual(first)
    await eventually('it has printed', () => output().includes('ran'))
    runtime.stopContainer('one', first.containerID, 0)
    await exitOf(first.containerID)
    const again = await runtime.startContainer('one', config)
    expect(again).toMatchObject({ containerID: first.containerID, ended: { exitCode: 137 } })
    expect(output().match(/ran/g)).toHaveLength(1)
  })

  test('of a pod that is over is refused', async () => {
    await runtime.runSandbox(sandbox('one'))
    runtime.removeSandbox('one')
    await expect(runtime.startContainer('one', shell('true'))).rejects.toMatchObject({ reason: 'CreateContainerError' })
  })

  test('finds nothing of an earlier start in its root', async () => {
    await run(shell('touch left; mkdir -p work'))
    const { exitCode } = await run(shell('test ! -e left', {}, 1))
    expect(exitCode).toBe(0)
  })

  test('works in a directory whose name is too long for a socket', async () => {
    await runtime.stop()
    directory = join(top, 'x'.repeat(120), 'node')
    mkdirSync(directory, { recursive: true })
    runtime = open()
    expect(await run(shell('exit 5'))).toMatchObject({ exitCode: 5 })
  })
})

describe('a command beside a container', () => {
  test('has its environment, its directory and a bound for what it prints and how long it takes', async () => {
    await runtime.runSandbox(sandbox('one'))
    const env: Record<string, string> = { ...runtime.real!.environment('one', 'main'), WORD: 'hello' }
    const { containerID } = await runtime.startContainer('one', shell('touch here; exec sleep 1000', { env }))
    const exec = (timeoutMs: number, ...command: string[]) => runtime.real!.exec('one', containerID, command, timeoutMs)
    await eventually('the container is there', () => existsSync(join(env['SHIPLOG_ROOT']!, 'here')))
    expect(await exec(deadlineMs, 'sh', '-c', 'echo $WORD; ls here; exit 3')).toEqual({
      exitCode: 3,
      output: 'hello\nhere\n',
      timedOut: false,
    })
    expect((await exec(deadlineMs, 'sh', '-c', 'yes | head -c 100000')).output).toHaveLength(10 * 1024)
    expect(await exec(200, 'sleep', '1000')).toMatchObject({ timedOut: true })
    expect(await exec(deadlineMs, 'nope')).toMatchObject({ exitCode: 127 })
    // What it leaves behind does not hold up its answer.
    expect(await exec(deadlineMs, 'sh', '-c', 'sleep 1000 & exit 0')).toMatchObject({ exitCode: 0, timedOut: false })
    runtime.stopContainer('one', containerID, 0)
    await exitOf(containerID)
    await expect(exec(deadlineMs, 'true')).rejects.toThrow('container not running')
  })
})

describe('a stop', () => {
  test('asks first, kills after the grace, and a shorter grace counts', async () => {
    await runtime.runSandbox(sandbox('one'))
    const deaf = "trap '' TERM; touch up; while :; do sleep 0.05; done"
    const polite = await runtime.startContainer(
      'one',
      shell('trap "exit 9" TERM; touch up; while :; do sleep 0.05; done'),
    )
    const up = join(runtime.real!.environment('one', 'main')['SHIPLOG_ROOT']!, 'up')
    await eventually('it listens', () => existsSync(up))
    runtime.stopContainer('one', polite.containerID, 60_000)
    expect((await exitOf(polite.containerID)).exitCode).toBe(9)
    const other = await runtime.startContainer('one', shell(deaf, {}, 1))
    await eventually('it listens', () => existsSync(up))
    runtime.stopContainer('one', other.containerID, 600_000)
    runtime.stopContainer('one', other.containerID, 100)
    expect((await exitOf(other.containerID)).exitCode).toBe(137)
  })
})

describe('what a pod has on disk', () => {
  const secret: PodVolume = {
    kind: 'files',
    name: 'key',
    secret: true,
    files: [{ path: 'password', content: Buffer.from('hush'), mode: 0o600 }],
  }

  test('is nobody else’s to see; volumes go with the pod’s end, output with the pod', async () => {
    await runtime.runSandbox(sandbox('one', [secret]))
    expect(statSync(directory).mode & 0o777).toBe(0o700)
    const mounts = [{ volume: 'key', path: '/key', subPath: '' }]
    const started = await runtime.startContainer('one', shell('cat key/password', { mounts }))
    if (started.ended === undefined) await exitOf(started.containerID)
    expect(output()).toContain('hush')
    runtime.removeSandbox('one')
    await eventually('its volumes are gone', () => !existsSync(join(directory, 'work', 'one')))
    expect(output()).toContain('hush')
    runtime.removePod('one')
    const left = (): string[] => ['pods', 'state', 'work'].flatMap((name) => readdirSync(join(directory, name)))
    await eventually('all of it is gone', () => left().length === 0)
  })

  test('is removed with all its processes when its pod went while nobody was there', async () => {
    await runtime.runSandbox(sandbox('one', [secret]))
    await runtime.runSandbox(sandbox('two'))
    await runtime.startContainer('one', shell('exec sleep 1000'))
    runtime.real!.keepOnly(new Set(['two']))
    await eventually('it is gone', () => !existsSync(join(directory, 'work', 'one')))
    expect(existsSync(join(directory, 'work', 'two'))).toBe(true)
    expect(exits).toEqual([])
  })

  test('a directory that others could enter is shut', () => {
    chmodSync(directory, 0o755)
    createProcessRuntime({ directory, clock: systemClock, ids: systemIds, log: silentLogger, onStop: 'leave' })
    expect(statSync(directory).mode & 0o777).toBe(0o700)
  })
})
