import { createManualClock, settle } from '@shiplog/testing/manual-clock'
import { expect, test } from 'vitest'
import { createReadHealth, readCheckTimeoutMs } from './read-health.ts'

const healthOf = (ask: () => Promise<unknown>) => createReadHealth({ clock: createManualClock(), ask })

test('a log that answers is healthy', async () => {
  const health = healthOf(async () => 7)
  await health.refresh()
  expect(health.check()).toEqual({ name: 'log-read', ok: true })
})

test('a log that does not answer is told after the time limit, and is healthy again when the answer comes', async () => {
  let answer: () => void = () => undefined
  const clock = createManualClock()
  const ask = () => new Promise<void>((settled) => (answer = settled))
  const health = createReadHealth({ clock, ask })
  const refreshed = health.refresh()
  await clock.advance(readCheckTimeoutMs)
  await refreshed
  expect(health.check()).toEqual({ name: 'log-read', ok: false, reason: 'no answer within 2 s' })
  answer()
  await settle()
  expect(health.check().ok).toBe(true)
})

test('the reason of a failed read is told', async () => {
  const health = healthOf(() => Promise.reject(new Error('the server is away')))
  await health.refresh()
  expect(health.check()).toEqual({ name: 'log-read', ok: false, reason: 'the server is away' })
})

test('who asks at the same time shares one question', async () => {
  let asked = 0
  const health = healthOf(async () => void (asked += 1))
  await Promise.all([health.refresh(), health.refresh(), health.refresh()])
  expect(asked).toBe(1)
})
