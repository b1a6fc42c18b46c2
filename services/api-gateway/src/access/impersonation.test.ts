import type { User } from '@shiplog/domain/strategy'
import { describe, expect, test } from 'vitest'
import { type Action, impersonate } from './impersonation.ts'
import type { Access, Authorizer } from './rbac-authorizer.ts'

const admin = { name: 'admin', groups: ['system:masters'] }
const authorizer = (allows: (access: Access) => boolean): Authorizer => ({
  allows,
  allowsPath: () => false,
  decide: (access) => ({ allowed: allows(access), reason: '' }),
  decidePath: () => ({ allowed: false, reason: '' }),
  rulesFor: () => ({ rules: [] }),
})
const everything = authorizer(() => true)
/** Rights as `verb resource name`, `*` for any name. */
const rights = (...held: string[]): Authorizer =>
  authorizer(({ verb, resource, subresource, name }) => {
    const what = subresource ? `${resource}/${subresource}` : resource
    return held.includes(`${verb} ${what} ${name}`) || held.includes(`${verb} ${what} *`)
  })
const listPods: Action = { verb: 'list', group: '', resource: 'pods', subresource: '', namespace: 'a', name: '' }
const as = (headers: Record<string, string>, by: Authorizer, user: User = admin, action: Action = listPods): User =>
  impersonate(user, Object.entries(headers).flat(), by, () => action)

describe('impersonation', () => {
  test('without its headers the user stays who it is', () => {
    expect(impersonate(admin, ['accept', '*/*'], everything, () => listPods)).toBe(admin)
  })

  test('the other user has the groups that were named and no right of the one who asks', () => {
    const headers = ['Impersonate-User', 'joe', 'Impersonate-Group', 'a', 'Impersonate-Group', 'b,c']
    expect(impersonate(admin, headers, everything, () => listPods)).toEqual({
      ...{ name: 'joe', groups: ['a', 'b,c', 'system:authenticated'] },
    })
  })

  test('a service account brings its groups', () => {
    const account = as({ 'impersonate-user': 'system:serviceaccount:web:app' }, everything)
    expect(account.groups).toEqual(['system:serviceaccounts', 'system:serviceaccounts:web', 'system:authenticated'])
    expect(as({ 'impersonate-user': 'system:serviceaccount:Web:app' }, rights('impersonate users *')).groups).toEqual([
      'system:authenticated',
    ])
  })

  test('nobody in particular is not authenticated', () => {
    expect(as({ 'impersonate-user': 'system:anonymous' }, everything).groups).toEqual(['system:unauthenticated'])
    const headers = { 'impersonate-user': 'joe', 'impersonate-group': 'system:unauthenticated' }
    expect(as(headers, everything).groups).toEqual(['system:unauthenticated'])
  })

  test('by the old right each part needs it', () => {
    const onlyUsers = rights('impersonate users *')
    expect(as({ 'impersonate-user': 'joe' }, onlyUsers).name).toBe('joe')
    for (const [header, value] of [
      ['impersonate-group', 'system:masters'],
      ['impersonate-uid', 'u'],
      ['impersonate-extra-scopes', 'x'],
    ] as const) {
      expect(() => as({ 'impersonate-user': 'joe', [header]: value }, onlyUsers)).toThrow(/is forbidden: User "admin" cannot/)
    }
    const all = rights('impersonate users *', 'impersonate groups dev', 'impersonate uids u', 'impersonate userextras/a/b x')
    const headers = { 'impersonate-user': 'joe', 'impersonate-uid': 'u', 'impersonate-extra-A%2fb': 'x', 'impersonate-group': 'dev' }
    expect(as(headers, all)).toEqual({
      ...{ name: 'joe', uid: 'u', groups: ['dev', 'system:authenticated'], extra: { 'a/b': ['x'] } },
    })
    expect(() => as({ 'impersonate-group': 'a' }, everything)).toThrow(/without impersonating a user/)
  })

  test('by a narrow right somebody is another for what they may do as that, and for nothing else', () => {
    const narrow = rights('impersonate-on:user-info:list pods *', 'impersonate:user-info users joe')
    expect(as({ 'impersonate-user': 'joe' }, narrow).name).toBe('joe')
    expect(() => as({ 'impersonate-user': 'ann' }, narrow)).toThrow(
      'users.authentication.k8s.io "ann" is forbidden: User "admin" cannot impersonate:user-info resource "users" in API group "authentication.k8s.io" at the cluster scope',
    )
    expect(() => as({ 'impersonate-user': 'joe' }, narrow, admin, { ...listPods, verb: 'delete', name: 'p' })).toThrow(
      'pods "p" is forbidden: User "admin" cannot impersonate-on:user-info:delete resource "pods" in API group "" in the namespace "a"',
    )
    expect(() => as({ 'impersonate-user': 'joe' }, narrow, admin, { verb: 'get', path: '/metrics' })).toThrow(
      'User "admin" cannot impersonate-on:user-info:get path "/metrics"',
    )
  })

  test('no narrow right makes anybody a master', () => {
    const wide = authorizer(({ verb }) => verb.includes(':'))
    const headers = { 'impersonate-user': 'joe', 'impersonate-group': 'system:masters' }
    expect(() => as(headers, wide)).toThrow('impersonating the system:masters group is not allowed')
  })

  test('an agent may be the node that it runs on, and another one only by the right to any', () => {
    const extra = { 'authentication.kubernetes.io/node-name': ['n1'] }
    const agent = { name: 'system:serviceaccount:a:agent', groups: [], extra }
    const own = rights('impersonate-on:associated-node:list pods *', 'impersonate:associated-node nodes *')
    const node = { name: 'system:node:n1', groups: ['system:nodes', 'system:authenticated'] }
    expect(as({ 'impersonate-user': 'system:node:n1' }, own, agent)).toEqual(node)
    expect(() => as({ 'impersonate-user': 'system:node:n2' }, own, agent)).toThrow(/impersonate-on:arbitrary-node:list/)
    const any = rights('impersonate-on:arbitrary-node:list pods *', 'impersonate:arbitrary-node nodes n2')
    expect(as({ 'impersonate-user': 'system:node:n2' }, any).groups).toEqual(node.groups)
    // By its name alone it is no node.
    expect(as({ 'impersonate-user': 'system:node:n1' }, rights('impersonate users *')).groups).toEqual([
      'system:authenticated',
    ])
  })
})
