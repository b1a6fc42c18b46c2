// Literals of messages, optional entries, and questions to authorizers.
import { expect, test } from 'vitest'
import { compileExpression, isBadExpression } from './expression.ts'
import { AnswerAwaited, type Ask, authorizerValue } from './functions/authorizer.ts'
import { jsonValue, valueJson } from './json-values.ts'
import { dyn, kubernetes, objectOf, string, type Type } from './types.ts'
import { Message, type Value } from './values.ts'

const messages = (name: string): Type | undefined =>
  name === 'JSONPatch'
    ? objectOf(name, (field) => (['op', 'path'].includes(field) ? string : field === 'value' ? dyn : undefined))
    : /^Object(\.|$)/.test(name)
      ? objectOf(name, () => dyn)
      : undefined
const authorizer = objectOf('kubernetes.authorization.Authorizer', (field) =>
  field === 'requestResource' ? kubernetes('authorization.ResourceCheck') : undefined,
)
const variables = new Map<string, Type>([['object', dyn], ['authorizer', authorizer]])
const compile = (text: string) => compileExpression(text, { variables, sizeOf: () => undefined, messages })

const run = (text: string, given: Record<string, Value> = {}): unknown => {
  const expression = compile(text)
  if (isBadExpression(expression)) throw new Error(expression.problem)
  const { value, error } = expression.program({ object: jsonValue({ spec: { replicas: 2 } }), ...given }, 1_000_000)
  if (error !== undefined) throw new Error(error)
  return valueJson(value!)
}

const problem = (text: string): string => {
  const expression = compile(text)
  return isBadExpression(expression) ? expression.problem : ''
}

test('messages come to what they say, however deep', () => {
  expect(run('Object{spec: Object.spec{replicas: object.spec.replicas + 1, labels: {"a{": "}"}, list: [Object.spec.list{a: 1}]}}')).toEqual({
    spec: { replicas: 3, labels: { 'a{': '}' }, list: [{ a: 1 }] },
  })
  expect(run('[JSONPatch{op: "add", path: "/a/" + jsonpatch.escapeKey("x/y~z"), value: {"k": [1, 2]}}]')).toEqual([
    { op: 'add', path: '/a/x~1y~0z', value: { k: [1, 2] } },
  ])
  expect(run('1 in {1: true} && Object{} != Object{a: 1}')).toBe(true)
})

test('an optional entry is there when it has a value', () => {
  expect(run('Object{?a: object.?spec.?replicas, ?b: object.?none}')).toEqual({ a: 2 })
  expect(run('{"x": 1, ?"y": object.?none, ?"z": optional.of(3)}')).toEqual({ x: 1, z: 3 })
  expect(run('[?object.?none, 1, ?optional.of(2)].size()')).toBe(2)
  expect(run('object[?"none"].orValue(object.spec.replicas > 1 ? 7 : 8)')).toBe(7)
})

test('what is wrong with a message is told where it is', () => {
  expect(problem('Object{a: 1}.b + Other{}')).toBe("ERROR: <input>:1:23: undeclared reference to 'Other' (in container '')\n | Object{a: 1}.b + Other{}\n | ......................^")
  expect(problem('JSONPatch{op: 1}')).toBe(
    "ERROR: <input>:1:13: expected type of field 'op' is 'string' but provided type is 'int'\n | JSONPatch{op: 1}\n | ............^",
  )
  expect(problem('JSONPatch{nope: 1}')).toContain("undefined field 'nope'")
})

test('a message keeps its name', () => {
  const expression = compile('Object.spec{a: 1}')
  if (isBadExpression(expression)) throw new Error(expression.problem)
  const { value } = expression.program({}, 1_000)
  expect(value).toBeInstanceOf(Message)
  expect((value as Message).name).toBe('Object.spec')
  expect(expression.type.name).toBe('Object.spec')
})

test('authorizers are asked for what the expression says, as whom it says', () => {
  const asked: unknown[] = []
  const ask: Ask = (question) => {
    asked.push(question)
    return { allowed: question.verb === 'get', reason: 'because' }
  }
  const user = { name: 'jane', groups: ['a'] }
  const given = { authorizer: authorizerValue(user, ask, { group: '', resource: 'pods', namespace: 'ns', name: 'p' }) }
  expect(run('authorizer.group("apps").resource("deployments").namespace("x").check("get").allowed()', given)).toBe(true)
  expect(run('authorizer.serviceAccount("ns", "sa").path("/healthz").check("put").reason()', given)).toBe('because')
  expect(run('authorizer.requestResource.check("get").errored()', given)).toBe(false)
  expect(asked).toEqual([
    { user, group: 'apps', resource: 'deployments', namespace: 'x', verb: 'get' },
    {
      user: {
        name: 'system:serviceaccount:ns:sa',
        groups: ['system:serviceaccounts', 'system:serviceaccounts:ns', 'system:authenticated'],
      },
      path: '/healthz',
      verb: 'put',
    },
    { user, group: '', resource: 'pods', namespace: 'ns', name: 'p', verb: 'get' },
  ])
  expect(() => run('authorizer.path(" ").check("get").allowed()', given)).toThrow('path must not be empty')
})

test('an answer that is awaited ends the evaluation, whatever stands around it', () => {
  const ask: Ask = (question) => {
    throw new AnswerAwaited(question)
  }
  const given = { authorizer: authorizerValue({ name: 'jane', groups: [] }, ask, {}) }
  expect(() => run('authorizer.path("/a").check("get").allowed() || true', given)).toThrow(AnswerAwaited)
})

test('one expression may ask twice and no oftener', () => {
  const ask: Ask = () => ({ allowed: true, reason: '' })
  const given = { authorizer: authorizerValue({ name: 'jane', groups: [] }, ask, {}) }
  const check = 'authorizer.path("/a").check("get").allowed()'
  expect(run(`${check} && ${check}`, given)).toBe(true)
  expect(() => run(`${check} && ${check} && ${check}`, given)).toThrow('actual cost limit exceeded')
})
