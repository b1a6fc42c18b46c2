// Which kinds there are and where they stand in the navigation: the groups of the Kubernetes Dashboard of old, and below
// them every other kind that the server tells of.
import { askJson } from './api.ts'

export interface Kind {
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly kind: string
  readonly namespaced: boolean
  readonly verbs: readonly string[]
  readonly shortNames: readonly string[]
}

interface NavGroup {
  readonly title: string
  /** `resource.group`. */
  readonly entries: readonly string[]
}

export const navGroups: readonly NavGroup[] = [
  {
    title: 'Workloads',
    entries: [
      ...['cronjobs.batch', 'daemonsets.apps', 'deployments.apps', 'jobs.batch', 'pods', 'replicasets.apps'],
      ...['replicationcontrollers', 'statefulsets.apps', 'horizontalpodautoscalers.autoscaling', 'poddisruptionbudgets.policy'],
    ],
  },
  {
    title: 'Service',
    entries: ['ingresses.networking.k8s.io', 'ingressclasses.networking.k8s.io', 'services', 'endpointslices.discovery.k8s.io'],
  },
  {
    title: 'Config and Storage',
    entries: [
      ...['configmaps', 'persistentvolumeclaims', 'secrets', 'storageclasses.storage.k8s.io'],
      ...['resourcequotas', 'limitranges'],
    ],
  },
  {
    title: 'Cluster',
    entries: [
      ...['clusterrolebindings.rbac.authorization.k8s.io', 'clusterroles.rbac.authorization.k8s.io', 'events', 'namespaces'],
      ...['networkpolicies.networking.k8s.io', 'nodes', 'persistentvolumes', 'rolebindings.rbac.authorization.k8s.io'],
      ...['roles.rbac.authorization.k8s.io', 'serviceaccounts', 'leases.coordination.k8s.io', 'priorityclasses.scheduling.k8s.io'],
    ],
  },
  { title: 'Custom Resources', entries: ['customresourcedefinitions.apiextensions.k8s.io'] },
]

export const keyOf = ({ group, resource }: Pick<Kind, 'group' | 'resource'>): string =>
  group === '' ? resource : `${resource}.${group}`

interface Discovered {
  readonly items: readonly {
    readonly metadata: { readonly name?: string }
    readonly versions: readonly {
      readonly version: string
      readonly resources?: readonly {
        readonly resource: string
        readonly responseKind: { readonly kind: string }
        readonly scope: string
        readonly verbs: readonly string[]
        readonly shortNames?: readonly string[]
      }[]
    }[]
  }[]
}

const discoveryType = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'

/** Every kind that can be listed, each in the version that the server prefers. */
export async function discoverKinds(): Promise<readonly Kind[]> {
  const answers = await Promise.all(['/api', '/apis'].map((path) => askJson<Discovered>(path, { accept: discoveryType })))
  const kinds = new Map<string, Kind>()
  for (const { metadata, versions } of answers.flatMap(({ items }) => items))
    for (const { version, resources = [] } of versions)
      for (const one of resources) {
        const kind: Kind = {
          ...{ group: metadata.name ?? '', version, resource: one.resource, kind: one.responseKind.kind },
          ...{ namespaced: one.scope === 'Namespaced', verbs: one.verbs, shortNames: one.shortNames ?? [] },
        }
        if (one.verbs.includes('list') && !kinds.has(keyOf(kind))) kinds.set(keyOf(kind), kind)
      }
  return [...kinds.values()]
}

/** `Cron Jobs`. */
export const titleOf = ({ kind, resource }: Kind): string => {
  const words = kind.replace(/([a-z0-9])([A-Z])/g, '$1 $2').replace(/([A-Z]+)([A-Z][a-z])/g, '$1 $2')
  if (/(s|x|ch|sh)$/.test(kind) && resource.endsWith('es')) return `${words}es`
  if (/[^aeiou]y$/.test(kind)) return `${words.slice(0, -1)}ies`
  return /s$/.test(kind) ? words : `${words}s`
}

export const listPath = ({ group, version, resource, namespaced }: Kind, namespace?: string): string => {
  const base = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
  return `${base}${namespaced && namespace ? `/namespaces/${encodeURIComponent(namespace)}` : ''}/${resource}`
}

export const objectPath = (kind: Kind, namespace: string, name: string, subresource = ''): string =>
  `${listPath(kind, namespace)}/${encodeURIComponent(name)}${subresource === '' ? '' : `/${subresource}`}`

/** As kubectl names it on its command line. */
export const kubectlName = (kind: Kind): string => {
  const isKnown = navGroups.some(({ entries }) => entries.includes(keyOf(kind)))
  return isKnown && kind.group !== 'events.k8s.io' ? kind.resource : keyOf(kind)
}
