// What Services take of a quota.
import type { Service } from '@shiplog/api/generated/types/core-v1'
import { quantityOf } from '@shiplog/api/quantity'
import type { Evaluator } from './evaluator.ts'
import { one, zero } from './resource-list.ts'

const objectCount = 'count/services'
const tracked: ReadonlySet<string> = new Set([objectCount, 'services', 'services.nodeports', 'services.loadbalancers'])

/** Node ports that it has or will be given. */
function nodePorts({ spec }: Service): number {
  const ports = spec.ports ?? []
  if (spec.type === 'NodePort') return ports.length
  if (spec.type !== 'LoadBalancer') return 0
  return spec.allocateLoadBalancerNodePorts === false ? ports.filter(({ nodePort }) => nodePort).length : ports.length
}

export const serviceEvaluator: Evaluator = {
  handles: ({ operation, subresource }) => subresource === '' && (operation === 'CREATE' || operation === 'UPDATE'),
  tracks: (name) => tracked.has(name),
  matchesScope: () => false,
  usage(object) {
    const service = object as unknown as Service
    return new Map([
      [objectCount, one],
      ['services', one],
      ['services.loadbalancers', service.spec.type === 'LoadBalancer' ? one : zero],
      ['services.nodeports', quantityOf(nodePorts(service))],
    ])
  },
}
