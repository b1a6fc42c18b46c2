// Whether others' API servers answer, as a condition of their APIServices, and what they serve, for discovery
// (k8s.io/kube-aggregator/pkg/controllers/status). Every gateway looks by itself: a write that says the same as before is not made,
// and of several that say something new one is first.
import type { ApiClient } from '@shiplog/api/api-client'
import { goQuote } from '@shiplog/api/decode/go-quote'
import type { APIService, APIServiceCondition } from '@shiplog/api/generated/types/apiregistration-v1'
import type { EndpointSlice } from '@shiplog/api/generated/types/discovery-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import { timestampOf } from '@shiplog/api/apply/managed-fields'
import { type AdmissionView, lookUp } from '@shiplog/domain/admission'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import type { Streams } from '../store/streams.ts'
import type { OthersResource, OthersVersion } from './aggregated-discovery.ts'
import { type AggregatedService, type AggregatedServices, apiServices, hostOf } from './aggregated-services.ts'

/** As upstream: a server is looked at again so often. */
const lookAgainMs = 30_000
/** After a failure, and how close two looks may follow each other. */
const lookSoonMs = 1_000
const timeoutMs = 5_000
/** Endpoints may differ: upstream asks so many times before it says that nobody answers. */
const attemptsMax = 5
/** Resources of one version that are told of. */
const resourcesMax = 1_000

export interface Availability extends Disposable {
  /** What is known of what they serve. */
  readonly versions: readonly OthersVersion[]
}

export interface AvailabilityDeps {
  readonly services: AggregatedServices
  /** Writes as the API server itself. */
  readonly client: ApiClient
  readonly view: AdmissionView
  readonly streams: Streams
  readonly clock: Clock
  readonly logger: Logger
}

type Verdict = Pick<APIServiceCondition, 'status' | 'reason' | 'message'>

interface Known {
  readonly resources: readonly OthersResource[]
  readonly openApiHash: string | undefined
}

/** Who asks: whoever believes the front proxy lets it read what there is. */
const asAggregator = { 'X-Remote-User': 'system:kube-aggregator', 'X-Remote-Group': 'system:masters', Accept: 'application/json' }

export function keepAvailability(deps: AvailabilityDeps): Availability {
  const { services, streams, clock, logger } = deps
  const stopped = new AbortController()
  const known = new Map<string, Known>()
  let isAsked = true
  let wake = (): void => undefined

  const onChange = (): void => {
    isAsked = true
    wake()
  }
  const tables = [apiServices, 'services', 'endpointslices.discovery.k8s.io'].map((resource) => streams.of(resource).projection.table(resource))
  const [own, ...related] = tables
  /** Of what else changes in a cluster, only what lies beside one of these servers. */
  const onRelated = (changes: readonly { readonly namespace: string }[]): void => {
    const namespaces = new Set(services.all.map(({ target }) => target.namespace))
    if (changes.some(({ namespace }) => namespaces.has(namespace))) onChange()
  }
  own!.listeners.add(onChange)
  for (const table of related) table.listeners.add(onRelated)

  const versions = (): readonly OthersVersion[] =>
    services.all.map(({ name, group, version, groupPriority, versionPriority, isAvailable }) => {
      const { resources = [], openApiHash } = known.get(name) ?? {}
      return { group, version, groupPriority, versionPriority, isFresh: isAvailable, resources, openApiHash }
    })

  async function look(): Promise<boolean> {
    const outcomes = await Promise.all(
      services.all.map(async (service) => {
        const verdict = await judge(deps, service, stopped.signal)
        if (verdict.status === 'True') await learn(service)
        await writeCondition(deps, service.name, verdict)
        return verdict.status === 'True'
      }),
    )
    await settleLocal(deps)
    for (const name of known.keys()) if (!services.all.some((service) => service.name === name)) known.delete(name)
    return outcomes.every((isGood) => isGood)
  }

  /** What it serves, from whoever proves to be it. */
  async function learn(service: AggregatedService): Promise<void> {
    const { group, version } = service
    const options = { headers: asAggregator, timeoutMs, signal: stopped.signal, verifies: true }
    try {
      const list = await services.get(service, `/apis/${group}/${version}`, options)
      const index = await services.get(service, '/openapi/v3', options).catch(() => undefined)
      known.set(service.name, {
        resources: resourcesIn(list.body),
        openApiHash: index?.code === 200 ? hashIn(index.body, `apis/${group}/${version}`) : undefined,
      })
    } catch (err) {
      logger.warn({ err, apiService: service.name }, 'an API server does not tell what it serves')
    }
  }

  const run = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      isAsked = false
      const isGood = await look().catch((err: unknown) => {
        if (!stopped.signal.aborted) logger.warn({ err }, 'failed to look at APIServices')
        return false
      })
      // Changes come in bursts: one look is for all of them.
      await pause(lookSoonMs)
      if (!isAsked && isGood) await pause(lookAgainMs, true)
    }
  }

  /** Ends earlier when it is stopped, or (`wakes`) when something has changed. */
  function pause(ms: number, wakes = false): Promise<void> {
    if (stopped.signal.aborted) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = clock.after(ms, () => resolve())
    const onStop = (): void => resolve()
    stopped.signal.addEventListener('abort', onStop, { once: true })
    if (wakes) wake = resolve
    return promise.finally(() => {
      wake = () => undefined
      timer[Symbol.dispose]()
      stopped.signal.removeEventListener('abort', onStop)
    })
  }

  void run()
  return {
    get versions() {
      return versions()
    },
    [Symbol.dispose]() {
      stopped.abort()
      own!.listeners.delete(onChange)
      for (const table of related) table.listeners.delete(onRelated)
    },
  }
}

