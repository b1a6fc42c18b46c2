import type { JSONSchemaProps } from '@shiplog/api/generated/types/apiextensions-v1'
import { expect, test } from 'vitest'
import { structuralSchema } from '../schema/structural-schema.ts'
import { validateListTypes } from './list-types.ts'
import { validateValue } from './validate-value.ts'

/** A schema with one field `x` below spec, judged for one value. */
const causes = (x: JSONSchemaProps, value: unknown, before?: unknown): string[] => {
  const of = (one: unknown) => (one === undefined ? {} : { spec: { x: one } })
  const schema = structuralSchema({
    type: 'object',
    properties: { spec: { type: 'object', properties: { x } } },
  })
  return validateValue(schema, of(value), before === undefined ? undefined : of(before)).map(
    ({ field, message }) => `${field}: ${message}`,
  )
}

const wrong: readonly (readonly [what: string, schema: JSONSchemaProps, value: unknown, told: string[]])[] = [
  ['a text for an integer', { type: 'integer' }, 'a', ['spec.x: Invalid value: "string": spec.x in body must be of type integer: "string"']],
  ['a fraction for an integer', { type: 'integer' }, 1.5, ['spec.x: Invalid value: "number": spec.x in body must be of type integer: "number"', '<nil>: Invalid value: "": Checked value must be of type integer (default format) in spec.x']],
  ['null', { type: 'string' }, null, ['spec.x: Invalid value: "null": spec.x in body must be of type string: "null"']],
  ['a number for int-or-string of another kind', { 'x-kubernetes-int-or-string': true }, true, ['spec.x: Invalid value: "boolean": spec.x in body must be of type integer,string: "boolean"']],
  ['an enum', { type: 'string', enum: ['a', 'b'] }, 'c', ['spec.x: Unsupported value: "c": supported values: "a", "b"']],
  ['an enum of numbers', { type: 'integer', enum: [1, 2] }, 3, ['spec.x: Unsupported value: 3: supported values: "1", "2"']],
  ['a pattern', { type: 'string', pattern: '^a+$' }, 'b', ["spec.x: Invalid value: \"b\": spec.x in body should match '^a+$'"]],
  ['a long text', { type: 'string', maxLength: 1 }, 'ab', ['spec.x: Too long: may not be more than 1 byte']],
  ['a short text', { type: 'string', minLength: 3 }, 'ab', ['spec.x: Invalid value: "ab": spec.x in body should be at least 3 chars long']],
  ['a small number', { type: 'integer', minimum: 1 }, 0, ['spec.x: Invalid value: 0: spec.x in body should be greater than or equal to 1']],
  ['a bound that is not in', { type: 'number', maximum: 1.5, exclusiveMaximum: true }, 1.5, ['spec.x: Invalid value: 1.5: spec.x in body should be less than 1.5']],
  ['no multiple', { type: 'integer', multipleOf: 5 }, 7, ['spec.x: Invalid value: 7: spec.x in body should be a multiple of 5']],
  ['an int32 out of range', { type: 'integer', format: 'int32' }, 2 ** 31, ['<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.x']],
  ['an int32 beyond a double', { type: 'integer', format: 'int32' }, 2n ** 62n, ['<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.x']],
  ['no multiple beyond a double', { type: 'integer', multipleOf: 2 }, 2n ** 63n - 1n, ['spec.x: Invalid value: 9223372036854775807: spec.x in body should be a multiple of 2']],
  ['an integer above its bound by one', { type: 'integer', maximum: 2 ** 60 }, 2n ** 60n + 1n, ['spec.x: Invalid value: 1152921504606846977: spec.x in body should be less than or equal to 1152921504606846976']],
  ['an integer beyond a double for a text', { type: 'string' }, 2n ** 60n, ['spec.x: Invalid value: "integer": spec.x in body must be of type string: "integer"']],
  ['a date', { type: 'string', format: 'date' }, '2026-02-30', ['spec.x: Invalid value: "2026-02-30": spec.x in body must be of type date: "2026-02-30"']],
  ['few items', { type: 'array', items: { type: 'string' }, minItems: 2 }, ['a'], ['spec.x: Invalid value: 1: spec.x in body should have at least 2 items']],
  ['many items', { type: 'array', items: { type: 'string' }, maxItems: 1 }, ['a', 'b'], ['spec.x: Too many: 2: must have at most 1 item']],
  ['an item', { type: 'array', items: { type: 'string' } }, ['a', 2], ['spec.x[1]: Invalid value: "integer": spec.x[1] in body must be of type string: "integer"']],
  ['a missing field', { type: 'object', required: ['a'], properties: { a: { type: 'string' } } }, {}, ['spec.x.a: Required value']],
  ['few fields', { type: 'object', minProperties: 1, 'x-kubernetes-preserve-unknown-fields': true }, {}, ['spec.x: Invalid value: 0: spec.x in body should have at least 1 properties']],
  ['a value of a map', { type: 'object', additionalProperties: { type: 'integer' } }, { k: 'a' }, ['spec.x.k: Invalid value: "string": spec.x.k in body must be of type integer: "string"']],
  [
    'none of several',
    { type: 'object', properties: { a: { type: 'string' }, b: { type: 'string' } }, oneOf: [{ required: ['a'] }, { required: ['b'] }] },
    {},
    ['<nil>: Invalid value: "": "spec.x" must validate one and only one schema (oneOf). Found none valid', 'spec.x.a: Required value'],
  ],
  [
    'two of one',
    { type: 'object', properties: { a: { type: 'string' }, b: { type: 'string' } }, oneOf: [{ required: ['a'] }, { required: ['b'] }] },
    { a: '', b: '' },
    ['<nil>: Invalid value: "": "spec.x" must validate one and only one schema (oneOf). Found 2 valid alternatives'],
  ],
  ['not', { type: 'string', not: { enum: ['a'] } }, 'a', ['<nil>: Invalid value: "": "spec.x" must not validate the schema (not)']],
  [
    'not all',
    { type: 'integer', allOf: [{ minimum: 3 }, { maximum: 5 }] },
    1,
    ['spec.x: Invalid value: 1: spec.x in body should be greater than or equal to 3', '<nil>: Invalid value: "": "spec.x" must validate all the schemas (allOf)'],
  ],
]

