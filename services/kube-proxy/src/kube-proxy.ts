// The proxy of one or several nodes: it follows Services, EndpointSlices and nodes, and keeps each node's packet filter as
// they want it. It carries no traffic, and what it wrote works on when it is gone.
import type { Service as ServiceObject } from '@shiplog/api/generated/types/core-v1'
import type { ObjectFeed } from '@shiplog/feed/object-feed'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import type { MetricsRegistry } from '@shiplog/runtime/metrics'
import type { HealthCheck, Service } from '@shiplog/runtime/service'
import type { AddressPool } from '@shiplog/api/address-pool'
import type { NodeAddresses } from '@shiplog/node/node-addresses'
import { type AddressAnnouncer, createAddressAnnouncer } from './address-announcer.ts'
import { announcedAddresses } from './announced-addresses.ts'
import { baseRules, kubeProxyTable } from './base-rules.ts'
import { readFlows, staleFlows, udpTargets } from './conntrack.ts'
import type { FlowTable } from './flow-table.ts'
import { healthPortOf, healthzAnswer, healthzPort, livezAnswer, type ProxyState, serviceHealth } from './health-answers.ts'
import { type Answerer, createHealthServers, type HealthServers, type Listen } from './health-servers.ts'
import { createRuleKeeper, type RuleKeeper } from '@shiplog/node/packet-filter/rule-keeper'
import type { PacketFilter } from '@shiplog/node/packet-filter/packet-filter'
import { createProxyMetrics, type ProxyMetrics } from './proxy-metrics.ts'
import { createServiceView, serviceResources, type ServiceView } from './service-view.ts'
import { serviceRules } from './service-rules.ts'

export const kubeProxyName = 'kube-proxy'

/** Rules that are not written for so long are a fault, as upstream has it. */
const unhealthyAfterMs = 60_000

export interface ProxyNode {
  readonly name: string
  readonly filter: PacketFilter
  /** Absent where connections cannot be forgotten. */
  readonly flows?: FlowTable
  /** Opens a port of the node, for load balancers that ask how it is. */
  readonly listen?: Listen
  /** Takes addresses of load balancers on; absent where somebody else brings their traffic here. */
  readonly addresses?: NodeAddresses
}

export interface KubeProxyDeps {
  readonly feed: ObjectFeed
  readonly nodes: readonly ProxyNode[]
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: MetricsRegistry
  /** Addresses of load balancers that the nodes answer for by themselves. */
  readonly pool?: AddressPool | undefined
  /** Which of the ready nodes have a proxy that does so; all when absent. */
  readonly announcers?: readonly string[]
}

interface Proxied {
  readonly node: ProxyNode
  readonly keeper: RuleKeeper
  readonly health: HealthServers | undefined
  readonly announcer: AddressAnnouncer | undefined
}

const tables = (['ip', 'ip6'] as const).map((family) => ({ family, table: kubeProxyTable }))

