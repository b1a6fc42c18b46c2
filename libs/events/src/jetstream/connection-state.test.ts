import { createManualClock, settle } from '@shiplog/testing/manual-clock'
import { expect, test } from 'vitest'
import { ConnectionState } from './connection-state.ts'

test('who waits for a connection goes on with it, or is told at the deadline', async () => {
  const clock = createManualClock()
  const state = new ConnectionState(clock, 'NATS cannot be reached')
  await state.connected(clock.nowMs())
  state.disconnected()
  const connected = state.connected(clock.nowMs() + 1_000)
  const late = state.connected(clock.nowMs() + 100).catch((error: Error) => error.message)
  await clock.advance(100)
  expect(await late).toBe('NATS cannot be reached')
  state.reconnected()
  await connected
  expect(state.up).toBe(true)
})

test('a mute server is waited for until it says something, or the deadline', async () => {
  const clock = createManualClock()
  const state = new ConnectionState(clock, '')
  const done: string[] = []
  state.wentMute()
  void state.heard(clock.nowMs() + 1_000).then(() => done.push('heard'))
  void state.heard(clock.nowMs() + 100).then(() => done.push('deadline'))
  await clock.advance(100)
  expect([done, state.mute]).toEqual([['deadline'], true])
  state.heardSomething()
  await settle()
  expect([done, state.mute]).toEqual([['deadline', 'heard'], false])
})

test('a closed connection keeps nobody waiting', async () => {
  const clock = createManualClock()
  const state = new ConnectionState(clock, '')
  state.disconnected()
  const waiting = state.connected(clock.nowMs() + 1_000).catch((error: Error) => error.message)
  state.close()
  expect(await waiting).toBe('The log is closed')
})

test('reconnections are told of until nobody wants to know', () => {
  const state = new ConnectionState(createManualClock(), '')
  let count = 0
  const listening = state.onReconnect(() => {
    count += 1
  })
  state.reconnected()
  listening[Symbol.dispose]()
  state.reconnected()
  expect(count).toBe(1)
})
