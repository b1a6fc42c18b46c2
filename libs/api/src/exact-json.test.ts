import { describe, expect, test } from 'vitest'
import { parseObject, storedBytes } from './codec.ts'
import { parseExactJson, parseObjectText } from './exact-json.ts'
import { applyJsonPatch, jsonEqual } from './patch/json-patch.ts'

const largest = 9223372036854775807n

describe('whole numbers', () => {
  test('beyond 2^53 are exact within 64 bits, in and out', () => {
    const text =
      '{"a":9223372036854775807,"b":[-9223372036854775808],"c":9007199254740991,"d":1e+30,"e":"12345678901234567"}'
    const value = parseExactJson(text)
    expect(value).toEqual({
      a: largest,
      b: [-9223372036854775808n],
      c: 9007199254740991,
      d: 1e30,
      e: '12345678901234567',
    })
    expect(JSON.stringify(value)).toBe(text)
  })

  test('that no int64 holds are floating-point numbers', () => {
    expect(parseExactJson('[9223372036854775808,12345678901234567.5]')).toEqual([
      2 ** 63,
      Number('12345678901234567.5'),
    ])
  })

  test('survive the log, in the kinds of users and in data without a type', () => {
    for (const [apiVersion, kind] of [
      ['example.com/v1', 'Meter'],
      ['apps/v1', 'ControllerRevision'],
      ['apiextensions.k8s.io/v1', 'CustomResourceDefinition'],
    ] as const) {
      const metadata = { name: 'a', uid: 'u', creationTimestamp: '2026-01-01T00:00:00Z' }
      const object = { kind, apiVersion, metadata, data: { count: largest } }
      expect(parseObject(storedBytes(object))).toEqual(object)
    }
  })

  test('of kinds that cannot hold such are read the quick way', () => {
    expect(parseObjectText('{"kind":"Pod","apiVersion":"v1","a":9223372036854775807}')['a']).toBe(2 ** 63)
  })

  test('are compared and copied by patches', () => {
    expect(jsonEqual({ a: largest }, { a: largest })).toBe(true)
    expect(jsonEqual({ a: largest }, { a: largest - 1n })).toBe(false)
    const patch = [
      { op: 'test', path: '/a', value: { b: largest } },
      { op: 'copy', from: '/a', path: '/c' },
    ]
    expect(applyJsonPatch({ a: { b: largest } }, patch)).toEqual({ a: { b: largest }, c: { b: largest } })
  })
})
