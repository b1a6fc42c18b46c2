// OpenAPI v3, one document a group-version, from the registry and the generated texts: what `kubectl explain`, `apply`,
// `diff` and `create --validate` read. Import this file only when a document is asked for: it brings all descriptions.
import { createHash } from 'node:crypto'
import { groupsOf, resourcesOf } from './discovery.ts'
import texts from '../generated/descriptions.json' with { type: 'json' }
import type { JsonObject } from '../kube-object.ts'
import { operationsOf } from './openapi-operations.ts'
import { openApiSchema, sharedSchemas } from './openapi-schemas.ts'
import { apiVersionOf, type ResourceInfo, type SchemaRegistry } from './schema.ts'

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
  const resources = version === undefined ? [] : resourcesOf(registry, group, version)
  if (resources.length === 0) return undefined
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

/** By the first resource of a group-version, with all of them. */
const hashes = new WeakMap<ResourceInfo, { readonly of: readonly ResourceInfo[]; readonly hash: string }>()

/** Custom resources are told apart by what their definitions say of themselves: nobody compiles hundreds of schemas for it. */
const hashOf = (registry: SchemaRegistry, path: string): string => {
  const [group, version] = groupVersionOf(path)
  const resources = resourcesOf(registry, group, version!)
  const [first] = resources
  const known = hashes.get(first!)
  if (known && known.of.length === resources.length && known.of.every((one, at) => one === resources[at]))
    return known.hash
  const revisions = resources.map((resource) => registry.published?.revision(resource))
  const isCustom = revisions.some((revision) => revision !== undefined)
  const hash = createHash('sha512')
    .update(JSON.stringify(isCustom ? [path, revisions] : openApiDocument(registry, path)))
    .digest('hex')
    .toUpperCase()
  hashes.set(first!, { of: resources, hash })
  return hash
}

const refsIn = (schema: JsonObject): string[] =>
  [...JSON.stringify(schema).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map((match) => match[1]!)

/** The wanted definitions and all that they refer to. */
export const schemasFor = (registry: SchemaRegistry, wanted: ReadonlySet<string>): Record<string, JsonObject> => {
  const schemas = new Map<string, JsonObject>()
  const queue = [...wanted]
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (schemas.has(name)) continue
    const shared = sharedSchemas[name]
    const published = shared ? undefined : registry.published?.schema(name, 3)
    if (shared) schemas.set(name, shared)
    else if (published) {
      schemas.set(name, published)
      queue.push(...refsIn(published))
    } else {
      const { schema, refs } = openApiSchema(registry, registry.definition(name), descriptions[name] ?? {})
      schemas.set(name, schema)
      queue.push(...refs)
    }
  }
  return Object.fromEntries([...schemas].sort(([a], [b]) => (a < b ? -1 : 1)))
}
