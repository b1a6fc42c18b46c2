import { createManualClock, settle } from '@shiplog/testing/manual-clock'
import { describe, expect, test } from 'vitest'
import { createTurns } from './turns.ts'

function setUp() {
  const clock = createManualClock()
  const ran: number[] = []
  const turns = createTurns(clock, () => void ran.push(clock.nowMs()))
  return { clock, ran, turns, startMs: clock.nowMs() }
}

describe('turns', () => {
  test('asked for several times in one turn of the event loop, it runs once, and never within it', async () => {
    const { ran, turns } = setUp()
    turns.request()
    turns.request()
    expect(ran).toEqual([])
    await settle()
    expect(ran).toHaveLength(1)
    turns.request()
    await settle()
    expect(ran).toHaveLength(2)
  })

  test('of several times the earliest counts', async () => {
    const { clock, ran, turns, startMs } = setUp()
    turns.requestAt(startMs + 500)
    turns.requestAt(startMs + 200)
    turns.requestAt(startMs + 900)
    await clock.advance(199)
    expect(ran).toEqual([])
    await clock.advance(1)
    await settle()
    expect(ran).toEqual([startMs + 200])
    await clock.advance(1_000)
    await settle()
    expect(ran).toHaveLength(1)
  })

  test('a time that is past means the next turn', async () => {
    const { clock, ran, turns, startMs } = setUp()
    turns.requestAt(startMs - 1)
    await clock.advance(0)
    await settle()
    expect(ran).toHaveLength(1)
  })

  test('stopped, nothing runs any more', async () => {
    const { clock, ran, turns, startMs } = setUp()
    turns.request()
    turns.requestAt(startMs + 10)
    turns.stop()
    turns.request()
    turns.requestAt(startMs + 10)
    await clock.advance(100)
    await settle()
    expect(ran).toEqual([])
  })
})
