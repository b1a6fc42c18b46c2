import { describe, expect, test } from 'vitest'
import { createIpRange } from './ip-range.ts'

describe('the addresses of a range', () => {
  test('are unique, leave out network, gateway and broadcast, and end', () => {
    const range = createIpRange('10.244.3.0/29')
    const all = Array.from({ length: 6 }, () => range.allocate())
    expect(all).toEqual(['10.244.3.2', '10.244.3.3', '10.244.3.4', '10.244.3.5', '10.244.3.6', undefined])
  })

  test('come back after their release, and never while they are reserved', () => {
    const range = createIpRange('10.244.3.0/29')
    range.reserve('10.244.3.3')
    range.reserve('10.9.9.9')
    expect([range.allocate(), range.allocate(), range.allocate(), range.allocate(), range.allocate()]).toEqual([
      '10.244.3.2',
      '10.244.3.4',
      '10.244.3.5',
      '10.244.3.6',
      undefined,
    ])
    range.release('10.244.3.4')
    expect(range.allocate()).toBe('10.244.3.4')
  })

  test('of something that is not a range are refused', () => {
    expect(() => createIpRange('banana')).toThrow('not an IPv4 range')
  })
})
