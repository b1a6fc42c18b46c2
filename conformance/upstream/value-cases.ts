// Values of custom resources against many small schemas, created and changed: what upstream's API server answers is on
// record (recorded-custom-resources.json).
import type { JSONSchemaProps } from '@shiplog/api/generated/types/apiextensions-v1'

export interface SchemaCase {
  readonly schema: JSONSchemaProps
  readonly values: readonly unknown[]
}

const object = (properties: JSONSchemaProps['properties'], more: JSONSchemaProps = {}): JSONSchemaProps => ({
  type: 'object',
  properties: properties!,
  ...more,
})
const text = (more: JSONSchemaProps): JSONSchemaProps => ({ type: 'string', ...more })
const format = (name: string, ...values: readonly string[]): SchemaCase => ({ schema: text({ format: name }), values })

/** Every value is one object; null stands for itself. */
export const schemaCases: Readonly<Record<string, SchemaCase>> = {
  integer: { schema: { type: 'integer' }, values: [1, 'a', 1.5, true, [], {}, null, -1, 2n ** 62n, 2n ** 64n] },
  number: { schema: { type: 'number' }, values: [1, 1.5, 'a', false, null, 2n ** 62n + 1n] },
  string: { schema: { type: 'string' }, values: ['', 'a', 1, 1.5, true, [], {}, null] },
  boolean: { schema: { type: 'boolean' }, values: [true, 'true', 0, null] },
  array: { schema: { type: 'array', items: { type: 'string' } }, values: [[], ['a'], ['a', 1], 'a', {}, [null], null] },
  object: { schema: object({ a: { type: 'string' } }), values: [{}, { a: 'x' }, { a: 1 }, { b: 1 }, [], 'a', null] },
  nullable: { schema: text({ nullable: true }), values: [null, 'a', 1] },
  nullableEnum: { schema: text({ nullable: true, enum: ['a'] }), values: [null, 'a', 'b'] },
  enumText: { schema: text({ enum: ['a', 'b', ''] }), values: ['a', '', 'c', 1] },
  enumNumber: { schema: { type: 'integer', enum: [1, 2] }, values: [1, 3, '1', 2n ** 62n] },
  int32: { schema: { type: 'integer', format: 'int32' }, values: [1, 2_147_483_648, -2_147_483_649, 2n ** 62n] },
  int64: { schema: { type: 'integer', format: 'int64' }, values: [1, 9_007_199_254_740_991, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 63n] },
  topMaximum: { schema: { type: 'integer', maximum: 2 ** 63 }, values: [1, 2n ** 63n - 1n] },
  largeMaximum: { schema: { type: 'integer', maximum: 2 ** 60 }, values: [2n ** 60n, 2n ** 60n + 1n] },
  double: { schema: { type: 'number', format: 'double' }, values: [1.5, 1] },
  minimum: { schema: { type: 'integer', minimum: 3 }, values: [3, 2] },
  exclusiveMinimum: { schema: { type: 'integer', minimum: 3, exclusiveMinimum: true }, values: [4, 3] },
  maximum: { schema: { type: 'number', maximum: 2.5 }, values: [2.5, 2.6, 3] },
  exclusiveMaximum: { schema: { type: 'number', maximum: 2.5, exclusiveMaximum: true }, values: [2.4, 2.5] },
  multipleOf: { schema: { type: 'integer', multipleOf: 5 }, values: [10, 7, 0, 5n ** 25n, 5n ** 25n + 1n] },
  multipleOfFraction: { schema: { type: 'number', multipleOf: 0.5 }, values: [1.5, 1.3] },
  lengths: { schema: text({ minLength: 2, maxLength: 4 }), values: ['ab', 'a', 'abcde', 'éééé', '😀'] },
  maxLengthOne: { schema: text({ maxLength: 1 }), values: ['ab'] },
  pattern: { schema: text({ pattern: '^[a-z]+$' }), values: ['abc', 'A1', ''] },
  patternHere: { schema: text({ pattern: 'b' }), values: ['abc', 'xyz'] },
  sized: { schema: { type: 'array', minItems: 1, maxItems: 2, items: { type: 'integer' } }, values: [[1], [], [1, 2, 3], ['a', 'b', 'c']] },
  maxItemsOne: { schema: { type: 'array', maxItems: 1, items: { type: 'integer' } }, values: [[1, 2]] },
  fields: { schema: { type: 'object', minProperties: 1, maxProperties: 2, additionalProperties: { type: 'integer' } }, values: [{ a: 1 }, {}, { a: 1, b: 2, c: 3 }, { a: 'x' }] },
  required: { schema: object({ a: { type: 'string' }, b: { type: 'string' } }, { required: ['a', 'b'] }), values: [{ a: '', b: '' }, { a: '' }, {}] },
  nested: { schema: object({ a: { type: 'array', items: object({ b: { type: 'integer' } }, { required: ['b'] }) } }), values: [{ a: [{ b: 1 }] }, { a: [{}] }, { a: [{ b: 'x' }, { b: 1 }, {}] }] },
  intOrString: { schema: { 'x-kubernetes-int-or-string': true }, values: [1, '50%', 1.5, true, {}, null] },
  intOrStringPattern: { schema: { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }], pattern: '^[0-9]+%?$' }, values: [1, '50%', 'x'] },
  preserved: { schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, properties: { a: { type: 'integer' } } }, values: [{ x: 1 }, { a: 'x' }, 'a'] },
  anything: { schema: { 'x-kubernetes-preserve-unknown-fields': true }, values: [1, 'a', [], { x: [1] }, null] },
  map: { schema: { type: 'object', additionalProperties: { type: 'string' } }, values: [{ a: 'x' }, { a: 1, 'b.c': 2 }] },
  oneOf: { schema: object({ a: { type: 'string' }, b: { type: 'string' } }, { oneOf: [{ required: ['a'] }, { required: ['b'] }] }), values: [{ a: '' }, {}, { a: '', b: '' }] },
  anyOf: { schema: { type: 'integer', anyOf: [{ maximum: 1 }, { minimum: 10 }] }, values: [0, 5, 11] },
  allOf: { schema: { type: 'integer', allOf: [{ minimum: 3 }, { multipleOf: 2 }] }, values: [4, 1, 5, 2] },
  not: { schema: text({ not: { enum: ['a'] } }), values: ['a', 'b'] },
  notPattern: { schema: text({ not: { pattern: '^x' } }), values: ['xa', 'ax'] },
  anyOfFields: { schema: object({ a: { type: 'integer' }, b: text({}) }, { anyOf: [{ properties: { a: { minimum: 5 } }, required: ['a'] }, { required: ['b'] }] }), values: [{ a: 1 }, { a: 6 }, { b: '' }, {}] },
  set: { schema: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } }, values: [['a', 'b'], ['a', 'a'], ['a', 'b', 'a', 'b', 'a']] },
  setOfNumbers: { schema: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'integer' } }, values: [[1, 1]] },
  keyed: { schema: { type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['n'], items: object({ n: { type: 'string' }, v: { type: 'integer' } }, { required: ['n'] }) }, values: [[{ n: 'a' }, { n: 'b' }], [{ n: 'a' }, { n: 'a', v: 2 }], [{ v: 1 }]] },
  keyedByTwo: { schema: { type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['n', 'p'], items: object({ n: { type: 'string' }, p: { type: 'integer', default: 80 } }, { required: ['n'] }) }, values: [[{ n: 'a' }, { n: 'a', p: 81 }], [{ n: 'a' }, { n: 'a', p: 80 }]] },
  defaulted: { schema: object({ a: text({ default: 'x', enum: ['x'] }), b: { type: 'integer', default: 3 } }), values: [{}, { a: null, b: null }, { a: 'y' }] },
  embedded: { schema: { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true }, values: [{ apiVersion: 'v1', kind: 'Pod' }, {}, { apiVersion: '', kind: '' }, { apiVersion: 'a/b/c', kind: 'a_b' }, { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'A B' } }] },
  date: format('date', '2026-11-30', '2026-02-30', '30.11.2026'),
  dateTime: format('date-time', '2026-11-30T18:05:09Z', '2026-11-30T18:05:09.123+01:00', '2026-11-30', '2026-11-30T25:00:00Z'),
  duration: format('duration', '1h30m', '2 days', '1x', ''),
  email: format('email', 'a@b.example', 'A <a@b.example>', 'a', '@b', 'a@b@c'),
  hostname: format('hostname', 'a.example', '-a', 'a_b', 'a'),
  ipv4: format('ipv4', '10.0.0.1', '010.0.0.1', '10.0.0', '::1'),
  ipv6: format('ipv6', '::1', 'fd00::g', '10.0.0.1'),
  cidr: format('cidr', '10.0.0.0/8', '10.0.0.0/33', '::/0', 'a'),
  mac: format('mac', '00:1b:44:11:3a:b7', '001b.4411.3ab7', '00-1b', 'x'),
  uuid: format('uuid', '123e4567-e89b-12d3-a456-426614174000', '123E4567E89B12D3A456426614174000', 'x'),
  uri: format('uri', 'https://a.example/p', '/p', 'a', ':a', 'http://a b/', 'http://[::1'),
  byte: format('byte', 'YWJj', 'YW=', '', '!'),
  creditcard: format('creditcard', '4111 1111 1111 1111', '4111 1111 1111 1112'),
  isbn: format('isbn', '978-0321751041', '0321751043', '1'),
  hexcolor: format('hexcolor', '#fff', 'ggg'),
  rgbcolor: format('rgbcolor', 'rgb(1, 2, 3)', 'rgb(256,0,0)'),
  ssn: format('ssn', '111-22-3333', '111'),
  password: format('password', 'x'),
  shortName: format('k8s-short-name', 'abc', 'A'),
  longName: format('k8s-long-name', 'a.b', 'a..b'),
  unknownFormat: format('no-such', 'x'),
}

