import { builtInRegistry } from '@shiplog/api/schema/registry'
import { expect, test } from 'vitest'
import { structuralSchema } from '../schema/structural-schema.ts'
import { applyDefaults } from './defaults.ts'
import { coerceEmbedded, validateEmbedded } from './embedded-resources.ts'
import { prune } from './prune.ts'

const schema = (properties: object, more: object = {}) =>
  structuralSchema({ type: 'object', properties: properties as never, ...more })

const pruned = (object: Record<string, unknown>, of: ReturnType<typeof schema>) => ({ dropped: prune(object, of), object })

test('unknown fields go, and are named with where they were', () => {
  const spec = schema({
    spec: {
      type: 'object',
      properties: {
        a: { type: 'string' },
        list: { type: 'array', items: { type: 'object', properties: { b: { type: 'integer' } } } },
        map: { type: 'object', additionalProperties: { type: 'object', properties: { c: { type: 'string' } } } },
        kept: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, properties: { d: { type: 'object', properties: {} } } },
        either: { 'x-kubernetes-int-or-string': true },
      },
    },
  })
  expect(
    pruned(
      {
        apiVersion: 'a/v1',
        kind: 'A',
        metadata: { name: 'x', strange: 1 },
        spec: { a: 'a', x: 1, list: [{ b: 1, y: 2 }], map: { k: { c: '', z: 3 } }, kept: { any: [1], d: { gone: 1 } }, either: '5%' },
        status: { s: 1 },
      },
      spec,
    ),
  ).toEqual({
    dropped: ['spec.kept.d.gone', 'spec.list[0].y', 'spec.map.k.z', 'spec.x', 'status'],
    object: {
      apiVersion: 'a/v1',
      kind: 'A',
      metadata: { name: 'x', strange: 1 },
      spec: { a: 'a', list: [{ b: 1 }], map: { k: { c: '' } }, kept: { any: [1], d: {} }, either: '5%' },
    },
  })
})

test('an embedded resource keeps what every object has', () => {
  const of = schema({
    tpl: { type: 'object', 'x-kubernetes-embedded-resource': true, properties: { spec: { type: 'object', properties: {} } } },
  })
  const object = { tpl: { apiVersion: 'v1', kind: 'K', metadata: { name: 'n' }, spec: { gone: 1 }, other: 1 } }
  expect(prune(object, of)).toEqual(['tpl.other', 'tpl.spec.gone'])
  expect(object).toEqual({ tpl: { apiVersion: 'v1', kind: 'K', metadata: { name: 'n' }, spec: {} } })
})

test('a field called __proto__ is a field like any other', () => {
  const object = JSON.parse('{"spec": {"__proto__": {"x": 1}, "a": 1}}')
  expect(prune(object, schema({ spec: { type: 'object', properties: { a: { type: 'integer' } } } }))).toEqual(['spec.__proto__'])
  expect(Object.hasOwn(object.spec, '__proto__')).toBe(false)
  const open = JSON.parse('{"spec": {}}')
  applyDefaults(open, schema(JSON.parse('{"spec": {"type": "object", "properties": {"__proto__": {"type": "string", "default": "d"}}}}')))
  expect(JSON.stringify(open)).toBe('{"spec":{"__proto__":"d"}}')
})

test('defaults fill what is not there and what is null but may not be; they are copies', () => {
  const of = schema({
    spec: {
      type: 'object',
      default: {},
      properties: {
        a: { type: 'string', default: 'A' },
        n: { type: 'string', nullable: true, default: 'N' },
        o: { type: 'object', default: { x: [1] }, properties: { x: { type: 'array', items: { type: 'integer' } } } },
        gone: { type: 'string' },
        list: { type: 'array', items: { type: 'object', properties: { d: { type: 'integer', default: 7 } } } },
        map: { type: 'object', additionalProperties: { type: 'object', properties: { d: { type: 'integer', default: 8 } } } },
      },
    },
  })
  const first: any = {}
  applyDefaults(first, of)
  expect(first).toEqual({ spec: { a: 'A', n: 'N', o: { x: [1] } } })
  first.spec.o.x.push(2)
  const second: any = { spec: { a: null, n: null, gone: null, list: [{}, { d: 1 }, null], map: { k: {}, l: null } } }
  applyDefaults(second, of)
  expect(second).toEqual({
    spec: { a: 'A', n: null, o: { x: [1] }, list: [{ d: 7 }, { d: 1 }, null], map: { k: { d: 8 } } },
  })
})

const registry = builtInRegistry()

test('metadata of an embedded resource takes its form; what is none is refused, or dropped when nobody can be told', () => {
  const of = schema({
    tpl: { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true },
  })
  const object: any = { tpl: { apiVersion: 'v1', kind: 'K', metadata: { name: 'n', other: 1, labels: { a: 'b' } } } }
  expect(coerceEmbedded(object, of, registry)).toEqual({ dropped: ['tpl.metadata.other'] })
  expect(object.tpl.metadata).toEqual({ name: 'n', labels: { a: 'b' } })
  const wrong = { tpl: { kind: 5, metadata: { name: 5 } } }
  expect(coerceEmbedded(structuredClone(wrong), of, registry).cause?.field).toBe('tpl.kind')
  const dropped: any = structuredClone(wrong)
  coerceEmbedded(dropped, of, registry, { dropInvalid: true })
  expect(dropped.tpl).toEqual({ metadata: {} })
})

test('an embedded resource needs apiVersion and kind that could be such', () => {
  const of = schema({
    tpl: { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true },
  })
  const rules = {
    registry,
    validate: () => [{ reason: 'FieldValueInvalid', message: 'Invalid value: "N"', field: 'metadata.name' }],
  }
  const causes = (tpl: object) => validateEmbedded({ tpl }, of, rules).map(({ field, message }) => `${field}: ${message}`)
  expect(causes({})).toEqual(['tpl.apiVersion: Required value', 'tpl.kind: Required value'])
  expect(causes({ apiVersion: 'a/b/c', kind: 'A_B', metadata: { name: 'N' } })).toEqual([
    'tpl.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c',
    expect.stringMatching(/^tpl\.kind: Invalid value: "A_B": may have mixed case, but should otherwise match: a DNS-1035/),
    'tpl.metadata.name: Invalid value: "N"',
  ])
})
