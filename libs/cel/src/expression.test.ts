import { expect, test } from 'vitest'
import { compileExpression, isBadExpression, type Environment } from './expression.ts'
import * as types from './types.ts'
import {
  Duration,
  isList,
  isMap,
  itemsOf,
  listFrom,
  mapFrom,
  Opaque,
  Optional,
  Timestamp,
  TypeValue,
  Uint,
  type Value,
} from './values.ts'

const self = types.objectOf(
  'self',
  (name) =>
    ({ i: types.int, s: types.string, l: types.listOf(types.string), m: types.mapOf(types.string, types.int), d: types.dyn })[name],
)
const object = mapFrom([
  ['i', 5n],
  ['s', 'héllo'],
  ['l', listFrom(['x', 'y', 'z'])],
  ['m', mapFrom([['k', 1n]])],
  ['d', 5n],
])
const environment: Environment = { variables: new Map([['self', self]]), sizeOf: (path) => (path.length > 1 ? 100 : undefined) }

/** A value as one can read it. */
const shown = (value: Value | undefined): unknown => {
  if (typeof value === 'bigint') return `${value}`
  if (value === undefined || value === null || typeof value !== 'object') return value
  if (isList(value)) return itemsOf(value).map(shown)
  if (isMap(value)) return Object.fromEntries([...value.keys()].map((key) => [String(key), shown(value.get(key))]))
  if (value instanceof Uint) return `${value.value}u`
  if (value instanceof Duration) return `${value.nanos}ns`
  if (value instanceof Timestamp) return `@${value.nanos}`
  if (value instanceof TypeValue) return `type ${value.name}`
  if (value instanceof Optional) return value.value === undefined ? 'none' : { of: shown(value.value) }
  return value instanceof Opaque ? value.type : Buffer.from(value as Uint8Array).toString()
}

const run = (text: string): unknown => {
  const compiled = compileExpression(text, environment)
  if (isBadExpression(compiled)) return compiled.problem.split('\n')[0]
  const { value, error } = compiled.program({ self: object }, 1_000_000)
  return error === undefined ? shown(value) : `error: ${error}`
}

