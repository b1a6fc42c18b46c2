// Our controllers on a cluster in memory do what upstream's did on a real one: see main.ts.
import type { ApiRequest } from '@shiplog/api/api-client'
import type { KubeObject } from '@shiplog/api/kube-object'
import { groupResourceOf } from '@shiplog/api/schema/schema'
import { createAuthorizer } from '@shiplog/api-gateway/access/rbac-authorizer'
import { controllerManagerName } from '@shiplog/controllers/controller-manager'
import { bootstrapRoles } from '@shiplog/domain/bootstrap-roles'
import { describe, expect, test } from 'vitest'
import { differencesOf } from './differences.ts'
import { createMemoryStage } from './memory-stage.ts'
import { play } from './play.ts'
import { type PackedRecords, unpackRecords } from './record-file.ts'
import packed from './recorded.json' with { type: 'json' }
import { scenarios } from './scenarios.ts'

const recorded = unpackRecords(packed as unknown as PackedRecords)

/** What was asked, once each: the rights that a manager needs that runs apart. */
const asked = new Map<string, ApiRequest>()

const textOf = ({ verb, group, resource, subresource = '', namespace = '' }: ApiRequest): string =>
  `${verb} ${groupResourceOf(group, resource)}${subresource && `/${subresource}`}${namespace && ` in ${namespace}`}`

function mayDo({ verb, group, resource, subresource = '', namespace = '', name = '' }: ApiRequest): boolean {
  const roles = bootstrapRoles() as unknown as readonly KubeObject[]
  const kindOf = (groupResource: string): string => `${groupResource.split('.')[0]!.replace(/s$/, '')}`
  const of = (groupResource: string, where = ''): KubeObject[] =>
    roles.filter(({ kind, metadata }) => kind.toLowerCase() === kindOf(groupResource) && (metadata.namespace ?? '') === where)
  const authorizer = createAuthorizer({
    list: of,
    get: (groupResource, where, wanted) => of(groupResource, where).find(({ metadata }) => metadata.name === wanted),
  })
  const user = { name: `system:${controllerManagerName}`, groups: ['system:authenticated'] }
  return authorizer.allows({ user, verb, group, resource, subresource, namespace, name })
}

describe('controllers do what upstream’s controllers did', () => {
  test.each(scenarios.map((scenario) => [scenario.id, scenario] as const))('%s', async (id, scenario) => {
    const pictures = await play(scenario, createMemoryStage((request) => asked.set(textOf(request), request)))
    expect(differencesOf(scenario, recorded[id], pictures)).toEqual([])
  })

  test('and nothing that their manager may not do where it runs apart', () => {
    expect(asked.size).toBeGreaterThan(0)
    expect([...asked].filter(([, request]) => !mayDo(request)).map(([text]) => text)).toEqual([])
  })

  test('and nothing is on record that is not played', () => {
    expect(Object.keys(recorded)).toEqual(scenarios.map(({ id }) => id))
  })
})
