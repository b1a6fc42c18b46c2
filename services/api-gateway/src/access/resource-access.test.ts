import { builtInRegistry } from '@shiplog/api/schema/registry'
import { expect, test } from 'vitest'
import { accessResource, type AskedResource } from './resource-access.ts'
import type { Authorizer } from './rbac-authorizer.ts'

const everybody = { decide: () => ({ allowed: true, reason: '' }) } as unknown as Authorizer
const registry = builtInRegistry()

const codeOf = (more: Partial<AskedResource>): number => {
  const user = { name: 'jane', groups: [] }
  const asked = { user, verb: 'get', method: 'GET', group: 'apps', version: 'v1', resource: 'deployments' } as const
  const wanted = { ...asked, namespace: 'default', name: 'a', subresource: 'scale', ...more } as AskedResource
  const found = accessResource(
    { resource: registry.resource(wanted.group, wanted.version, wanted.resource), authorizer: everybody },
    wanted,
  )
  return 'refusal' in found ? found.refusal.code : 200
}

test('behind a subresource there is nothing, except behind a proxy', () => {
  expect(codeOf({})).toBe(200)
  expect(codeOf({ rest: '' })).toBe(200)
  expect(codeOf({ rest: 'x' })).toBe(404)
  expect(codeOf({ group: '', resource: 'pods', subresource: 'log', rest: 'x' })).toBe(404)
  expect(codeOf({ group: '', resource: 'pods', subresource: 'proxy', rest: 'a/b' })).toBe(200)
})
