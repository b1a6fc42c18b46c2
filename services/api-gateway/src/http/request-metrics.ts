// What is counted of requests, under upstream's names and labels.
import type { ResourceInfo } from '@shiplog/api/schema/schema'
import type { Gauge, MetricsRegistry } from '@shiplog/runtime/metrics'
import type { Verb } from '../request/gateway-request.ts'
import type { ResourcePath } from './request-info.ts'

const component = 'apiserver'
const durationBuckets = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
]
const requestLabels = ['verb', 'dry_run', 'group', 'version', 'resource', 'subresource', 'scope', 'component']

/** What a request was, as its labels. */
export interface RequestLabels {
  readonly verb: string
  readonly dryRun: string
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly subresource: string
  readonly scope: string
}

export interface RequestMetrics {
  /** Counts a request as being in flight until disposed of. */
  inFlight(method: string): Disposable
  /** A request was answered. */
  answered(labels: RequestLabels, code: number, seconds: number): void
  /** Counts a watch or a stream until disposed of. */
  longRunning(labels: RequestLabels): Disposable
  /** Events that were sent to watchers of a resource. */
  watchEvents(group: string, version: string, resource: string): { inc(by?: number): void }
}

const reportedVerbs: Readonly<Record<Verb, string>> = {
  get: 'GET',
  list: 'LIST',
  watch: 'WATCH',
  create: 'POST',
  update: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
  deletecollection: 'DELETECOLLECTION',
  connect: 'CONNECT',
}

const scopeOf = (verb: Verb, { name, namespace }: Pick<ResourcePath, 'name' | 'namespace'>): string => {
  if (name !== '' || verb === 'create') return 'resource'
  return namespace === '' ? 'cluster' : 'namespace'
}

/** The labels of a request for a resource that exists. */
export const labelsOf = (
  verb: Verb,
  { group, version, resource }: Pick<ResourceInfo, 'group' | 'version' | 'resource'>,
  path: Pick<ResourcePath, 'name' | 'namespace' | 'subresource'>,
  { apply, dryRun }: { readonly apply: boolean; readonly dryRun: boolean },
): RequestLabels => ({
  verb: verb === 'patch' && apply ? 'APPLY' : reportedVerbs[verb],
  dryRun: dryRun ? 'All' : '',
  ...{ group, version, resource },
  subresource: path.subresource,
  scope: scopeOf(verb, path),
})

/** Of a request that is for no resource, or for none that there is: paths are without end and no labels. */
export const labelsOfOther = (method: string): RequestLabels => ({
  verb: method === 'HEAD' ? 'GET' : method,
  ...{ dryRun: '', group: '', version: '', resource: '', subresource: '', scope: '' },
})

const isReadOnly = (method: string): boolean => method === 'GET' || method === 'HEAD' || method === 'OPTIONS'

export function createRequestMetrics(registry: MetricsRegistry): RequestMetrics {
  const total = registry.counter({
    name: 'apiserver_request_total',
    help: 'Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, scope, component, and HTTP response code.',
    labels: [...requestLabels, 'code'],
  })
  const duration = registry.histogram({
    name: 'apiserver_request_duration_seconds',
    help: 'Response latency distribution in seconds for each verb, dry run value, group, version, resource, subresource, scope and component.',
    labels: requestLabels,
    buckets: durationBuckets,
  })
  const inFlight = registry.gauge({
    name: 'apiserver_current_inflight_requests',
    help: 'Number of requests that are being served, per request kind.',
    labels: ['request_kind'],
  })
  const longRunning = registry.gauge({
    name: 'apiserver_longrunning_requests',
    help: 'Gauge of all active long-running apiserver requests broken out by verb, group, version, resource, scope and component. Not all requests are tracked this way.',
    labels: requestLabels.filter((label) => label !== 'dry_run'),
  })
  const watchEvents = registry.counter({
    name: 'apiserver_watch_events_total',
    help: 'Number of events sent in watch clients',
    labels: ['group', 'version', 'resource'],
  })
  const [readOnly, mutating] = [inFlight.with('readOnly'), inFlight.with('mutating')]
  return {
    inFlight: (method) => counted(isReadOnly(method) ? readOnly : mutating),
    answered({ verb, dryRun, group, version, resource, subresource, scope }, code, seconds) {
      const labels = [verb, dryRun, group, version, resource, subresource, scope, component]
      duration.with(...labels).observe(seconds)
      total.with(...labels, String(code)).inc()
    },
    longRunning: ({ verb, group, version, resource, subresource, scope }) =>
      counted(longRunning.with(verb, group, version, resource, subresource, scope, component)),
    watchEvents: (group, version, resource) => watchEvents.with(group, version, resource),
  }
}

function counted(gauge: Gauge): Disposable {
  gauge.inc()
  let over = false
  return {
    [Symbol.dispose]() {
      if (over) return
      over = true
      gauge.inc(-1)
    },
  }
}
