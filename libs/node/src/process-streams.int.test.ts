// Commands beside a running process of a real supervisor, with and without a terminal, and connections to its ports. The
// pod has a uid of its own: tests that run beside this one end what bears theirs.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import { eventually } from '@shiplog/testing/eventually'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ContainerRuntime } from './container-runtime.ts'
import type { ContainerStream, StreamOptions } from './node-streams.ts'
import { createProcessRuntime } from './process-runtime.ts'

let directory: string
let runtime: ContainerRuntime
let containerID: string

const target = () => ({ podUid: 'streams-one', containerID })
const all: StreamOptions = { tty: false, stdin: true, stdout: true, stderr: true }
const exec = (command: readonly string[], options: Partial<StreamOptions> = {}): Promise<ContainerStream> =>
  runtime.real!.streams.exec(target(), { ...all, ...options, command })

async function textOf(stream: Readable | undefined): Promise<string> {
  let text = ''
  for await (const part of stream?.iterator({ destroyOnReturn: false }) ?? []) text += String(part)
  return text
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'shiplog-streams-'))
  runtime = createProcessRuntime({ directory: join(directory, 'node'), clock: systemClock, ids: systemIds, log: silentLogger, onStop: 'end' })
  await runtime.runSandbox({
    ...{ podUid: 'streams-one', namespace: 'default', name: 'pod-one', nodeName: 'here', nodeIPs: ['127.0.0.1'] },
    ...{ podCIDRs: [], hostNetwork: false, annotations: {}, restartPolicy: 'Always', ownedByJob: false, volumes: [] },
  })
  const started = await runtime.startContainer('streams-one', {
    ...{ name: 'main', image: 'none', role: 'main', attempt: 0, probeDelaySeconds: 0 },
    process: {
      command: ['/bin/sh', '-c', 'sleep 300'],
      env: { ...runtime.real!.environment('streams-one', 'main'), GREETING: 'hello' },
      ...{ workingDir: '/', mounts: [], terminationMessagePath: '/dev/termination-log', outputAsMessage: false },
    },
  })
  containerID = started.containerID
})
afterAll(async () => {
  await runtime.stop()
  rmSync(directory, { recursive: true, force: true })
})

describe('a command', () => {
  test('runs in the environment and directory of the container, and tells its exit code', async () => {
    const run = await exec(['sh', '-c', 'echo $GREETING; pwd; echo wrong >&2; exit 7'])
    run.stdin!.end()
    const [stdout, stderr] = await Promise.all([textOf(run.stdout), textOf(run.stderr)])
    expect([stdout, stderr]).toEqual([`hello\n${runtime.real!.environment('streams-one', 'main')['SHIPLOG_ROOT']}\n`, 'wrong\n'])
    expect(await run.exit).toEqual({ exitCode: 7 })
  })

  test('sees the end of its input, and its output waits to be read', async () => {
    const run = await exec(['wc', '-c'])
    for (let index = 0; index < 50; index++) await new Promise((resolve) => run.stdin!.write(Buffer.alloc(100_000), resolve))
    run.stdin!.end()
    expect((await textOf(run.stdout)).trim()).toBe('5000000')
    const slow = await exec(['sh', '-c', 'head -c 3000000 /dev/zero'], { stdin: false })
    await systemClock.sleep(1_500)
    expect((await textOf(slow.stdout)).length).toBe(3_000_000)
    expect((await slow.exit).exitCode).toBe(0)
  })

  test('is over although what it left in the background holds its output open', async () => {
    const run = await exec(['sh', '-c', 'sleep 60 & echo done'], { stdin: false })
    expect(await textOf(run.stdout)).toBe('done\n')
    expect((await run.exit).exitCode).toBe(0)
  })

  test('that cannot be run is refused in the runtime’s words', async () => {
    for (const tty of [true, false])
      await expect(exec(['no-such-program'], { tty })).rejects.toThrow('exec: "no-such-program": executable file not found in $PATH')
    const gone = runtime.real!.streams.exec({ podUid: 'streams-one', containerID: 'process://other' }, { ...all, command: ['true'] })
    await expect(gone).rejects.toMatchObject({ name: 'RuntimeFailure', message: 'container not running' })
  })
})

