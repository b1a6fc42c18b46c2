import { describe, expect, test } from 'vitest'
import { openApiDocument, openApiIndex } from './openapi.ts'
import { builtInRegistry } from './registry.ts'

const registry = builtInRegistry()
const index = openApiIndex(registry) as { paths: Record<string, { serverRelativeURL: string }> }
const document = (path: string): any => openApiDocument(registry, path)

describe('OpenAPI v3', () => {
  test('has an index with a hash in each address', () => {
    expect(Object.keys(index.paths)).toContain('apis/rbac.authorization.k8s.io/v1')
    expect(index.paths['api/v1']!.serverRelativeURL).toMatch(/^\/openapi\/v3\/api\/v1\?hash=[0-9A-F]{128}$/)
    const hashes = Object.values(index.paths).map(({ serverRelativeURL }) => serverRelativeURL.split('=')[1])
    expect(new Set(hashes).size).toBe(24)
  })

  test.each([
    '',
    'api',
    'api/v2',
    'apis/apps',
    'apis/nope/v1',
    'apis/apps/v1/x',
    'api/v1/x',
    'v1',
  ])('has nothing at %j', (path) => {
    expect(openApiDocument(registry, path)).toBeUndefined()
  })

  test.each(Object.keys(index.paths))('%s is a sound document', (path) => {
    const { paths, components, openapi } = document(path)
    expect(openapi).toBe('3.0.0')
    const operationIds = new Set<string>()
    const refs = (value: unknown): void => {
      if (Array.isArray(value)) value.forEach(refs)
      else if (typeof value === 'object' && value !== null) {
        for (const [key, item] of Object.entries(value)) {
          if (key === '$ref' && typeof item === 'string') {
            expect(components.schemas, item).toHaveProperty([item.replace('#/components/schemas/', '')])
            expect(Object.keys(value)).toEqual(['$ref'])
          } else refs(item)
        }
      }
    }
    refs({ paths, schemas: components.schemas })
    for (const [route, item] of Object.entries<any>(paths)) {
      const named = [...route.matchAll(/\{(\w+)\}/g)].map((match) => match[1])
      const declared = item.parameters
        .filter((parameter: any) => parameter.in === 'path')
        .map((parameter: any) => parameter.name)
      expect(declared).toEqual(named)
      for (const [method, operation] of Object.entries<any>(item)) {
        if (method === 'parameters') continue
        expect(['get', 'put', 'post', 'patch', 'delete']).toContain(method)
        expect(operation.responses).toHaveProperty('200')
        expect(operationIds).not.toContain(operation.operationId)
        operationIds.add(operation.operationId)
        expect(Object.keys(operation['x-kubernetes-group-version-kind'])).toEqual(['group', 'kind', 'version'])
        const names = (operation.parameters ?? []).map((parameter: any) => parameter.name)
        expect(new Set(names).size).toBe(names.length)
      }
    }
    for (const schema of Object.values<any>(components.schemas)) {
      for (const name of schema.required ?? []) expect(schema.properties).toHaveProperty([name])
    }
  })

  test('tells what explain and apply read', () => {
    const { components, paths } = document('api/v1')
    expect(components.schemas['io.k8s.api.core.v1.Pod']['x-kubernetes-group-version-kind']).toEqual([
      { group: '', kind: 'Pod', version: 'v1' },
    ])
    const { ports, resources, imagePullPolicy } = components.schemas['io.k8s.api.core.v1.Container'].properties
    expect(ports).toMatchObject({
      type: 'array',
      items: { $ref: '#/components/schemas/io.k8s.api.core.v1.ContainerPort' },
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['containerPort', 'protocol'],
      'x-kubernetes-patch-strategy': 'merge',
      'x-kubernetes-patch-merge-key': 'containerPort',
    })
    expect(ports.description).toContain('List of ports')
    expect(resources).toEqual({ $ref: '#/components/schemas/io.k8s.api.core.v1.ResourceRequirements' })
    const { creationTimestamp } = components.schemas['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'].properties
    expect(creationTimestamp.allOf).toEqual([
      { $ref: '#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.Time' },
    ])
    expect(creationTimestamp.description).toContain('CreationTimestamp')
    expect(imagePullPolicy.enum).toEqual(['Always', 'IfNotPresent', 'Never'])
    expect(
      components.schemas['io.k8s.api.core.v1.ResourceRequirements'].properties.limits.additionalProperties,
    ).toEqual({
      $ref: '#/components/schemas/io.k8s.apimachinery.pkg.api.resource.Quantity',
    })
    const { patch } = paths['/api/v1/namespaces/{namespace}/pods/{name}']
    expect(patch.parameters.map((parameter: any) => parameter.name)).toEqual([
      'dryRun',
      'fieldManager',
      'fieldValidation',
      'force',
    ])
    expect(Object.keys(patch.requestBody.content)).toContain('application/strategic-merge-patch+json')
    expect(Object.keys(paths)).toEqual(
      expect.arrayContaining([
        '/api/v1/pods',
        '/api/v1/namespaces/{name}/finalize',
        '/api/v1/namespaces/{namespace}/pods/{name}/log',
      ]),
    )
  })
})
