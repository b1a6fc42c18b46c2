import type { ApiClient, ApiRequest, ApiResult } from '@shiplog/api/api-client'
import { conflict, serviceUnavailable } from '@shiplog/api/status'
import { Snapshot } from '@shiplog/scheduling/snapshot/snapshot'
import { testPod } from '@shiplog/scheduling/testing/test-objects'
import { createManualClock } from '@shiplog/testing/manual-clock'
import { expect, test } from 'vitest'
import { bind, bindingTriesMax } from './binder.ts'
import { createPendingBinding } from './pending-binding.ts'

const object = testPod('p')
const request: ApiRequest = { verb: 'create', group: '', resource: 'pods', subresource: 'binding', name: 'p' }
const unavailable: ApiResult = { ok: false, code: 503, status: serviceUnavailable('the log is away') }
const raced: ApiResult = { ok: false, code: 409, status: conflict({ group: '', resource: 'pods' }, 'p', 'bound') }
const stored = (node: string): ApiResult => ({
  ok: true,
  code: 200,
  sequence: 7,
  object: { ...object, metadata: { ...object.metadata, resourceVersion: '7' }, spec: { nodeName: node } },
})

/** A binding to node `n` whose requests are answered one after the other by `answers`; gets by `shown`. */
function attempt(answers: readonly (ApiResult | Error)[], shown: ApiResult = raced) {
  const clock = createManualClock()
  const pending = createPendingBinding({
    pod: new Snapshot().readPod(object),
    object: object,
    node: 'n',
    number: 1,
    startedMs: 0,
  })
  let sent = 0
  const client: ApiClient = {
    request: async ({ verb }) => {
      if (verb === 'get') return shown
      const answer = answers[Math.min(sent++, answers.length - 1)]!
      if (answer instanceof Error) throw answer
      return answer
    },
    recordAttempt: async () => undefined,
  }
  const outcome = bind({ client, clock, signal: new AbortController().signal }, pending, request)
  return { clock, pending, outcome, sent: () => sent }
}

test('an answer that says nothing of the outcome is asked for again, the same binding', async () => {
  const { clock, outcome, sent } = attempt([new Error('connection reset'), unavailable, stored('n')])
  await clock.advance(1_000)
  expect(await outcome).toEqual({ kind: 'bound', sequence: 7 })
  expect(sent()).toBe(3)
})

test('a conflict after an unknown outcome may be our own first try', async () => {
  const own = attempt([unavailable, raced], stored('n'))
  await own.clock.advance(1_000)
  expect(await own.outcome).toEqual({ kind: 'bound', sequence: 7 })
  const foreign = attempt([unavailable, raced], stored('other'))
  await foreign.clock.advance(1_000)
  expect(await foreign.outcome).toMatchObject({ kind: 'refused', why: { code: 409 } })
})

test('a conflict at the first try is a refusal', async () => {
  const { outcome } = attempt([raced], stored('n'))
  expect(await outcome).toMatchObject({ kind: 'refused', why: { code: 409 }, overtakenAt: undefined })
})

test('tries are bounded, and then the outcome is unknown', async () => {
  const { clock, outcome, sent } = attempt([unavailable])
  await clock.advance(60_000)
  expect(await outcome).toEqual({ kind: 'unknown', why: { error: 'the log is away' } })
  expect(sent()).toBe(bindingTriesMax)
})

test('nothing more is sent once the pod is another replica’s, or the feed has shown what became of it', async () => {
  const revoked = attempt([unavailable])
  revoked.pending.isRevoked = true
  await revoked.clock.advance(1_000)
  expect(await revoked.outcome).toMatchObject({ kind: 'unknown' })
  expect(revoked.sent()).toBe(1)
  const confirmed = attempt([unavailable])
  confirmed.pending.outcome = 'bound'
  await confirmed.clock.advance(1_000)
  expect(await confirmed.outcome).toEqual({ kind: 'bound', sequence: 0 })
  expect(confirmed.sent()).toBe(1)
})