describe('a command on a terminal', () => {
  test('has one, of the size of the client’s window from the start, and hears when that changes', async () => {
    const run = await exec(['sh', '-c', "tty; stty size; trap 'stty size; exit 3' WINCH; while :; do sleep 0.1; done"], { tty: true })
    run.resize(123, 45)
    let text = ''
    run.stdout!.on('data', (part) => {
      if (!text.includes('45 123') && (text + String(part)).includes('45 123')) run.resize(80, 24)
      text += String(part)
    })
    expect(await run.exit).toEqual({ exitCode: 3 })
    expect(text).toMatch(/^\/dev\/(pts\/|tty)\S*\r\n45 123\r\n/)
    expect(text).toContain('24 80')
    expect(run.stderr).toBeUndefined()
  })

  test('is interrupted by ^C, and told when its client leaves', async () => {
    const run = await exec(['sh', '-c', "trap 'echo interrupted; exit 4' INT; echo ready; while :; do sleep 0.1; done"], { tty: true })
    let text = ''
    run.stdout!.on('data', (part) => {
      if (String(part).includes('ready')) run.stdin!.write('\x03')
      text += String(part)
    })
    expect((await run.exit).exitCode).toBe(4)
    expect(text).toContain('interrupted')
    const told = join(directory, 'told')
    const left = await exec(['sh', '-c', `trap 'echo told > ${told}; exit' HUP; while :; do sleep 0.1; done`], { tty: true })
    await systemClock.sleep(400)
    left.close()
    expect((await left.exit).exitCode).not.toBe(0)
    await eventually('the command is told', () => existsSync(told))
  })
})

describe('an attached client', () => {
  const start = async (script: string, stdinOnce = false): Promise<string> => {
    attempt += 1
    const started = await runtime.startContainer('streams-one', {
      ...{ name: 'typed', image: 'none', role: 'main', attempt, probeDelaySeconds: 0 },
      process: {
        command: ['/bin/sh', '-c', script],
        env: runtime.real!.environment('streams-one', 'typed'),
        ...{ workingDir: '/', mounts: [], terminationMessagePath: '/dev/termination-log', outputAsMessage: false },
        ...{ stdin: true, stdinOnce },
      },
    })
    return started.containerID
  }
  let attempt = 0
  const attach = (id: string): Promise<ContainerStream> => runtime.real!.streams.attach({ podUid: 'streams-one', containerID: id }, all)

  test('types into the container and sees what it prints, as do others, until it ends', async () => {
    const id = await start('while read -r line; do echo "heard $line"; echo "$line" >&2; [ "$line" = end ] && exit 4; done')
    const [one, other] = await Promise.all([attach(id), attach(id)])
    const seen = textOf(other.stdout)
    const wrong = textOf(one.stderr)
    one.stdin!.write('first\n')
    one.stdin!.write('end\n')
    expect(await textOf(one.stdout)).toBe('heard first\nheard end\n')
    expect([await seen, await wrong]).toEqual(['heard first\nheard end\n', 'first\nend\n'])
    expect(await one.exit).toEqual({ exitCode: 0 })
    await expect(attach(id)).rejects.toThrow('container not running')
  })

  test('leaves the container as it is, and ends its input where that was asked for', async () => {
    const kept = await start('cat')
    const left = await attach(kept)
    left.close()
    const again = await attach(kept)
    again.stdin!.end('still there')
    expect(await textOf(again.stdout)).toBe('still there')
    const once = await start('cat; echo over', true)
    const only = await attach(once)
    const watcher = await runtime.real!.streams.attach({ podUid: 'streams-one', containerID: once }, { ...all, stdin: false })
    only.close()
    expect(await textOf(watcher.stdout)).toBe('over\n')
  })

  test('that does not read makes the container wait, and gets all of it in the end', async () => {
    const id = await start('read -r _; head -c 5000000 /dev/zero; echo done')
    const slow = await attach(id)
    slow.stdin!.write('go\n')
    await systemClock.sleep(1_000)
    expect((await textOf(slow.stdout)).length).toBe(5_000_005)
  })
})

describe('a connection to a port', () => {
  test('goes to the machine, each side with an end of its own', async () => {
    const server = createServer({ allowHalfOpen: true }, async (socket) => {
      socket.end(`heard ${await textOf(socket)}`)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const { data, closed } = await runtime.real!.streams.portForward('streams-one', port)
    data.end('this')
    expect(await textOf(data)).toBe('heard this')
    expect(await closed).toBeUndefined()
    await new Promise((resolve) => server.close(resolve))
    await expect(runtime.real!.streams.portForward('streams-one', port)).rejects.toThrow(
      `failed to connect to localhost:${port}, IPv4: dial tcp4 127.0.0.1:${port}: connect: connection refused`,
    )
  })
})
