import { expect, test } from 'vitest'
import { celProblem, isCelIdentifier } from './cel.ts'

const scope = { variables: new Set(['object', 'oldObject', 'request', 'authorizer', 'namespaceObject']) }
const problem = (expression: string) => celProblem(expression, scope, ['bool'])

test('expressions that a webhook may be chosen by are taken', () => {
  for (const expression of [
    'true',
    'object.spec.on',
    'object.metadata.name.startsWith("x") && !has(oldObject.spec)',
    'authorizer.group("").resource("pods").check("get").allowed()',
    'object.a.b.all(x, x > 0) && object.m.exists(k, v, k == v)',
    "quantity('1').isGreaterThan(quantity('2'))",
    'object.?a.orValue(1) == 1',
    'cel.bind(a, 1, a + 1) == 2',
    'size(object.m.transformList(k, v, k)) == 0',
    'optional.of(1).hasValue()',
    'sets.contains([1], [1])',
    'type(1) == int',
    'format.dns1123Label().validate("a").hasValue()',
  ])
    expect(problem(expression), expression).toBeUndefined()
})

test('what is no expression, knows no such name, or is no answer is refused', () => {
  expect(problem('1')).toBe('must evaluate to bool but got int')
  expect(celProblem('1', scope, ['string', 'null'])).toBe('must evaluate to one of [string null] but got int')
  expect(problem('a == 1')).toBe(
    "compilation failed: ERROR: <input>:1:1: undeclared reference to 'a' (in container '')\n | a == 1\n | ^",
  )
  expect(problem('object.x ==')).toMatch(/^compilation failed: ERROR: <input>:1:12: Syntax error: /)
  expect(problem('object.a.all(x, y > 0)')).toMatch(/undeclared reference to 'y'/)
  expect(problem('nope(object)')).toMatch(/undeclared reference to 'nope'/)
  expect(problem("1 + 'a' == 2")).toMatch(/no such overload/)
  expect(problem('object.a.all(x, x > 0) && x')).toMatch(/undeclared reference to 'x'/)
})

test('a policy knows the variables that stand before, and no others', () => {
  const composed = { variables: new Set(['object', 'variables']), composed: new Set(['a']) }
  expect(celProblem('variables.a', composed, ['bool'])).toBeUndefined()
  expect(celProblem('variables.b', composed, ['bool'])).toMatch(/undefined field 'b'/)
})

test('an expression that would cost more than anybody means is refused, not worked on', () => {
  expect(problem(`${'('.repeat(5_000)}true${')'.repeat(5_000)}`)).toMatch(/^compilation failed/)
  expect(problem('true || '.repeat(20_000).concat('true'))).toMatch(/^compilation failed/)
})

test('names of variables are those of the language', () => {
  expect(['a', '_b1', 'a b', '1a', 'if', ''].map(isCelIdentifier)).toEqual([true, true, false, false, false, false])
})
