// What exists on a fresh cluster before anybody writes: namespaces, the API server's own service, the system's
// priority classes, the default roles, and what is published of how requests and addresses are shared out. As drafts: the
// gateway creates those that are missing, through the same pipeline as any write.
import type { PriorityClass } from '@shiplog/api/generated/types/scheduling-v1'
import type { ServiceCIDR } from '@shiplog/api/generated/types/networking-v1'
import type { EndpointSlice } from '@shiplog/api/generated/types/discovery-v1'
import type { ConfigMap, EndpointPort, Endpoints, Namespace, Service } from '@shiplog/api/generated/types/core-v1'
import type { Manifest } from '@shiplog/api/decoded'
import { formatIpRange, type IpFamily, type IpRanges } from '@shiplog/api/ip-address'
import type { KubeObject, ObjectMeta } from '@shiplog/api/kube-object'
import { timestampOf } from '@shiplog/api/apply/managed-fields'
import { bootstrapApiServices } from './bootstrap-api-services.ts'
import { bootstrapFlowControl } from './bootstrap-flow-control.ts'
import { bootstrapRoles } from './bootstrap-roles.ts'
import { defaultServiceRanges, kubernetesServiceIp } from './service/ip-range.ts'
import { systemPriorityClasses } from './priority-class/system-priority-classes.ts'

/** Where an API server can be reached by pods. */
export interface ApiServerPlace {
  /** An IP address, no host name. */
  readonly address: string
  readonly port: number
}

export interface BootstrapOptions {
  /** At least one; the first is this one. */
  readonly apiServers: readonly [ApiServerPlace, ...ApiServerPlace[]]
  /** Where addresses of Services come from; default 10.96.0.0/12. */
  readonly serviceRanges?: IpRanges | undefined
  /** Since when what they say of themselves holds. */
  readonly nowMs: number
}

const namespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease']
const httpsPort = 443

const name = 'kubernetes'
const metadata = { name, namespace: 'default' }
const serviceNameLabel = 'kubernetes.io/service-name'
const portOf = (port: number): EndpointPort => ({ name: 'https', port, protocol: 'TCP' })

/** Places in one order, each once, together with those that share what `key` says. */
function grouped<Key extends string | number>(
  places: readonly ApiServerPlace[],
  key: (place: ApiServerPlace) => Key,
): [Key, readonly ApiServerPlace[]][] {
  const groups = new Map<Key, Map<string, ApiServerPlace>>()
  const sorted = [...places].sort((a, b) => a.port - b.port || (a.address < b.address ? -1 : 1))
  for (const place of sorted) {
    const group = groups.get(key(place)) ?? new Map<string, ApiServerPlace>()
    groups.set(key(place), group.set(place.address, place))
  }
  return [...groups].map(([of, group]) => [of, [...group.values()]])
}

/**
 * Endpoints and EndpointSlices of the Service `kubernetes`. A slice has one family and one list of ports: API servers that
 * differ in these are in slices of their own, the first of which has the Service's name.
 */
export function apiServerEndpoints(all: readonly ApiServerPlace[]): Manifest<Endpoints | EndpointSlice>[] {
  // Endpoints may not be loopback: a machine that has no other address has none to tell.
  const places = all.filter(({ address }) => !address.startsWith('127.') && address !== '::1')
  if (places.length === 0) return []
  const familyOf = ({ address }: ApiServerPlace): IpFamily => (address.includes(':') ? 'IPv6' : 'IPv4')
  const slices = grouped(places, (place) => `${familyOf(place)} ${place.port}`)
  const endpoints: Manifest<Endpoints> = {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { ...metadata, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
    subsets: grouped(places, ({ port }) => port).map(([port, group]) => ({
      addresses: group.map(({ address }) => ({ ip: address })),
      ports: [portOf(port)],
    })),
  }
  return [
    endpoints,
    ...slices.map(
      ([kind, group], index): Manifest<EndpointSlice> => ({
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: {
          ...metadata,
          name: index === 0 ? name : `${name}-${kind.toLowerCase().replace(' ', '-')}`,
          labels: { [serviceNameLabel]: name },
        },
        addressType: familyOf(group[0]!),
        endpoints: group.map(({ address }) => ({ addresses: [address], conditions: { ready: true } })),
        ports: [portOf(group[0]!.port)],
      }),
    ),
  ]
}

/** The range that Services get their addresses from, as the API server was started with it. */
const defaultServiceRange = (serviceRanges: IpRanges, now: string): Manifest<ServiceCIDR> => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'ServiceCIDR',
  metadata: { name },
  spec: { cidrs: serviceRanges.map(formatIpRange) },
  status: {
    conditions: [
      {
        type: 'Ready',
        status: 'True',
        lastTransitionTime: now,
        reason: '',
        message: 'Kubernetes default Service CIDR is ready',
      },
    ],
  },
})

/** Since when the uses of tokens that lie in Secrets are noted: the day of the first start. */
const tokenTracking = (nowMs: number): Manifest<ConfigMap> => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'kube-apiserver-legacy-service-account-token-tracking', namespace: 'kube-system' },
  data: { since: new Date(nowMs).toISOString().slice(0, 10) },
})

/** What any of them is known to be. */
type KubeManifest = Omit<KubeObject, 'metadata'> & { metadata: Partial<ObjectMeta> }

/** In the order in which they must be created. */
export const bootstrapObjects = ({
  apiServers,
  serviceRanges = defaultServiceRanges,
  nowMs,
}: BootstrapOptions): KubeManifest[] => {
  const { port } = apiServers[0]
  const clusterIP = kubernetesServiceIp(serviceRanges)
  const service: Manifest<Service> = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...metadata, labels: { component: 'apiserver', provider: 'kubernetes' } },
    spec: {
      type: 'ClusterIP',
      clusterIP,
      clusterIPs: [clusterIP],
      ipFamilies: [serviceRanges[0].family],
      ipFamilyPolicy: 'SingleStack',
      sessionAffinity: 'None',
      ports: [{ name: 'https', port: httpsPort, protocol: 'TCP', targetPort: port }],
    },
  }
  const classes = systemPriorityClasses.map(
    ({ name: className, value, description }): Manifest<PriorityClass> => ({
      apiVersion: 'scheduling.k8s.io/v1',
      kind: 'PriorityClass',
      metadata: { name: className },
      value,
      description,
      preemptionPolicy: 'PreemptLowerPriority',
    }),
  )
  return [
    ...namespaces.map(
      (namespace): Manifest<Namespace> => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }),
    ),
    ...classes,
    ...bootstrapRoles(),
    tokenTracking(nowMs),
    ...bootstrapFlowControl(timestampOf(nowMs)),
    ...bootstrapApiServices(timestampOf(nowMs)),
    defaultServiceRange(serviceRanges, timestampOf(nowMs)),
    service,
    ...apiServerEndpoints(apiServers),
  ]
}
