// The catalogue of kinds that a gateway serves now: folded from the CustomResourceDefinitions of its projection, anew when one
// of them has changed and somebody asks.
import type { ResourceInfo } from '@shiplog/api/schema/schema'
import { builtInCatalogue, type Catalogue, definitionsResource, withDefinitions } from '@shiplog/domain/catalogue/catalogue'
import type { Streams } from './streams.ts'

/** The kinds of a time: the present, or a moment. */
export interface Kinds {
  readonly current: Catalogue
  /** The catalogue with everything that was acknowledged before the call. */
  latest(): Promise<Catalogue>
}

export function createPresentKinds(streams: Streams): Kinds {
  const { projection } = streams.of(definitionsResource)
  const table = projection.table(definitionsResource)
  let catalogue = builtInCatalogue()
  let isStale = true
  table.listeners.add(() => {
    isStale = true
  })
  const current = (): Catalogue => {
    if (!isStale) return catalogue
    // Before the snapshot is complete nobody tells of what came.
    isStale = !projection.synced
    catalogue = withDefinitions(catalogue, table.list(''))
    return catalogue
  }
  return {
    get current() {
      return current()
    },
    async latest() {
      await projection.barrier()
      return current()
    },
  }
}

export const fixedKinds = (catalogue: Catalogue): Kinds => ({
  current: catalogue,
  latest: () => Promise.resolve(catalogue),
})

export interface FoundResource {
  readonly catalogue: Catalogue
  readonly resource: ResourceInfo | undefined
}

/**
 * A resource and the catalogue that has it. What is not known may have been defined a moment ago through another gateway: only
 * the end of the log can say that it is not there.
 */
export async function findResource(
  kinds: Kinds,
  find: (catalogue: Catalogue) => ResourceInfo | undefined,
): Promise<FoundResource> {
  const { current } = kinds
  const known = find(current)
  if (known) return { catalogue: current, resource: known }
  const latest = await kinds.latest()
  return { catalogue: latest, resource: find(latest) }
}
