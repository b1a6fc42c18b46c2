import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cloneJson } from './clone-json.ts'

/** Every object and array below a value. */
function* parts(value: unknown): Generator<object> {
  if (typeof value !== 'object' || value === null) return
  yield value
  for (const item of Object.values(value)) yield* parts(item)
}

describe('cloneJson', () => {
  test('copies any JSON value, and shares no part of it', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const value: unknown = JSON.parse(text)
        const copy = cloneJson(value)
        expect(JSON.stringify(copy)).toBe(JSON.stringify(value))
        const originals = new Set(parts(value))
        for (const part of parts(copy)) expect(originals.has(part)).toBe(false)
      }),
    )
  })
  test('keeps __proto__ a key of its own, as deep as it lies', () => {
    const text = '{"__proto__":{"x":1},"a":[null,{"__proto__":{"y":{"__proto__":5}}}]}'
    const copy = cloneJson(JSON.parse(text))
    expect(JSON.stringify(copy)).toBe(text)
    expect(Object.getPrototypeOf(copy)).toBe(Object.prototype)
    expect((copy as { x?: number }).x).toBeUndefined()
  })
})
