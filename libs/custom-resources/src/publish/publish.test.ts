import { applyTypeOf } from '@shiplog/api/apply/fieldset-types'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import type { SchemaRegistry } from '@shiplog/api/schema/schema'
import { expect, test } from 'vitest'
import { structuralSchema } from '../schema/structural-schema.ts'
import { definitionsOf } from './definitions.ts'
import { openApiOf } from './openapi.ts'

const schema = structuralSchema({
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      required: ['a'],
      properties: {
        a: { type: 'string', default: 'x' },
        either: { 'x-kubernetes-int-or-string': true },
        maybe: { type: 'object', nullable: true, properties: { b: { type: 'string' } } },
        open: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, properties: { known: { type: 'object', properties: { c: { type: 'string' } } } } },
        ports: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name', 'port'],
          items: { type: 'object', required: ['name'], properties: { name: { type: 'string' }, port: { type: 'integer', default: 80 } } },
        },
        names: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
        whole: { type: 'object', 'x-kubernetes-map-type': 'atomic', properties: { d: { type: 'string' } } },
        map: { type: 'object', additionalProperties: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } } },
        free: { type: 'object' },
        one: { type: 'string', oneOf: [{ minLength: 1 }, { maxLength: 0 }] },
        template: { type: 'object', 'x-kubernetes-embedded-resource': true, properties: { spec: { type: 'object' } } },
      },
    },
  },
})

const kind = { group: 'a.example', version: 'v1', kind: 'Thing' }
const texts = { apiVersion: 'v', kind: 'k', metadata: 'm' }

test('server-side apply follows the schema: sets, lists with keys and their defaults, what is atomic, what is unknown', () => {
  const definitions = definitionsOf(schema, 'Thing', kind)
  const builtIn = builtInRegistry()
  const registry: SchemaRegistry = {
    ...builtIn,
    definitions: new Map([...builtIn.definitions, ...definitions.map((one) => [one.name, one] as const)]),
  }
  const spec = applyTypeOf(registry, 'Thing').fields.get('spec')!.type
  const of = (name: string) => (spec.kind === 'struct' ? spec.fields.get(name)?.type : undefined)
  expect(of('a')).toEqual({ kind: 'leaf' })
  expect(of('ports')).toMatchObject({ kind: 'keyed', keys: ['name', 'port'], defaults: [undefined, 80] })
  expect(of('names')).toEqual({ kind: 'set' })
  expect(of('whole')).toEqual({ kind: 'leaf' })
  expect(of('free')).toEqual({ kind: 'map', items: { kind: 'deduced' } })
  expect(of('map')).toEqual({ kind: 'map', items: { kind: 'set' } })
  expect(of('open')).toMatchObject({ kind: 'struct', open: true })
  const open = of('open')
  expect(open?.kind === 'struct' && open.fields.get('known')?.type).toMatchObject({ kind: 'struct', open: true })
  expect(of('template')).toMatchObject({ kind: 'struct', open: false })
  // No list is there before somebody owns it.
  expect(spec.kind === 'struct' && spec.fields.get('names')?.always).toBe(false)
})

test('a kind without a schema keeps everything', () => {
  expect(definitionsOf(undefined, 'Thing', kind)[0]).toMatchObject({ open: true, groupVersionKinds: [kind] })
})

test('OpenAPI v3 says all, with int-or-string in the words of JSON schema', () => {
  const published = openApiOf(schema, 3, { ...kind, texts, selectableFields: ['.spec.a'] })
  const { spec, metadata } = published['properties']
  expect(metadata.allOf[0].$ref).toBe('#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta')
  expect(published['x-kubernetes-group-version-kind']).toEqual([kind])
  expect(published['x-kubernetes-selectable-fields']).toEqual([{ fieldPath: 'spec.a' }])
  expect(spec.required).toEqual(['a'])
  expect(spec.properties.a).toEqual({ type: 'string', default: 'x' })
  expect(spec.properties.either).toEqual({
    'x-kubernetes-int-or-string': true,
    anyOf: [{ type: 'integer' }, { type: 'string' }],
  })
  expect(spec.properties.one.oneOf).toEqual([{ minLength: 1 }, { maxLength: 0 }])
  expect(spec.properties.maybe).toEqual({ type: 'object', nullable: true, properties: { b: { type: 'string' } } })
  expect(spec.properties.template.required).toEqual(['kind', 'apiVersion'])
})

test('OpenAPI v2 leaves out what it cannot say', () => {
  const { spec, metadata } = openApiOf(schema, 2, { ...kind, texts })['properties']
  expect(metadata).toEqual({ description: 'm', $ref: '#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' })
  expect(spec.properties.either).toEqual({ 'x-kubernetes-int-or-string': true })
  expect(spec.properties.one).toEqual({ type: 'string' })
  expect(spec.properties.maybe).toEqual({})
  expect(spec.properties.open).toEqual({ 'x-kubernetes-preserve-unknown-fields': true })
  expect(openApiOf(structuralSchema({ type: 'object', 'x-kubernetes-preserve-unknown-fields': true }), 2, { ...kind, texts })).toEqual({
    type: 'object',
    'x-kubernetes-group-version-kind': [kind],
  })
})
