// The catalogue of kinds: one immutable value that says everything of every kind. Built-in kinds are its first entries,
// CustomResourceDefinitions add theirs; a change of one of them makes a new catalogue, of the next generation, which shares
// all that did not change. A catalogue of a moment is folded from the definitions of that moment.
import { builtInRegistry, createRegistry } from '@shiplog/api/schema/registry'
import { groupResourceOf, type PublishedKinds, type ResourceInfo, type SchemaRegistry } from '@shiplog/api/schema/schema'
import { type CustomDefinition, readDefinition, type StoredDefinition } from '../custom-resource/custom-definition.ts'
import { listSchema } from '../custom-resource/published-schema.ts'
import { builtInKind, type ServedKind } from './served-kind.ts'

export interface Catalogue extends SchemaRegistry {
  /** Moves with every change. */
  readonly generation: number
  /** What is known of one of its resources. */
  kind(resource: ResourceInfo): ServedKind
  /** By name of the CustomResourceDefinition. */
  readonly custom: ReadonlyMap<string, CustomDefinition>
}

/** The resource that adds kinds. */
export const definitionsResource = 'customresourcedefinitions.apiextensions.k8s.io'

let builtIn: Catalogue | undefined

/** The kinds that come with the build, alone. */
export const builtInCatalogue = (): Catalogue => (builtIn ??= firstCatalogue(builtInRegistry()))

function firstCatalogue(registry: SchemaRegistry): Catalogue {
  const kinds = new Map<ResourceInfo, ServedKind>()
  return {
    ...registry,
    generation: 0,
    custom: new Map(),
    kind: (resource) => {
      let kind = kinds.get(resource)
      if (!kind) {
        kind = builtInKind(registry, resource)
        kinds.set(resource, kind)
      }
      return kind
    },
  }
}

/**
 * The catalogue with these definitions and no others. Those that `previous` was made from are not read again; it is returned
 * itself when they say nothing new.
 */
export function withDefinitions(previous: Catalogue, definitions: Iterable<StoredDefinition>): Catalogue {
  const base = builtInCatalogue()
  const custom = new Map<string, CustomDefinition>()
  let isSame = true
  for (const stored of definitions) {
    const before = previous.custom.get(stored.name)
    const now = before?.sequence === stored.sequence ? before : readDefinition(base, stored, before)
    isSame &&= before?.identity === now.identity
    custom.set(stored.name, now)
  }
  isSame &&= custom.size === previous.custom.size
  if (isSame) return custom.size === 0 ? previous : { ...previous, custom }
  return layered(base, custom, previous.generation + 1)
}

/** What is built in goes first: nobody can take its place. */
function layered(base: Catalogue, custom: ReadonlyMap<string, CustomDefinition>, generation: number): Catalogue {
  const added: ResourceInfo[] = []
  const owners = new Map<ResourceInfo, CustomDefinition>()
  const stored = new Map<string, ResourceInfo>()
  for (const definition of [...custom.values()].sort(byName)) {
    const { groupResource } = definition
    if (definition.served.length === 0 || base.storage(groupResource)) continue
    added.push(...definition.served)
    stored.set(groupResource, definition.stored)
    for (const resource of [definition.stored, ...definition.served]) owners.set(resource, definition)
  }
  const own = createRegistry({}, added)
  return {
    definitions: base.definitions,
    definition: (name) => base.definition(name),
    resources: [...base.resources, ...added],
    resource: (group, version, resource) =>
      base.resource(group, version, resource) ?? own.resource(group, version, resource),
    byKind: (group, version, kind) => base.byKind(group, version, kind) ?? own.byKind(group, version, kind),
    storage: (groupResource) => base.storage(groupResource) ?? stored.get(groupResource),
    published: publishedKinds(owners),
    generation,
    custom,
    kind: (resource) => owners.get(resource)?.kind(resource) ?? base.kind(resource),
  }
}

/** What OpenAPI shows of custom resources; schemas are made when they are asked for. */
function publishedKinds(owners: ReadonlyMap<ResourceInfo, CustomDefinition>): PublishedKinds {
  const byDefinition = new Map<string, () => ServedKind>()
  for (const [resource, owner] of owners) byDefinition.set(resource.definition, () => owner.kind(resource))
  return {
    revision: (resource) => owners.get(resource)?.identity,
    schema: (definition, openApi) => {
      const kind = byDefinition.get(definition)
      if (kind) return kind().custom!.openApi(openApi)
      const ofItems = definition.endsWith('List') ? byDefinition.get(definition.slice(0, -'List'.length)) : undefined
      return ofItems && listSchema(ofItems(), openApi)
    },
  }
}

const byName = (a: CustomDefinition, b: CustomDefinition): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)

/** The kind of a resource in its storage version; undefined for what the catalogue does not have. */
export function storedKind(catalogue: Catalogue, group: string, resource: string): ServedKind | undefined {
  const info = catalogue.storage(groupResourceOf(group, resource))
  return info && catalogue.kind(info)
}
