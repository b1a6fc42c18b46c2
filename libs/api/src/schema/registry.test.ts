import { describe, expect, test } from 'vitest'
import { builtInRegistry } from './registry.ts'
import type { FieldType } from './schema.ts'

const registry = builtInRegistry()

describe('the built-in registry', () => {
  test('is one value', () => {
    expect(builtInRegistry()).toBe(registry)
  })

  test('finds a resource by path and by kind', () => {
    const pods = registry.resource('', 'v1', 'pods')!
    expect(pods).toBe(registry.byKind('', 'v1', 'Pod'))
    expect(pods.shortNames).toEqual(['po'])
    expect(pods.categories).toEqual(['all'])
    expect(pods.subresources.map((subresource) => subresource.name)).toEqual([
      'attach',
      'binding',
      'ephemeralcontainers',
      'eviction',
      'exec',
      'log',
      'portforward',
      'proxy',
      'resize',
      'status',
    ])
    expect(registry.resource('apps', 'v1', 'pods')).toBeUndefined()
    expect(registry.resource('', 'v1', '__proto__')).toBeUndefined()
  })

  test('knows where the log stores what has more than one version or group', () => {
    expect(registry.storage('horizontalpodautoscalers.autoscaling')?.version).toBe('v2')
    expect(registry.storage('events.events.k8s.io')).toBe(registry.resource('', 'v1', 'events'))
    expect(registry.storage('deployments.apps')?.definition).toBe('io.k8s.api.apps.v1.Deployment')
    for (const resource of registry.resources) {
      expect(registry.resource(resource.storageGroup, resource.storageVersion, resource.resource)).toBeDefined()
    }
  })

  test('does not store what is only answered', () => {
    const answered = registry.resources.filter((resource) => !resource.stored).map((resource) => resource.resource)
    expect(answered.sort()).toEqual([
      'bindings',
      'componentstatuses',
      'localsubjectaccessreviews',
      'nodes',
      'pods',
      'selfsubjectaccessreviews',
      'selfsubjectreviews',
      'selfsubjectrulesreviews',
      'subjectaccessreviews',
      'tokenreviews',
    ])
  })

  test('refers to no definition that it lacks, and every stored kind has a list and metadata', () => {
    const check = (type: FieldType): void => {
      if (type.type === 'ref') registry.definition(type.ref!)
      if (type.type === 'array' || type.type === 'map') check(type.items!)
    }
    for (const definition of registry.definitions.values())
      for (const field of Object.values(definition.fields)) check(field)
    for (const resource of registry.resources) {
      expect(registry.definition(resource.definition).fields['metadata']?.ref).toMatch(/ObjectMeta$/)
      if (resource.stored) registry.definition(`${resource.definition}List`)
      for (const { definition } of resource.subresources) if (definition) registry.definition(definition)
    }
  })

  test('numbers the fields of a message once', () => {
    for (const definition of registry.definitions.values()) {
      const seen = Object.values(definition.fields).flatMap((field) =>
        field.number === undefined ? [] : [[...(field.inlined ?? []), field.number].join('.')],
      )
      expect(new Set(seen).size, definition.name).toBe(seen.length)
    }
  })

  test('holds the merge rules that apply depends on', () => {
    const container = registry.definition('io.k8s.api.core.v1.Container').fields
    expect(container['ports']).toMatchObject({
      listType: 'map',
      listMapKeys: ['containerPort', 'protocol'],
      patchMergeKey: 'containerPort',
    })
    expect(registry.definition('io.k8s.api.core.v1.ContainerPort').fields['protocol']).toMatchObject({
      default: 'TCP',
      enum: ['SCTP', 'TCP', 'UDP'],
    })
    expect(registry.definition('io.k8s.api.core.v1.PodSpec').fields['volumes']?.patchStrategy).toBe('merge,retainKeys')
    expect(registry.definition('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta').fields['finalizers']?.listType).toBe(
      'set',
    )
    expect(registry.definition('io.k8s.api.core.v1.Volume').fields['emptyDir']).toMatchObject({
      inlined: [2],
      number: 2,
    })
  })
})
