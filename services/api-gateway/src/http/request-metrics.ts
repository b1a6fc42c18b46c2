// What is counted of requests, under upstream's names and labels.
import type { ResourceInfo } from '@shiplog/api/schema/schema'
import type { Counter, Gauge, Histogram, MetricsRegistry } from '@shiplog/runtime/metrics'
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

type Counted = Pick<ResourceInfo, 'group' | 'version' | 'resource'> & {
  readonly subresources: readonly Pick<ResourceInfo['subresources'][number], 'name'>[]
}

/** Labels are made once: requests of one kind share them, and their series are found by them. */
const known = new WeakMap<Counted, Map<string, RequestLabels>>()

/** The labels of a request for a resource that exists. */
export function labelsOf(
  verb: Verb,
  resource: Counted,
  path: Pick<ResourcePath, 'name' | 'namespace' | 'subresource'>,
  { apply, dryRun }: { readonly apply: boolean; readonly dryRun: boolean },
): RequestLabels {
  let ofResource = known.get(resource)
  if (ofResource === undefined) known.set(resource, (ofResource = new Map()))
  const reported = verb === 'patch' && apply ? 'APPLY' : reportedVerbs[verb]
  const scope = scopeOf(verb, path)
  const subresource = knownSubresource(resource, path.subresource)
  const key = `${reported} ${scope} ${subresource} ${dryRun ? 'dry' : ''}`
  let labels = ofResource.get(key)
  if (labels === undefined) {
    const { group, version, resource: name } = resource
    labels = { verb: reported, dryRun: dryRun ? 'All' : '', group, version, resource: name, subresource, scope }
    ofResource.set(key, labels)
  }
  return labels
}

/** What a client makes up is no label: there would be series without end. */
const knownSubresource = ({ subresources }: Counted, asked: string): string =>
  asked === '' || subresources.some(({ name }) => name === asked) ? asked : ''

const others = new Map<string, RequestLabels>()

/** Of a request that is for no resource, or for none that there is: paths are without end and no labels. */
export function labelsOfOther(method: string): RequestLabels {
  const verb = method === 'HEAD' ? 'GET' : method
  let labels = others.get(verb)
  if (labels === undefined) {
    labels = { verb, dryRun: '', group: '', version: '', resource: '', subresource: '', scope: '' }
    others.set(verb, labels)
  }
  return labels
}

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
  const series = new WeakMap<RequestLabels, AnsweredSeries>()
  const seriesOf = (labels: RequestLabels): AnsweredSeries => {
    let found = series.get(labels)
    if (found === undefined) {
      const { verb, dryRun, group, version, resource, subresource, scope } = labels
      const values = [verb, dryRun, group, version, resource, subresource, scope, component]
      found = { values, duration: duration.with(...values), byCode: new Map() }
      series.set(labels, found)
    }
    return found
  }
  return {
    inFlight: (method) => counted(isReadOnly(method) ? readOnly : mutating),
    answered(labels, code, seconds) {
      const found = seriesOf(labels)
      found.duration.observe(seconds)
      let ofCode = found.byCode.get(code)
      if (ofCode === undefined) found.byCode.set(code, (ofCode = total.with(...found.values, String(code))))
      ofCode.inc()
    },
    longRunning: ({ verb, group, version, resource, subresource, scope }) =>
      counted(longRunning.with(verb, group, version, resource, subresource, scope, component)),
    watchEvents: (group, version, resource) => watchEvents.with(group, version, resource),
  }
}

/** Where the answers to requests of one kind are counted. */
interface AnsweredSeries {
  readonly values: readonly string[]
  readonly duration: Histogram
  readonly byCode: Map<number, Counter>
}

const counted = (gauge: Gauge): Disposable => new Counting(gauge)

class Counting implements Disposable {
  readonly #gauge: Gauge
  #isOver = false
  constructor(gauge: Gauge) {
    this.#gauge = gauge
    gauge.inc()
  }
  [Symbol.dispose](): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#gauge.inc(-1)
  }
}
