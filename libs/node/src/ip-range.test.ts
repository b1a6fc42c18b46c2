import { describe, expect, test } from 'vitest'
import { createPodRange } from './ip-range.ts'

describe('the addresses of a range', () => {
  test('are unique, leave out network, gateway and broadcast, and end', () => {
    const range = createPodRange('10.244.3.0/29')
    const all = Array.from({ length: 6 }, () => range.allocate())
    expect(all).toEqual(['10.244.3.2', '10.244.3.3', '10.244.3.4', '10.244.3.5', '10.244.3.6', undefined])
  })

  test('come back after their release, and never while they are reserved', () => {
    const range = createPodRange('10.244.3.0/29')
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

  test('of IPv6 are written as everybody writes them', () => {
    const range = createPodRange('fd00:10:244:3::/64')
    range.reserve('fd00:10:244:3:0:0:0:3')
    range.reserve('10.244.3.4')
    expect([range.allocate(), range.allocate()]).toEqual(['fd00:10:244:3::2', 'fd00:10:244:3::4'])
    range.release('fd00:10:244:3::2')
    const small = createPodRange('fd00::/125')
    expect(Array.from({ length: 6 }, () => small.allocate())).toEqual([
      'fd00::2',
      'fd00::3',
      'fd00::4',
      'fd00::5',
      'fd00::6',
      undefined,
    ])
  })

  test('of something that is not a range are refused', () => {
    expect(() => createPodRange('banana')).toThrow('not a range for pods')
  })
})
