// The parts of the supervisor that need no process.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '@shiplog/runtime/logger'
import { createManualClock } from '@shiplog/testing/manual-clock'
import { describe, expect, test } from 'vitest'
import type { ContainerRecord } from './container-records.ts'
import { execFault, startFault } from './process-launch.ts'
import { createProcessSweeper } from './process-sweeper.ts'
import { containerIdOf } from './pod-directories.ts'
import { createRecordKeeper } from './record-keeper.ts'
import { exitCodeOf, messageOf } from './running-process.ts'
import { orphanEnd } from './supervisor-orphans.ts'

describe('the sweeper', () => {
  test('kills what ended at the same time together, and again while something is left', async () => {
    const clock = createManualClock()
    const sweeps: string[] = []
    const left = [2, 1, 0]
    const sweeper = createProcessSweeper(clock, (ids) => {
      sweeps.push([...ids].join())
      return left.shift() ?? 0
    })
    const both = Promise.all([sweeper.sweep('a'), sweeper.sweep('b')])
    await clock.advance(10)
    await both
    expect(sweeps).toEqual(['a,b', 'a,b', 'a,b'])
    const next = sweeper.sweep('c')
    await clock.advance(10)
    await next
    expect(sweeps.at(-1)).toBe('c')
  })

  test('gives up on what forks faster than it can be killed', async () => {
    const clock = createManualClock()
    let sweeps = 0
    const sweeper = createProcessSweeper(clock, () => ++sweeps)
    void sweeper.sweep('a')
    await clock.advance(10)
    expect(sweeps).toBe(5)
  })
})

describe('how a process ended', () => {
  test('is its code, or 128 and the signal', () => {
    expect(exitCodeOf({ code: 3, signal: null })).toBe(3)
    expect(exitCodeOf({ code: null, signal: 'SIGKILL' })).toBe(137)
  })

  test('is told by its termination message, else, when it failed, by the last 80 lines of its output', () => {
    const output = Buffer.from(Array.from({ length: 100 }, (_, line) => `line ${line}`).join('\n'))
    expect(messageOf(1, 'written', output)).toBe('written')
    expect(messageOf(0, '', output)).toBe('')
    expect(messageOf(1, '', output).split('\n')).toHaveLength(80)
    expect(messageOf(1, '', output)).toMatch(/^line 20\n/)
  })

  test('of one that could not be started, or was orphaned, has a reason', () => {
    const missing = Object.assign(new Error('x'), { code: 'ENOENT' })
    expect(startFault('tea', missing, 5)).toEqual({
      exitCode: 128,
      reason: 'StartError',
      message: 'failed to start container process: exec: "tea": executable file not found in $PATH',
      finishedAtMs: 5,
    })
    expect(execFault('./tea', missing)).toContain('stat ./tea: no such file or directory')
    expect([orphanEnd(true, 0).reason, orphanEnd(false, 0).reason]).toEqual(['Error', 'ContainerStatusUnknown'])
  })
})

test('records survive the supervisor, except those of attempts that nobody asks about', () => {
  const directory = mkdtempSync(join(tmpdir(), 'shiplog-records-'))
  try {
    const keeper = createRecordKeeper({ directory, log: silentLogger })
    const record = (attempt: number): ContainerRecord => ({
      ...{ podUid: 'pod', name: 'main', attempt, containerID: containerIdOf('pod', 'main', attempt), startedAtMs: attempt },
    })
    for (let attempt = 0; attempt < 4; attempt++) keeper.begin(record(attempt))
    keeper.end(record(3), { exitCode: 1, reason: 'Error', finishedAtMs: 9 })
    keeper.forgetOldAttempts(record(3), (id) => id === containerIdOf('pod', 'main', 0))
    const again = createRecordKeeper({ directory, log: silentLogger })
    expect(again.all().map(({ attempt }) => attempt).sort()).toEqual([0, 2, 3])
    expect(again.get(containerIdOf('pod', 'main', 3))?.ended?.exitCode).toBe(1)
    again.forgetPod('pod')
    expect(again.all()).toEqual([])
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
