// The way out in a namespace of the test's own. What the world is does not matter: that there is a way, and that it ends.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { systemClock } from '@shiplog/runtime/clock'
import { afterAll, describe, expect, test } from 'vitest'
import { whyNoContainerdNodes } from './containerd-nodes.ts'
import { inNamespace } from './holder.ts'
import { provideNodePrograms } from './programs.ts'
import { openWayOut } from './way-out.ts'

const run = promisify(execFile)
const programs = whyNoContainerdNodes() === undefined ? await provideNodePrograms().catch(() => undefined) : undefined
const hasRoute = readFileSync('/proc/net/route', 'utf8').split('\n').some((line) => line.split('\t')[1] === '00000000')
const why = programs?.pasta === undefined ? 'no root, or no pasta' : hasRoute ? undefined : 'this machine has no way out'
if (why !== undefined) process.stderr.write(`left out: the way out of the nodes: ${why}\n`)

describe.skipIf(why !== undefined)('the way out of the nodes', () => {
  const directory = mkdtempSync(join(tmpdir(), 'shiplog-way-out-'))
  const door: ChildProcess = spawn('unshare', ['--net', 'sleep', '120'], { stdio: 'ignore' })
  afterAll(() => {
    door.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  })
  const processes = async (): Promise<number> =>
    (await run('ps', ['-eo', 'args'])).stdout.split('\n').filter((line) => line.includes(directory)).length

  test('is a route in the door, is found again, leaves the machine as it was, and ends with the door', async () => {
    await systemClock.sleep(200)
    const before = [readFileSync('/proc/net/route', 'utf8'), readFileSync('/proc/mounts', 'utf8')]
    const open = (): Promise<boolean> =>
      openWayOut({ doorPid: door.pid!, directory, pasta: programs!.pasta!, nft: programs!.nft, clock: systemClock })
    expect(await open()).toBe(true)
    expect(await inNamespace(door.pid!, 'net', 'ip route show default')).toContain('dev world0')
    const count = await processes()
    expect(count).toBeGreaterThan(0)
    expect(await open()).toBe(true)
    expect(await processes()).toBe(count)
    expect([readFileSync('/proc/net/route', 'utf8'), readFileSync('/proc/mounts', 'utf8')]).toEqual(before)
    door.kill('SIGKILL')
    const deadlineMs = systemClock.nowMs() + 8_000
    while ((await processes()) > 0 && systemClock.nowMs() < deadlineMs) await systemClock.sleep(100)
    expect(await processes()).toBe(0)
  }, 30_000)
})
