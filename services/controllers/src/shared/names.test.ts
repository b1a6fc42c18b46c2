import { describe, expect, test } from 'vitest'
import { canonicalJson, childName, childSuffix, nextChildNames, safeEncode } from './names.ts'

describe('names of children', () => {
  test('are different for every serial and look like upstream’s', () => {
    const suffixes = new Set(Array.from({ length: 50_000 }, (_, serial) => childSuffix('uid-1', serial)))
    expect(suffixes.size).toBe(50_000)
    for (const suffix of suffixes) expect(suffix).toMatch(/^[bcdfghjklmnpqrstvwxz2456789]{5}$/)
    expect(childSuffix('uid-1', 0)).not.toBe(childSuffix('uid-2', 0))
  })

  test('stay within 63 characters', () => {
    expect(childName(`${'x'.repeat(80)}-`, 'uid', 0)).toHaveLength(63)
  })

  test('fill the lowest serials that were never taken', () => {
    const first = nextChildNames('rs-', 'u', 3, () => false)
    expect(nextChildNames('rs-', 'u', 2, (name) => name === first[1])).toEqual([first[0], first[2]])
  })
})

test('a canonical text does not depend on the order of keys', () => {
  expect(canonicalJson({ b: [1, { d: 1, c: null }], a: 'x', u: undefined })).toBe('{"a":"x","b":[1,{"c":null,"d":1}]}')
})

test('safe encoding maps digits as upstream does', () => {
  // rand.SafeEncodeString: alphanums[byte % 27]
  expect(safeEncode('0123456789')).toBe('456789bcdf')
})