test.each(wrong)('%s is told of as upstream does', (_, schema, value, told) => {
  expect(causes(schema, value)).toEqual(told)
})

test('values that are as they should be pass', () => {
  expect(causes({ type: 'number' }, 3)).toEqual([])
  expect(causes({ type: 'integer', format: 'int64', minimum: 1, multipleOf: 7, enum: [2n ** 63n - 1n] }, 2n ** 63n - 1n)).toEqual([])
  expect(causes({ type: 'string', format: 'no-such-format' }, 'x')).toEqual([])
  expect(causes({ type: 'string', nullable: true }, null)).toEqual([])
  expect(causes({ 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] }, '50%')).toEqual([])
  expect(causes({ type: 'string', maxLength: 1 }, '😀')).toEqual([])
})

test('what was wrong before and did not change stays; what changed is judged', () => {
  const short: JSONSchemaProps = { type: 'string', maxLength: 1 }
  expect(causes(short, 'long', 'long')).toEqual([])
  expect(causes(short, 'longer', 'long')).toHaveLength(1)
  const list = (listType?: string): JSONSchemaProps => ({
    type: 'array',
    items: { type: 'object', properties: { k: { type: 'string' }, v: short } },
    ...(listType ? { 'x-kubernetes-list-type': listType, 'x-kubernetes-list-map-keys': ['k'] } : {}),
  })
  const before = [{ k: 'a', v: 'long' }]
  const next = [{ k: 'b', v: 'x' }, { k: 'a', v: 'long' }]
  expect(causes(list('map'), next, before), 'found again by its key').toEqual([])
  expect(causes(list(), next, before), 'an atomic list is new as a whole').toHaveLength(1)
})

test('sets have no item twice, lists with keys no key twice', () => {
  const told = (x: JSONSchemaProps, value: unknown): string[] =>
    validateListTypes({ x: value }, structuralSchema({ type: 'object', properties: { x } })).map(
      ({ field, message }) => `${field}: ${message}`,
    )
  const set: JSONSchemaProps = { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } }
  expect(told(set, ['a', 'b', 'a', 'a'])).toEqual(['x[2]: Duplicate value: "a"'])
  const keyed: JSONSchemaProps = {
    type: 'array',
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['n', 'p'],
    items: { type: 'object', properties: { n: { type: 'string' }, p: { type: 'integer' } } },
  }
  expect(told(keyed, [{ n: 'a', p: 1 }, { n: 'a', p: 2 }, { p: 1, n: 'a', v: 1 }])).toEqual(['x[2]: Duplicate value: {"n":"a","p":1}'])
})

test('no pattern can hold the process up: neither by its form nor by its size', () => {
  const hostile = ['(a+)+$', '(a|aa)+$', '(.*)*x', '^(([a-z])+.)+[A-Z]([a-z])+$', '(?:a?){30}a{30}', '((a{0,30}){0,30})b']
  const text = `${'a'.repeat(50_000)}!`
  for (const pattern of hostile) {
    causes({ type: 'string', pattern }, 'warm')
    const start = process.cpuUsage()
    causes({ type: 'string', pattern }, text)
    const { user, system } = process.cpuUsage(start)
    expect((user + system) / 1000, pattern).toBeLessThan(400)
  }
  expect(causes({ type: 'string', pattern: '(a{0,50}){0,50}' }, 'a')[0]).toMatch(/but pattern is invalid: .*invalid repeat count/)
  expect(causes({ type: 'string', pattern: 'a{0,1000}'.repeat(9) }, 'a')[0]).toMatch(/but pattern is invalid: .*expression too large/)
  const many = causes({ type: 'array', items: { type: 'string', pattern: '[a-z]{0,900}!' } }, Array.from({ length: 100 }, () => 'a'.repeat(1_000)))
  expect(many.some((one) => one.includes('too long to be matched'))).toBe(true)
})
