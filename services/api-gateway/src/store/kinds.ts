// The catalogue of kinds that a gateway serves now: folded from the CustomResourceDefinitions of its projection, anew when one
// of them has changed and somebody asks.
import type { ResourceInfo } from '@shiplog/api/schema/schema'
import { builtInCatalogue, type Catalogue, definitionsResource, withDefinitions } from '@shiplog/domain/catalogue/catalogue'
import type { ServedKind } from '@shiplog/domain/catalogue/served-kind'
import type { Streams } from './streams.ts'

/** The kinds of a time: the present, or a moment. */
export interface Kinds {
  readonly current: Catalogue
  /** The catalogue with everything that was acknowledged before the call. */
  latest(): Promise<Catalogue>
  /** Tells when definitions have changed. */
  onChange(listener: () => void): Disposable
}

export function createPresentKinds(streams: Streams): Kinds {
  const { projection } = streams.of(definitionsResource)
  const table = projection.table(definitionsResource)
  let catalogue = builtInCatalogue()
  let isStale = true
  const listeners = new Set<() => void>()
  table.listeners.add(() => {
    isStale = true
    for (const listener of listeners) listener()
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
    onChange(listener) {
      listeners.add(listener)
      return { [Symbol.dispose]: () => void listeners.delete(listener) }
    },
  }
}

const nothing: Disposable = { [Symbol.dispose]: () => undefined }

/**
 * Aborts when a kind is no longer what it was: gone, or with another schema. What was begun with it ends then, as a watch,
 * and begins anew with what is there.
 */
export function untilChanged(kinds: Kinds, { resource, revision }: ServedKind): AbortSignal & Disposable {
  const changed = new AbortController()
  const { group, version, resource: name } = resource
  const listening = kinds.onChange(() => {
    const { current } = kinds
    const now = current.resource(group, version, name)
    if (!now || current.kind(now).revision !== revision) changed.abort()
  })
  return Object.assign(changed.signal, { [Symbol.dispose]: () => listening[Symbol.dispose]() })
}

export const fixedKinds = (catalogue: Catalogue): Kinds => ({
  current: catalogue,
  latest: () => Promise.resolve(catalogue),
  onChange: () => nothing,
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
