// The log of a process that runs alone, as its environment says:
//
//   SHIPLOG_NATS_URL          `nats://host:port`, or several with commas
//   SHIPLOG_NATS_CREDENTIALS  a JSON file with user, password and inboxPrefix (`shiplog pki` makes them)
//   SHIPLOG_NATS_REPLICAS     copies of each stream, for whoever makes the streams (default 1)
//
// A server that is not there yet is waited for: processes are started in any order.
import type { Clock } from '@shiplog/runtime/clock'
import type { Environment } from '@shiplog/runtime/environment'
import type { Logger } from '@shiplog/runtime/logger'
import { type ClusterLog, LogUnavailable } from '../event-log.ts'
import type { ConnectionOptions } from './connection.ts'
import { connectJetStreamClusterLog } from './jetstream-log.ts'

const retryMs = 500

export interface LogFromEnvironmentOptions {
  readonly env: Environment
  readonly clock: Clock
  readonly logger: Logger
  readonly signal: AbortSignal
  /** Of the connection, for people who look at NATS. */
  readonly name: string
  /** True for all but gateways. */
  readonly readOnly: boolean
  readonly expectIncarnation?: string
}

/** Resolves when the log is open; throws when the signal aborts, or when the log is damaged. */
export async function openLogFromEnvironment(options: LogFromEnvironmentOptions): Promise<ClusterLog> {
  const { env, clock, logger, signal, name, readOnly, expectIncarnation } = options
  const file = env.optionalFile('SHIPLOG_NATS_CREDENTIALS')
  const credentials = file === undefined ? undefined : (JSON.parse(file) as ConnectionOptions['credentials'])
  const servers = env.list('SHIPLOG_NATS_URL')
  const replicas = env.number('SHIPLOG_NATS_REPLICAS', 1)
  let told = ''
  for (;;) {
    try {
      return await connectJetStreamClusterLog({
        servers,
        clock,
        name,
        readOnly,
        replicas,
        ...(credentials === undefined ? {} : { credentials }),
        ...(expectIncarnation === undefined ? {} : { expectIncarnation }),
      })
    } catch (error) {
      if (!(error instanceof LogUnavailable)) throw error
      if (told !== error.message) logger.warn({ reason: error.message }, 'the log is not available yet')
      told = error.message
    }
    await clock.sleep(retryMs, signal)
  }
}
