// The discovery documents, from the registry alone: what groups, versions and resources there are. Clients ask for the
// aggregated form (two requests tell everything); old ones and `kubectl get --raw` ask for the unaggregated forms.
import { createHash } from 'node:crypto'
import type { JsonObject } from '../kube-object.ts'
import { apiVersionOf, type ResourceInfo, type SchemaRegistry, type Subresource } from './schema.ts'

/** The media type of the aggregated form, as the answer's Content-Type spells it. */
export const aggregatedDiscoveryMediaType = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'

/** One group with its versions, the preferred first. */
export interface GroupVersions {
  readonly group: string
  readonly versions: readonly string[]
}

/** All groups in the order of the registry, the core group (`''`) among them. */
export const groupsOf = (registry: SchemaRegistry): GroupVersions[] => {
  const groups = new Map<string, Set<string>>()
  for (const { group, version } of registry.resources) {
    const versions = groups.get(group)
    if (versions) versions.add(version)
    else groups.set(group, new Set([version]))
  }
  return [...groups].map(([group, versions]) => ({ group, versions: [...versions].sort(compareVersions) }))
}

const versionForm = /^v(\d+)(?:(alpha|beta)(\d+))?$/
const stages: Readonly<Record<string, number>> = { alpha: 0, beta: 1 }

/** Stable before beta before alpha, newer before older; what is no such version comes last, by name. */
export const compareVersions = (a: string, b: string): number => {
  const [left, right] = [versionForm.exec(a), versionForm.exec(b)]
  if (!left || !right) return left ? -1 : right ? 1 : a < b ? -1 : a > b ? 1 : 0
  const rank = (match: RegExpExecArray): number[] => [
    stages[match[2] ?? ''] ?? 2,
    Number(match[1]),
    Number(match[3] ?? 0),
  ]
  const [ranksLeft, ranksRight] = [rank(left), rank(right)]
  for (let i = 0; i < ranksLeft.length; i++) if (ranksLeft[i] !== ranksRight[i]) return ranksRight[i]! - ranksLeft[i]!
  return 0
}

const indexes = new WeakMap<readonly ResourceInfo[], ReadonlyMap<string, readonly ResourceInfo[]>>()
const noResources: readonly ResourceInfo[] = []

/** The resources of a group-version, in the order of the registry. */
export const resourcesOf = (registry: SchemaRegistry, group: string, version: string): readonly ResourceInfo[] => {
  let index = indexes.get(registry.resources)
  if (!index) {
    index = Map.groupBy(registry.resources, (resource) => apiVersionOf(resource.group, resource.version))
    indexes.set(registry.resources, index)
  }
  return index.get(apiVersionOf(group, version)) ?? noResources
}

/** `/api`. The address, where known, is the one that clients inside the cluster may use. */
export const apiVersions = (serverAddress?: string): JsonObject => ({
  kind: 'APIVersions',
  versions: ['v1'],
  serverAddressByClientCIDRs: serverAddress ? [{ clientCIDR: '0.0.0.0/0', serverAddress }] : [],
})

const groupBody = ({ group, versions }: GroupVersions): JsonObject => {
  const all = versions.map((version) => ({ groupVersion: apiVersionOf(group, version), version }))
  return { name: group, versions: all, preferredVersion: all[0] }
}

/** `/apis` */
export const apiGroupList = (registry: SchemaRegistry): JsonObject => ({
  kind: 'APIGroupList',
  apiVersion: 'v1',
  groups: groupsOf(registry)
    .filter(({ group }) => group !== '')
    .map(groupBody),
})

/** `/apis/apps`; undefined for a group that is not served. */
export const apiGroup = (registry: SchemaRegistry, name: string): JsonObject | undefined => {
  const found = groupsOf(registry).find(({ group }) => group === name)
  return found && name !== '' ? { kind: 'APIGroup', apiVersion: 'v1', ...groupBody(found) } : undefined
}

/** `/api/v1` and `/apis/apps/v1`; undefined for a version that is not served. */
export const apiResourceList = (registry: SchemaRegistry, group: string, version: string): JsonObject | undefined => {
  const resources = resourcesOf(registry, group, version)
  if (resources.length === 0) return undefined
  return {
    kind: 'APIResourceList',
    ...(group ? { apiVersion: 'v1' } : {}),
    groupVersion: apiVersionOf(group, version),
    resources: resources.flatMap((resource) => [
      {
        name: resource.resource,
        singularName: resource.singular,
        namespaced: resource.namespaced,
        kind: resource.kind,
        verbs: resource.shownVerbs ?? resource.verbs,
        ...(resource.shortNames.length > 0 ? { shortNames: resource.shortNames } : {}),
        ...(resource.categories.length > 0 ? { categories: resource.categories } : {}),
        ...(resource.stored ? { storageVersionHash: storageVersionHash(resource) } : {}),
      },
      ...resource.subresources.map((subresource) => ({
        name: `${resource.resource}/${subresource.name}`,
        singularName: '',
        namespaced: resource.namespaced,
        ...(subresource.version ? { group: subresource.group, version: subresource.version } : {}),
        kind: subresource.kind,
        verbs: subresource.verbs,
      })),
    ]),
  }
}

