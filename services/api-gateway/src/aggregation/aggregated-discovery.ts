// What others' API servers serve, beside what is served here: discovery in both forms, and the index of OpenAPI. Pure.
import type { JsonObject } from '@shiplog/api/kube-object'
import { compareVersions } from '@shiplog/api/schema/discovery'

/** A version of a group that somebody else serves, and what is known of its resources. */
export interface OthersVersion {
  readonly group: string
  readonly version: string
  readonly groupPriority: number
  readonly versionPriority: number
  /** Whether what is known is of now. */
  readonly isFresh: boolean
  /** As its `/apis/<group>/<version>` has them. */
  readonly resources: readonly OthersResource[]
  /** Under which its OpenAPI document is kept; undefined where it has none. */
  readonly openApiHash: string | undefined
}

/** An entry of an APIResourceList: of what somebody else says, nothing is sure. */
export interface OthersResource {
  readonly name?: string
  readonly singularName?: string
  readonly namespaced?: boolean
  readonly kind?: string
  readonly group?: string
  readonly version?: string
  readonly verbs?: readonly string[]
  readonly shortNames?: readonly string[]
  readonly categories?: readonly string[]
}

interface PlainVersion {
  readonly groupVersion: string
  readonly version: string
}

interface PlainGroup {
  readonly name: string
  readonly versions: readonly PlainVersion[]
  readonly preferredVersion?: PlainVersion
}

interface FullGroup {
  readonly metadata: { readonly name?: string }
  readonly versions: readonly { readonly version: string }[]
}

/** The group with what others serve of it: their versions take the place of ours. */
function mergedVersions<Version extends { readonly version: string }>(
  own: readonly Version[],
  others: readonly OthersVersion[],
  shown: (other: OthersVersion) => Version,
): readonly Version[] {
  const priority = new Map(others.map((other) => [other.version, other.versionPriority]))
  return [...own.filter(({ version }) => !priority.has(version)), ...others.map(shown)].sort(
    (a, b) => (priority.get(b.version) ?? 0) - (priority.get(a.version) ?? 0) || compareVersions(a.version, b.version),
  )
}

const byGroup = (others: readonly OthersVersion[]): Map<string, OthersVersion[]> => Map.groupBy(others, ({ group }) => group)

const plainVersion = ({ group, version }: OthersVersion): PlainVersion => ({ groupVersion: `${group}/${version}`, version })

function mergedPlainGroup(own: PlainGroup, others: readonly OthersVersion[]): PlainGroup {
  const versions = mergedVersions(own.versions, others, plainVersion)
  return { ...own, versions, preferredVersion: versions[0]! }
}

/** `/apis`. */
export function mergedGroupList(list: JsonObject, others: readonly OthersVersion[]): JsonObject {
  const { groups, ...rest } = list as unknown as { readonly groups: readonly PlainGroup[] }
  const added = byGroup(others)
  const merged = groups.map((group) => {
    const more = added.get(group.name)
    added.delete(group.name)
    return more ? mergedPlainGroup(group, more) : group
  })
  for (const [name, more] of added) merged.push(mergedPlainGroup({ name, versions: [] }, more))
  return { ...rest, groups: merged } as unknown as JsonObject
}

/** `/apis/<group>`; undefined where nobody serves any of it. */
export function mergedGroup(name: string, own: JsonObject | undefined, others: readonly OthersVersion[]): JsonObject | undefined {
  const more = byGroup(others).get(name)
  if (!more) return own
  const group = (own ?? { kind: 'APIGroup', apiVersion: 'v1', name, versions: [] }) as unknown as PlainGroup
  return mergedPlainGroup(group, more) as unknown as JsonObject
}

/** The aggregated form of `/apis`. */
export function mergedDiscovery(list: JsonObject, others: readonly OthersVersion[]): JsonObject {
  const { items, ...rest } = list as unknown as { readonly items: readonly FullGroup[] }
  const added = byGroup(others)
  const merged = items.map((group) => {
    const more = added.get(group.metadata.name ?? '')
    added.delete(group.metadata.name ?? '')
    return more ? { ...group, versions: mergedVersions(group.versions, more, fullVersion) } : group
  })
  for (const [name, more] of added) merged.push({ metadata: { name }, versions: mergedVersions([], more, fullVersion) })
  return { ...rest, items: merged } as unknown as JsonObject
}

function fullVersion(other: OthersVersion): { readonly version: string } {
  const { version, resources, isFresh } = other
  const own = resources.filter(({ name = '' }) => !name.includes('/'))
  const shown = own.map((resource) => fullResource(other, resource, resources))
  return { version, resources: shown, freshness: isFresh ? 'Current' : 'Stale' } as { readonly version: string }
}

function fullResource(of: OthersVersion, resource: OthersResource, all: readonly OthersResource[]): object {
  const { name = '', singularName = '', namespaced = false, verbs = [], shortNames = [], categories = [] } = resource
  const subresources = all.filter((other) => other.name?.startsWith(`${name}/`))
  return {
    ...{ resource: name, responseKind: kindOf(of, resource), scope: namespaced ? 'Namespaced' : 'Cluster' },
    ...{ singularResource: singularName, verbs },
    ...(shortNames.length > 0 ? { shortNames } : {}),
    ...(categories.length > 0 ? { categories } : {}),
    ...(subresources.length > 0
      ? {
          subresources: subresources.map((one) => ({
            ...{ subresource: one.name!.slice(name.length + 1), responseKind: kindOf(of, one), verbs: one.verbs ?? [] },
          })),
        }
      : {}),
  }
}

const kindOf = (of: OthersVersion, { group, version, kind = '' }: OthersResource): object => ({
  ...{ group: group || of.group, version: version || of.version, kind },
})

/** `/openapi/v3`. */
export function mergedOpenApiIndex(index: JsonObject, others: readonly OthersVersion[]): JsonObject {
  const { paths } = index as unknown as { readonly paths: Readonly<Record<string, unknown>> }
  const added = others.flatMap(({ group, version, openApiHash }) => {
    const path = `apis/${group}/${version}`
    return openApiHash === undefined ? [] : [[path, { serverRelativeURL: `/openapi/v3/${path}?hash=${openApiHash}` }] as const]
  })
  return { ...index, paths: { ...paths, ...Object.fromEntries(added) } } as unknown as JsonObject
}
