import type { JSONSchemaProps, ValidationRule } from '@shiplog/api/generated/types/apiextensions-v1'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import { expect, test } from 'vitest'
import { validateSchema } from '../rules/validate-schema.ts'
import { structuralSchema } from '../schema/structural-schema.ts'
import { inTurn } from '@shiplog/cel/meter'
import { validateResource } from '../validation/validate-value.ts'

const metadata = { registry: builtInRegistry(), validate: () => [] }

const withSpec = (spec: JSONSchemaProps): JSONSchemaProps => ({ type: 'object', properties: { spec } })

const judge = (spec: JSONSchemaProps, value: unknown, before?: unknown): string[] =>
  validateResource({
    schema: structuralSchema(withSpec(spec)),
    object: { spec: value },
    before: before === undefined ? undefined : { spec: before },
    metadata,
  }).map(({ field, message }) => `${field}: ${message}`)

const refused = (spec: JSONSchemaProps): string[] =>
  validateSchema(withSpec(spec), { field: 's', hasStatus: false, metadata }).map(({ field, message }) => `${field}: ${message}`)

const fields: NonNullable<JSONSchemaProps['properties']> = {
  min: { type: 'integer' },
  max: { type: 'integer' },
  name: { type: 'string', maxLength: 10 },
  'a-b': { type: 'string', maxLength: 10 },
  namespace: { type: 'string', maxLength: 10 },
  at: { type: 'string', format: 'date-time' },
  wait: { type: 'string', format: 'duration' },
  either: { 'x-kubernetes-int-or-string': true },
  list: { type: 'array', maxItems: 5, items: { type: 'string', maxLength: 5 } },
  set: { type: 'array', maxItems: 5, items: { type: 'string', maxLength: 5 }, 'x-kubernetes-list-type': 'set' },
  map: { type: 'object', maxProperties: 5, additionalProperties: { type: 'integer' } },
  open: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
}

const spec = (...validations: (ValidationRule | string)[]): JSONSchemaProps => ({
  type: 'object',
  properties: fields,
  'x-kubernetes-validations': validations.map((one) => (typeof one === 'string' ? { rule: one } : one)),
})

const holds: readonly (readonly [rule: string, value: object])[] = [
  ['self.min <= self.max', { min: 1, max: 2 }],
  ['self.a__dash__b == "x" && self.__namespace__ == "y"', { 'a-b': 'x', namespace: 'y' }],
  ['has(self.name) ? self.name.startsWith("a") : true', {}],
  ['self.at > timestamp("2020-01-01T00:00:00Z")', { at: '2026-01-01T00:00:00Z' }],
  ['self.wait < duration("2h")', { wait: '90m' }],
  ['type(self.either) == int ? self.either > 1 : self.either.endsWith("%")', { either: '50%' }],
  ['type(self.either) == int ? self.either > 1 : self.either.endsWith("%")', { either: 2 }],
  ['self.set == ["b", "a"]', { set: ['a', 'b'] }],
  ['self.map.all(k, self.map[k] > 0)', { map: { x: 1, y: 2 } }],
  ['self.map.exists(k, v, k == "y" && v == 2)', { map: { x: 1, y: 2 } }],
  ['self.list.map(x, x.size()).sum() == 3', { list: ['a', 'bc'] }],
  ['self.?name.orValue("none") == "none"', {}],
  ['9007199254740991 + 2 == 9007199254740993', {}],
]

test.each(holds)('%s holds', (rule, value) => {
  expect(judge(spec(rule), value)).toEqual([])
})

test('a rule that fails says its message, or that of its expression, with its reason and where', () => {
  expect(judge(spec('self.min <= self.max'), { min: 3, max: 2 })).toEqual(['spec: Invalid value: failed rule: self.min <= self.max'])
  expect(
    judge(spec({ rule: 'self.min <= self.max', message: 'too much', reason: 'FieldValueForbidden', fieldPath: '.min' }), { min: 3, max: 2 }),
  ).toEqual(['spec.min: Forbidden: too much'])
  expect(
    judge(spec({ rule: 'false', messageExpression: '"min is " + string(self.min)' }), { min: 3 }),
  ).toEqual(['spec: Invalid value: min is 3'])
  expect(judge(spec('self.list[3] == "a"'), { list: [] })).toEqual([
    'spec: Invalid value: "object": index out of bounds: 3 evaluating rule: self.list[3] == "a"',
  ])
})

