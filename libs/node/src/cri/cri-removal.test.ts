import { expect, test } from 'vitest'
import { createManualClock, settle } from '@shiplog/testing/manual-clock'
import { type RemovalParts, stopContainer } from './cri-removal.ts'

/** A runtime that fails `failures` times; tells when it was asked, in seconds. */
function runtimeThatFails(failures: number, error: Error) {
  const clock = createManualClock()
  const startMs = clock.nowMs()
  const askedAt: number[] = []
  const told: string[] = []
  let isStopped = false
  const parts = {
    clock,
    client: {
      async stopContainer() {
        askedAt.push((clock.nowMs() - startMs) / 1_000)
        if (askedAt.length <= failures) throw error
      },
    },
    log: { warn: () => undefined },
    isStopped: () => isStopped,
    onFault: (podUid: string, message: string) => void told.push(`${podUid}: ${message}`),
  } as unknown as RemovalParts
  return { clock, askedAt, told, parts, stop: () => void (isStopped = true) }
}

test('a runtime in trouble is asked after 1, 2, 4, 8, and then every 10 seconds, until it does', async () => {
  const { clock, askedAt, told, parts } = runtimeThatFails(6, new Error('busy'))
  let isDone = false
  void stopContainer(parts, 'uid', 'id', 0).then(() => (isDone = true))
  await settle()
  for (let second = 0; second < 40; second++) {
    await clock.advance(1_000)
    await settle()
  }
  expect(askedAt).toEqual([0, 1, 3, 7, 15, 25, 35])
  expect(isDone).toBe(true)
  expect(told).toEqual(Array.from({ length: 6 }, () => 'uid: busy'))
})

test('a container that is not there has ended', async () => {
  const notFound = Object.assign(new Error('5 NOT_FOUND'), { code: 5, details: 'not found' })
  const { askedAt, parts } = runtimeThatFails(1, notFound)
  await stopContainer(parts, 'uid', 'id', 0)
  expect(askedAt).toEqual([0])
})

test('who ends does not go on asking', async () => {
  const { clock, askedAt, parts, stop } = runtimeThatFails(100, new Error('busy'))
  const ended = stopContainer(parts, 'uid', 'id', 0)
  await settle()
  stop()
  await clock.advance(1_000)
  await ended
  expect(askedAt).toEqual([0])
})
