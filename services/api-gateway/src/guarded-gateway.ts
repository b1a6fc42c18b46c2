// A gateway that runs alone, as one service: the log is checked before it is served, the system's objects are made and
// kept, the components are shown as pods, and the log is sealed while it grows.
import type { ApiServerPlace } from '@shiplog/domain/bootstrap-objects'
import type { ClusterLog } from '@shiplog/events/event-log'
import type { Mark } from '@shiplog/events/integrity/high-water-mark'
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import type { Logger } from '@shiplog/runtime/logger'
import type { Vitals } from '@shiplog/runtime/run'
import type { Service } from '@shiplog/runtime/service'
import type { ApiGateway, ApiGatewayDeps } from './api-gateway.ts'
import { type ComponentWatch, type ComponentWatchOptions, watchComponents } from '@shiplog/control-plane/pods/component-watch'
import { guardLog } from '@shiplog/events/integrity/guarded-log'
import { ensureDefaultRoles, ensureSystemObjects, keepSystemObjects, type KeptSystemObjects } from '@shiplog/control-plane/bootstrap/system-objects'

export interface GuardedGatewayOptions {
  readonly log: ClusterLog
  /** Where the high-water mark lies. */
  readonly dataDir: string
  readonly mark: Mark | undefined
  readonly clock: Clock
  readonly logger: Logger
  readonly ids: Ids
  /** What this gateway is called among the gateways. */
  readonly replica: string
  readonly vitals: () => Vitals
  /** The IP address by which pods reach this API server. */
  readonly address: string
  /** The servers of the log that answer now. */
  readonly probeLogServers?: NonNullable<ComponentWatchOptions['probeLogServers']>
}

/** Throws LogDamaged when the log is not whole. */
export async function guardedGateway(
  options: GuardedGatewayOptions,
  create: (guarded: Pick<ApiGatewayDeps, 'log' | 'onStored'>) => ApiGateway,
): Promise<Service & { readonly gateway: ApiGateway }> {
  const guarded = await guardLog(options)
  const gateway = create({ log: guarded.log, onStored: guarded.onStored })
  const client = gateway.clientFor({ name: 'system:apiserver', groups: ['system:masters', 'system:authenticated'] })
  let components: ComponentWatch | undefined
  let kept: KeptSystemObjects | undefined
  return {
    name: gateway.name,
    gateway,
    async start() {
      await gateway.start()
      const { clock, ids, logger, address, replica, vitals, probeLogServers } = options
      const { port } = gateway
      // Until the others' Leases are known, what they have said of themselves stays.
      const others = (shown: readonly ApiServerPlace[]) => components?.places(shown) ?? shown
      const objects = { client, clock, address, port, others }
      await ensureSystemObjects(objects)
      await ensureDefaultRoles(objects)
      const whole = { log: guarded.log, client, clock, logger, replica, holder: ids.uuid() }
      components = watchComponents(
        {
          ...whole,
          vitals: () => ({ ...vitals(), serves: { address, port } }),
          ...(probeLogServers ? { probeLogServers } : {}),
        },
        () => kept?.look(),
      )
      kept = keepSystemObjects({ ...objects, logger })
      guarded.begin()
    },
    async stop() {
      await kept?.[Symbol.asyncDispose]()
      await components?.stop()
      await gateway.stop()
      await guarded.end()
    },
    health: () => [...gateway.health(), ...(components?.health() ?? [])],
  }
}