test('rules of a transition see what was before, and are not run without it', () => {
  const immutable = spec({ rule: 'self.name == oldSelf.name', message: 'immutable' })
  expect(judge(immutable, { name: 'a' })).toEqual([])
  expect(judge(immutable, { name: 'b' }, { name: 'a' })).toEqual(['spec: Invalid value: immutable'])
  const optional = spec({ rule: 'oldSelf.hasValue() || self.name == "first"', optionalOldSelf: true })
  expect(judge(optional, { name: 'b' })).toHaveLength(1)
  expect(judge(optional, { name: 'b' }, { name: 'a' })).toEqual([])
})

test('an object that did not change is not refused by a rule that came later', () => {
  expect(judge(spec('self.min > 5'), { min: 1 }, { min: 1 })).toEqual([])
  expect(judge(spec('self.min > 5'), { min: 2 }, { min: 1 })).toHaveLength(1)
})

test('where the object itself is wrong its rules are not run', () => {
  expect(judge(spec('self.min <= self.max'), { min: 'a' })).toEqual([
    expect.stringMatching(/must be of type integer/),
    '<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
  ])
})

const bad: readonly (readonly [rule: string, told: RegExp])[] = [
  ['self.nope', /compilation failed: ERROR: <input>:1:5: undefined field 'nope'\n \| self\.nope\n \| \.\.\.\.\^$/],
  ['self.open.x == 1', /undefined field 'x'/],
  ['self.min', /cel expression must evaluate to a bool$/],
  ['self.min == "a"', /found no matching overload for '_==_' applied to '\(int, string\)'/],
  ['self.name.matches("(")', /invalid matches argument/],
]

test.each(bad)('%s is refused when the schema is written', (rule, told) => {
  expect(refused(spec(rule))).toEqual([expect.stringMatching(told)])
})

