// A gateway over HTTPS with tokens for its users, for tests of what only this door has.
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ApiGateway, type ApiGatewayDeps, createApiGateway } from '@shiplog/api-gateway/api-gateway'
import type { ClusterLog } from '@shiplog/events/event-log'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { systemClock as clock } from '@shiplog/runtime/clock'
import { systemIds as ids } from '@shiplog/runtime/ids'
import { silentLogger as logger } from '@shiplog/runtime/logger'
import { loadPki } from '../pki.ts'

export interface HttpsAnswer {
  readonly code: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  readonly body: any
}

export interface HttpsAsked {
  readonly method?: string
  readonly token?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly signal?: AbortSignal
}

export interface HttpsGateway extends AsyncDisposable {
  readonly log: ClusterLog
  readonly gateway: ApiGateway
  ask(path: string, asked?: HttpsAsked): Promise<HttpsAnswer>
}

/** `admin` may do everything, `jane` and `joe` nothing yet: the tokens are the names. */
export async function startHttpsGateway(deps: Partial<ApiGatewayDeps> = {}): Promise<HttpsGateway> {
  const directory = mkdtempSync(join(tmpdir(), 'shiplog-gateway-'))
  const pki = loadPki({ directory, nowMs: clock.nowMs() })
  const log = await openSqliteClusterLog({ dataDir: ':memory:' })
  const gateway = createApiGateway({
    ...{ log, clock, ids, logger },
    tokenFile: 'admin,admin,1,"system:masters"\njane,jane,2,"devs"\njoe,joe,3,"devs"',
    https: { host: '127.0.0.1', port: 0, ca: pki.ca, cert: pki.server.certificate, key: pki.server.key },
    ...deps,
  })
  await gateway.start()
  // Users do not share connections.
  const agents = new Map<string, Agent>()
  const agentOf = (token = ''): Agent => {
    let agent = agents.get(token)
    if (!agent) agents.set(token, (agent = new Agent({ ca: pki.ca, keepAlive: true, maxSockets: 500 })))
    return agent
  }
  const ask = (path: string, { method = 'GET', token, headers = {}, body, signal }: HttpsAsked = {}): Promise<HttpsAnswer> => {
    const { promise, resolve, reject } = Promise.withResolvers<HttpsAnswer>()
    const text = body === undefined ? undefined : JSON.stringify(body)
    const sent = request(
      {
        ...{ host: '127.0.0.1', port: gateway.port, path, method, agent: agentOf(token) },
        ...(signal ? { signal } : {}),
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
          ...headers,
        },
      },
      (response) => {
        let read = ''
        response.on('data', (piece) => void (read += piece))
        response.on('error', reject)
        response.on('end', () => {
          const isJson = response.headers['content-type']?.startsWith('application/json')
          const answer = { code: response.statusCode ?? 0, headers: response.headers, text: read }
          resolve({ ...answer, body: isJson && !read.includes('}\n{') ? JSON.parse(read) : undefined })
        })
      },
    )
    sent.on('error', reject)
    sent.end(text)
    return promise
  }
  return {
    log,
    gateway,
    ask,
    async [Symbol.asyncDispose]() {
      for (const agent of agents.values()) agent.destroy()
      await gateway.stop()
      await log.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
