// The names of a cluster, by Kubernetes' specification of DNS-based service discovery (1.1.0): what is asked for, and the
// answer. Pure.
import { canonicalIp, formatIp, parseIp } from '@shiplog/api/ip-address'
import type { Service, ServicePort } from '@shiplog/api/generated/types/core-v1'
import type { DnsView, HeadlessEndpoint } from './dns-view.ts'
import type { DnsRecord, ZoneAnswer } from './records.ts'

export interface ZoneOptions {
  /** `cluster.local` */
  readonly domain: string
  readonly ttlSeconds: number
}

/** What the records of the zone say is true for so long, and so is that there are none. */
export const ttlSecondsDefault = 30
const schemaVersion = '1.1.0'

/** Undefined for names that are not the cluster's. */
export function answerQuestion(view: DnsView, zone: ZoneOptions, name: string, type: string): ZoneAnswer | undefined {
  const lower = name.toLowerCase()
  const reversed = addressOfReverse(lower)
  if (reversed !== undefined) return answerReverse(view, zone, name, reversed, type)
  if (lower !== zone.domain && !lower.endsWith(`.${zone.domain}`)) return undefined
  const labels = lower === zone.domain ? [] : lower.slice(0, -zone.domain.length - 1).split('.')
  const found = lookUp(view, zone, labels, name)
  if (found === undefined) return negative(zone, 'NXDOMAIN')
  const answers = found.records.filter((record) => record.type === type || (type === 'ANY' && record.type !== 'CNAME'))
  const alias = found.records.find((record) => record.type === 'CNAME')
  if (alias !== undefined) {
    const target = alias.data as string
    return { code: 'NOERROR', answers: [alias], authorities: [], additionals: [], ...(type === 'CNAME' ? {} : { alias: target }) }
  }
  if (answers.length === 0) return negative(zone, 'NOERROR')
  const additionals = type === 'SRV' ? found.additionals : []
  return { code: 'NOERROR', answers, authorities: [], additionals }
}

const negative = (zone: ZoneOptions, code: ZoneAnswer['code']): ZoneAnswer => ({
  ...{ code, answers: [], additionals: [] },
  authorities: [soa(zone, zone.domain)],
})

const soa = ({ domain, ttlSeconds }: ZoneOptions, name: string): DnsRecord => ({
  ...{ name, type: 'SOA', ttl: ttlSeconds },
  data: {
    ...{ mname: `ns.dns.${domain}`, rname: `hostmaster.${domain}`, serial: 1 },
    ...{ refresh: 7_200, retry: 1_800, expire: 86_400, minimum: ttlSeconds },
  },
})

interface Found {
  /** All records of the name: none where it only has others below it. */
  readonly records: readonly DnsRecord[]
  readonly additionals: readonly DnsRecord[]
}

const nothing: Found = { records: [], additionals: [] }

/** Undefined when there is no such name. `labels` are what stands before the domain, in small letters. */
function lookUp(view: DnsView, zone: ZoneOptions, labels: readonly string[], name: string): Found | undefined {
  const { ttlSeconds: ttl, domain } = zone
  if (labels.length === 0) {
    return { ...nothing, records: [soa(zone, name), { name, type: 'NS', ttl, data: `ns.dns.${domain}` }] }
  }
  const kind = labels.at(-1)
  if (labels.length === 1 && kind === 'dns-version') return { ...nothing, records: [{ name, type: 'TXT', ttl, data: schemaVersion }] }
  if (kind === 'dns') return lookUpServers(view, zone, labels, name)
  if (kind !== 'svc' && kind !== 'pod') return undefined
  if (labels.length === 1) return nothing
  const namespace = labels.at(-2)!
  if (!view.hasNamespace(namespace)) return undefined
  const rest = labels.slice(0, -2)
  if (rest.length === 0) return nothing
  return kind === 'pod' ? lookUpPod(rest, name, ttl) : lookUpService(view, zone, namespace, rest, name)
}

/** Where the zone's name servers are. */
function lookUpServers(view: DnsView, zone: ZoneOptions, labels: readonly string[], name: string): Found | undefined {
  if (labels.length === 1) return nothing
  if (labels.length !== 2 || labels[0] !== 'ns') return undefined
  const service = view.service('kube-system', 'kube-dns')
  return { ...nothing, records: service === undefined ? [] : addressRecords(name, clusterAddresses(service), zone.ttlSeconds) }
}

/** `10-244-1-5.default.pod`: whatever address the name says. */
function lookUpPod(rest: readonly string[], name: string, ttl: number): Found | undefined {
  const [label = '', ...more] = rest
  const address = more.length > 0 ? undefined : (parseIp(label.replaceAll('-', '.')) ?? parseIp(label.replaceAll('-', ':')))
  return address === undefined ? undefined : { ...nothing, records: addressRecords(name, [formatIp(address)], ttl) }
}

const clusterAddresses = ({ spec = {} }: Service): string[] =>
  (spec.clusterIPs ?? [spec.clusterIP ?? '']).flatMap((text) => (parseIp(text) ? [canonicalIp(text)] : []))

const addressRecords = (name: string, addresses: readonly string[], ttl: number): DnsRecord[] =>
  [...new Set(addresses)].map((data) => ({ name, type: data.includes(':') ? 'AAAA' : 'A', ttl, data }))

