import { builtInRegistry } from '@shiplog/api/schema/registry'
import { isApiError, type Status } from '@shiplog/api/status'
import { describe, expect, test } from 'vitest'
import type { Verb } from '../request/gateway-request.ts'
import { operationOf } from './operations.ts'

const registry = builtInRegistry()
const target = (group: string, version: string, resource: string, subresource = '', name = 'x') => ({
  resource: registry.resource(group, version, resource)!,
  subresource,
  name,
})

function refusal(verb: Verb, to: ReturnType<typeof target>): Status | undefined {
  try {
    operationOf(verb, to)
    return undefined
  } catch (error) {
    if (isApiError(error)) return error.status
    throw error
  }
}

describe('the table of operations', () => {
  test('has an operation for every verb that discovery tells of, but for what is named here', () => {
    const missing = new Set<string>()
    for (const resource of registry.resources) {
      for (const { name: subresource, verbs } of [{ name: '', verbs: resource.verbs }, ...resource.subresources]) {
        for (const verb of verbs)
          if (refusal(verb as Verb, { resource, subresource, name: 'x' }))
            missing.add(`${resource.resource}/${subresource}`)
      }
    }
    expect([...missing]).toEqual([])
  })

  test('opens a stream for every method of a subresource that connects', () => {
    const [get] = [operationOf('get', target('', 'v1', 'pods', 'log'))]
    expect(get).not.toBe(operationOf('get', target('', 'v1', 'pods', 'status')))
    expect(operationOf('create', target('', 'v1', 'pods', 'exec'))).toBe(
      operationOf('get', target('', 'v1', 'pods', 'exec')),
    )
  })

  test.each([['exec'], ['attach'], ['portforward'], ['proxy']])('asks admission before pods/%s connects', async (subresource) => {
    const to = { ...target('', 'v1', 'pods', subresource), namespace: 'a', user: { name: 'u', groups: [] }, query: new URLSearchParams() }
    const connection = { to: 'container' }
    const asked: unknown[] = []
    const deps = {
      admission: [{ name: 'spy', validate: (attributes: unknown) => asked.push(attributes) }],
      asyncAdmission: [],
      connections: { find: () => Promise.resolve(connection) },
    }
    const answer = await operationOf('create', to)(deps as never, to as never)
    expect(answer).toEqual({ kind: 'connection', connection })
    expect(asked).toMatchObject([{ operation: 'CONNECT', resource: 'pods', subresource, name: 'x' }])
  })

  test('takes any method for a proxy, and no other for a command', () => {
    expect(refusal('connect', target('', 'v1', 'services', 'proxy'))).toBeUndefined()
    expect(refusal('delete', target('', 'v1', 'nodes', 'proxy'))).toBeUndefined()
    expect(refusal('delete', target('', 'v1', 'pods', 'exec'))).toMatchObject({ code: 405 })
    expect(refusal('connect', target('', 'v1', 'pods', 'exec'))).toMatchObject({ code: 405 })
  })

  test('refuses a subresource that the resource has not, and a verb that the subresource has not', () => {
    expect(refusal('get', target('', 'v1', 'configmaps', 'status'))).toMatchObject({ code: 404, reason: 'NotFound' })
    expect(refusal('delete', target('', 'v1', 'pods', 'status'))).toMatchObject({ code: 405 })
    expect(refusal('create', target('', 'v1', 'pods', 'log'))).toMatchObject({ code: 405 })
    expect(refusal('list', target('authentication.k8s.io', 'v1', 'tokenreviews'))).toMatchObject({ code: 405 })
  })
})
