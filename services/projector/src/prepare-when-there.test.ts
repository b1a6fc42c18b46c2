import { silentLogger } from '@shiplog/runtime/logger'
import { expect, test } from 'vitest'
import { isAway, prepareWhenThere } from './prepare-when-there.ts'

const clock = {
  nowMs: () => 0,
  sleep: () => Promise.resolve(),
  after: () => ({ [Symbol.dispose]: () => undefined }),
  every: () => ({ [Symbol.dispose]: () => undefined }),
}
const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })

test('a server that is not there yet is waited for', async () => {
  let asked = 0
  await prepareWhenThere({
    prepare: () => (++asked < 4 ? Promise.reject(refused) : Promise.resolve()),
    clock,
    logger: silentLogger,
    signal: new AbortController().signal,
  })
  expect(asked).toBe(4)
})

test('a server that refuses is not asked again', async () => {
  const wrong = Object.assign(new Error('password authentication failed'), { code: '28P01' })
  const asking = prepareWhenThere({
    prepare: () => Promise.reject(wrong),
    clock,
    logger: silentLogger,
    signal: new AbortController().signal,
  })
  await expect(asking).rejects.toBe(wrong)
})

test('what is away is told by its code, also inside of other errors', () => {
  expect(isAway(new AggregateError([refused]))).toBe(true)
  expect(isAway(new Error('migration failed', { cause: refused }))).toBe(true)
  expect(isAway(Object.assign(new Error('starting up'), { code: '57P03' }))).toBe(true)
  expect(isAway(new Error('Connection terminated unexpectedly'))).toBe(true)
  expect(isAway(Object.assign(new Error('no such table'), { code: '42P01' }))).toBe(false)
})
