// What names stand for, kept up to date from the feed: Services, endpoints of those without an address, namespaces. Pure.
import { canonicalIp, parseIp } from '@shiplog/api/ip-address'
import type { Service } from '@shiplog/api/generated/types/core-v1'
import type { EndpointSlice } from '@shiplog/api/generated/types/discovery-v1'
import type { ObjectChange } from '@shiplog/feed/object-feed'

export const dnsResources = ['services', 'endpointslices.discovery.k8s.io', 'namespaces'] as const

const serviceNameLabel = 'kubernetes.io/service-name'

export interface HeadlessEndpoint {
  readonly address: string
  /** Its own, or one made of its address. */
  readonly hostname: string
  readonly ports: readonly { readonly name: string; readonly protocol: string; readonly port: number }[]
}

export interface DnsView {
  hasNamespace(name: string): boolean
  service(namespace: string, name: string): Service | undefined
  /** Those that are ready, of both families. */
  endpoints(namespace: string, name: string): readonly HeadlessEndpoint[]
  /** `web.default`, or `web-0.web.default`: what an address is called. */
  namesOf(address: string): readonly string[]
}

export interface ChangingDnsView extends DnsView {
  apply(change: ObjectChange): void
}

export function createDnsView(): ChangingDnsView {
  const namespaces = new Set<string>()
  const services = new Map<string, Service>()
  const slices = new Map<string, Map<string, EndpointSlice>>()
  const endpoints = new Map<string, readonly HeadlessEndpoint[]>()
  /** Addresses to names, and what each Service put there. */
  const names = new Map<string, Set<string>>()
  const told = new Map<string, readonly (readonly [address: string, name: string])[]>()

  /** A Service or one of its slices changed: what follows from both is made anew. */
  function refresh(key: string): void {
    for (const [address, name] of told.get(key) ?? []) {
      const known = names.get(address)
      known?.delete(name)
      if (known?.size === 0) names.delete(address)
    }
    const service = services.get(key)
    const found = service === undefined || !isHeadless(service) ? [] : endpointsOf([...(slices.get(key)?.values() ?? [])])
    if (found.length === 0) endpoints.delete(key)
    else endpoints.set(key, found)
    const now = service === undefined ? [] : namesOfService(service, found)
    if (now.length === 0) told.delete(key)
    else told.set(key, now)
    for (const [address, name] of now) {
      const known = names.get(address)
      if (known) known.add(name)
      else names.set(address, new Set([name]))
    }
  }

  function applySlice(slice: EndpointSlice, deleted: boolean): void {
    const owner = slice.metadata.labels?.[serviceNameLabel]
    if (!owner) return
    const key = `${slice.metadata.namespace}/${owner}`
    const known = slices.get(key) ?? new Map<string, EndpointSlice>()
    if (deleted) known.delete(slice.metadata.name)
    else known.set(slice.metadata.name, slice)
    if (known.size === 0) slices.delete(key)
    else slices.set(key, known)
    refresh(key)
  }

  return {
    hasNamespace: (name) => namespaces.has(name),
    service: (namespace, name) => services.get(`${namespace}/${name}`),
    endpoints: (namespace, name) => endpoints.get(`${namespace}/${name}`) ?? [],
    namesOf: (address) => [...(names.get(address) ?? [])].sort(),
    apply({ groupResource, object, deleted }) {
      const { namespace = '', name } = object.metadata
      if (groupResource === 'namespaces') {
        if (deleted) namespaces.delete(name)
        else namespaces.add(name)
      } else if (groupResource === 'services') {
        const key = `${namespace}/${name}`
        if (deleted) services.delete(key)
        else services.set(key, object as Service)
        refresh(key)
      } else if (groupResource === 'endpointslices.discovery.k8s.io') applySlice(object as EndpointSlice, deleted)
    },
  }
}

const isHeadless = ({ spec = {} }: Service): boolean =>
  spec.type !== 'ExternalName' && (spec.clusterIP === 'None' || !spec.clusterIP)

/** Endpoints that are not ready have no names; publishNotReadyAddresses makes the slices call them ready. */
function endpointsOf(slices: readonly EndpointSlice[]): HeadlessEndpoint[] {
  return slices.flatMap(({ endpoints, ports }) =>
    (endpoints ?? [])
      .filter(({ conditions }) => conditions?.ready ?? true)
      .flatMap(({ addresses, hostname }) =>
        (addresses ?? []).flatMap((text): HeadlessEndpoint[] => {
          if (parseIp(text) === undefined) return []
          const address = canonicalIp(text)
          return [
            {
              ...{ address, hostname: hostname || labelOfAddress(address) },
              ports: (ports ?? []).flatMap(({ name = '', protocol = 'TCP', port }) =>
                port === undefined ? [] : [{ name, protocol: protocol.toLowerCase(), port }],
              ),
            },
          ]
        }),
      ),
  )
}

const labelOfAddress = (address: string): string => address.replaceAll('.', '-').replaceAll(':', '-')

function namesOfService(
  { metadata, spec = {} }: Service,
  found: readonly HeadlessEndpoint[],
): (readonly [address: string, name: string])[] {
  const own = `${metadata.name}.${metadata.namespace}`
  const clusterIPs = spec.type === 'ExternalName' ? [] : (spec.clusterIPs ?? [spec.clusterIP ?? ''])
  return [
    ...clusterIPs.flatMap((text) => (parseIp(text) ? [[canonicalIp(text), own] as const] : [])),
    ...found.map(({ address, hostname }) => [address, `${hostname}.${own}`] as const),
  ]
}
