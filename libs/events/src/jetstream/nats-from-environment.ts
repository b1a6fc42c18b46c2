// NATS of a process that runs alone, as its environment says:
//
//   SHIPLOG_NATS_URL          `nats://host:port`, or several with commas
//   SHIPLOG_NATS_CREDENTIALS  a JSON file with user, password and inboxPrefix (`shiplog pki` makes them); of agents,
//                             `{node}` in it stands for the name of the node
//
// A server that is not there yet is waited for: processes are started in any order.
import type { Clock } from '@shiplog/runtime/clock'
import { type Environment, readEnvironment } from '@shiplog/runtime/environment'
import type { Logger } from '@shiplog/runtime/logger'
import { parseSecretJson } from '@shiplog/runtime/secret-files'
import type { Bus } from '../bus/bus.ts'
import { LogUnavailable } from '../event-log.ts'
import type { ConnectionOptions } from './connection.ts'
import { openNatsBus } from './nats-bus.ts'

const retryMs = 500

export interface NatsFromEnvironmentOptions {
  readonly env: Environment
  readonly clock: Clock
  readonly logger: Logger
  readonly signal: AbortSignal
  /** Of the connection, for people who look at NATS. */
  readonly name: string
}

/** Where NATS is, and who we are there. */
export function natsFromEnvironment(env: Environment, node = ''): Pick<ConnectionOptions, 'servers' | 'credentials'> {
  const name = 'SHIPLOG_NATS_CREDENTIALS'
  const file = readEnvironment({ [name]: env.optional(name)?.replaceAll('{node}', node) }).optionalFile(name)
  return {
    servers: env.list('SHIPLOG_NATS_URL'),
    ...(file === undefined ? {} : { credentials: parseSecretJson(file, `the file of ${name}`) as NonNullable<ConnectionOptions['credentials']> }),
  }
}

/** Tries until it succeeds, as long as it is only that NATS cannot be reached; throws when the signal aborts. */
export async function whenReachable<T>(
  options: NatsFromEnvironmentOptions,
  what: string,
  open: () => Promise<T>,
): Promise<T> {
  const { clock, logger, signal } = options
  let told = ''
  for (;;) {
    try {
      return await open()
    } catch (error) {
      if (!(error instanceof LogUnavailable)) throw error
      if (told !== error.message) logger.warn({ reason: error.message, what }, 'NATS is not available yet')
      told = error.message
    }
    await clock.sleep(retryMs, signal)
  }
}

/** The bus, on a connection of its own; of an agent, with the credentials of its node. */
export async function openBusFromEnvironment(
  options: NatsFromEnvironmentOptions & { readonly node?: string },
): Promise<Bus> {
  const { env, clock, name, node } = options
  const nats = natsFromEnvironment(env, node)
  const user = nats.credentials?.user
  if (node !== undefined && user !== undefined && user !== `system:node:${node}`) {
    throw new Error(`SHIPLOG_NATS_CREDENTIALS names the file of ${user} for node ${node}; {node} stands for the name`)
  }
  return await whenReachable(options, 'bus', () => openNatsBus({ ...nats, clock, name }))
}
