// The kinds that users bring, as controllers of all objects follow them: from the CustomResourceDefinitions that pass by. A
// kind that is gone is remembered: objects may still name it as their owner's, and what was owned goes with its owner.
import type { CustomResourceDefinition } from '@shiplog/api/generated/types/apiextensions-v1'
import { otherResources } from '@shiplog/feed/object-feed'
import { type ResourceWatch, watchesResource } from '@shiplog/reconcile/reconciler'
import type { FollowedResource } from './resources.ts'

const definitions = 'customresourcedefinitions.apiextensions.k8s.io'

/** Kinds that are gone and still remembered. */
const formerMax = 10_000

export interface CustomKinds {
  byResource(groupResource: string): FollowedResource | undefined
  /** Also of a kind that is gone. */
  byKind(group: string, kind: string): FollowedResource | undefined
  /** Those that there are. */
  present(): Iterable<FollowedResource>
  /** A reconciler's watch of definitions that keeps this up to date, and enqueues what `keys` says. */
  watch(keys?: ResourceWatch['keys']): ResourceWatch
  /** A watch of the objects of all kinds that users bring. */
  watchObjects(keys: ResourceWatch['keys']): ResourceWatch
}

export function createCustomKinds(): CustomKinds {
  const present = new Map<string, FollowedResource>()
  const kinds = new Map<string, FollowedResource>()
  const kindKey = (group: string, kind: string): string => `${group} ${kind}`

  function note({ metadata, spec, status }: CustomResourceDefinition, deleted: boolean): void {
    if (deleted) {
      present.delete(metadata.name)
      return
    }
    const { group, names, scope, versions } = spec
    const { plural: resource } = names
    const kind = status.acceptedNames.kind || names.kind
    const version = versions?.find(({ storage }) => storage)?.name ?? ''
    const namespaced = scope === 'Namespaced'
    const followed = { groupResource: metadata.name, group, version, resource, kind, namespaced }
    present.set(metadata.name, followed)
    kinds.delete(kindKey(group, kind))
    kinds.set(kindKey(group, kind), followed)
    if (kinds.size > present.size + formerMax) kinds.delete(kinds.keys().next().value!)
  }

  return {
    byResource: (groupResource) => present.get(groupResource),
    byKind: (group, kind) => kinds.get(kindKey(group, kind)),
    present: () => present.values(),
    watch: (keys = () => []) =>
      watchesResource(definitions, (change, before, view) => {
        note(change.object, change.deleted)
        return keys(change, before, view)
      }),
    watchObjects: (keys) => ({ groupResource: otherResources, keys }),
  }
}
