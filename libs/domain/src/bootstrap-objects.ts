// What exists on a fresh cluster before anybody writes: namespaces, the API server's own service, the system's
// priority classes, the default roles. As drafts: the gateway creates those that are missing, through the same pipeline as any write.
import type { JsonObject } from '@shiplog/api/kube-object'
import { bootstrapRoles } from './bootstrap-roles.ts'
import { kubernetesServiceIp } from './service/ip-range.ts'
import { systemPriorityClasses } from './priority-class/system-priority-classes.ts'

/** Where this API server can be reached by pods. */
export interface BootstrapOptions {
  /** An IP address, no host name. */
  readonly apiServerAddress: string
  readonly port: number
}

const namespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease']
const httpsPort = 443

/** In the order in which they must be created. */
export const bootstrapObjects = ({ apiServerAddress, port }: BootstrapOptions): JsonObject[] => {
  const metadata = { name: 'kubernetes', namespace: 'default' }
  const backend = { name: 'https', port, protocol: 'TCP' }
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...metadata, labels: { component: 'apiserver', provider: 'kubernetes' } },
    spec: {
      type: 'ClusterIP',
      clusterIP: kubernetesServiceIp,
      clusterIPs: [kubernetesServiceIp],
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      sessionAffinity: 'None',
      ports: [{ name: 'https', port: httpsPort, protocol: 'TCP', targetPort: port }],
    },
  }
  const endpoints = {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { ...metadata, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
    subsets: [{ addresses: [{ ip: apiServerAddress }], ports: [backend] }],
  }
  const endpointSlice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'kubernetes' } },
    addressType: apiServerAddress.includes(':') ? 'IPv6' : 'IPv4',
    endpoints: [{ addresses: [apiServerAddress], conditions: { ready: true } }],
    ports: [backend],
  }
  const classes = systemPriorityClasses.map(({ name, value, description }) => ({
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name },
    value,
    description,
    preemptionPolicy: 'PreemptLowerPriority',
  }))
  return [
    ...namespaces.map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })),
    ...classes,
    ...bootstrapRoles(),
    service,
    endpoints,
    endpointSlice,
  ]
}
