// Services, slices and nodes for tests.
import type { Service, ServicePort, ServiceSpec } from '@shiplog/api/generated/types/core-v1'
import type { Endpoint, EndpointSlice } from '@shiplog/api/generated/types/discovery-v1'
import { parseIpRange } from '@shiplog/api/ip-address'
import { baseRules } from '../base-rules.ts'
import { type Ruleset, type RulesetParts, rulesetOf } from '@shiplog/node/packet-filter/ruleset'
import { type ProxiedNode, serviceRules } from '../service-rules.ts'

export const nodeHere: ProxiedNode = {
  name: 'here',
  zone: 'a',
  podRanges: [parseIpRange('10.244.0.0/24')!, parseIpRange('fd00:244::/64')!],
  addresses: ['172.30.0.10'],
  isEligible: true,
}

export const aService = (name: string, spec: ServiceSpec, status: Service['status'] = { loadBalancer: {} }): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default', uid: `uid-${name}`, creationTimestamp: '2026-01-01T00:00:00Z' } as Service['metadata'],
  spec: { type: 'ClusterIP', ...spec },
  status,
})

export const httpPort: ServicePort = { name: 'http', port: 80, protocol: 'TCP' }

export const anEndpoint = (address: string, more: Partial<Endpoint> = {}): Endpoint => ({
  addresses: [address],
  conditions: { ready: true },
  nodeName: 'here',
  ...more,
})

export const aSlice = (service: Service, endpoints: readonly Endpoint[], port = 8080, addressType: EndpointSlice['addressType'] = 'IPv4'): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: {
    name: `${service.metadata.name}-${addressType}`,
    namespace: 'default',
    labels: { 'kubernetes.io/service-name': service.metadata.name },
  } as unknown as EndpointSlice['metadata'],
  addressType,
  ports: (service.spec?.ports ?? []).map(({ name = '', protocol = 'TCP' }) => ({ name, protocol, port })),
  endpoints: [...endpoints],
})

/** All rules of a node for these Services. */
export function rulesFor(entries: readonly (readonly [Service, readonly EndpointSlice[]])[], node = nodeHere): Ruleset {
  const parts: RulesetParts[] = [baseRules(node.addresses), ...entries.map(([service, slices]) => serviceRules({ service, slices, node }))]
  return rulesetOf({
    chains: parts.flatMap(({ chains = [] }) => chains),
    sets: parts.flatMap(({ sets = [] }) => sets),
    elements: parts.flatMap(({ elements = [] }) => elements),
  })
}