/** Equal in two answers as long as objects are stored in the same version; clients compare it and read nothing into it. */
const storageVersionHash = (resource: ResourceInfo): string =>
  createHash('sha256')
    .update(`${resource.storageGroup}/${resource.storageVersion}/${resource.kind}`)
    .digest()
    .subarray(0, 8)
    .toString('base64')

/** The aggregated form of `/api` (`core`) or of `/apis` (`groups`: all others). */
export const aggregatedDiscovery = (registry: SchemaRegistry, root: 'core' | 'groups'): JsonObject => ({
  kind: 'APIGroupDiscoveryList',
  apiVersion: 'apidiscovery.k8s.io/v2',
  metadata: {},
  items: groupsOf(registry)
    .filter(({ group }) => (group === '') === (root === 'core'))
    .map(({ group, versions }) => ({
      metadata: group ? { name: group } : {},
      versions: versions.map((version) => ({
        version,
        resources: resourcesOf(registry, group, version).map(aggregatedResource),
        freshness: 'Current',
      })),
    })),
})

const aggregatedResource = (resource: ResourceInfo): JsonObject => ({
  resource: resource.resource,
  responseKind: { group: resource.group, version: resource.version, kind: resource.kind },
  scope: resource.namespaced ? 'Namespaced' : 'Cluster',
  singularResource: resource.singular,
  verbs: resource.shownVerbs ?? resource.verbs,
  ...(resource.shortNames.length > 0 ? { shortNames: resource.shortNames } : {}),
  ...(resource.categories.length > 0 ? { categories: resource.categories } : {}),
  ...(resource.subresources.length > 0
    ? { subresources: resource.subresources.map((subresource) => aggregatedSubresource(resource, subresource)) }
    : {}),
})

const aggregatedSubresource = (resource: ResourceInfo, subresource: Subresource): JsonObject => ({
  subresource: subresource.name,
  responseKind: {
    group: subresource.version ? (subresource.group ?? '') : resource.group,
    version: subresource.version ?? resource.version,
    kind: subresource.kind,
  },
  verbs: subresource.verbs,
})

/** A document as it goes out. */
export interface DiscoveryDocument {
  readonly body: string
  readonly contentType: string
  /** Quoted, ready for the header; equal for equal bodies, on every gateway. */
  readonly etag: string
}

export const etagOf = (body: string): string => `"${createHash('sha512').update(body).digest('hex').toUpperCase()}"`

const documents = new WeakMap<SchemaRegistry, Map<string, DiscoveryDocument>>()

/**
 * The document at a path below the root, made once for each registry; undefined when there is none.
 * `/api` unaggregated is not among them: it names the server's address (see `apiVersions`).
 *
 *     discoveryDocument(registry, '/apis/apps/v1', false)
 *     discoveryDocument(registry, '/apis', true)   // the client accepts APIGroupDiscoveryList
 */
export const discoveryDocument = (
  registry: SchemaRegistry,
  path: string,
  aggregated: boolean,
): DiscoveryDocument | undefined => {
  let known = documents.get(registry)
  if (!known) documents.set(registry, (known = new Map()))
  const key = `${aggregated ? 'aggregated' : 'plain'}:${path}`
  const made = known.get(key)
  if (made) return made
  const value = aggregated ? aggregatedAt(registry, path) : plainAt(registry, path)
  if (!value) return undefined
  const body = JSON.stringify(value)
  const contentType = aggregated ? aggregatedDiscoveryMediaType : 'application/json'
  const document: DiscoveryDocument = { body, contentType, etag: etagOf(body) }
  known.set(key, document)
  return document
}

const aggregatedAt = (registry: SchemaRegistry, path: string): JsonObject | undefined =>
  path === '/api'
    ? aggregatedDiscovery(registry, 'core')
    : path === '/apis'
      ? aggregatedDiscovery(registry, 'groups')
      : undefined

const plainAt = (registry: SchemaRegistry, path: string): JsonObject | undefined => {
  const [root, first, second, ...more] = path.slice(1).split('/')
  if (more.length > 0) return undefined
  if (root === 'api')
    return first !== undefined && second === undefined ? apiResourceList(registry, '', first) : undefined
  if (root !== 'apis') return undefined
  if (first === undefined) return apiGroupList(registry)
  if (first === '') return undefined
  return second === undefined ? apiGroup(registry, first) : apiResourceList(registry, first, second)
}
