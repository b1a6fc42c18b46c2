// What a connection is asked for, as the object that upstream makes of the query: webhooks see it, and may change it.
import type { KubeObject } from '@shiplog/api/kube-object'
import { groupResourceOf } from '@shiplog/api/schema/schema'
import type { ShownForm } from '@shiplog/domain/write/async-admission'
import type { GatewayRequest } from '../request/gateway-request.ts'
import { flag } from '../request/list-options.ts'
import { bodyForm } from '../write/asked-write.ts'

const kinds: Readonly<Record<string, string>> = {
  'pods/exec': 'PodExecOptions',
  'pods/attach': 'PodAttachOptions',
  'pods/portforward': 'PodPortForwardOptions',
  'pods/proxy': 'PodProxyOptions',
  'services/proxy': 'ServiceProxyOptions',
  'nodes/proxy': 'NodeProxyOptions',
}

const flags = ['stdin', 'stdout', 'stderr', 'tty']

/** The options of a connection, and how they are shown. */
export function connectOptions({ resource, subresource, query }: GatewayRequest): { readonly object: KubeObject; readonly form: ShownForm } {
  const kind = kinds[`${groupResourceOf(resource.group, resource.resource)}/${subresource}`] ?? 'PodExecOptions'
  const container = query.get('container')
  const command = query.getAll('command')
  const ports = [...query.getAll('ports'), ...query.getAll('port')].map(Number)
  const isStream = kind === 'PodExecOptions' || kind === 'PodAttachOptions'
  const object = {
    ...{ kind, apiVersion: 'v1' },
    ...(isStream ? Object.fromEntries(flags.filter((name) => flag(query, name)).map((name) => [name, true])) : {}),
    ...(isStream && container ? { container } : {}),
    ...(kind === 'PodExecOptions' ? { command } : {}),
    ...(kind === 'PodPortForwardOptions' && ports.length > 0 ? { ports } : {}),
  }
  return { object: object as unknown as KubeObject, form: bodyForm('', 'v1', kind) }
}

/** The request, as somebody changed its options. */
export function withConnectOptions(request: GatewayRequest, object: KubeObject): GatewayRequest {
  const { kind, command, container } = object as unknown as { kind: string; command?: readonly string[]; container?: string }
  if (kind !== 'PodExecOptions' && kind !== 'PodAttachOptions') return request
  const query = new URLSearchParams(request.query)
  const put = (name: string, values: readonly string[]): void => {
    query.delete(name)
    for (const value of values) query.append(name, value)
  }
  put('container', container ? [container] : [])
  if (kind === 'PodExecOptions') put('command', command ?? [])
  for (const name of flags) put(name, (object as unknown as Record<string, unknown>)[name] === true ? ['true'] : [])
  return { ...request, query }
}