const table: readonly (readonly [text: string, value: unknown])[] = [
  // Integers have 64 bits and are exact.
  ['9007199254740993 - 9007199254740992', '1'],
  ['9223372036854775807 + 1', 'error: integer overflow'],
  ['-9223372036854775808', '-9223372036854775808'],
  ['18446744073709551615u', '18446744073709551615u'],
  ['1u - 2u', 'error: unsigned integer overflow'],
  ['7 / 0', 'error: division by zero'],
  ['-7 / 2', '-3'],
  ['-7 % 3', '-1'],
  ['7 % 0', 'error: modulus by zero'],
  ['1.0 / 0.0 > 1.0e300', true],
  ['int("0x1" + self.s)', "error: type conversion error from 'string' to 'int'"],
  ['"%e".format([1234.5])', '1.234500×10⁰³'],
  ['"%.1f".format([1234567.25])', '1,234,567.2'],
  ['"%d".format(["a"])', 'ERROR: <input>:1:14: error during formatting: decimal clause can only be used on integers, was given string'],
  ['int(1.9)', '1'],
  ['int(1e19)', 'error: integer overflow'],
  ['double("1.5") + 1.0', 2.5],
  ['string(1e7)', '1e+07'],
  ['1 < 1.5', true],
  ['dyn(1) == dyn(1u)', true],
  ['dyn(9223372036854775807) < 9223372036854775808.0', false],
  ['b"abc" == bytes("abc")', true],
  ['"%.0f %.0f".format([2.5, 3.5])', '2 4'],
  ['type(optional.none()) == optional_type', true],
  ['timestamp("0000-01-01T00:00:00Z")', 'ERROR: <input>:1:11: invalid timestamp argument'],
  ['1 == 1.0', `ERROR: <input>:1:3: found no matching overload for '_==_' applied to '(int, double)'`],
  // Logic does without the side that does not matter.
  ['1 / 0 > 1 || true', true],
  ['false && 1 / 0 > 1', false],
  ['1 / 0 > 1 && true', 'error: division by zero'],
  ['true ? 1 : 1 / 0', '1'],
  // Texts count characters.
  ['self.s.size()', '5'],
  ['self.s.charAt(1)', 'é'],
  ['self.s.indexOf("l")', '2'],
  ['self.s.lastIndexOf("l")', '3'],
  ['self.s.substring(1, 3)', 'él'],
  ['"a,b,c".split(",", 2)', ['a', 'b,c']],
  ['"abc".replace("", "-")', '-a-b-c-'],
  ['"  a ".trim() + "b".upperAscii()', 'aB'],
  ['["a", "b"].join("-")', 'a-b'],
  ['"%s is %d and %.1f, %x".format([dyn("a"), 5, 1.25, 255])', 'a is 5 and 1.2, ff'],
  ['"%s".format([[dyn(1), "a", {"b": 2.5}]])', '[1, "a", {"b":2.500000}]'],
  ['strings.quote("a\\"b")', '"a\\"b"'],
  ['"abc123".find("[0-9]+") + "a1b2".findAll("[0-9]").join("")', '12312'],
  ['"ab".matches("^a.$")', true],
  ['b"ab" + b"c"', 'abc'],
  // Lists and maps.
  ['self.l[3]', 'error: index out of bounds: 3'],
  ['self.m["q"]', 'error: no such key: q'],
  ['{"a": 1}.a', '1'],
  ['"x" in self.l && "k" in self.m', true],
  ['self.l.all(x, x != "q")', true],
  ['self.l.exists(x, x == "y")', true],
  ['self.l.exists_one(x, x > "x")', false],
  ['self.l.map(x, x + "!")', ['x!', 'y!', 'z!']],
  ['self.l.map(x, x != "y", x)', ['x', 'z']],
  ['self.l.filter(x, x > "x").size()', '2'],
  ['self.m.all(k, v, v > 0)', true],
  ['self.l.transformList(i, v, i > 0, v)', ['y', 'z']],
  ['self.l.transformMap(i, v, v)', { 0: 'x', 1: 'y', 2: 'z' }],
  ['{"a": 1}.transformMapEntry(k, v, {string(v): k})', { 1: 'a' }],
  ['self.l.existsOne(i, v, i == 1)', true],
  ['[3, 1, 2].sort()', ['1', '2', '3']],
  ['["bb", "a"].sortBy(x, x.size())', ['a', 'bb']],
  ['[1, 2, 2].distinct()', ['1', '2']],
  ['[[1], [2, 3]].flatten()', ['1', '2', '3']],
  ['lists.range(3)', ['0', '1', '2']],
  ['[1, 2, 3].slice(1, 2)', ['2']],
  ['[1, 2].reverse()', ['2', '1']],
  ['[1, 2].sum() + [3, 4].max() + [5, 6].min()', '12'],
  ['[1, 2].isSorted() && [1, 2].indexOf(2) == 1', true],
  ['sets.contains([1, 2], [1]) && sets.intersects([1], [1, 2]) && !sets.equivalent([1], [2])', true],
  ['[1, "a"]', `ERROR: <input>:1:5: expected type 'int' but found 'string'`],
  // Optional values.
  ['self.?s.orValue("")', 'héllo'],
  ['{"a": 1}.?b.hasValue()', false],
  ['[1][?5].orValue(7)', '7'],
  ['optional.of(1).optMap(x, x + 1).value()', '2'],
  ['optional.none().value()', 'error: optional.none() dereference'],
  ['optional.ofNonZeroValue("").or(optional.of("b")).value()', 'b'],
  // Times.
  ['timestamp("2026-11-30T18:05:09.5Z").getMonth()', '10'],
  ['timestamp("2026-11-30T23:30:00Z").getDate("Europe/Berlin")', '1'],
  ['timestamp("2026-11-30T00:00:00Z").getHours("-02:00")', '22'],
  ['timestamp("2026-12-31T00:00:00Z").getDayOfYear()', '364'],
  ['timestamp("2026-11-30T00:00:00Z") + duration("36h") > timestamp("2026-12-01T11:00:00Z")', true],
  ['string(duration("1h0.5s"))', '3600.5s'],
  ['duration("90m").getHours()', '1'],
  ['duration("1x")', 'ERROR: <input>:1:10: invalid duration argument'],
  // Kubernetes' own.
  ['quantity("1Gi").isGreaterThan(quantity("1G"))', true],
  ['quantity("1.5").add(quantity("500m")).asInteger()', '2'],
  ['quantity("50m").isInteger()', false],
  ['isQuantity("1X")', false],
  ['ip("10.0.0.1").family() == 4 && ip("fd00::1").isGlobalUnicast()', true],
  ['ip.isCanonical("FD00::1")', false],
  ['cidr("10.0.0.0/8").containsIP("10.2.3.4") && cidr("10.0.0.0/8").containsCIDR("10.1.0.0/16")', true],
  ['string(cidr("10.1.2.3/8").masked())', '10.0.0.0/8'],
  ['isCIDR("10.0.0.0/33") || isIP("1.2.3")', false],
  ['url("https://a.example:8080/p?q=1&q=2").getQuery()', { q: ['1', '2'] }],
  ['url("https://a.example:8080/p").getHostname() + url("https://a:1/").getPort()', 'a.example1'],
  ['isURL("../a")', false],
  ['semver("1.2.3-rc.1").isLessThan(semver("1.2.3")) && semver("v1.2", true).patch() == 0', true],
  ['isSemver("01.2.3")', false],
  ['format.dns1123Label().validate("ok").hasValue()', false],
  ['format.named("uuid").value().validate("x").value()', ['does not match the UUID format']],
  ['type(1) == int && type(self.d) == int', true],
  ['type(timestamp("2026-11-30T00:00:00Z"))', 'type google.protobuf.Timestamp'],
]

