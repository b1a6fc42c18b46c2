import { describe, expect, test } from 'vitest'
import type { Access, Authorizer } from './rbac-authorizer.ts'
import { impersonate } from './impersonation.ts'

const admin = { name: 'admin', groups: ['system:masters'] }
const authorizer = (allows: (access: Access) => boolean): Authorizer => ({
  allows,
  allowsPath: () => false,
  decide: (access) => ({ allowed: allows(access), reason: '' }),
  decidePath: () => ({ allowed: false, reason: '' }),
  rulesFor: () => ({ rules: [] }),
})
const everything = authorizer(() => true)

describe('impersonation', () => {
  test('without its headers the user stays who it is', () => {
    expect(impersonate(admin, ['accept', '*/*'], everything)).toBe(admin)
  })

  test('the other user has the groups that were named and no right of the one who asks', () => {
    const joe = impersonate(
      admin,
      ['Impersonate-User', 'joe', 'Impersonate-Group', 'a', 'Impersonate-Group', 'b,c'],
      everything,
    )
    expect(joe).toEqual({ name: 'joe', groups: ['a', 'b,c', 'system:authenticated'] })
  })

  test('a service account brings its groups', () => {
    const account = impersonate(admin, ['impersonate-user', 'system:serviceaccount:web:app'], everything)
    expect(account.groups).toEqual(['system:serviceaccounts', 'system:serviceaccounts:web', 'system:authenticated'])
  })

  test('each part needs the right to it', () => {
    const onlyUsers = authorizer((access) => access.resource === 'users' && access.verb === 'impersonate')
    expect(impersonate(admin, ['impersonate-user', 'joe'], onlyUsers).name).toBe('joe')
    expect(() =>
      impersonate(admin, ['impersonate-user', 'joe', 'impersonate-group', 'system:masters'], onlyUsers),
    ).toThrow(/groups "system:masters" is forbidden: User "admin" cannot impersonate resource "groups"/)
    expect(() => impersonate(admin, ['impersonate-group', 'a'], everything)).toThrow(/without a user/)
  })
})
