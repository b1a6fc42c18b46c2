// The log of a process that runs alone, as its environment says (see nats-from-environment.ts), and:
//
//   SHIPLOG_NATS_REPLICAS     copies of each stream, for whoever makes the streams (default 1)
import type { ClusterLog } from '../event-log.ts'
import { connectJetStreamClusterLog } from './jetstream-log.ts'
import { natsFromEnvironment, type NatsFromEnvironmentOptions, whenReachable } from './nats-from-environment.ts'

export interface LogFromEnvironmentOptions extends NatsFromEnvironmentOptions {
  /** True for all but gateways. */
  readonly readOnly: boolean
  readonly expectIncarnation?: string
}

/** Resolves when the log is open; throws when the signal aborts, or when the log is damaged. */
export async function openLogFromEnvironment(options: LogFromEnvironmentOptions): Promise<ClusterLog> {
  const { env, clock, name, readOnly, expectIncarnation } = options
  const replicas = env.number('SHIPLOG_NATS_REPLICAS', 1)
  return await whenReachable(options, 'log', () =>
    connectJetStreamClusterLog({
      ...natsFromEnvironment(env),
      ...{ clock, name, readOnly, replicas },
      ...(expectIncarnation === undefined ? {} : { expectIncarnation }),
    }),
  )
}
