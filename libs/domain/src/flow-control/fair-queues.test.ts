import type { PriorityLevelConfiguration } from '@shiplog/api/generated/types/flowcontrol-v1'
import { describe, expect, test } from 'vitest'
import { createLevels, enter, giveUp, handOf, leave, type LevelState, type Place } from './fair-queues.ts'

type Limited = NonNullable<PriorityLevelConfiguration['spec']['limited']>

const level = (name: string, shares: number, more: Partial<Limited> = {}): PriorityLevelConfiguration => ({
  ...{ kind: 'PriorityLevelConfiguration', apiVersion: 'flowcontrol.apiserver.k8s.io/v1' },
  metadata: { name } as PriorityLevelConfiguration['metadata'],
  status: {},
  spec: {
    type: 'Limited',
    limited: {
      nominalConcurrencyShares: shares,
      limitResponse: { type: 'Queue', queuing: { queues: 8, handSize: 2, queueLengthLimit: 3 } },
      ...more,
    },
  },
})

/** A world of levels, whose requests are told by name when they are served. */
function world(configurations: readonly PriorityLevelConfiguration[], seats: number) {
  const levels = createLevels(configurations, seats)
  const served: string[] = []
  const places = new Map<string, Place>()
  return {
    levels,
    served,
    ask(name: string, at: string, hash: number, width = 1) {
      const { entry, place } = enter(levels, levels.get(at)!, hash, { width, start: () => served.push(name) })
      if (entry === 'served') served.push(name)
      places.set(name, place)
      return entry
    },
    end: (name: string) => leave(levels, places.get(name)!),
    giveUp: (name: string) => giveUp(places.get(name)!),
    used: (at: string) => (levels.get(at) as LevelState).used,
  }
}

test('seats are divided by shares', () => {
  const { levels } = world([level('a', 30), level('b', 10)], 40)
  expect([...levels.values()].map(({ nominal }) => nominal)).toEqual([30, 10])
})

test('a hand has no queue twice', () => {
  for (let hash = 0; hash < 2_000; hash++) {
    const hand = handOf(hash * 7919, 8, 4)
    expect(new Set(hand).size).toBe(4)
    expect(hand.every((queue) => queue >= 0 && queue < 8)).toBe(true)
  }
})

test('what does not fit waits, and comes when a seat is free', () => {
  const w = world([level('a', 1)], 2)
  expect([w.ask('1', 'a', 1), w.ask('2', 'a', 1), w.ask('3', 'a', 1)]).toEqual(['served', 'served', 'waits'])
  w.end('1')
  expect(w.served).toEqual(['1', '2', '3'])
  expect(w.used('a')).toBe(2)
})

test('a queue that is full refuses, and a level without queues at once', () => {
  const w = world([level('a', 1, { limitResponse: { type: 'Queue', queuing: { queues: 1, handSize: 1, queueLengthLimit: 2 } } }), level('b', 1, { limitResponse: { type: 'Reject' } })], 2)
  expect(['1', '2', '3', '4'].map((name) => w.ask(name, 'a', 1))).toEqual(['served', 'waits', 'waits', 'queue-full'])
  expect(['5', '6'].map((name) => w.ask(name, 'b', 1))).toEqual(['served', 'concurrency-limit'])
})

test('who gives up makes room, and is not started later', () => {
  const w = world([level('a', 1)], 1)
  w.ask('1', 'a', 1)
  w.ask('2', 'a', 1)
  w.ask('3', 'a', 1)
  expect(w.giveUp('2')).toBe(true)
  w.end('1')
  expect(w.served).toEqual(['1', '3'])
  expect(w.giveUp('3')).toBe(false)
})

test('a greedy flow does not starve a modest one', () => {
  const w = world([level('a', 1, { limitResponse: { type: 'Queue', queuing: { queues: 8, handSize: 1, queueLengthLimit: 50 } } })], 1)
  w.ask('first', 'a', 0)
  for (let count = 0; count < 20; count++) w.ask(`greedy${count}`, 'a', 1)
  w.ask('modest', 'a', 2)
  w.end('first')
  w.end('greedy0')
  expect(w.served).toContain('modest')
})

test('a wide request takes as many seats, and may take all of an empty level', () => {
  const w = world([level('a', 1)], 4)
  expect(w.ask('wide', 'a', 1, 3)).toBe('served')
  expect(w.ask('next', 'a', 1, 2)).toBe('waits')
  w.end('wide')
  expect(w.used('a')).toBe(2)
  w.end('next')
  expect(w.ask('widest', 'a', 1, 10)).toBe('served')
})

describe('borrowing', () => {
  test('a level uses what another lends and does not need', () => {
    const w = world([level('a', 1), level('b', 1, { lendablePercent: 50 })], 8)
    const entries = Array.from({ length: 7 }, (_, index) => w.ask(`a${index}`, 'a', 1))
    expect(entries).toEqual(['served', 'served', 'served', 'served', 'served', 'served', 'waits'])
    // Its own seats are always there for it.
    expect([w.ask('b0', 'b', 1), w.ask('b1', 'b', 1), w.ask('b2', 'b', 1), w.ask('b3', 'b', 1)]).not.toContain('waits')
  })

  test('no more than its limit', () => {
    const w = world([level('a', 1, { borrowingLimitPercent: 25 }), level('b', 1, { lendablePercent: 100 })], 8)
    expect(Array.from({ length: 6 }, (_, index) => w.ask(`a${index}`, 'a', 1))).toEqual([...Array.from({ length: 5 }, () => 'served'), 'waits'])
  })

  test('what one level gives back goes to those of another that wait', () => {
    const w = world([level('a', 1), level('b', 1, { lendablePercent: 50 })], 4)
    w.ask('b0', 'b', 1)
    w.ask('b1', 'b', 1)
    for (let index = 0; index < 3; index++) w.ask(`a${index}`, 'a', 1)
    expect(w.served).not.toContain('a2')
    w.end('b0')
    expect(w.served).toContain('a2')
  })
})

test('exempt requests are never held up', () => {
  const exempt: PriorityLevelConfiguration = { ...level('exempt', 0), spec: { type: 'Exempt' } }
  const w = world([exempt, level('a', 1)], 1)
  w.ask('1', 'a', 1)
  expect(Array.from({ length: 50 }, (_, index) => w.ask(`e${index}`, 'exempt', 1)).every((entry) => entry === 'served')).toBe(true)
})
