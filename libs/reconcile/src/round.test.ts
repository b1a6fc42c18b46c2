import type { ApiRequest, ApiResult } from '@shiplog/api/api-client'
import type { KubeObject } from '@shiplog/api/kube-object'
import { conflict, forbidden, nameUsedBefore } from '@shiplog/api/status'
import { describe, expect, test } from 'vitest'
import type { Command, EventRecord, Observation } from './reconciler.ts'
import { decisionCharactersMax, decisionOf, KeyHistories, observeWith, outcomeOf } from './round.ts'

const object = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a', namespace: 'default' } } as KubeObject
const pods = { group: '', resource: 'pods' }
const request: ApiRequest = { verb: 'create', ...pods, namespace: 'default', body: object }
const event: EventRecord = { object, type: 'Normal', reason: 'Made', message: 'made' }
const failureEvent = (): EventRecord => ({ object, type: 'Warning', reason: 'Failed', message: 'failed' })
const command: Command = { request, event, failureEvent }
const done = (sequence: number): ApiResult => ({ ok: true, code: 201, object, sequence })
const refused = (status: ReturnType<typeof conflict>): ApiResult => ({ ok: false, code: status.code, status })

describe('the outcome of a round', () => {
  test('is the last sequence of what the view shows, with the events of what was done', () => {
    const lease: Command = { request: { verb: 'update', group: 'coordination.k8s.io', resource: 'leases', name: 'x' } }
    const outcome = outcomeOf([
      [command, done(7)],
      [command, done(5)],
      [lease, done(99)],
    ])
    expect(outcome).toEqual({ sequence: 7, events: [event, event], failures: [], usedNames: [] })
  })

  test('tells people of a refusal, but not of a mere race', () => {
    const race = conflict(pods, 'a', 'object was modified')
    const refusal = forbidden(pods, 'a', 'exceeded quota')
    const outcome = outcomeOf([
      [command, refused(race)],
      [command, refused(refusal)],
    ])
    expect(outcome.failures.map(({ status }) => status)).toEqual([race, refusal])
    expect(outcome.events.map(({ reason }) => reason)).toEqual(['Failed'])
  })

  test('retries nothing in a namespace that is being deleted', () => {
    const why = { reason: 'NamespaceTerminating', message: 'going' }
    const outcome = outcomeOf([[command, refused(forbidden(pods, 'a', 'going', [why]))]])
    expect(outcome).toEqual({ sequence: 0, events: [], failures: [], usedNames: [] })
  })

  test('names what was used before, which is no failure', () => {
    const outcome = outcomeOf([[command, refused(nameUsedBefore(pods, 'a'))]])
    expect(outcome.failures).toEqual([])
    expect(outcome.usedNames).toEqual([{ request: { ...request, name: 'a' }, groupResource: 'pods', key: 'default/a' }])
  })
})

describe('the history of a key', () => {
  const failure = { request, status: conflict(pods, 'a', 'object was modified') }

  test('gives a retry the cause and the failures of the round that failed', () => {
    const histories = new KeyHistories()
    histories.noteCause('k', 3)
    const first = histories.begin('k')
    expect(first).toEqual({ cause: 3, failures: [], usedNameRounds: 0, memory: undefined })
    histories.conclude('k', first, [failure], false)
    expect(histories.failing).toBe(1)
    const second = histories.begin('k')
    expect(second).toEqual({ cause: 3, failures: [failure], usedNameRounds: 0, memory: undefined })
    histories.conclude('k', second, [], false)
    expect(histories.begin('k')).toEqual({ cause: undefined, failures: [], usedNameRounds: 0, memory: undefined })
    expect(histories.failing).toBe(0)
  })

  test('keeps a newer cause, counts rounds that met used names, and can be forgotten', () => {
    const histories = new KeyHistories()
    histories.noteCause('k', 3)
    const first = histories.begin('k')
    histories.noteCause('k', 4)
    histories.conclude('k', first, [failure], true)
    const second = histories.begin('k')
    expect(second).toMatchObject({ cause: 4, usedNameRounds: 1 })
    histories.conclude('k', second, [], true)
    expect(histories.begin('k').usedNameRounds).toBe(2)
    histories.forget('k')
    expect(histories.begin('k').usedNameRounds).toBe(0)
  })
})

describe('an observation', () => {
  function* sumOf(names: readonly string[]): Observation {
    const [count] = yield [{ verb: 'get', ...pods, name: 'count' }]
    if (!count!.ok) throw new Error(count!.status.message)
    const answers = yield names.map((name) => ({ verb: 'get', ...pods, name }) as const)
    return { first: count!.sequence, found: answers.filter(({ ok }) => ok).length }
  }

  test('asks in turns, each with the answers before it, and comes to one value', async () => {
    const asked: string[][] = []
    const value = await observeWith(sumOf(['a', 'b']), async (requests) => {
      asked.push(requests.map(({ name }) => name!))
      return requests.map(({ name }) => (name === 'b' ? refused(conflict(pods, 'b', 'gone')) : done(4)))
    })
    expect(asked).toEqual([['count'], ['a', 'b']])
    expect(value).toEqual({ first: 4, found: 1 })
    expect(await observeWith(undefined, () => Promise.reject(new Error('asked')))).toBeUndefined()
  })

  test('is recorded with what it causes, unless it is too long', () => {
    expect(JSON.parse(decisionOf('deployment', 'default/web', undefined, undefined))).toEqual({
      ...{ reconciler: 'deployment', key: 'default/web' },
    })
    const observed = { load: 7 }
    expect(JSON.parse(decisionOf('scaler', 'a/b', observed, { seen: 1 }))).toEqual({
      ...{ reconciler: 'scaler', key: 'a/b', observed, memory: { seen: 1 } },
    })
    const long = JSON.parse(decisionOf('scaler', 'a/b', { text: 'x'.repeat(decisionCharactersMax) }, undefined))
    expect(long).toMatchObject({ reconciler: 'scaler', key: 'a/b' })
    expect(long.tooLong).toBeGreaterThan(decisionCharactersMax)
  })
})
