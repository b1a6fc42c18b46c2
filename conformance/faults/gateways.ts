// Gateways of this process on one log, without HTTPS: what is tested here is the log and the pipeline, not the wire.
import type { ApiClient, ApiRequest, ApiResult } from '@shiplog/api/api-client'
import { type ApiGateway, createApiGateway } from '@shiplog/api-gateway/api-gateway'
import type { ClusterLog } from '@shiplog/events/event-log'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'

const admin = { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] }

export interface Gateway {
  readonly gateway: ApiGateway
  readonly client: ApiClient
}

export async function startGateway(log: ClusterLog): Promise<Gateway> {
  const gateway = createApiGateway({ log, clock: systemClock, ids: systemIds, logger: silentLogger })
  await gateway.start()
  return { gateway, client: gateway.clientFor(admin) }
}

/** The answer of a request that must be accepted. */
export async function must(client: ApiClient, request: ApiRequest): Promise<Extract<ApiResult, { ok: true }>> {
  const result = await client.request(request)
  if (!result.ok) {
    throw new Error(
      `${request.verb} ${request.resource} ${request.name ?? ''}: ${result.code} ${result.status.message}`,
    )
  }
  return result
}

/** A namespace with its service account, as the controllers would make it. */
export async function makeNamespace(client: ApiClient, name: string): Promise<void> {
  await must(client, { verb: 'create', group: '', resource: 'namespaces', body: { metadata: { name } } })
  await must(client, {
    verb: 'create',
    group: '',
    resource: 'serviceaccounts',
    namespace: name,
    body: { metadata: { name: 'default' } },
  })
}
