import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { applyJsonPatch, jsonEqual } from './json-patch.ts'
import { applyMergePatch } from './merge-patch.ts'
import { isApiError } from '../status.ts'

const outcome = (work: () => unknown): unknown => {
  try {
    return work()
  } catch (error) {
    if (isApiError(error)) return `${error.status.code} ${error.status.message}`
    throw error
  }
}

const unprocessable = '422 the server rejected our request due to an error in our request'

describe('JSON Patch', () => {
  const document = { a: { b: [1, 2, 3], 'x/y': 1, 'm~n': 2, none: null }, c: 'd' }

  test.each([
    [[{ op: 'add', path: '/e', value: 1 }], { ...document, e: 1 }],
    [[{ op: 'add', path: '/a/b/1', value: 9 }], { ...document, a: { ...document.a, b: [1, 9, 2, 3] } }],
    [[{ op: 'add', path: '/a/b/-', value: 9 }], { ...document, a: { ...document.a, b: [1, 2, 3, 9] } }],
    [[{ op: 'add', path: '/a/b/3', value: 9 }], { ...document, a: { ...document.a, b: [1, 2, 3, 9] } }],
    [[{ op: 'remove', path: '/a' }], { c: 'd' }],
    [[{ op: 'remove', path: '/a/b/0' }], { ...document, a: { ...document.a, b: [2, 3] } }],
    [[{ op: 'replace', path: '/c', value: null }], { ...document, c: null }],
    [[{ op: 'replace', path: '/a/x~1y', value: 5 }], { ...document, a: { ...document.a, 'x/y': 5 } }],
    [[{ op: 'replace', path: '/a/m~0n', value: 5 }], { ...document, a: { ...document.a, 'm~n': 5 } }],
    [[{ op: 'replace', path: '', value: { z: 1 } }], { z: 1 }],
    [[{ op: 'move', from: '/a/b', path: '/e' }], { a: { 'x/y': 1, 'm~n': 2, none: null }, c: 'd', e: [1, 2, 3] }],
    [[{ op: 'copy', from: '/a/b/0', path: '/a/b/-' }], { ...document, a: { ...document.a, b: [1, 2, 3, 1] } }],
    [[{ op: 'test', path: '/a/b', value: [1, 2, 3] }], document],
    [[{ op: 'test', path: '/a/none', value: null }], document],
    [[{ op: 'replace', path: '/e', value: 1 }], { ...document, e: 1 }],
    [[{ op: 'add', path: '/e' }], { ...document, e: null }],
    // What stands before the first slash counts for nothing.
    [[{ op: 'add', path: 'a/e', value: 1 }], { ...document, e: 1 }],
    [[{ op: 'copy', from: '/nope', path: '/e' }], { ...document, e: null }],
    [[{ op: 'test', path: '/nope', value: null }], document],
    [[{ op: 'remove', path: '/a/b/-1' }], { ...document, a: { ...document.a, b: [1, 2] } }],
    [[{ op: 'add', path: '/a/b/-1', value: 9 }], { ...document, a: { ...document.a, b: [1, 2, 3, 9] } }],
    [[], document],
  ])('%j', (patch, expected) => {
    const before = structuredClone(document)
    expect(applyJsonPatch(document, patch)).toEqual(expected)
    expect(document).toEqual(before)
  })

  test.each([
    [[{ op: 'test', path: '/c', value: 'x' }]],
    [[{ op: 'remove', path: '/nope' }]],
    [[{ op: 'replace', path: '/nope/deep', value: 1 }]],
    [[{ op: 'test', path: '/nope/deep', value: null }]],
    [[{ op: 'add', path: '', value: {} }]],
    [[{ op: 'add', path: '/a/b/x', value: 1 }]],
    [[{ op: 'replace', path: '/a/b/3', value: 1 }]],
    [[{ op: 'add', path: '/nope/deep', value: 1 }]],
    [[{ op: 'add', path: '/a/b/5', value: 1 }]],
    [[{ op: 'add', path: '/a/b/1e0', value: 1 }]],
    [[{ op: 'add', path: 'c', value: 1 }]],
    [[{ op: 'add', value: 1 }]],
    [[{ op: 'frobnicate', path: '/c' }]],
    [[{ path: '/c' }]],
    [[{ op: 'move', from: '/a', path: '/a/b' }]],
    [[{ op: 'move', path: '/a/b' }]],
    [[{ op: 'copy', from: '/nope/deep', path: '/e' }]],
    [[{ op: 'remove', path: '' }]],
    [[{ op: 'copy', from: '', path: '/e' }]],
    [[{ op: 'replace', path: '', value: [] }]],
    [[{ op: 'remove', path: '/constructor' }]],
    [[{ op: 'add', path: '/__proto__/polluted', value: 1 }]],
  ])('%j does not apply: 422', (patch) => {
    expect(outcome(() => applyJsonPatch(document, patch))).toBe(unprocessable)
  })

  test.each([
    [
      { op: 'add' },
      '400 error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp',
    ],
    [['x'], '400 error decoding patch: json: cannot unmarshal string into Go value of type handlers.jsonPatchOp'],
    [
      [{ op: 5 }],
      '400 error decoding patch: json: cannot unmarshal number into Go struct field jsonPatchOp.op of type string',
    ],
  ])('%j is malformed: 400', (patch, sentence) => {
    expect(outcome(() => applyJsonPatch(document, patch))).toBe(sentence)
  })

  test('10,001 operations are too many, 10,000 are not', () => {
    const operations = Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/c', value: 'd' }))
    expect(outcome(() => applyJsonPatch(document, operations))).toBe(
      '413 Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001',
    )
    expect(applyJsonPatch(document, operations.slice(1))).toEqual(document)
  })

  test('copies cannot amplify a small patch into a huge object', () => {
    const operations = [{ op: 'add', path: '/x', value: ['0123456789'] as unknown[] }]
    for (let i = 0; i < 40; i++) operations.push({ op: 'copy', from: '/x', path: '/x/-' } as never)
    expect(outcome(() => applyJsonPatch({}, operations))).toBe(unprocessable)
  })

  test('__proto__ is only a key', () => {
    const patched = applyJsonPatch({}, JSON.parse('[{"op":"add","path":"/__proto__","value":{"polluted":true}}]'))
    expect(JSON.stringify(patched)).toBe('{"__proto__":{"polluted":true}}')
    expect(patched['polluted']).toBeUndefined()
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })

  test('values added from the patch are never shared with later changes', () => {
    const value = { list: [1] }
    const patched = applyJsonPatch({}, [
      { op: 'add', path: '/a', value },
      { op: 'add', path: '/b', value },
      { op: 'add', path: '/a/list/-', value: 2 },
    ])
    expect(patched).toEqual({ a: { list: [1, 2] }, b: { list: [1] } })
    expect(value).toEqual({ list: [1] })
  })

  test('property: adding then removing a key gives the document back', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.string(), fc.jsonValue(), (object, key, value) => {
        const pointer = `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`
        const added = applyJsonPatch(object, [
          { op: 'add', path: pointer, value },
          { op: 'test', path: pointer, value },
        ])
        const { [key]: _, ...rest } = object
        expect(jsonEqual(applyJsonPatch(added, [{ op: 'remove', path: pointer }]), rest)).toBe(true)
      }),
    )
  })
})

describe('JSON Merge Patch', () => {
  test.each([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
    [{ a: 'x' }, { a: { b: 1, c: null } }, { a: { b: 1 } }],
  ])('%j + %j', (document, patch, expected) => {
    expect(applyMergePatch(document, patch)).toEqual(expected)
  })

  test('a patch that is no object is refused', () => {
    for (const patch of [[], 'x', null, 3]) {
      expect(outcome(() => applyMergePatch({}, patch))).toBe('400 Invalid JSON Patch')
    }
  })

  test('__proto__ is only a key', () => {
    const patched = applyMergePatch({}, JSON.parse('{"__proto__":{"polluted":true}}'))
    expect(JSON.stringify(patched)).toBe('{"__proto__":{"polluted":true}}')
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })

  test('the document is untouched', () => {
    const document = Object.freeze({ a: Object.freeze({ b: 1 }) })
    expect(applyMergePatch(document, { a: { c: 2 } })).toEqual({ a: { b: 1, c: 2 } })
  })
})