function lookUpService(
  view: DnsView,
  zone: ZoneOptions,
  namespace: string,
  rest: readonly string[],
  name: string,
): Found | undefined {
  const service = view.service(namespace, rest.at(-1)!)
  if (service === undefined) return undefined
  const before = rest.slice(0, -1)
  if (service.spec?.type === 'ExternalName') {
    if (before.length > 0) return undefined
    const data = (service.spec.externalName ?? '').replace(/\.$/, '')
    return { ...nothing, records: [{ name, type: 'CNAME', ttl: zone.ttlSeconds, data }] }
  }
  const endpoints = view.endpoints(namespace, service.metadata.name)
  const own = `${service.metadata.name}.${namespace}.svc.${zone.domain}`
  if (before.length === 0) return ofService(service, endpoints, name, own, zone)
  const [first = '', second = ''] = before
  if (before.length === 1) {
    // `_tcp.web.default.svc` has ports below it.
    if (first.startsWith('_')) return portsOf(service).some(({ protocol }) => `_${protocol}` === first) ? nothing : undefined
    const named = endpoints.filter(({ hostname }) => hostname === first)
    return named.length === 0
      ? undefined
      : { ...nothing, records: addressRecords(name, named.map(({ address }) => address), zone.ttlSeconds) }
  }
  if (before.length > 2 || !first.startsWith('_') || !second.startsWith('_')) return undefined
  const found = ofPort(service, endpoints, { port: first.slice(1), protocol: second.slice(1) }, name, own, zone)
  return found.records.length === 0 ? undefined : found
}

const isHeadless = ({ spec = {} }: Service): boolean => spec.clusterIP === 'None' || !spec.clusterIP

const portsOf = ({ spec = {} }: Service): { name: string; protocol: string; port: ServicePort }[] =>
  (spec.ports ?? []).map((port) => ({ name: port.name ?? '', protocol: (port.protocol ?? 'TCP').toLowerCase(), port }))

function ofService(
  service: Service,
  endpoints: readonly HeadlessEndpoint[],
  name: string,
  own: string,
  zone: ZoneOptions,
): Found {
  const addresses = isHeadless(service) ? endpoints.map(({ address }) => address) : clusterAddresses(service)
  const everyPort = ofPort(service, endpoints, {}, name, own, zone)
  return {
    records: [...addressRecords(name, addresses, zone.ttlSeconds), ...everyPort.records],
    additionals: everyPort.additionals,
  }
}

/** SRV records of a port, or of all of them. */
function ofPort(
  service: Service,
  endpoints: readonly HeadlessEndpoint[],
  wanted: { readonly port?: string; readonly protocol?: string },
  name: string,
  own: string,
  { ttlSeconds: ttl }: ZoneOptions,
): Found {
  const fits = (port: string, protocol: string): boolean =>
    (wanted.port === undefined || wanted.port === port) && (wanted.protocol === undefined || wanted.protocol === protocol)
  const targets = isHeadless(service)
    ? endpoints.flatMap(({ hostname, address, ports }) =>
        ports
          .filter(({ name: port, protocol }) => fits(port, protocol))
          .map(({ port }) => ({ target: `${hostname}.${own}`, port, addresses: [address] })),
      )
    : portsOf(service)
        .filter(({ name: port, protocol }) => fits(port, protocol))
        .map(({ port }) => ({ target: own, port: port.port, addresses: clusterAddresses(service) }))
  const distinct = [...new Map(targets.map((one) => [`${one.target} ${one.port} ${one.addresses[0]}`, one])).values()]
  const seen = new Set<string>()
  const weight = Math.max(1, Math.floor(100 / Math.max(1, distinct.length)))
  return {
    records: distinct.flatMap(({ target, port }): DnsRecord[] => {
      // Two families of one endpoint are one target.
      if (seen.has(`${target} ${port}`)) return []
      seen.add(`${target} ${port}`)
      return [{ name, type: 'SRV', ttl, data: { priority: 0, weight, port, target } }]
    }),
    additionals: [
      ...new Map(
        distinct
          .flatMap(({ target, addresses }) => addressRecords(target, addresses, ttl))
          .map((record) => [`${record.name} ${String(record.data)}`, record]),
      ).values(),
    ],
  }
}

/** The address that a name below in-addr.arpa or ip6.arpa stands for; undefined for others, and for parts of addresses. */
export function addressOfReverse(name: string): string | undefined {
  const v4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa$/.exec(name)
  if (v4) {
    const address = parseIp(v4.slice(1).reverse().join('.'))
    return address === undefined ? undefined : formatIp(address)
  }
  const v6 = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(name)
  if (!v6) return undefined
  const digits = v6[1]!.replaceAll('.', '').split('').reverse().join('')
  return canonicalIp(digits.match(/.{4}/g)!.join(':'))
}

/** Addresses that are not the cluster's are for others to answer. */
function answerReverse(view: DnsView, zone: ZoneOptions, name: string, address: string, type: string): ZoneAnswer | undefined {
  const names = view.namesOf(address)
  if (names.length === 0) return undefined
  if (type !== 'PTR' && type !== 'ANY') return negative(zone, 'NOERROR')
  const answers = names.map((one): DnsRecord => ({ name, type: 'PTR', ttl: zone.ttlSeconds, data: `${one}.svc.${zone.domain}` }))
  return { code: 'NOERROR', answers, authorities: [], additionals: [] }
}
