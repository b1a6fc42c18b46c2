import { describe, expect, test } from 'vitest'
import { aggregatedDiscovery, apiVersions, compareVersions, discoveryDocument, groupsOf } from './discovery.ts'
import { builtInRegistry } from './registry.ts'

const registry = builtInRegistry()
const at = (path: string, aggregated = false): any => {
  const document = discoveryDocument(registry, path, aggregated)
  return document && JSON.parse(document.body)
}

describe('discovery', () => {
  test('lists groups with the preferred version first', () => {
    const groups = at('/apis').groups
    expect(groups.map((group: any) => group.name)).toContain('rbac.authorization.k8s.io')
    expect(groups.map((group: any) => group.name)).not.toContain('')
    expect(groups.find((group: any) => group.name === 'autoscaling')).toEqual({
      name: 'autoscaling',
      versions: [
        { groupVersion: 'autoscaling/v2', version: 'v2' },
        { groupVersion: 'autoscaling/v1', version: 'v1' },
      ],
      preferredVersion: { groupVersion: 'autoscaling/v2', version: 'v2' },
    })
    expect(at('/apis/autoscaling')).toMatchObject({ kind: 'APIGroup', apiVersion: 'v1', name: 'autoscaling' })
    expect(apiVersions('10.0.0.1:6443')).toMatchObject({ kind: 'APIVersions', versions: ['v1'] })
  })

  test('lists resources and their subresources', () => {
    const list = at('/apis/apps/v1')
    expect(list).toMatchObject({ kind: 'APIResourceList', apiVersion: 'v1', groupVersion: 'apps/v1' })
    const byName = (name: string): any => list.resources.find((resource: any) => resource.name === name)
    expect(byName('deployments')).toMatchObject({
      singularName: 'deployment',
      namespaced: true,
      kind: 'Deployment',
      shortNames: ['deploy'],
      categories: ['all'],
      verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
    })
    expect(byName('deployments/scale')).toEqual({
      name: 'deployments/scale',
      singularName: '',
      namespaced: true,
      group: 'autoscaling',
      version: 'v1',
      kind: 'Scale',
      verbs: ['get', 'patch', 'update'],
    })
    expect(byName('controllerrevisions')).not.toHaveProperty('shortNames')
    expect(at('/api/v1').groupVersion).toBe('v1')
  })

  test.each([
    '/api',
    '/api/v2',
    '/apis/',
    '/apis/nope',
    '/apis/apps/v2',
    '/apis/apps/v1/',
    '/api/v1/x',
    '/',
    '/apis/__proto__',
  ])('has nothing at %s', (path) => {
    expect(discoveryDocument(registry, path, false)).toBeUndefined()
  })

  test('tells everything in the aggregated form', () => {
    const core = aggregatedDiscovery(registry, 'core') as any
    expect(core).toMatchObject({ kind: 'APIGroupDiscoveryList', apiVersion: 'apidiscovery.k8s.io/v2' })
    expect(core.items).toHaveLength(1)
    const pods = core.items[0].versions[0].resources.find((resource: any) => resource.resource === 'pods')
    expect(pods).toMatchObject({
      responseKind: { group: '', version: 'v1', kind: 'Pod' },
      scope: 'Namespaced',
      singularResource: 'pod',
      shortNames: ['po'],
      categories: ['all'],
    })
    expect(pods.subresources).toContainEqual({
      subresource: 'eviction',
      responseKind: { group: 'policy', version: 'v1', kind: 'Eviction' },
      verbs: ['create'],
    })
    const count = (root: 'core' | 'groups'): number =>
      (aggregatedDiscovery(registry, root) as any).items.flatMap((item: any) =>
        item.versions.flatMap((version: any) => version.resources),
      ).length
    expect(count('core') + count('groups')).toBe(registry.resources.length)
    expect(groupsOf(registry).length).toBe(22)
  })

  test('makes each document once, with a tag that tells bodies apart', () => {
    const document = discoveryDocument(registry, '/apis', true)!
    expect(discoveryDocument(registry, '/apis', true)).toBe(document)
    expect(document.etag).toMatch(/^"[0-9A-F]{128}"$/)
    expect(document.etag).not.toBe(discoveryDocument(registry, '/api', true)!.etag)
    expect(document.contentType).toContain('as=APIGroupDiscoveryList')
  })

  test('prefers stable to beta to alpha, and new to old', () => {
    expect(
      ['v1alpha1', 'v1', 'foo', 'v2beta1', 'v10', 'v2', 'v1beta2', 'v1beta1', 'bar'].sort(compareVersions),
    ).toEqual(['v10', 'v2', 'v1', 'v2beta1', 'v1beta2', 'v1beta1', 'v1alpha1', 'bar', 'foo'])
  })
})
