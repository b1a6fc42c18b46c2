import { describe, expect, test } from 'vitest'
import { ActiveKeys } from './active-keys.ts'

describe('active keys', () => {
  test('without an assignment are all owned, and none is tracked', async () => {
    const keys = new ActiveKeys(undefined)
    expect(keys.owns('deployment/default/web')).toBe(true)
    expect(keys.begin('deployment/default/web')).toBeUndefined()
    expect(await keys.track(undefined, () => Promise.resolve(1))).toBe(1)
  })

  test('are revoked when they are assigned elsewhere, which is complete once their commands are answered', async () => {
    const owned = new Set(['a', 'b'])
    const keys = new ActiveKeys({ owns: (name) => owned.has(name) })
    const a = keys.begin('a')!
    const b = keys.begin('b')!
    const answer = Promise.withResolvers<void>()
    const sent = keys.track(a, () => answer.promise)
    owned.delete('a')
    let isComplete = false
    const revoked = keys.revoke().then(() => {
      isComplete = true
    })
    expect([a.isRevoked, b.isRevoked]).toEqual([true, false])
    await Promise.resolve()
    expect(isComplete).toBe(false)
    answer.resolve()
    await Promise.all([sent, revoked])
    // It stays revoked for this round, even if the key comes back.
    owned.add('a')
    await keys.revoke()
    expect(a.isRevoked).toBe(true)
  })

  test('that have no command in flight, or ended, hold up no revocation', async () => {
    const keys = new ActiveKeys({ owns: () => false })
    keys.end(keys.begin('a'))
    keys.begin('b')
    await keys.revoke()
  })
})
