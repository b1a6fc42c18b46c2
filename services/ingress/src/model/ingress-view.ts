// What the ingress knows of the cluster, kept up to date from the feed. The routing table is made anew when objects that it
// is made of change; endpoints, which change more often, are looked up by request and remembered until they change.
import type { Secret, Service } from '@shiplog/api/generated/types/core-v1'
import type { EndpointSlice } from '@shiplog/api/generated/types/discovery-v1'
import type { Ingress, IngressClass } from '@shiplog/api/generated/types/networking-v1'
import type { ObjectChange } from '@shiplog/feed/object-feed'
import { type Backend, backendOf, noBackend, servicePortOf } from './backends.ts'
import { classNameOf, isOurClass } from './ingress-class.ts'
import { buildRoutingTable, type KnownObjects, type RoutingTable } from './routing-table.ts'

export const ingressResources = [
  'ingresses.networking.k8s.io',
  'ingressclasses.networking.k8s.io',
  'services',
  'endpointslices.discovery.k8s.io',
  'secrets',
] as const

const serviceNameLabel = 'kubernetes.io/service-name'

export interface IngressView {
  apply(change: ObjectChange): void
  /** The present table, made anew when it has to be. */
  table(): RoutingTable
  backend(namespace: string, service: string, port: string | number): Backend
  secret(namespace: string, name: string): Secret | undefined
  /** Ingresses that are ours. */
  ours(): readonly Ingress[]
}

export function createIngressView(): IngressView {
  const ingresses = new Map<string, Ingress>()
  const classes = new Map<string, IngressClass>()
  const services = new Map<string, Service>()
  const secrets = new Map<string, Secret>()
  const slices = new Map<string, Map<string, EndpointSlice>>()
  const backends = new Map<string, Map<string | number, Backend>>()
  let table: RoutingTable | undefined

  const known: KnownObjects = {
    hasServicePort(namespace, name, port) {
      const service = services.get(`${namespace}/${name}`)
      if (service === undefined) return 'no service'
      if (service.spec?.type === 'ExternalName') return 'external name'
      return servicePortOf(service, port) ? 'yes' : 'no port'
    },
  }
  const isOurs = (ingress: Ingress): boolean => isOurClass(classes.get(classNameOf(ingress) ?? ''))
  const ours = (): Ingress[] => [...ingresses.values()].filter(isOurs)

  function applySlice(slice: EndpointSlice, deleted: boolean): void {
    const owner = slice.metadata.labels?.[serviceNameLabel]
    if (!owner) return
    const key = `${slice.metadata.namespace}/${owner}`
    const found = slices.get(key) ?? new Map<string, EndpointSlice>()
    if (deleted) found.delete(slice.metadata.name)
    else found.set(slice.metadata.name, slice)
    if (found.size === 0) slices.delete(key)
    else slices.set(key, found)
    backends.delete(key)
  }

  return {
    ours,
    secret: (namespace, name) => secrets.get(`${namespace}/${name}`),
    table: () => (table ??= buildRoutingTable(ours(), known)),
    backend(namespace, name, port) {
      const key = `${namespace}/${name}`
      const service = services.get(key)
      if (service === undefined) return noBackend
      const found = backends.get(key) ?? new Map<string | number, Backend>()
      backends.set(key, found)
      const backend = found.get(port) ?? backendOf(service, [...(slices.get(key)?.values() ?? [])], port)
      found.set(port, backend)
      return backend
    },
    apply({ groupResource, object, deleted }) {
      const { namespace, name } = object.metadata
      const key = namespace ? `${namespace}/${name}` : name
      const put = <Kind>(map: Map<string, Kind>): void => void (deleted ? map.delete(key) : map.set(key, object as unknown as Kind))
      if (groupResource === 'endpointslices.discovery.k8s.io') {
        applySlice(object as unknown as EndpointSlice, deleted)
        return
      }
      if (groupResource === 'secrets') {
        // Only what can be a certificate: of other Secrets nothing is kept.
        if (deleted || (object as unknown as Secret).type === 'kubernetes.io/tls') put(secrets)
        else secrets.delete(key)
        return
      }
      table = undefined
      if (groupResource === 'ingresses.networking.k8s.io') put(ingresses)
      else if (groupResource === 'ingressclasses.networking.k8s.io') put(classes)
      else if (groupResource === 'services') {
        put(services)
        backends.delete(key)
      }
    },
  }
}
