// The registry of kinds: the generated description of all built-in kinds behind the look-ups that schema.ts promises.
// It is loaded with the process, so it does no work but maps: about two milliseconds.
import kinds from '../generated/kinds.json' with { type: 'json' }
import { metricsDefinitions, metricsResources } from './metrics-kinds.ts'
import { apiVersionOf, groupResourceOf, type Definition, type ResourceInfo, type SchemaRegistry } from './schema.ts'

let builtIn: SchemaRegistry | undefined

/** All stable built-in kinds. One value for the process. */
export const builtInRegistry = (): SchemaRegistry => {
  builtIn ??= createRegistry(
    { ...(kinds.definitions as unknown as Readonly<Record<string, Definition>>), ...metricsDefinitions },
    [...(kinds.resources as unknown as readonly ResourceInfo[]), ...metricsResources],
  )
  return builtIn
}

/** A registry over any description: tests use small ones. */
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

/**
 * The definitions of a base, and some more with the resources that have them. They are made when the first is asked for
 * that the base does not have: a kind of which nobody says anything costs nothing.
 */
export const layeredRegistry = (
  base: SchemaRegistry,
  more: () => readonly Definition[],
  resources: readonly ResourceInfo[],
): SchemaRegistry => {
  const own = createRegistry({}, resources)
  let made: Map<string, Definition> | undefined
  const definitions: ReadonlyMap<string, Definition> = new LayeredMap(
    base.definitions,
    () => (made ??= new Map(more().map((definition) => [definition.name, definition]))),
  )
  return {
    ...own,
    definitions,
    definition: (name) => {
      const definition = definitions.get(name)
      if (!definition) throw new Error(`the registry has no definition ${name}`)
      return definition
    },
  }
}

/** A map on top of another; what is on top is made when it is first needed. */
class LayeredMap<Value> implements ReadonlyMap<string, Value> {
  readonly #base: ReadonlyMap<string, Value>
  readonly #more: () => ReadonlyMap<string, Value>

  constructor(base: ReadonlyMap<string, Value>, more: () => ReadonlyMap<string, Value>) {
    this.#base = base
    this.#more = more
  }

  get(key: string): Value | undefined {
    return this.#base.get(key) ?? this.#more().get(key)
  }

  has(key: string): boolean {
    return this.#base.has(key) || this.#more().has(key)
  }

  get size(): number {
    return this.#base.size + this.#more().size
  }

  *entries(): MapIterator<[string, Value]> {
    yield* this.#base.entries()
    yield* this.#more().entries()
  }

  *keys(): MapIterator<string> {
    for (const [key] of this.entries()) yield key
  }

  *values(): MapIterator<Value> {
    for (const [, value] of this.entries()) yield value
  }

  [Symbol.iterator](): MapIterator<[string, Value]> {
    return this.entries()
  }

  forEach(each: (value: Value, key: string, map: ReadonlyMap<string, Value>) => void): void {
    for (const [key, value] of this.entries()) each(value, key, this)
  }
}
