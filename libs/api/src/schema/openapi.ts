// OpenAPI v3, one document a group-version, from the registry and the generated texts: what `kubectl explain`, `apply`,
// `diff` and `create --validate` read. Import this file only when a document is asked for: it brings all descriptions.
import { createHash } from 'node:crypto'
import { groupsOf } from './discovery.ts'
import texts from '../generated/descriptions.json' with { type: 'json' }
import type { JsonObject } from '../kube-object.ts'
import { operationsOf } from './openapi-operations.ts'
import { openApiSchema, sharedSchemas } from './openapi-schemas.ts'
import { apiVersionOf, type SchemaRegistry } from './schema.ts'

/** The version of Kubernetes that the documents describe. */
export const describedVersion = 'v1.36.0'

const descriptions = texts as Readonly<Record<string, Readonly<Record<string, string>>>>

/** `/openapi/v3`: the path of each document with its hash, by which clients keep it for good. */
export const openApiIndex = (registry: SchemaRegistry): JsonObject => ({
  paths: Object.fromEntries(
    groupVersionPaths(registry).map((path) => [
      path,
      { serverRelativeURL: `/openapi/v3/${path}?hash=${hashOf(registry, path)}` },
    ]),
  ),
})

/**
 * The document of one group-version; undefined when it is not served.
 *
 *     openApiDocument(registry, 'apis/apps/v1')
 */
export const openApiDocument = (registry: SchemaRegistry, path: string): JsonObject | undefined => {
  const [group, version] = groupVersionOf(path)
  const resources = registry.resources.filter((resource) => resource.group === group && resource.version === version)
  if (resources.length === 0 || version === undefined) return undefined
  const paths: Record<string, JsonObject> = {}
  const wanted = new Set<string>()
  for (const resource of resources) Object.assign(paths, operationsOf(registry, resource, wanted))
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: describedVersion },
    paths,
    components: {
      schemas: schemasFor(registry, wanted),
      securitySchemes: {
        BearerToken: {
          type: 'apiKey',
          description: 'Bearer Token authentication',
          name: 'authorization',
          in: 'header',
        },
      },
    },
    security: [{ BearerToken: [] }],
  }
}

const groupVersionPaths = (registry: SchemaRegistry): string[] =>
  groupsOf(registry).flatMap(({ group, versions }) =>
    versions.map((version) => `${group ? 'apis' : 'api'}/${apiVersionOf(group, version)}`),
  )

const groupVersionOf = (path: string): [group: string, version: string | undefined] => {
  const [root, first, second, ...more] = path.split('/')
  if (more.length > 0) return ['', undefined]
  if (root === 'api') return ['', second === undefined ? first : undefined]
  return root === 'apis' && first ? [first, second] : ['', undefined]
}

const hashes = new WeakMap<SchemaRegistry, Map<string, string>>()

const hashOf = (registry: SchemaRegistry, path: string): string => {
  let known = hashes.get(registry)
  if (!known) hashes.set(registry, (known = new Map()))
  let hash = known.get(path)
  if (!hash) {
    hash = createHash('sha512')
      .update(JSON.stringify(openApiDocument(registry, path)))
      .digest('hex')
      .toUpperCase()
    known.set(path, hash)
  }
  return hash
}

/** The wanted definitions and all that they refer to. */
const schemasFor = (registry: SchemaRegistry, wanted: ReadonlySet<string>): Record<string, JsonObject> => {
  const schemas = new Map<string, JsonObject>()
  const queue = [...wanted]
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (schemas.has(name)) continue
    const shared = sharedSchemas[name]
    if (shared) schemas.set(name, shared)
    else {
      const { schema, refs } = openApiSchema(registry, registry.definition(name), descriptions[name] ?? {})
      schemas.set(name, schema)
      queue.push(...refs)
    }
  }
  return Object.fromEntries([...schemas].sort(([a], [b]) => (a < b ? -1 : 1)))
}
