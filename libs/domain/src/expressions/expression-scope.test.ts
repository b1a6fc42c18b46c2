import { dyn, int, type Type } from '@shiplog/cel/types'
import { expect, test } from 'vitest'
import {
  deviceExpressionProblem,
  expressionProblem,
  isIdentifier,
  parameterScope,
  requestScope,
  withComposed,
} from './expression-scope.ts'

const problem = (expression: string) => expressionProblem(expression, requestScope, ['bool'])

test('expressions that a webhook may be chosen by are taken', () => {
  for (const expression of [
    'true',
    'object.metadata.name.startsWith("x") && !has(oldObject.spec)',
    'authorizer.group("").resource("pods").check("get").allowed()',
    'authorizer.requestResource.check("get").allowed()',
    'authorizer.path("/healthz").check("get").reason() == ""',
    'object.a.b.all(x, x > 0) && object.m.exists(k, v, k == v)',
    "quantity('1').isGreaterThan(quantity('2'))",
    'object.?a.orValue(1) == 1',
    'size(object.m.transformList(k, v, k)) == 0',
    'optional.of(1).hasValue()',
    'sets.contains([1], [1])',
    'type(1) == int',
    'format.dns1123Label().validate("a").hasValue()',
    'request.userInfo.groups.exists(g, g == "a") && request.kind.kind == "Pod" && request.dryRun',
    'request.options.x == 1',
    'namespaceObject.metadata.labels.x == "y" && namespaceObject.metadata.creationTimestamp < timestamp("2030-01-01T00:00:00Z")',
  ])
    expect(problem(expression), expression).toBeUndefined()
})

test('what is no expression, knows no such name, or is no answer is refused', () => {
  expect(problem('1')).toBe('must evaluate to bool but got int')
  expect(problem('object.spec.on')).toBe('must evaluate to bool but got dyn')
  expect(expressionProblem('1', requestScope, ['string', 'null_type'])).toBe('must evaluate to one of [string null] but got int')
  expect(problem('a == 1')).toBe(
    "compilation failed: ERROR: <input>:1:1: undeclared reference to 'a' (in container '')\n | a == 1\n | ^",
  )
  expect(problem('object.x ==')).toMatch(/^compilation failed: ERROR: <input>:1:12: Syntax error: /)
  expect(problem('object.a.all(x, y > 0)')).toMatch(/undeclared reference to 'y'/)
  expect(problem('nope(object)')).toMatch(/undeclared reference to 'nope'/)
  expect(problem("1 + 'a' == 2")).toMatch(/found no matching overload for '_\+_' applied to '\(int, string\)'/)
  expect(problem('object.a.all(x, x > 0) && x')).toMatch(/undeclared reference to 'x'/)
  expect(problem('request.nope == 1')).toMatch(/undefined field 'nope'/)
  expect(problem('request.dryRun == 1')).toMatch(/found no matching overload for '_==_' applied to '\(bool, int\)'/)
  expect(problem('params.x == 1')).toMatch(/undeclared reference to 'params'/)
  expect(expressionProblem('params.x == 1', parameterScope, ['bool'])).toBeUndefined()
})

test('a policy knows the variables that stand before with their types, and no others', () => {
  const composed = withComposed(requestScope, new Map<string, Type>([['a', int], ['open', dyn]]))
  expect(expressionProblem('variables.a == 1 && variables.open == "x"', composed, ['bool'])).toBeUndefined()
  expect(expressionProblem('variables.a == "1"', composed, ['bool'])).toMatch(/found no matching overload/)
  expect(expressionProblem('variables.b == 1', composed, ['bool'])).toMatch(/undefined field 'b'/)
})

test('a selector of devices may leave open what only a device tells', () => {
  expect(deviceExpressionProblem('device.driver == "a" && device.capacity["a"].memory.isGreaterThan(quantity("1Gi"))')).toBeUndefined()
  expect(deviceExpressionProblem('device.attributes["a"].healthy')).toBeUndefined()
  expect(deviceExpressionProblem('device.driver')).toBe('must evaluate to bool or the unknown type, not string')
  expect(deviceExpressionProblem('device.nope')).toMatch(/undefined field 'nope'/)
})

test('an expression that would cost more than anybody means is refused, not worked on', () => {
  expect(problem(`${'('.repeat(5_000)}true${')'.repeat(5_000)}`)).toMatch(/^compilation failed/)
  expect(problem('true || '.repeat(20_000).concat('true'))).toMatch(/^compilation failed/)
})

test('names of variables are those of the language', () => {
  expect(['a', '_b1', 'a b', '1a', 'if', ''].map(isIdentifier)).toEqual([true, true, false, false, false, false])
})
