// What a node tells load balancers: on the port of each Service that keeps its traffic on the node, whether endpoints are
// here; on the proxy's own port, whether rules are kept up to date. Pure.
import type { EndpointSlice } from '@shiplog/api/generated/types/discovery-v1'
import type { Service } from '@shiplog/api/generated/types/core-v1'
import { chooseEndpoints, endpointsOf, isLocalOutside, type NodePlace } from './endpoints.ts'

export interface HealthAnswer {
  readonly port: number
  readonly path: string | undefined
  readonly code: 200 | 503
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}

/** Upstream's port. */
export const healthzPort = 10_256

export function serviceHealth(
  service: Service,
  slices: readonly EndpointSlice[],
  node: NodePlace,
  isProxyHealthy: boolean,
): HealthAnswer | undefined {
  const { metadata, spec = {} } = service
  if (spec.type !== 'LoadBalancer' || !isLocalOutside(service) || !spec.healthCheckNodePort) return undefined
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
    port: spec.healthCheckNodePort,
    path: undefined,
    code: addresses.size > 0 && isProxyHealthy ? 200 : 503,
    body: `${JSON.stringify(body, undefined, '\t')}\n`,
    headers: {
      'content-type': 'application/json',
      'x-content-type-options': 'nosniff',
      'x-load-balancing-endpoint-weight': String(addresses.size),
    },
  }
}

export const proxyHealth = (
  { lastSyncMs, nowMs, isHealthy, isNodeEligible }: { lastSyncMs: number; nowMs: number; isHealthy: boolean; isNodeEligible: boolean },
): HealthAnswer => ({
  port: healthzPort,
  path: '/healthz',
  code: isHealthy && isNodeEligible ? 200 : 503,
  body: JSON.stringify({
    lastUpdated: new Date(lastSyncMs).toISOString(),
    currentTime: new Date(nowMs).toISOString(),
    nodeEligible: isNodeEligible,
  }),
  headers: { 'content-type': 'application/json', 'x-content-type-options': 'nosniff' },
})
