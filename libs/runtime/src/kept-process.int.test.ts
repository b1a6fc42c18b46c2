import { type ChildProcess, spawn } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import type { Clock } from './clock.ts'
import { keepProcess } from './kept-process.ts'
import { systemClock } from './clock.ts'

const backoff = { firstMs: 10, maxMs: 40, calmMs: 1_000 }

/** A clock whose timers wait to be run by hand. */
function handClock(): Clock & { run(ms: number): void; readonly waits: number[] } {
  let nowMs = 0
  let timers: { at: number; callback: () => void }[] = []
  const waits: number[] = []
  return {
    waits,
    nowMs: () => nowMs,
    sleep: () => Promise.reject(new Error('not used')),
    every: () => ({ [Symbol.dispose]: () => undefined }),
    after(ms, callback) {
      waits.push(ms)
      const timer = { at: nowMs + ms, callback }
      timers.push(timer)
      return { [Symbol.dispose]: () => void (timers = timers.filter((one) => one !== timer)) }
    },
    run(ms) {
      nowMs += ms
      const due = timers.filter(({ at }) => at <= nowMs)
      timers = timers.filter(({ at }) => at > nowMs)
      for (const { callback } of due) callback()
    },
  }
}

const fakeChild = (): ChildProcess =>
  Object.assign(new EventEmitter(), { exitCode: null, signalCode: null, kill: () => true }) as unknown as ChildProcess

test('a process that cannot even be started is tried again, later each time, and nothing is thrown', () => {
  const clock = handClock()
  const told: string[] = []
  let tries = 0
  const kept = keepProcess({
    clock,
    backoff,
    onEnd: (how, waitMs) => told.push(`${how} ${waitMs}`),
    start() {
      tries += 1
      throw new Error('EMFILE: too many open files')
    },
  })
  for (const ms of [10, 20, 40, 40]) clock.run(ms)
  expect(tries).toBe(5)
  expect(told.map((line) => line.replace(/.*files /, ''))).toEqual(['10', '20', '40', '40', '40'])
  expect(kept.lives()).toMatchObject({ running: false, restarts: 4, waitMs: 40 })
})

test('an error of the spawn and an end count once; who ran long begins with the first delay again', () => {
  const clock = handClock()
  const children: ChildProcess[] = []
  const kept = keepProcess({
    clock,
    backoff,
    start() {
      children.push(fakeChild())
      return children.at(-1)!
    },
  })
  children[0]!.emit('error', new Error('spawn ENOENT'))
  children[0]!.emit('exit', 1, null)
  expect(clock.waits).toEqual([10])
  clock.run(10)
  children[1]!.emit('exit', null, 'SIGKILL')
  expect(kept.lives().lastEnd).toMatchObject({ how: 'SIGKILL', exitCode: 137 })
  clock.run(20)
  clock.run(1_000)
  children[2]!.emit('exit', 0, null)
  expect(clock.waits).toEqual([10, 20, 10])
})

test('a stop waits for the end, kills who does not end, and nothing starts again', async () => {
  let starts = 0
  const kept = keepProcess({
    clock: systemClock,
    backoff,
    start() {
      starts += 1
      return spawn('sh', ['-c', 'trap "" TERM; while :; do sleep 0.05; done'], { stdio: 'ignore' })
    },
  })
  const { pid } = kept.child!
  await new Promise((resolve) => setTimeout(resolve, 100))
  await kept.stop(100)
  expect(() => process.kill(pid!, 0)).toThrow()
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(starts).toBe(1)
})

test('a process ends with the one that keeps it, also when that is killed', async () => {
  const program = `import { spawn } from 'node:child_process'
    import { keepProcess } from ${JSON.stringify(new URL('kept-process.ts', import.meta.url).href)}
    import { systemClock } from ${JSON.stringify(new URL('clock.ts', import.meta.url).href)}
    const kept = keepProcess({ clock: systemClock, endsWithUs: true, start: () => spawn('sleep', ['60'], { stdio: 'ignore' }) })
    console.log(kept.child.pid)`
  const keeper = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const pid = Number(await new Promise((resolve) => keeper.stdout.once('data', resolve)))
  expect(process.kill(pid, 0)).toBe(true)
  keeper.kill('SIGKILL')
  const isThere = (): boolean => {
    try {
      return process.kill(pid, 0)
    } catch {
      return false
    }
  }
  for (let waited = 0; waited < 5_000 && isThere(); waited += 20) await new Promise((resolve) => setTimeout(resolve, 20))
  expect(isThere()).toBe(false)
})
