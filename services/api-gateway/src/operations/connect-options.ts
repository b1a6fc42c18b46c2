// What a connection is asked with, as the object that admission sees: the options types of k8s.io/api/core/v1.
import type { KubeObject } from '@shiplog/api/kube-object'
import type { GatewayRequest } from '../request/gateway-request.ts'

const kinds: Readonly<Record<string, string>> = {
  exec: 'PodExecOptions',
  attach: 'PodAttachOptions',
  portforward: 'PodPortForwardOptions',
}
const proxyKinds: Readonly<Record<string, string>> = {
  pods: 'PodProxyOptions',
  services: 'ServiceProxyOptions',
  nodes: 'NodeProxyOptions',
}
const flags = ['stdin', 'stdout', 'stderr', 'tty'] as const

export function connectOptions({ resource, subresource, query }: GatewayRequest): KubeObject {
  const kind = subresource === 'proxy' ? proxyKinds[resource.resource] : kinds[subresource]
  return { kind: kind ?? '', apiVersion: 'v1', ...optionsOf(subresource, query) } as unknown as KubeObject
}

function optionsOf(subresource: string, query: URLSearchParams): object {
  // The path is for what runs, and no option of ours.
  if (subresource === 'proxy') return {}
  if (subresource === 'portforward') {
    const ports = query.getAll('ports').flatMap((text) => text.split(',').map(Number))
    return ports.length > 0 ? { ports } : {}
  }
  const set = flags.filter((flag) => ['true', '1'].includes(query.get(flag) ?? ''))
  const command = query.getAll('command')
  const container = query.get('container')
  return {
    ...Object.fromEntries(set.map((flag) => [flag, true])),
    ...(container ? { container } : {}),
    ...(subresource === 'exec' ? { command } : {}),
  }
}
