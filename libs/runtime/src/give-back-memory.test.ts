import { spawnSync } from 'node:child_process'
import { createManualClock } from '@shiplog/testing/manual-clock'
import { expect, test } from 'vitest'
import { giveBackMemory } from './give-back-memory.ts'

/** Kept long enough to become old, then dropped: nothing but a full collection takes it away. */
async function makeGarbage(): Promise<void> {
  let objects: object[] = []
  for (let round = 0; round < 12; round++) {
    for (let i = 0; i < 30_000; i++) objects.push({ round, text: `garbage ${round} ${i}`, list: [i] })
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(objects.length).toBe(360_000)
  objects = []
}

test('what a busy time has left is given back when the process is idle, once', async () => {
  const clock = createManualClock()
  using _memory = giveBackMemory(clock)
  await makeGarbage()
  const busy = process.memoryUsage().heapTotal
  // So much time by the clock that what was computed meanwhile is nothing.
  await clock.advance(3_600_000)
  const idle = process.memoryUsage().heapTotal
  expect(busy - idle).toBeGreaterThan(12 * 1024 * 1024)
})

test('freed memory is given back to the system when the process is idle, once, and again after more came', async () => {
  const clock = createManualClock()
  const mebibyte = 1024 * 1024
  let resident = 100 * mebibyte
  let trims = 0
  const trim = (): void => {
    trims += 1
    resident = 80 * mebibyte
  }
  using _memory = giveBackMemory(clock, { rss: () => resident, trim })
  await clock.advance(3_600_000)
  expect(trims).toBe(1)
  resident = 100 * mebibyte
  await clock.advance(3_600_000)
  expect(trims).toBe(1)
  resident = 200 * mebibyte
  await clock.advance(3_600_000)
  expect(trims).toBe(2)
})

test.runIf(process.platform === 'linux' && process.arch === 'x64')('glibc gives back what was freed under what stays', () => {
  const script = `
    import { giveBackMemory } from ${JSON.stringify(new URL('give-back-memory.ts', import.meta.url).href)}
    let look
    const clock = { nowMs: () => performance.now() * 1e6, every: (_, callback) => { look = callback } }
    giveBackMemory(clock)
    const { dlopen } = process.getBuiltinModule('node:ffi')
    const { functions } = dlopen('libc.so.6', { malloc: { arguments: ['uint64'], return: 'pointer' }, free: { arguments: ['pointer'], return: 'void' }, memset: { arguments: ['pointer', 'int32', 'uint64'], return: 'pointer' } })
    const blocks = Array.from({ length: 2_000 }, () => functions.malloc(65_536n))
    for (const block of blocks) functions.memset(block, 1, 65_536n)
    // The last one stays, on top of all that is freed.
    for (const block of blocks.slice(0, -1)) functions.free(block)
    const before = process.memoryUsage.rss()
    look()
    console.log(before - process.memoryUsage.rss() > 100 * 1024 * 1024 ? 'given back' : 'kept')`
  const flags = ['--experimental-ffi', '--disable-warning=ExperimentalWarning', '--input-type=module']
  const { stdout, stderr, status } = spawnSync(process.execPath, [...flags, '-e', script], { encoding: 'utf8' })
  expect({ stdout, stderr, status }).toEqual({ stdout: 'given back\n', stderr: '', status: 0 })
})
