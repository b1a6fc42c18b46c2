import { describe, expect, test } from 'vitest'
import { semanticEqual } from './fields.ts'
import { strategyFor } from './strategies.ts'
import { object } from './testing/objects.ts'

describe('comparing as Kubernetes compares', () => {
  test.each([
    [undefined, {}, false],
    [null, [], true],
    ['', undefined, true],
    [{ a: {} }, {}, false],
    [{ a: [], b: '' }, {}, true],
    [false, undefined, false],
    [0, undefined, false],
    [[1, 2], [2, 1], false],
    [{ a: 1 }, { a: 1, b: 2 }, false],
  ])('%j and %j', (left, right, expected) => {
    expect(semanticEqual(left, right)).toBe(expected)
    expect(semanticEqual(right, left)).toBe(expected)
  })

  test.each(['constructor', 'toString', '__proto__'])('a key named %s is a key like any other', (key) => {
    const hostile = JSON.parse(`{"a":"1",${JSON.stringify(key)}:"x"}`)
    expect(semanticEqual({ a: '1' }, hostile)).toBe(false)
    expect(semanticEqual(hostile, { a: '1' })).toBe(false)
    const before = object('v1', 'ConfigMap', { immutable: true, data: { a: '1' } })
    const after = object('v1', 'ConfigMap', { immutable: true, data: hostile })
    expect(strategyFor('configmaps').validateUpdate!(after, before, '')).toHaveLength(1)
  })

  test('a secret keeps a stringData key named __proto__', () => {
    const secret = object('v1', 'Secret', { stringData: JSON.parse('{"__proto__":"x"}') })
    strategyFor('secrets').setDefaults!(secret)
    expect(JSON.stringify(secret['data'])).toBe('{"__proto__":"eA=="}')
  })
})
