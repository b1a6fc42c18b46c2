// The corners of the protocol that chance seldom finds; replica.test.ts has the model.
import { describe, expect, test } from 'vitest'
import { createMembership, fenceMarginMs, leaseDurationMs, type MemberLease, type Membership } from './membership.ts'

const lease = (id: string, version: number, turn: number, view: readonly string[]): MemberLease => ({
  id,
  version: String(version),
  released: false,
  turn,
  view,
})

/** `a`, which divides the keys with `b`, as of time 1000; its Lease is at version 5, turn 2. */
function joined(): Membership {
  const a = createMembership('a')
  a.listed([lease('b', 1, 1, ['b'])], 0, 0)
  expect(a.draft(0)).toMatchObject({ version: undefined, view: [] })
  a.written('4', 0, 0)
  a.listed([lease('a', 4, 1, []), lease('b', 2, 1, ['b'])], 500, 500)
  expect(a.wanted(500)).toEqual(['a', 'b'])
  a.adopt(['a', 'b'])
  expect(a.draft(500)).toEqual({ version: '4', turn: 2, view: ['a', 'b'] })
  a.written('5', 500, 500)
  a.listed([lease('a', 5, 2, ['a', 'b']), lease('b', 3, 2, ['a', 'b'])], 1_000, 1_000)
  expect(a.views()).toEqual([['a', 'b']])
  return a
}

describe('a member', () => {
  test('joins when it knows of each of the others whether it lives', () => {
    const a = createMembership('a')
    a.listed([lease('b', 1, 1, ['b']), lease('dead', 1, 9, ['dead'])], 0, 0)
    a.draft(0)
    a.written('4', 0, 0)
    a.listed([lease('a', 4, 1, []), lease('b', 2, 1, ['b']), lease('dead', 1, 9, ['dead'])], 500, 500)
    expect(a.wanted(500)).toBeUndefined()
    const laterMs = leaseDurationMs + 1
    a.draft(laterMs - 500)
    a.written('5', laterMs - 500, laterMs - 400)
    a.listed([lease('a', 5, 1, []), lease('b', 3, 1, ['b']), lease('dead', 1, 9, ['dead'])], laterMs, laterMs)
    expect(a.wanted(laterMs)).toEqual(['a', 'b'])
  })

  test('heeds a view whose write nobody answered until its Lease has moved', () => {
    const a = joined()
    // `b` gives up, and `a` takes over; the answer is lost. Then `b` is back.
    a.listed([lease('a', 5, 2, ['a', 'b']), { ...lease('b', 4, 3, []), released: true }], 1_500, 1_500)
    a.adopt(a.wanted(1_500)!)
    expect(a.draft(1_500)).toMatchObject({ view: ['a'] })
    a.listed([lease('a', 5, 2, ['a', 'b']), lease('b', 6, 5, ['a', 'b'])], 2_000, 2_000)
    a.adopt(a.wanted(2_000)!)
    expect(a.views()).toEqual([['a', 'b'], ['a']])
    expect(a.draft(2_000)).toMatchObject({ view: ['a', 'b'] })
    a.written('7', 2_000, 2_010)
    expect(a.views()).toEqual([['a', 'b']])
  })

  test('whose renewal was answered too late owns nothing, however early it was sent', () => {
    const a = joined()
    const endMs = 500 + leaseDurationMs - fenceMarginMs
    expect(a.validUntilMs).toBe(endMs)
    a.draft(endMs - 10)
    a.written('6', endMs - 10, endMs)
    expect(a.views()).toEqual([])
    expect(a.members).toEqual([])
    expect(a.draft(endMs)).toMatchObject({ version: '6', view: [], turn: 3 })
  })

  test('that joined anew does not believe what lists show of its life before', () => {
    const a = joined()
    a.listed([], 9_000, 9_000)
    a.listed([lease('a', 5, 2, ['a', 'b']), lease('b', 9, 2, ['a', 'b'])], 9_100, 9_100)
    expect(a.wanted(9_100)).toBeUndefined()
    expect(a.views()).toEqual([])
  })

  test('is dead when a list that was asked late enough shows no change, not when one is answered late', () => {
    const a = joined()
    const now = [lease('a', 5, 2, ['a', 'b']), lease('b', 3, 2, ['a', 'b'])]
    for (const atMs of [2_000, 3_000, 4_000, 5_000]) {
      a.draft(atMs)
      a.written('5', atMs, atMs)
    }
    a.listed(now, 1_000 + leaseDurationMs, 1_000 + leaseDurationMs + 400)
    expect(a.wanted(5_400)).toBeUndefined()
    a.listed(now, 1_000 + leaseDurationMs + 1, 1_000 + leaseDurationMs + 400)
    expect(a.wanted(5_400)).toEqual(['a'])
  })

  test('whose Lease has vanished is heeded for as long as it may hold', () => {
    const a = joined()
    a.listed([lease('a', 5, 2, ['a', 'b'])], 1_500, 1_500)
    expect(a.wanted(1_500)).toBeUndefined()
    for (const atMs of [2_000, 3_000, 4_000, 5_000]) {
      a.draft(atMs)
      a.written('5', atMs, atMs)
    }
    a.listed([lease('a', 5, 2, ['a', 'b'])], 5_001, 5_001)
    expect(a.wanted(5_001)).toEqual(['a'])
  })
})
