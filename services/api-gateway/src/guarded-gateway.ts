// A gateway that runs alone, as one service: the log is checked before it is served, the gateway boots (boot.ts), the
// components are shown as pods, and the log is sealed while it grows.
import type { IpRanges } from '@shiplog/api/ip-address'
import type { ClusterLog } from '@shiplog/events/event-log'
import type { Mark } from '@shiplog/events/integrity/high-water-mark'
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import type { Logger } from '@shiplog/runtime/logger'
import type { Vitals } from '@shiplog/runtime/run'
import type { Service } from '@shiplog/runtime/service'
import type { ApiGateway, ApiGatewayDeps } from './api-gateway.ts'
import { type ComponentWatch, type ComponentWatchOptions, watchComponents } from '@shiplog/control-plane/pods/component-watch'
import { bootGateway } from './boot.ts'
import { guardLog } from '@shiplog/events/integrity/guarded-log'

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
  /** Where addresses of Services come from; default 10.96.0.0/12. */
  readonly serviceRanges?: IpRanges | undefined
  /** The servers of the log that answer now. */
  readonly probeLogServers?: NonNullable<ComponentWatchOptions['probeLogServers']>
}

/** Throws LogDamaged when the log is not whole. */
export async function guardedGateway(
  options: GuardedGatewayOptions,
  create: (guarded: Pick<ApiGatewayDeps, 'log' | 'onStored' | 'inspection'>) => ApiGateway,
): Promise<Service & { readonly gateway: ApiGateway }> {
  const guarded = await guardLog(options)
  const gateway = create({ log: guarded.log, onStored: guarded.onStored, inspection: guarded.inspection })
  const { clock, ids, logger, address, serviceRanges, replica, vitals, probeLogServers } = options
  let components: ComponentWatch | undefined
  const boot = bootGateway({
    ...{ gateway, clock, logger, address, serviceRanges, guarded },
    // Keep the published endpoints until the others' Leases are known.
    others: (shown) => components?.places(shown) ?? shown,
    keepSystemObjects: true,
  })
  return {
    name: gateway.name,
    gateway,
    async start() {
      await boot.start()
      const { port } = gateway
      const whole = { log: guarded.log, client: boot.client, clock, logger, replica, holder: ids.uuid() }
      components = watchComponents(
        {
          ...whole,
          vitals: () => ({ ...vitals(), serves: { address, port } }),
          ...(probeLogServers ? { probeLogServers } : {}),
        },
        () => boot.look(),
      )
      await boot.finish()
    },
    async stop() {
      await boot[Symbol.asyncDispose]()
      await components?.stop()
      await gateway.stop()
      await guarded.end()
    },
    health: () => [...gateway.health(), ...(components?.health() ?? [])],
  }
}
