// Processes under supervision: they come back when they die, end when they are told to, and outlive nobody for long.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@shiplog/runtime/clock'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createSupervisor, type Part } from './supervisor.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'shiplog-supervisor-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const program = (code: string): Part => ({
  name: 'part',
  command: process.execPath,
  args: ['-e', code],
  env: { GREETING: 'hello' },
})
const staying = program('console.log(process.env.GREETING); setInterval(() => {}, 1000)')
const deaf = program("process.on('SIGTERM', () => {}); console.log('deaf'); setInterval(() => {}, 1000)")

const pid = (): number => Number(readFileSync(join(directory, 'part.pid'), 'utf8'))
const output = (): string => readFileSync(join(directory, 'part.log'), 'utf8')
const lives = (process_: number): boolean => {
  try {
    process.kill(process_, 0)
    // One that is dead and not yet waited for still has its entry.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${process_}/status`, 'utf8'))
  } catch {
    return false
  }
}
const settled = { timeout: 20_000 }

function supervise() {
  const ends: string[] = []
  const onEnd = (name: string, how: string): void => void ends.push(`${name} ${how}`)
  return { supervisor: createSupervisor({ directory, clock: systemClock, onEnd }), ends }
}

test('one that is killed is started again, and its output goes on in the same file', async () => {
  const { supervisor, ends } = supervise()
  supervisor.start(staying)
  await expect.poll(output, settled).toBe('hello\n')
  const first = pid()
  process.kill(first, 'SIGKILL')
  await expect.poll(output, settled).toBe('hello\nhello\n')
  expect(pid()).not.toBe(first)
  expect(ends).toEqual(['part SIGKILL'])
  await supervisor.stop(['part'], 5_000)
  expect(() => pid()).toThrow('ENOENT')
  expect(ends).toHaveLength(1)
})

test('one that does not end when it is told to is killed', async () => {
  const { supervisor } = supervise()
  supervisor.start(deaf)
  await expect.poll(output, settled).toBe('deaf\n')
  const deafOne = pid()
  await supervisor.stop(['part'], 100)
  expect(lives(deafOne)).toBe(false)
})

test('what an earlier supervisor left behind is ended, and nobody else whose process id it may be', async () => {
  const { supervisor } = supervise()
  supervisor.start(staying)
  await expect.poll(output, settled).toBe('hello\n')
  const left = pid()
  // Another of that name in the files, that was never ours.
  const stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
  writeFileSync(join(directory, 'stranger.pid'), `${stranger.pid}\n`)
  writeFileSync(join(directory, 'nonsense.pid'), 'nonsense\n')
  createSupervisor({ directory, clock: systemClock, onEnd: () => undefined })
  await expect.poll(() => lives(left), settled).toBe(false)
  expect(lives(stranger.pid!)).toBe(true)
  stranger.kill('SIGKILL')
  await supervisor.stop(['part'], 1_000)
})

test('one whose directory or program is gone takes nobody along, and comes back when they do', async () => {
  const { supervisor, ends } = supervise()
  const tool = join(directory, 'tool')
  supervisor.start({ ...staying, command: tool })
  await expect.poll(() => ends, settled).toEqual([expect.stringContaining('ENOENT')])
  rmSync(directory, { recursive: true })
  await expect.poll(() => ends.length, settled).toBeGreaterThan(1)
  symlinkSync(process.execPath, tool)
  await expect.poll(output, settled).toBe('hello\n')
  await supervisor.stop(['part'], 5_000)
})
