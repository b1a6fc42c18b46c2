// How a gateway starts, wherever it runs: alone, with the whole cluster in one process, or beside upstream to be compared.
// The steps stand here in their order; who composes a process decides what else comes between the two halves.
import type { IpRanges } from '@shiplog/api/ip-address'
import type { ApiClient } from '@shiplog/api/api-client'
import {
  ensureDefaultRoles,
  ensureSystemObjects,
  keepSystemObjects,
  type KeptSystemObjects,
} from '@shiplog/control-plane/bootstrap/system-objects'
import type { ApiServerPlace } from '@shiplog/domain/bootstrap-objects'
import type { GuardedLog } from '@shiplog/events/integrity/guarded-log'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import type { ApiGateway } from './api-gateway.ts'
import { recordDamageEvent } from './time-travel/damage-event.ts'

export interface BootOptions {
  readonly gateway: Pick<ApiGateway, 'start' | 'clientFor' | 'port'>
  readonly clock: Clock
  readonly logger: Logger
  /** The IP address by which pods reach this API server. */
  readonly address: string
  /** The port by which they do; the gateway's own by default. */
  readonly port?: number | undefined
  readonly serviceRanges?: IpRanges | undefined
  /** Where the other gateways serve now, given where the Endpoints show API servers. */
  readonly others?: (shown: readonly ApiServerPlace[]) => readonly ApiServerPlace[]
  /** Absent for a log that needs no guard: one in memory. */
  readonly guarded?: Pick<GuardedLog, 'begin'>
  /** Whether system objects that somebody deletes are made again. */
  readonly keepSystemObjects: boolean
}

export interface Boot extends AsyncDisposable {
  /** The gateway's own client. */
  readonly client: ApiClient
  /** Resolves when the gateway serves, and everything is there that others rely on. */
  start(): Promise<void>
  /** What nobody waits for: the log is inspected and sealed, and the default roles are made. */
  finish(): Promise<void>
  /** Looks at the system objects at once: what they are to say may have changed. */
  look(): void
}

export function bootGateway(options: BootOptions): Boot {
  const { gateway, clock, logger, address, serviceRanges, others, guarded } = options
  const client = gateway.clientFor({ name: 'system:apiserver', groups: ['system:masters', 'system:authenticated'] })
  // The port is known once the gateway listens.
  const objects = () => ({ client, clock, address, port: options.port ?? gateway.port, serviceRanges, ...(others ? { others } : {}) })
  let kept: KeptSystemObjects | undefined
  return {
    client,
    async start() {
      await gateway.start()
      await ensureSystemObjects(objects())
      if (options.keepSystemObjects) kept = keepSystemObjects({ ...objects(), logger })
    },
    async finish() {
      guarded?.begin((damages) => {
        recordDamageEvent({ client, clock, logger, damages }).catch((err: unknown) =>
          logger.warn({ err }, 'failed to record the damage as an Event'),
        )
      })
      await ensureDefaultRoles(objects())
    },
    look: () => kept?.look(),
    async [Symbol.asyncDispose]() {
      await kept?.[Symbol.asyncDispose]()
    },
  }
}
