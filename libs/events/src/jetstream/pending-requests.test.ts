import type { Msg } from '@nats-io/transport-node'
import { createManualClock } from '@shiplog/testing/manual-clock'
import { expect, test } from 'vitest'
import { PendingRequests } from './pending-requests.ts'

const answer = { subject: 'x' } as Msg

function pendingOn() {
  const clock = createManualClock()
  const said: string[] = []
  const pending = new PendingRequests(clock, () => said.push('overdue'))
  const add = (subject: string, timeoutMs: number, answers = 1): string => {
    let left = answers
    return pending.add({
      subject,
      timeoutMs,
      onAnswer: () => {
        said.push(`answer to ${subject}`)
        left -= 1
        return left === 0
      },
      reject: (error) => said.push(`${subject}: ${error.message}`),
    })
  }
  return { clock, said, pending, add }
}

test('an answer settles its request, a late one is for nobody', async () => {
  const { clock, said, pending, add } = pendingOn()
  const token = add('a', 1_000)
  pending.settle(token, answer)
  pending.settle(token, answer)
  await clock.advance(2_000)
  expect(said).toEqual(['answer to a'])
})

test('the deadline counts from the last answer', async () => {
  const { clock, said, pending, add } = pendingOn()
  const token = add('many', 1_000, 3)
  await clock.advance(900)
  pending.settle(token, answer)
  await clock.advance(900)
  expect(said).toEqual(['answer to many'])
  await clock.advance(200)
  expect(said).toEqual(['answer to many', 'overdue', 'many: no answer within 1000 ms'])
})

test('a forbidden subject fails what was sent to it, a broken connection all', () => {
  const { said, pending, add } = pendingOn()
  add('a', 1_000)
  add('b', 1_000)
  pending.refuse('a')
  pending.failAll('the connection broke')
  expect(said).toEqual(['a: NATS does not permit this user to publish to a', 'b: the connection broke'])
})

test('nothing runs while nothing is waited for, or after the end', async () => {
  const { clock, said, pending, add } = pendingOn()
  const token = add('a', 1_000)
  pending.drop(token)
  add('b', 1_000)
  pending.stop()
  await clock.advance(5_000)
  expect(said).toEqual([])
})
