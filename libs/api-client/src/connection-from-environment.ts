// The connection to the gateways of a process that runs alone, as its environment says:
//
//   SHIPLOG_API_SERVERS        `https://host:port`, or several with commas
//   SHIPLOG_API_CA             file: the authority of the gateways' certificates
//   SHIPLOG_API_CERT, _KEY     files: the client certificate of this component, or
//   SHIPLOG_API_TOKEN_FILE     file: a bearer token
import type { Clock } from '@shiplog/runtime/clock'
import type { Environment } from '@shiplog/runtime/environment'
import type { Ids } from '@shiplog/runtime/ids'
import { type ApiConnection, createApiConnection } from './api-connection.ts'

/** Replicas begin with a server each takes by chance, so that gateways share the work. */
export function connectionFromEnvironment(options: {
  readonly env: Environment
  readonly clock: Clock
  readonly ids: Ids
  readonly userAgent: string
}): ApiConnection {
  const { env, clock, ids, userAgent } = options
  const servers = env.list('SHIPLOG_API_SERVERS')
  const token = env.optionalFile('SHIPLOG_API_TOKEN_FILE')?.trim()
  return createApiConnection({
    servers,
    ca: env.file('SHIPLOG_API_CA'),
    credentials: token ? { token } : { certificate: env.file('SHIPLOG_API_CERT'), key: env.file('SHIPLOG_API_KEY') },
    userAgent,
    clock,
    startAt: ids.integer(servers.length),
  })
}