export interface UpdateCase {
  readonly schema: JSONSchemaProps
  /** Taken while the schema was loose. */
  readonly before: unknown
  readonly next: readonly unknown[]
}

const short = text({ maxLength: 2 })
const keyedItems = object({ k: { type: 'string' }, v: short }, { required: ['k'] })
const rule = (given: string, more: object = {}): JSONSchemaProps => ({
  'x-kubernetes-validations': [{ rule: given, ...more }],
})

/** What was stored before the schema became strict, and what it is to become. */
export const updateCases: Readonly<Record<string, UpdateCase>> = {
  text: { schema: short, before: 'long', next: ['long', 'longer', 'ok'] },
  number: { schema: { type: 'integer', minimum: 5 }, before: 1, next: [1, 2, 6] },
  field: { schema: object({ a: short, b: short }), before: { a: 'long', b: 'x' }, next: [{ a: 'long', b: 'y' }, { a: 'long', b: 'also' }] },
  atomic: { schema: { type: 'array', items: short }, before: ['long', 'x'], next: [['long', 'x'], ['long', 'y']] },
  keyed: { schema: { type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['k'], items: keyedItems }, before: [{ k: 'a', v: 'long' }], next: [[{ k: 'b', v: 'x' }, { k: 'a', v: 'long' }], [{ k: 'a', v: 'other' }], [{ k: 'b', v: 'long' }]] },
  setTwice: { schema: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } }, before: ['a', 'a'], next: [['a', 'a'], ['a', 'a', 'b']] },
  required: { schema: object({ a: short, b: short }, { required: ['a'] }), before: { b: 'x' }, next: [{ b: 'x' }, { b: 'y' }] },
  enum: { schema: text({ enum: ['a'] }), before: 'b', next: ['b', 'c'] },
  oneOf: { schema: object({ a: short, b: short }, { oneOf: [{ required: ['a'] }, { required: ['b'] }] }), before: { a: 'x', b: 'x' }, next: [{ a: 'x', b: 'x' }, { a: 'y', b: 'x' }] },
  map: { schema: { type: 'object', additionalProperties: short }, before: { a: 'long' }, next: [{ a: 'long', b: 'x' }, { a: 'long', b: 'also' }] },
  rule: { schema: { type: 'integer', ...rule('self > 5', { message: 'too small' }) }, before: 1, next: [1, 2, 6] },
  ruleAround: { schema: object({ a: { type: 'integer' } }, rule('self.a > 5')), before: { a: 1 }, next: [{ a: 1 }, { a: 2 }] },
  transition: { schema: { type: 'integer', ...rule('self >= oldSelf', { messageExpression: 'oldSelf > 4 ? "was more" : "was less"', reason: 'FieldValueForbidden' }) }, before: 5, next: [5, 4, 6] },
  transitionOfItem: { schema: { type: 'array', maxItems: 10, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['k'], items: { ...keyedItems, properties: { k: { type: 'string' }, v: { type: 'integer', ...rule('self >= oldSelf') } } } }, before: [{ k: 'a', v: 5 }], next: [[{ k: 'b', v: 1 }, { k: 'a', v: 4 }], [{ k: 'b', v: 1 }]] },
  optionalOldSelf: { schema: { type: 'string', maxLength: 9, ...rule('!oldSelf.hasValue() || oldSelf.value() == self', { optionalOldSelf: true, fieldPath: '' }) }, before: 'a', next: ['a', 'b'] },
  fieldPath: { schema: object({ a: { type: 'integer' }, b: object({ c: { type: 'integer' } }) }, rule('self.a > self.b.c', { fieldPath: '.b.c', reason: 'FieldValueDuplicate' })), before: { a: 2, b: { c: 1 } }, next: [{ a: 1, b: { c: 1 } }] },
}
