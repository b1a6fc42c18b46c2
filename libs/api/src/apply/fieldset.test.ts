import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  compareElements,
  decodeFields,
  differenceOfFields,
  fieldPaths,
  type FieldTree,
  formatFieldPath,
  hasField,
  intersectionOfFields,
  unionOfFields,
} from './fieldset.ts'

const elements = ['f:a', 'f:b', 'k:{"name":"x"}', 'k:{"name":"y"}', 'v:1', 'v:"s"']
const paths = fc.array(fc.array(fc.constantFrom(...elements), { minLength: 1, maxLength: 3 }), { maxLength: 8 })

/** A tree from its members, one by one: the slow and obvious way. */
const treeOf = (members: readonly (readonly string[])[]): FieldTree => {
  const root: Record<string, unknown> = {}
  for (const path of members) {
    let node = root as Record<string, Record<string, unknown>>
    for (const element of path) node = (node[element] ??= {}) as Record<string, Record<string, unknown>>
    node['.'] = {}
  }
  return decodeFields(root)!
}

const textsOf = (tree: FieldTree): string[] =>
  fieldPaths(tree)
    .map((path) => path.join(' '))
    .sort()
const texts = (members: readonly (readonly string[])[]): string[] =>
  [...new Set(members.map((path) => path.join(' ')))].sort()

test('property: a tree holds exactly the members it was made of', () => {
  fc.assert(
    fc.property(paths, (members) => {
      const tree = treeOf(members)
      expect(textsOf(tree)).toEqual(texts(members))
      for (const member of members) expect(hasField(tree, member)).toBe(true)
    }),
  )
})

test('property: union, difference and intersection are those of sets of paths', () => {
  fc.assert(
    fc.property(paths, paths, (left, right) => {
      const [a, b] = [treeOf(left), treeOf(right)]
      const [inA, inB] = [new Set(texts(left)), new Set(texts(right))]
      expect(textsOf(unionOfFields(a, b))).toEqual([...inA.union(inB)].sort())
      expect(textsOf(differenceOfFields(a, b))).toEqual([...inA.difference(inB)].sort())
      expect(textsOf(intersectionOfFields(a, b))).toEqual([...inA.intersection(inB)].sort())
      for (const tree of [unionOfFields(a, b), differenceOfFields(a, b), intersectionOfFields(a, b)]) {
        expect(JSON.stringify(decodeFields(tree))).toBe(JSON.stringify(tree))
      }
    }),
    { numRuns: 500 },
  )
})

test('property: operations that change nothing give the very tree', () => {
  fc.assert(
    fc.property(paths, (members) => {
      const tree = treeOf(members)
      expect(unionOfFields(tree, treeOf(members))).toBe(tree)
      expect(differenceOfFields(tree, {})).toBe(tree)
      expect(differenceOfFields(tree, { 'f:other': {} })).toBe(tree)
    }),
  )
})

test('elements stand in upstream’s order', () => {
  const ordered = [
    '.',
    'f:a',
    'f:b',
    'k:{"containerPort":80,"protocol":"TCP"}',
    'k:{"containerPort":80,"protocol":"UDP"}',
    'k:{"containerPort":443,"protocol":"TCP"}',
    'k:{"name":"a"}',
    'k:{"name":"ab"}',
    'v:2',
    'v:10',
    'v:"a"',
    'v:true',
    'i:2',
    'i:10',
  ]
  expect([...ordered].reverse().sort(compareElements)).toEqual(ordered)
})

describe('FieldsV1 from clients', () => {
  test('is brought into our form', () => {
    const tree = decodeFields({ 'k:{"b": 1, "a":"x"}': { '.': {} }, 'f:z': { 'f:y': {} }, 'x:future': { 'f:a': {} } })
    expect(JSON.stringify(tree)).toBe('{"f:z":{"f:y":{}},"k:{\\"a\\":\\"x\\",\\"b\\":1}":{}}')
  })

  test.each([
    [null],
    [[]],
    ['x'],
    [{ a: {} }],
    [{ 'f:a': 1 }],
    [{ 'k:x': {} }],
    [{ 'k:[]': {} }],
    [{ 'v:': {} }],
    [{ 'i:x': {} }],
  ])('malformed %j is told', (json) => {
    expect(decodeFields(json)).toBeUndefined()
  })
})

test('paths print as in conflicts', () => {
  expect(formatFieldPath(['f:spec', 'f:ports', 'k:{"port":80,"protocol":"TCP"}', 'f:name'])).toBe(
    '.spec.ports[port=80,protocol="TCP"].name',
  )
  expect(formatFieldPath(['f:metadata', 'f:finalizers', 'v:"x"'])).toBe('.metadata.finalizers[="x"]')
})