const no = (reason: string, message: string): Verdict => ({ status: 'False', reason, message })

async function judge({ view, services }: AvailabilityDeps, service: AggregatedService, signal: AbortSignal): Promise<Verdict> {
  const { namespace, name, port } = service.target
  const found = lookUp(view, 'services', namespace, name)
  if (!found) return no('ServiceNotFound', `service/${name} in ${goQuote(namespace)} is not present`)
  if (found.spec.type !== 'ExternalName') {
    const servicePort = found.spec.ports?.find((one) => one.port === port)
    if (!servicePort) return no('ServicePortError', `service/${name} in ${goQuote(namespace)} is not listening on port ${port}`)
    const portName = servicePort.name ?? ''
    const slices = (view.list('endpointslices.discovery.k8s.io', namespace) as unknown as readonly EndpointSlice[]).filter(
      ({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === name,
    )
    if (slices.length === 0) return no('EndpointsNotFound', `cannot find endpointslices for service/${name} in ${goQuote(namespace)}`)
    if (!slices.some((slice) => isActive(slice, portName)))
      return no('MissingEndpoints', `endpointslices for service/${name} in ${goQuote(namespace)} have no addresses with port name ${goQuote(portName)}`)
  }
  const first = await check(services, service, signal)
  if (first === undefined) return { status: 'True', reason: 'Passed', message: 'all checks passed' }
  const more = await Promise.all(Array.from({ length: attemptsMax - 1 }, () => check(services, service, signal)))
  return more.includes(undefined) ? { status: 'True', reason: 'Passed', message: 'all checks passed' } : no('FailedDiscoveryCheck', first)
}

const isActive = ({ endpoints, ports }: EndpointSlice, portName: string): boolean =>
  (endpoints ?? []).some(({ conditions }) => conditions?.ready !== false) &&
  (ports ?? []).some(({ name, port }) => (name ?? '') === portName && port !== undefined)

/** Undefined when the server answers; what is wrong otherwise. */
async function check(services: AggregatedServices, service: AggregatedService, signal: AbortSignal): Promise<string | undefined> {
  const path = `/apis/${service.group}/${service.version}`
  const url = `https://${hostOf(service)}${path}`
  try {
    const { code } = await services.get(service, path, { headers: asAggregator, timeoutMs, signal, verifies: false })
    if (code >= 200 && code < 300) return undefined
    return `failing or missing response from ${url}: bad status from ${url}: ${code}`
  } catch (error) {
    return `failing or missing response from ${url}: Get ${goQuote(url)}: ${(error as Error).message}`
  }
}

/** Says what is new of a server, with the version that it was read in: others look as well. */
async function writeCondition({ client, view, clock, logger }: AvailabilityDeps, name: string, verdict: Verdict): Promise<void> {
  const object = view.get(apiServices, '', name) as unknown as APIService | undefined
  if (!object) return
  const conditions = object.status?.conditions ?? []
  const before = conditions.find(({ type }) => type === 'Available')
  if (before?.status === verdict.status && before.reason === verdict.reason && before.message === verdict.message) return
  const isMoved = before?.status !== verdict.status
  const lastTransitionTime = isMoved || !before.lastTransitionTime ? timestampOf(clock.nowMs()) : before.lastTransitionTime
  const condition = { type: 'Available', ...verdict, lastTransitionTime }
  const next = { ...object, status: { ...object.status, conditions: [...conditions.filter((one) => one !== before), condition] } }
  const result = await client.request({
    ...{ verb: 'update', group: 'apiregistration.k8s.io', resource: 'apiservices', subresource: 'status', name },
    query: { fieldManager: 'kube-apiserver' },
    body: next as unknown as KubeObject,
  })
  if (!result.ok && result.code !== 409 && result.code !== 404)
    logger.warn({ apiService: name, why: result.status.message }, 'failed to say whether an API server is available')
}

/** What is served here is always available. */
async function settleLocal(deps: AvailabilityDeps): Promise<void> {
  const verdict: Verdict = { status: 'True', reason: 'Local', message: 'Local APIServices are always available' }
  for (const { metadata, spec } of deps.view.list(apiServices) as unknown as readonly APIService[])
    if (!spec.service) await writeCondition(deps, metadata.name, verdict)
}

function resourcesIn(body: Buffer): readonly OthersResource[] {
  const { resources } = JSON.parse(body.toString('utf8')) as { readonly resources?: unknown }
  if (!Array.isArray(resources)) return []
  return (resources as OthersResource[]).filter((one) => typeof one?.name === 'string').slice(0, resourcesMax)
}

/** The hash of a document in the index of all. */
function hashIn(body: Buffer, path: string): string | undefined {
  const { paths = {} } = JSON.parse(body.toString('utf8')) as { readonly paths?: Record<string, { readonly serverRelativeURL?: unknown }> }
  const url = paths[path]?.serverRelativeURL
  return typeof url === 'string' ? (/[?&]hash=([^&]+)/.exec(url)?.[1] ?? '') : undefined
}
