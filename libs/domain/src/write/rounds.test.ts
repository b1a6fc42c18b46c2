import { seededRandom } from '@shiplog/testing/seeded-random'
import { describe, expect, test } from 'vitest'
import { carriesClaim, claimsRemembered, decideOnce, type GuardRecord, mattersOf, readOnce } from './rounds.ts'

/** A guard as the log and the projection keep it. */
function createGuard() {
  let last: (GuardRecord & { readonly recent: readonly GuardRecord[] }) | undefined
  return {
    get state() {
      return last
    },
    store(sequence: number, holder: string): void {
      const record = { sequence, previous: last?.sequence ?? 0, holder }
      const kept = (last?.recent ?? []).slice(1 - claimsRemembered)
      last = { ...record, recent: carriesClaim(holder) ? [...kept, record] : [] }
    },
    /** The projection begins anew: only the last record is there. */
    forget(): void {
      if (last) last = { ...last, recent: carriesClaim(last.holder) ? [last] : [] }
    },
  }
}

describe('claims of one quantity', () => {
  test.each(
    Array.from({ length: 60 }, (_, seed) => [seed]),
  )('by several who decide on pasts of their own never exceed it, and few are refused while there is room, seed %i', (seed) => {
    const random = seededRandom(seed)
    const guard = createGuard()
    const capacity = 400
    const stored: { readonly sequence: number; readonly amount: number; readonly id: string }[] = []
    let sequence = 0
    let [early, refusedEarly] = [0, 0]
    const schedulers = ['a', 'b', 'c'].map((round) => ({
      round,
      order: 0,
      basis: 0,
      /** Decided and not yet in what it sees. */
      assumed: new Map<string, number>(),
      underWay: [] as { id: string; amount: number; order: number; basis: number; room: number }[],
    }))
    for (let step = 0; step < 1_500; step++) {
      const one = random.pick(schedulers)
      const what = random.below(10)
      if (what < 3) {
        one.basis = Math.max(one.basis, sequence - random.below(6))
        for (const { id, sequence: at } of stored) if (at <= one.basis) one.assumed.delete(id)
      } else if (what < 6) {
        const seen = stored.filter((entry) => entry.sequence <= one.basis).reduce((sum, { amount }) => sum + amount, 0)
        const own = [...one.assumed.values()].reduce((sum, amount) => sum + amount, 0)
        const amount = 1 + random.below(5)
        const room = capacity - seen - own - amount
        if (room < 0) continue
        const order = ++one.order
        const id = `${one.round}${order}`
        one.assumed.set(id, amount)
        one.underWay.push({ id, amount, order, basis: one.basis, room })
      } else if (one.underWay.length > 0) {
        // In any order: what is under way overtakes.
        const [sent] = one.underWay.splice(random.below(one.underWay.length), 1)
        const { id, amount, order, basis, room } = sent!
        const claim = { order, take: { cpu: amount }, room: { cpu: room } }
        const decided = decideOnce({ matter: 'node/n', round: one.round, claim }, basis, guard.state)
        const isEarly = stored.reduce((sum, entry) => sum + entry.amount, 0) < capacity / 2
        if (isEarly) early++
        if ('seeFirst' in decided) {
          if (isEarly) refusedEarly++
          expect(decided.seeFirst).toBeGreaterThan(basis)
          one.assumed.delete(id)
        } else {
          guard.store(++sequence, decided.holder)
          stored.push({ sequence, amount, id })
        }
      }
      if (random.chance(0.002)) guard.forget()
      expect(stored.reduce((sum, { amount }) => sum + amount, 0)).toBeLessThanOrEqual(capacity)
    }
    expect(early).toBeGreaterThan(20)
    expect(refusedEarly / early).toBeLessThan(0.4)
  })

  test('what is not remembered, or claims nothing, is taken for the worst', () => {
    const guard = createGuard()
    const claim = { order: 1, take: { cpu: 1 }, room: { cpu: 1_000 } }
    const mine = { matter: 'm', round: 'mine', claim }
    for (let index = 1; index <= claimsRemembered + 1; index++) {
      const decided = decideOnce(
        { ...mine, round: 'theirs', claim: { ...claim, order: index } },
        index - 1,
        guard.state,
      )
      guard.store(index, (decided as { holder: string }).holder)
    }
    expect(decideOnce(mine, 1, guard.state)).toHaveProperty('holder')
    expect(decideOnce(mine, 0, guard.state)).toEqual({ seeFirst: claimsRemembered + 1 })
    expect(decideOnce({ matter: 'm', round: 'mine' }, 1, guard.state)).toHaveProperty('seeFirst')
    guard.store(100, 'theirs 0')
    expect(decideOnce(mine, 99, guard.state)).toEqual({ seeFirst: 100 })
  })
})

test('the header is read as it was written, and nonsense says nothing', () => {
  const claim = { order: 1, take: { pods: 1 }, room: { pods: 9 } }
  expect(readOnce(`r m ${JSON.stringify(claim)}`)).toEqual({ round: 'r', matter: 'm', claim })
  expect(readOnce('r m')).toEqual({ round: 'r', matter: 'm' })
  const several = readOnce('r m', 'z a')!
  expect(several).toEqual({ round: 'r', matter: 'm', also: ['a', 'z'] })
  expect(mattersOf({ ...several, claim })).toEqual([
    { round: 'r', matter: 'm', claim },
    { round: 'r', matter: 'a' },
    { round: 'r', matter: 'z' },
  ])
  for (const text of ['', 'r', 'r m {', 'r m {"order":1}', 'r m {"order":1,"take":{"a":"x"},"room":{}}']) {
    expect(readOnce(text)).toBeUndefined()
  }
})
