// What a node tells load balancers: on the port of each Service that keeps its traffic on the node, whether endpoints are
// here; on the proxy's own port, whether rules are kept up to date. In upstream's words, times as Go writes them. Pure.
import type { EndpointSlice } from '@shiplog/api/generated/types/discovery-v1'
import type { Service } from '@shiplog/api/generated/types/core-v1'
import { chooseEndpoints, endpointsOf, isLocalOutside, type NodePlace } from './endpoints.ts'

export interface HealthAnswer {
  readonly code: 200 | 503
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}

/** Upstream's port. */
export const healthzPort = 10_256

/** The port on which a Service tells its health; undefined when it has none. */
export function healthPortOf(service: Service): number | undefined {
  const { type, healthCheckNodePort } = service.spec ?? {}
  return type === 'LoadBalancer' && isLocalOutside(service) && healthCheckNodePort ? healthCheckNodePort : undefined
}

const jsonHeaders = { 'content-type': 'application/json', 'x-content-type-options': 'nosniff' }

export function serviceHealth(
  { metadata, spec = {} }: Service,
  slices: readonly EndpointSlice[],
  node: NodePlace,
  isProxyHealthy: boolean,
): HealthAnswer {
  const addresses = new Set(
    (spec.ports ?? []).flatMap((port) =>
      (['ip', 'ip6'] as const).flatMap((family) =>
        chooseEndpoints(endpointsOf(slices, port, family), node).local
          .filter(({ isReady }) => isReady)
          .map(({ address }) => address),
      ),
    ),
  )
  const body = {
    service: { namespace: metadata.namespace, name: metadata.name },
    localEndpoints: addresses.size,
    serviceProxyHealthy: isProxyHealthy,
  }
  return {
    code: addresses.size > 0 && isProxyHealthy ? 200 : 503,
    body: JSON.stringify(body, undefined, '\t'),
    headers: { ...jsonHeaders, 'x-load-balancing-endpoint-weight': String(addresses.size) },
  }
}

export interface ProxyState {
  readonly isHealthy: boolean
  /** False while the node is about to go. */
  readonly isNodeEligible: boolean
  readonly lastSyncMs: number
  readonly nowMs: number
}

/** `/healthz`: whether new traffic may be sent here. */
export function healthzAnswer({ isHealthy, isNodeEligible, lastSyncMs, nowMs }: ProxyState): HealthAnswer {
  const ok = isHealthy && isNodeEligible
  const body = `{"lastUpdated": "${goTime(ok ? nowMs : lastSyncMs)}","currentTime": "${goTime(nowMs)}", "nodeEligible": ${isNodeEligible}}`
  return { code: ok ? 200 : 503, body, headers: jsonHeaders }
}

/** `/livez`: whether the proxy works; a node that is about to go may have one that does. */
export const livezAnswer = ({ isHealthy, lastSyncMs, nowMs }: ProxyState): HealthAnswer => ({
  code: isHealthy ? 200 : 503,
  body: `{"lastUpdated": "${goTime(isHealthy ? nowMs : lastSyncMs)}","currentTime": "${goTime(nowMs)}"}`,
  headers: jsonHeaders,
})

const goTime = (ms: number): string => `${new Date(ms).toISOString().replace('T', ' ').slice(0, -1)} +0000 UTC`