test('rules that could cost too much are refused when the schema is written', () => {
  const unbounded = (x: JSONSchemaProps, rule: string): JSONSchemaProps => ({
    type: 'object',
    properties: { x },
    'x-kubernetes-validations': [{ rule }],
  })
  const list: JSONSchemaProps = { type: 'array', items: { type: 'string' } }
  expect(refused(unbounded(list, 'self.x.all(a, self.x.all(b, a == b))'))[0]).toMatch(
    /rule: Forbidden: estimated rule cost exceeds budget by factor of more than 100x \(try simplifying the rule/,
  )
  expect(refused(unbounded({ ...list, maxItems: 5, items: { type: 'string', maxLength: 5 } }, 'self.x.all(a, self.x.all(b, a == b))'))).toEqual([])
  expect(refused({ ...list, items: { type: 'string', 'x-kubernetes-validations': [{ rule: 'self == oldSelf' }] } })).toContainEqual(
    expect.stringMatching(/oldSelf cannot be used on the uncorrelatable portion of the schema within s\.properties\[spec\]/),
  )
})

test('no expression can hold the process up: it ends when it did what one may', () => {
  const strings: JSONSchemaProps = {
    type: 'object',
    properties: { l: { type: 'array', items: { type: 'string' } }, s: { type: 'string' } },
  }
  const l = Array.from({ length: 3_000 }, (_, index) => `item${index}`)
  const hostile = [
    'self.l.all(a, self.l.all(b, self.l.all(c, a + b != c)))',
    'self.l.map(a, self.s + a).join(self.s).size() < 5',
    'self.s.replace("", self.s).size() > 0',
    'lists.range(1000000000).size() > 0',
    'self.l.exists(x, self.s.matches("(.*a){1,200}x"))',
    'self.l.exists(x, self.s.split("").distinct().size() == 0)',
  ]
  for (const rule of hostile) {
    const { user, system } = process.cpuUsage()
    const causes = judge({ ...strings, 'x-kubernetes-validations': [{ rule }] }, { l, s: 'a'.repeat(20_000) })
    const spent = process.cpuUsage({ user, system })
    expect(causes[0], rule).toMatch(/actual cost limit exceeded|running out of cost budget/)
    expect((spent.user + spent.system) / 1000, rule).toBeLessThan(3_000)
  }
})

test('what does not fit into one turn is broken off, and says so', () => {
  const loops = (count: number): JSONSchemaProps => ({
    type: 'object',
    properties: { l: { type: 'array', items: { type: 'integer' } } },
    'x-kubernetes-validations': Array.from({ length: count }, () => ({ rule: 'self.l.all(x, self.l.all(y, x + y > 0))' })),
  })
  const l = Array.from({ length: 100 }, (_, index) => index + 1)
  expect(inTurn(() => judge(loops(1), { l }))).toEqual([])
  expect(inTurn(() => judge(loops(20), { l }))).toBeUndefined()
  expect(judge(loops(20), { l })).toEqual([])
})

test('nothing that a turn may do takes much longer than a turn', () => {
  const schema: JSONSchemaProps = {
    type: 'object',
    properties: {
      l: { type: 'array', items: { type: 'string' } },
      m: { type: 'object', additionalProperties: { type: 'array', items: { type: 'string' } } },
      s: { type: 'string' },
    },
  }
  const l = Array.from({ length: 5_000 }, (_, index) => `item${index}`)
  const m = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`k${index}`, l.slice(0, 100)]))
  const nested = Array.from({ length: 30 }, (_, depth) => `cel.bind(a${depth + 1}, [a${depth}, a${depth}],`)
  const hostile: readonly JSONSchemaProps[] = [
    ...[
      'self.l.all(a, self.l.all(b, self.l.all(c, a + b != c)))',
      'self.l.all(a, size(self.s) > 0)',
      'self.l.all(a, self.s.indexOf("x") < 0)',
      'self.l.all(a, self.m == self.m.map(k, k).size() == 0)',
      'self.l.all(a, self.m != {"a": self.l})',
      'self.l.all(a, self.m.all(k, self.m[k] == self.m[k]))',
      'self.l.all(a, self.l.sort().size() > 0)',
      'self.l.all(a, self.l.distinct().size() > 0)',
      'self.l.all(a, sets.contains(self.l, self.l))',
      'self.l.all(a, !self.s.matches("(a|b|ab)*c{1,200}x"))',
      'self.l.map(a, self.s + a).join(self.s).size() < 5',
      'self.s.replace("", self.s).size() > 0',
      `cel.bind(a0, [1, 1], ${nested.join(' ')} cel.bind(b, [a30, [a30]], b == [a30, [[a29, a29]]]) ${')'.repeat(31)}`,
    ].map((rule) => ({ ...schema, 'x-kubernetes-validations': [{ rule }] })),
    { ...schema, properties: { l: { type: 'array', items: { type: 'string', pattern: '^(([a-z]{1,30}){1,20})+x$' } } } },
    { ...schema, properties: { l: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string', maxLength: 9, enum: l.map((one) => ({ one })) } } } },
    { ...schema, properties: { l: { type: 'array', items: { anyOf: l.slice(0, 500).map((one) => ({ pattern: `^x${one}` })), type: 'string' } } } },
  ]
  for (const one of hostile) {
    // The best of a few: where others work too, a turn costs more now and then.
    const spentMs = [1, 2, 3, 4].map(() => {
      const before = process.cpuUsage()
      inTurn(() => judge(one, { l, m, s: 'a'.repeat(100_000) }))
      const { user, system } = process.cpuUsage(before)
      return (user + system) / 1_000
    })
    expect(Math.min(...spentMs), JSON.stringify(one).slice(0, 300)).toBeLessThan(80)
  }
})
