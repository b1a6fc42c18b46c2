// The registry of kinds: the generated description of all built-in kinds behind the look-ups that schema.ts promises.
// It is loaded with the process, so it does no work but maps: about two milliseconds.
import kinds from '../generated/kinds.json' with { type: 'json' }
import { apiVersionOf, groupResourceOf, type Definition, type ResourceInfo, type SchemaRegistry } from './schema.ts'

let builtIn: SchemaRegistry | undefined

/** All stable built-in kinds. One value for the process. */
export const builtInRegistry = (): SchemaRegistry => {
  builtIn ??= createRegistry(
    kinds.definitions as unknown as Readonly<Record<string, Definition>>,
    kinds.resources as unknown as readonly ResourceInfo[],
  )
  return builtIn
}

/** A registry over any description: tests use small ones, custom resources will add to the built-in one. */
export const createRegistry = (
  definitions: Readonly<Record<string, Definition>>,
  resources: readonly ResourceInfo[],
): SchemaRegistry => {
  const byName = new Map(Object.entries(definitions))
  const byPath = new Map<string, ResourceInfo>()
  const byKind = new Map<string, ResourceInfo>()
  const byStorage = new Map<string, ResourceInfo>()
  for (const resource of resources) {
    const apiVersion = apiVersionOf(resource.group, resource.version)
    byPath.set(`${apiVersion}/${resource.resource}`, resource)
    byKind.set(`${apiVersion}/${resource.kind}`, resource)
    if (resource.version === resource.storageVersion && resource.group === resource.storageGroup) {
      byStorage.set(groupResourceOf(resource.group, resource.resource), resource)
    }
  }
  // A resource that another group stores (events.k8s.io) is found under both its names.
  for (const resource of resources) {
    const key = groupResourceOf(resource.group, resource.resource)
    if (byStorage.has(key)) continue
    const stored = byPath.get(`${apiVersionOf(resource.storageGroup, resource.storageVersion)}/${resource.resource}`)
    if (stored) byStorage.set(key, stored)
  }
  return {
    definitions: byName,
    resources,
    definition: (name) => {
      const definition = byName.get(name)
      if (!definition) throw new Error(`the registry has no definition ${name}`)
      return definition
    },
    resource: (group, version, resource) => byPath.get(`${apiVersionOf(group, version)}/${resource}`),
    byKind: (group, version, kind) => byKind.get(`${apiVersionOf(group, version)}/${kind}`),
    storage: (groupResource) => byStorage.get(groupResource),
  }
}
