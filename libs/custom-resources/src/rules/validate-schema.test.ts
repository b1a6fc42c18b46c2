import type { JSONSchemaProps } from '@shiplog/api/generated/types/apiextensions-v1'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import { expect, test } from 'vitest'
import { structuralViolations, validateSchema } from './validate-schema.ts'

const check = { field: 's', hasStatus: false, metadata: { registry: builtInRegistry(), validate: () => [] } }

const told = (schema: JSONSchemaProps, hasStatus = false): string[] =>
  validateSchema(schema, { ...check, hasStatus }).map(({ field, message }) => `${field}: ${message}`)

const spec = (x: JSONSchemaProps): JSONSchemaProps => ({
  type: 'object',
  properties: { x },
})

test('a structural schema is taken, int-or-string in both of its forms too', () => {
  expect(told(spec({ type: 'string', pattern: '^a$', default: 'a' }))).toEqual([])
  expect(told(spec({ 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] }))).toEqual([])
  expect(
    told(
      spec({
        'x-kubernetes-int-or-string': true,
        allOf: [{ anyOf: [{ type: 'integer' }, { type: 'string' }] }, { pattern: 'a' }],
      }),
    ),
  ).toEqual([])
})

const x = 's.properties[x]'

const refused: readonly (readonly [what: string, schema: JSONSchemaProps, told: readonly string[]])[] = [
  ['no type', spec({}), [`${x}.type: Required value: must not be empty for specified object fields`]],
  ['a type under anyOf', spec({ type: 'integer', anyOf: [{ type: 'integer' }, { minimum: 1 }] }), [`${x}.anyOf[0].type: Forbidden: must be empty to be structural`]],
  ['a rule under allOf', spec({ type: 'integer', allOf: [{ 'x-kubernetes-validations': [{ rule: 'true' }] }] }), [`${x}.allOf[0].x-kubernetes-validations: Forbidden: must be empty to be structural`]],
  ['what is judged and is not there', { type: 'object', anyOf: [{ properties: { a: { minLength: 1 } } }] }, ['s.properties[a]: Required value: because it is defined in s.anyOf[0].properties[a]']],
  ['metadata under not', spec({ type: 'object', properties: { metadata: { type: 'object' } }, not: { properties: { metadata: {} } } }), [`${x}.not.properties[metadata]: Forbidden: must not be specified in a nested context`]],
  ['a pattern that is none', spec({ type: 'string', pattern: '(a' }), [`${x}.pattern: Invalid value: "(a": must be a valid regular expression, but isn't: error parsing regexp: missing closing ): \`(a\``]],
  ['int-or-string that keeps unknown fields', spec({ 'x-kubernetes-int-or-string': true, 'x-kubernetes-preserve-unknown-fields': true }), [`${x}.x-kubernetes-preserve-unknown-fields: Invalid value: true: must be false if x-kubernetes-int-or-string is true`]],
  ['further fields at the root', { type: 'object', additionalProperties: { type: 'string' } }, ['s.additionalProperties: Forbidden: must not be used at the root']],
  ['a set of objects that are merged', spec({ type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'object', properties: {} } }), [`${x}.items.x-kubernetes-map-type: Invalid value: null: must be atomic as item of a list with x-kubernetes-list-type=set`]],
  ['a key that may be missing', spec({ type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['k'], items: { type: 'object', properties: { k: { type: 'string' } } } }), [`${x}.items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property`]],
  ['a default of another type', spec({ type: 'string', default: 5 }), [`${x}.default: Invalid value: "integer":  in body must be of type string: "integer"`]],
  ['a default with unknown fields', spec({ type: 'object', properties: { a: { type: 'string' } }, default: { b: 1 } }), [`${x}.default: Invalid value: {"b":1}: must not have unknown fields`]],
  ['a default in metadata', { type: 'object', properties: { metadata: { type: 'object', properties: { name: { type: 'string', default: 'a' } } } } }, ['s.properties[metadata].properties[name].default: Forbidden: must not be set in top-level metadata']],
  ['a path to nothing', spec({ type: 'object', properties: { a: { type: 'string' } }, 'x-kubernetes-validations': [{ rule: 'true', fieldPath: '.b' }] }), [`${x}.x-kubernetes-validations[0].fieldPath: Invalid value: ".b": must be a valid path`]],
  ['items as a list', spec({ type: 'array', items: [{ type: 'string' }] } as JSONSchemaProps), [`${x}.items: Forbidden: items must be a schema object and not an array`]],
  ['a keyword of JSON schema', { type: 'object', $schema: 'a' }, [`s: Invalid value: "": OpenAPIV3Schema 'schema' is not supported`]],
]

test.each(refused)('%s is refused in the words of upstream', (_, schema, causes) => {
  expect(told(schema)).toEqual(causes)
})

test('with a status subresource the root says nothing of the status', () => {
  expect(told({ type: 'object', required: ['spec'] }, true)).toEqual([])
  expect(told({ type: 'object', oneOf: [{ required: ['spec'] }] }, true)[0]).toMatch(/^s: Invalid value: .*only \[Description Type /)
})

test('the condition tells of the structure alone', () => {
  expect(structuralViolations(spec({ type: 'array' }), 's').map(({ field }) => field)).toEqual([`${x}.items`])
  expect(structuralViolations(spec({ type: 'array', uniqueItems: true, items: { type: 'string' } }), 's')).toEqual([])
})
