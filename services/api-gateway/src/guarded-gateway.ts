// A gateway that runs alone, as one service: the log is checked before it is served, the system's objects are made, and
// the log is sealed while it grows.
import type { ClusterLog } from '@shiplog/events/event-log'
import type { Mark } from '@shiplog/events/high-water-mark'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import type { Service } from '@shiplog/runtime/service'
import type { ApiGateway, ApiGatewayDeps } from './api-gateway.ts'
import { guardLog } from './guarded-log.ts'
import { ensureDefaultRoles, ensureSystemObjects } from './system-objects.ts'

export interface GuardedGatewayOptions {
  readonly log: ClusterLog
  /** Where the high-water mark lies. */
  readonly dataDir: string
  readonly mark: Mark | undefined
  readonly clock: Clock
  readonly logger: Logger
  /** The IP address by which pods reach this API server. */
  readonly address: string
}

/** Throws LogDamaged when the log is not whole. */
export async function guardedGateway(
  options: GuardedGatewayOptions,
  create: (guarded: Pick<ApiGatewayDeps, 'log' | 'onStored'>) => ApiGateway,
): Promise<Service & { readonly gateway: ApiGateway }> {
  const guarded = await guardLog(options)
  const gateway = create({ log: guarded.log, onStored: guarded.onStored })
  const client = gateway.clientFor({ name: 'system:apiserver', groups: ['system:masters', 'system:authenticated'] })
  return {
    name: gateway.name,
    gateway,
    async start() {
      await gateway.start()
      const { clock, address } = options
      const objects = { client, clock, address, port: gateway.port }
      await ensureSystemObjects(objects)
      await ensureDefaultRoles(objects)
      guarded.begin()
    },
    async stop() {
      await gateway.stop()
      await guarded.end()
    },
    health: () => gateway.health(),
  }
}
