// The resources that controllers of all objects (garbage collection, namespaces) follow: every stored one but Event
// objects, which nobody owns and which expire by themselves.
import { groupResourceOf, type SchemaRegistry } from '@shiplog/api/schema/schema'

export interface FollowedResource {
  readonly groupResource: string
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly kind: string
  readonly namespaced: boolean
}

const eventGroups: ReadonlySet<string> = new Set(['', 'events.k8s.io'])

/** All of them, each once, in its storage version. */
export function followedResources(registry: SchemaRegistry): readonly FollowedResource[] {
  const found = new Map<string, FollowedResource>()
  for (const info of registry.resources) {
    if (!info.stored || info.storageGroup !== info.group || info.storageVersion !== info.version) continue
    if (info.resource === 'events' && eventGroups.has(info.group)) continue
    const { group, version, resource, kind, namespaced } = info
    const groupResource = groupResourceOf(group, resource)
    found.set(groupResource, { groupResource, group, version, resource, kind, namespaced })
  }
  return [...found.values()]
}
