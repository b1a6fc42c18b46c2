import { Buffer } from 'node:buffer'
import { expect, test } from 'vitest'
import { decodeProtobuf } from '../decode/protobuf.ts'
import type { JsonObject } from '../kube-object.ts'
import { builtInRegistry } from '../schema/registry.ts'
import type { Definition, FieldType } from '../schema/schema.ts'
import { createProtobufEncoder, fieldHead } from './protobuf.ts'

const registry = builtInRegistry()
const encoder = createProtobufEncoder(registry)

/** An object that has every field of its definition that protobuf has, so many messages deep. */
const everything = (definition: Definition, depth: number): JsonObject =>
  Object.fromEntries(
    Object.entries(definition.fields).flatMap(([name, field]) => {
      const value = field.number === undefined ? undefined : fieldValue(field, depth)
      return value === undefined ? [] : [[name, value]]
    }),
  )

let counter = 0

const fieldValue = (type: FieldType, depth: number): unknown => {
  counter++
  switch (type.type) {
    case 'ref':
      return depth === 0 ? undefined : everything(registry.definition(type.ref!), depth - 1)
    case 'array': {
      const item = fieldValue(type.items!, depth)
      return item === undefined ? undefined : [item, fieldValue(type.items!, depth)]
    }
    case 'map': {
      const item = fieldValue(type.items!, depth)
      return item === undefined ? undefined : { a: item, 'b/ü': fieldValue(type.items!, depth) }
    }
    case 'any':
      return depth === 0 ? undefined : anyOf(type.format)
    case 'boolean':
      return counter % 2 === 0
    case 'integer':
      return [0, 1, 127, 128, 16_384, -1, 2 ** 31 - 1, -(2 ** 31), 2 ** 40, -(2 ** 40)][counter % (type.format === 'int32' ? 8 : 10)]
    case 'number':
      return 1.5 + counter
    default:
      return textOf(type.format)
  }
}

const anyOf = (format: string | undefined): unknown => {
  switch (format) {
    case 'schema-or-boolean':
      return counter % 2 === 0 ? false : { type: 'string' }
    case 'schema-or-array':
      return counter % 2 === 0 ? [{ type: 'a' }, { type: 'b' }] : { type: 'string' }
    case 'schema-or-strings':
      return counter % 2 === 0 ? ['a', 'b'] : { type: 'string' }
    default:
      return { a: [1, null, { b: 'ü' }] }
  }
}

const textOf = (format: string | undefined): unknown => {
  switch (format) {
    case 'byte':
      return Buffer.from(`bytes ${counter}`).toString('base64')
    case 'quantity':
      return `${counter}Mi`
    case 'int-or-string':
      return counter % 2 === 0 ? counter : `${counter}%`
    case 'date-time':
      return '2026-11-30T20:16:00Z'
    case 'micro-time':
      return '2026-11-30T20:16:00.012345Z'
    case 'duration':
      return '1m15s'
    default:
      return counter % 5 === 0 ? `long ${'ü€😀'.repeat(40)}` : `text ${counter}`
  }
}

const kinds = [...registry.definitions.values()].flatMap((definition) =>
  (definition.groupVersionKinds ?? []).map(({ group, version, kind }) => ({
    definition,
    type: { apiVersion: group ? `${group}/${version}` : version, kind },
  })),
)

test('every field of every kind comes back as it was', () => {
  expect(kinds.length).toBeGreaterThan(100)
  for (const { definition, type } of kinds) {
    const object = { ...type, ...everything(definition, 6) }
    const bytes = encoder.object(object)
    expect(bytes, type.kind).toBeDefined()
    expect(decodeProtobuf(bytes!, registry), type.kind).toEqual(object)
  }
})

test('what is null or not known is left out, and what is empty is there', () => {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'a', creationTimestamp: null, labels: {} },
    spec: { volumes: [{ name: 'v', emptyDir: {} }], containers: [], nope: 1, priority: 0 },
  }
  expect(decodeProtobuf(encoder.object(pod)!, registry)).toEqual({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'a' },
    spec: { volumes: [{ name: 'v', emptyDir: {} }], priority: 0 },
  })
  expect(encoder.object({ apiVersion: 'example.com/v1', kind: 'Widget' })).toBeUndefined()
})

test('the bytes are those that the wire format says', () => {
  const bytes = encoder.object({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'ab' }, data: { k: 'v' } })!
  const expected = [
    ...[0x6b, 0x38, 0x73, 0x00],
    ...[0x0a, 15, 0x0a, 2, ...Buffer.from('v1'), 0x12, 9, ...Buffer.from('ConfigMap')],
    ...[0x12, 14, 0x0a, 4, 0x0a, 2, ...Buffer.from('ab'), 0x12, 6, 0x0a, 1, 0x6b, 0x12, 1, 0x76],
    ...[0x1a, 0x00, 0x22, 0x00],
  ]
  expect([...bytes]).toEqual(expected)
  expect([...fieldHead(2, 300)]).toEqual([0x12, 0xac, 0x02])
})

test('numbers that no integer is end in one all the same', () => {
  const replicas = (value: unknown) =>
    decodeProtobuf(encoder.object({ apiVersion: 'apps/v1', kind: 'Deployment', spec: { replicas: value } })!, registry)['spec']
  expect([Infinity, -Infinity, Number.NaN, 1.5, '1e400', 'x'].map(replicas)).toEqual([0, 0, 0, 1, 0, 0].map((value) => ({ replicas: value })))
})
