// The routing table: which Service port a request goes to, made of all Ingresses that are ours. Of two that want the same
// host and path the older one has it; what cannot be done is a problem of its object. Pure.
import type { Ingress, IngressBackend } from '@shiplog/api/generated/types/networking-v1'
import { createPathRoutes, type GrowingPathRoutes } from './path-routes.ts'
import { readSettings, type Settings } from './settings.ts'

export interface Route {
  readonly namespace: string
  readonly ingress: string
  readonly service: string
  /** Its name, or its number. */
  readonly port: string | number
  readonly settings: Settings
  readonly host: string
  readonly hasTls: boolean
}

export interface Problem {
  readonly object: Ingress
  readonly reason: string
  readonly message: string
}

export interface CertificateRef {
  readonly namespace: string
  readonly secret: string
  readonly ingress: Ingress
}

export interface RoutingTable {
  /** `path` as `pathForRouting` gives it. Undefined: 404. */
  find(host: string, path: string): Route | undefined
  /** Whose certificate is shown to who asks for this name. */
  certificate(serverName: string): CertificateRef | undefined
  readonly problems: readonly Problem[]
}

interface HostRoutes {
  readonly paths: GrowingPathRoutes<Route>
  fallback: Route | undefined
}

/** What of the cluster a table is checked against; only to report. */
export interface KnownObjects {
  hasServicePort(namespace: string, service: string, port: string | number): 'yes' | 'no service' | 'no port' | 'external name'
}

export function buildRoutingTable(ingresses: readonly Ingress[], known: KnownObjects): RoutingTable {
  const hosts = new Map<string, HostRoutes>()
  const certificates = new Map<string, CertificateRef>()
  const problems: Problem[] = []
  let catchAll: Route | undefined
  const sorted = [...ingresses].sort(byAge)
  for (const ingress of sorted) addCertificates(ingress, certificates, problems)
  const certificateOf = (name: string): CertificateRef | undefined => byHost(certificates, name)
  for (const ingress of sorted) {
    const report = (reason: string, message: string): void => void problems.push({ object: ingress, reason, message })
    const settings = readSettings(ingress.metadata.annotations ?? {}, (sentence) => report('InvalidAnnotation', sentence))
    const routeTo = (backend: IngressBackend | undefined, host: string): Route | undefined =>
      routeOf({ ingress, backend, host, settings, hasTls: certificateOf(host) !== undefined, known, report })
    const rules = ingress.spec.rules ?? []
    for (const { host = '', http } of rules) {
      const fallback = routeTo(ingress.spec.defaultBackend, host)
      const routes = hosts.get(host) ?? { paths: createPathRoutes<Route>(), fallback: undefined }
      hosts.set(host, routes)
      routes.fallback ??= fallback
      for (const { path = '/', pathType, backend } of http?.paths ?? []) {
        const route = routeTo(backend, host)
        const before = route && routes.paths.add(pathType, path || '/', route)
        if (before && !isSame(before, route))
          report('Conflict', `host "${host}" and path "${path}" is already defined in ingress ${before.namespace}/${before.ingress}`)
      }
    }
    // One without rules speaks for everything that no rule is about; beside rules it does so while nobody else does.
    if (rules.length === 0 || catchAll === undefined) {
      const route = routeTo(ingress.spec.defaultBackend, '')
      if (route !== undefined && (catchAll === undefined || hasRules(sorted, catchAll))) catchAll = route
    }
  }
  return {
    problems: withoutRepeats(problems),
    certificate: certificateOf,
    find(host, path) {
      const routes = byHost(hosts, host) ?? hosts.get('')
      return routes?.paths.find(path) ?? routes?.fallback ?? catchAll
    },
  }
}

const byAge = (left: Ingress, right: Ingress): number => compare(rankOf(left), rankOf(right))
const rankOf = ({ metadata }: Ingress): string => `${metadata.creationTimestamp} ${metadata.namespace}/${metadata.name}`
const compare = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0)

/** The exact name first, then the wildcard that stands for its first label. */
function byHost<Value>(map: ReadonlyMap<string, Value>, host: string): Value | undefined {
  const found = host === '' ? undefined : map.get(host)
  if (found !== undefined) return found
  const dot = host.indexOf('.')
  return dot > 0 ? map.get(`*${host.slice(dot)}`) : undefined
}

const isSame = (left: Route, right: Route): boolean =>
  left.namespace === right.namespace && left.ingress === right.ingress && left.service === right.service && left.port === right.port

const hasRules = (all: readonly Ingress[], route: Route): boolean =>
  all.some(({ metadata, spec }) => metadata.namespace === route.namespace && metadata.name === route.ingress && (spec.rules ?? []).length > 0)

function addCertificates(ingress: Ingress, certificates: Map<string, CertificateRef>, problems: Problem[]): void {
  const namespace = ingress.metadata.namespace ?? ''
  for (const { hosts, secretName } of ingress.spec.tls ?? []) {
    for (const host of hosts ?? []) {
      const before = certificates.get(host)
      if (before === undefined) certificates.set(host, { namespace, secret: secretName ?? '', ingress })
      else if (before.ingress !== ingress && (before.namespace !== namespace || before.secret !== (secretName ?? '')))
        problems.push({
          object: ingress,
          reason: 'Conflict',
          message: `the certificate of host "${host}" is already defined in ingress ${before.namespace}/${before.ingress.metadata.name}`,
        })
    }
  }
}

function routeOf(input: {
  readonly ingress: Ingress
  readonly backend: IngressBackend | undefined
  readonly host: string
  readonly settings: Settings
  readonly hasTls: boolean
  readonly known: KnownObjects
  readonly report: (reason: string, message: string) => void
}): Route | undefined {
  const { ingress, backend, host, settings, hasTls, known, report } = input
  if (backend === undefined) return undefined
  const namespace = ingress.metadata.namespace ?? ''
  const { service } = backend
  if (service === undefined) {
    report('UnsupportedBackend', `resource backends are not served: ${backend.resource?.kind ?? ''} "${backend.resource?.name ?? ''}"`)
    return undefined
  }
  const port = service.port?.name || service.port?.number || 0
  const state = known.hasServicePort(namespace, service.name, port)
  const name = `${namespace}/${service.name}`
  if (state === 'no service') report('ServiceNotFound', `service "${name}" does not exist`)
  else if (state === 'no port') report('ServicePortNotFound', `service "${name}" does not have a port ${port}`)
  else if (state === 'external name') report('UnsupportedBackend', `service "${name}" is an external name: requests are sent to pods alone`)
  return { namespace, ingress: ingress.metadata.name, service: service.name, port, settings, host, hasTls }
}

function withoutRepeats(problems: readonly Problem[]): Problem[] {
  const seen = new Set<string>()
  return problems.filter(({ object, reason, message }) => {
    const id = `${object.metadata.uid} ${reason} ${message}`
    const isNew = !seen.has(id)
    seen.add(id)
    return isNew
  })
}
