import { expect, test } from 'vitest'
import { createManualClock, settle } from '@shiplog/testing/manual-clock'
import { createOutbox, patienceMs } from './outbox.ts'

function setUp() {
  const clock = createManualClock()
  const sent: string[] = []
  const errors: unknown[] = []
  const answers: (() => void)[] = []
  const outbox = createOutbox({
    clock,
    waveMax: 2,
    waitingMax: 3,
    lingerMs: 10,
    onError: (error) => errors.push(error),
  })
  const put = (key: string, text = key): boolean =>
    outbox.put(key, async () => {
      sent.push(text)
      await new Promise<void>((resolve) => answers.push(resolve))
      if (text === 'bad') throw new Error(text)
    })
  return { clock, outbox, sent, errors, answers, put }
}

test('messages go out in waves, the next when the last is answered', async () => {
  const { clock, outbox, sent, answers, put } = setUp()
  expect(['a', 'b', 'c'].map((key) => put(key))).toEqual([true, true, true])
  expect(sent).toEqual([])
  await clock.advance(10)
  expect(sent).toEqual(['a', 'b'])
  answers[0]!()
  await clock.advance(100)
  expect(sent).toEqual(['a', 'b'])
  answers[1]!()
  await clock.advance(10)
  expect(sent).toEqual(['a', 'b', 'c'])
  expect(outbox).toMatchObject({ waiting: 0, inFlight: 1 })
})

test('a newer message of a key replaces the one that waits, and a full outbox takes no other', async () => {
  const { clock, sent, put } = setUp()
  expect(['a', 'b', 'c'].map((key) => put(key))).toEqual([true, true, true])
  expect(put('d')).toBe(false)
  expect(put('a', 'newer')).toBe(true)
  await clock.advance(10)
  expect(sent).toEqual(['newer', 'b'])
})

test('a failure is reported and stops nothing; what is cleared does not go out', async () => {
  const { clock, outbox, sent, errors, answers, put } = setUp()
  put('a', 'bad')
  await clock.advance(10)
  answers[0]!()
  await settle()
  expect(errors).toHaveLength(1)
  put('b')
  await clock.advance(10)
  put('c')
  outbox.clear()
  answers[1]!()
  await clock.advance(100)
  expect(sent).toEqual(['bad', 'b'])
})

test('waves wait while there is more urgent work, but not for ever', async () => {
  const clock = createManualClock()
  let busy = true
  const sent: string[] = []
  const outbox = createOutbox({
    clock,
    waveMax: 2,
    waitingMax: 3,
    lingerMs: 10,
    isBusy: () => busy,
    onError: () => undefined,
  })
  outbox.put('a', async () => sent.push('a'))
  await clock.advance(500)
  expect(sent).toEqual([])
  busy = false
  await clock.advance(10)
  expect(sent).toEqual(['a'])
  busy = true
  outbox.put('b', async () => sent.push('b'))
  await clock.advance(patienceMs)
  expect(sent).toEqual(['a', 'b'])
})