export function createKubeProxy(deps: KubeProxyDeps): Service {
  const { feed, clock, log } = deps
  const metrics = createProxyMetrics(deps.metrics)
  const ending = new AbortController()
  const synced = Promise.withResolvers<void>()
  const view = createServiceView()
  const proxied = deps.nodes.map((node): Proxied => {
    const ofNode = log.child({ component: kubeProxyName, node: node.name })
    const keeper = createRuleKeeper({ filter: node.filter, tables, clock, log: ofNode, onSync: metrics.synced })
    const health = node.listen && createHealthServers({ listen: node.listen, clock, log: ofNode })
    const announcer = deps.pool && node.addresses && createAddressAnnouncer({ addresses: node.addresses, clock, log: ofNode })
    return { node, keeper, health, announcer }
  })
  let following: Promise<void> | undefined

  async function follow(): Promise<void> {
    const ours = new Set(deps.nodes.map(({ name }) => name))
    const dirty = { services: new Set<string>(), nodes: new Set(ours) }
    for await (const batch of feed.follow(serviceResources, ending.signal)) {
      for (const change of batch.changes) {
        const { service, node } = view.apply(change)
        if (service !== undefined) dirty.services.add(service)
        if (node !== undefined && ours.has(node)) dirty.nodes.add(node)
        metrics.changed(change.groupResource)
      }
      if (batch.synced && batch.changes.length > 0) announce()
      if (!batch.synced || (dirty.services.size === 0 && dirty.nodes.size === 0)) continue
      void Promise.all(proxied.map((one) => apply(one, view, dirty, log))).then(() => synced.resolve())
      dirty.services.clear()
      dirty.nodes.clear()
    }
  }

  return {
    name: kubeProxyName,
    async start() {
      following = follow().catch((err: unknown) => {
        if (ending.signal.aborted) return
        log.error({ err }, 'the proxy ended')
        synced.reject(err)
      })
      await synced.promise
    },
    async stop() {
      ending.abort()
      synced.resolve()
      await Promise.all([following, ...proxied.flatMap(({ keeper, health, announcer }) => [keeper.stop(), health?.stop(), announcer?.stop()])])
    },
    health: () => proxied.map(({ node, keeper }) => healthOf(node.name, keeper, clock)),
  }

  /** Writes what changed for one node; resolves when it holds there. */
  async function apply(
    { node, keeper, health }: Proxied,
    from: ServiceView,
    dirty: { readonly services: ReadonlySet<string>; readonly nodes: ReadonlySet<string> },
    logger: Logger,
  ): Promise<void> {
    const place = from.node(node.name)
    const isNodeChanged = dirty.nodes.has(node.name)
    const keys = isNodeChanged ? new Set([...from.services.keys(), ...dirty.services]) : dirty.services
    if (isNodeChanged) keeper.desired.set('', '', baseRules(place.addresses))
    let hasUdp = false
    for (const key of keys) {
      const service = from.services.get(key)
      if (service === undefined) keeper.desired.remove(key)
      else keeper.desired.set(key, rankOf(service), serviceRules({ service, slices: from.slicesOf(key), node: place }))
      hasUdp ||= service?.spec?.ports?.some(({ protocol }) => protocol === 'UDP') === true
    }
    health?.show(healthPorts(node.name, keeper))
    await keeper.changed()
    if (hasUdp && node.flows) await forgetStale(node, node.flows, from, metrics, logger)
  }

  function announce(): void {
    const { pool, announcers } = deps
    if (pool === undefined) return
    const candidates = [...view.announcing].filter((name) => announcers?.includes(name) ?? true)
    for (const { node, announcer } of proxied) {
      const services = [...view.services].map(([key, service]) => [service, view.slicesOf(key)] as const)
      announcer?.show(announcedAddresses({ node: node.name, candidates, services, pool }))
    }
  }

  /** Answered from what holds when somebody asks. */
  function healthPorts(name: string, keeper: RuleKeeper): ReadonlyMap<number, Answerer> {
    const isHealthy = (): boolean => healthOf(name, keeper, clock).ok
    const state = (): ProxyState => ({
      ...{ isHealthy: isHealthy(), isNodeEligible: view.node(name).isEligible },
      ...{ lastSyncMs: keeper.state.lastSyncMs, nowMs: clock.nowMs() },
    })
    const own: Answerer = (path) => {
      const answer = path === '/healthz' ? healthzAnswer(state()) : path === '/livez' ? livezAnswer(state()) : undefined
      if (answer) metrics.asked(path.slice(1), answer.code)
      return answer
    }
    const ports = new Map([[healthzPort, own]])
    for (const [key, before] of view.services) {
      const port = healthPortOf(before)
      if (port === undefined) continue
      ports.set(port, () => {
        const service = view.services.get(key)
        return service && serviceHealth(service, view.slicesOf(key), view.node(name), isHealthy())
      })
    }
    return ports
  }
}

/** Of two Services that want one address, the older one has it. */
const rankOf = ({ metadata }: ServiceObject): string => `${metadata.creationTimestamp ?? ''} ${metadata.uid}`

function healthOf(name: string, { state }: RuleKeeper, clock: Clock): HealthCheck {
  const check = `rules-of-${name}`
  const { waitingSinceMs, lastFault } = state
  const isLate = waitingSinceMs !== undefined && clock.nowMs() - waitingSinceMs > unhealthyAfterMs
  if (state.isInSync || (!isLate && state.lastSyncMs > 0)) return { name: check, ok: true }
  return { name: check, ok: false, reason: lastFault ?? 'the rules have not been written yet' }
}

async function forgetStale(
  { name }: ProxyNode,
  flows: FlowTable,
  view: ServiceView,
  metrics: ProxyMetrics,
  log: Logger,
): Promise<void> {
  try {
    const services = [...view.services].map(([key, service]) => [service, view.slicesOf(key)] as const)
    const stale = staleFlows(readFlows(await flows.read()), udpTargets(services, view.node(name)))
    // One that has ended by itself meanwhile is none to be forgotten.
    for (const flow of stale) await flows.forget(flow).catch(() => undefined)
    metrics.forgot(stale.length)
  } catch (err) {
    log.warn({ err, node: name }, 'failed to forget connections of endpoints that are gone')
  }
}