test.each(table)('%s', (text, value) => {
  expect(run(text)).toEqual(value)
})

const wrong: readonly (readonly [text: string, told: string])[] = [
  ['self.q', "1:5: undefined field 'q'"],
  ['nope(self)', "1:5: undeclared reference to 'nope' (in container '')"],
  ['x == 1', "1:1: undeclared reference to 'x' (in container '')"],
  ['self.i.startsWith("a")', "1:18: found no matching overload for 'startsWith' applied to 'int.(string)'"],
  ['self.i.all(x, true)', "1:5: expression of type 'int' cannot be range of a comprehension (must be list, map, or dynamic)"],
  ['self.i.a', "1:7: type 'int' does not support field selection"],
  ['true ? 1 : "a"', "1:6: found no matching overload for '_?_:_' applied to '(bool, int, string)'"],
  ['self.s.matches("(")', '1:16: invalid matches argument'],
]

test.each(wrong)('%s is told of where it is wrong', (text, told) => {
  expect(run(text)).toBe(`ERROR: <input>:${told}`)
})

test('a place on a later line is shown with its line', () => {
  const compiled = compileExpression('true &&\n  self.q == 1', environment)
  expect(isBadExpression(compiled) && compiled.problem).toBe(
    "ERROR: <input>:2:7: undefined field 'q'\n |   self.q == 1\n | ......^",
  )
})

const costs: readonly (readonly [text: string, cost: number, max: number])[] = [
  ['self.i == 5', 3, 3],
  ['self.s.startsWith("h")', 3, 3],
  ['self.l.all(x, x != "q")', 18, 503],
  ['self.l.exists(x, self.l.exists(y, x == y))', 23, 160_703],
  ['has(self.s)', 1, 1],
]

test.each(costs)('%s costs what it does upstream', (text, cost, max) => {
  const compiled = compileExpression(text, environment)
  if (isBadExpression(compiled)) throw new Error(compiled.problem)
  expect(compiled.maxCost).toBe(max)
  expect(compiled.program({ self: object }, 1_000_000).cost).toBe(cost)
})

test('an expression ends when it did what one may, and nothing in it can go on', () => {
  const compiled = compileExpression('self.l.exists(a, self.l.exists(b, false)) || true', environment)
  if (isBadExpression(compiled)) throw new Error(compiled.problem)
  expect(compiled.program({ self: object }, 10)).toEqual({
    error: 'operation cancelled: actual cost limit exceeded',
    cost: 11,
  })
})

test('what nobody would write is refused at once', () => {
  for (const text of [`${'('.repeat(5_000)}true${')'.repeat(5_000)}`, 'true || '.repeat(20_000).concat('true'), 'a.'.repeat(5_000)])
    expect(run(text)).toMatch(/^ERROR: <input>/)
})
