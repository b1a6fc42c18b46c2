// Services that configuration files name (audit, token and authorization webhooks): their kubeconfig, and one way to ask them.
import { readFileSync } from 'node:fs'
import { Agent as PlainAgent, request as plainRequest } from 'node:http'
import { Agent, request } from 'node:https'
import { dirname, resolve } from 'node:path'
import { decodeYaml } from '@shiplog/api/decode/decode-yaml'
import type { JsonObject } from '@shiplog/api/kube-object'
import { type Clock, systemClock } from '@shiplog/runtime/clock'

export interface RemoteService {
  readonly url: URL
  readonly agent: Agent | PlainAgent
  readonly token?: string
  readonly clock: Pick<Clock, 'after'>
}

/** Answers longer than this are not read. */
const answerBytesMax = 3 * 1024 * 1024
/** Connections to one service. */
const socketsMax = 25

interface Named<Key extends string> {
  readonly name?: string
  readonly [key: string]: unknown
  readonly _?: Key
}

interface Kubeconfig {
  readonly 'current-context'?: string
  readonly contexts?: readonly (Named<'context'> & { readonly context?: { readonly cluster?: string; readonly user?: string } })[]
  readonly clusters?: readonly (Named<'cluster'> & { readonly cluster?: Record<string, unknown> })[]
  readonly users?: readonly (Named<'user'> & { readonly user?: Record<string, unknown> })[]
}

/** The service that a kubeconfig's current context names. Throws when there is none. */
export function readRemoteService(file: string, clock: Pick<Clock, 'after'> = systemClock): RemoteService {
  const config = decodeYaml(readFileSync(file, 'utf8')).value as Kubeconfig
  const context = config.contexts?.find(({ name }) => name === config['current-context'])?.context ?? config.contexts?.[0]?.context
  const cluster = config.clusters?.find(({ name }) => name === context?.cluster)?.cluster ?? config.clusters?.[0]?.cluster
  const user = config.users?.find(({ name }) => name === context?.user)?.user ?? {}
  const { server } = cluster ?? {}
  if (typeof server !== 'string') throw new Error(`${file}: no server is configured`)
  const directory = dirname(resolve(file))
  const material = (holder: Record<string, unknown> | undefined, name: string): Buffer | undefined => {
    const data = holder?.[`${name}-data`]
    if (typeof data === 'string') return Buffer.from(data, 'base64')
    const path = holder?.[name]
    return typeof path === 'string' ? readFileSync(resolve(directory, path)) : undefined
  }
  const [ca, cert, key] = [
    material(cluster, 'certificate-authority'),
    material(user, 'client-certificate'),
    material(user, 'client-key'),
  ]
  const url = new URL(server)
  const options = { keepAlive: true, maxSockets: socketsMax }
  const isPlain = url.protocol === 'http:'
  const { token: shown } = user
  const token = shown ?? material(user, 'tokenFile')?.toString('utf8').trim()
  return {
    ...{ url, clock },
    agent: isPlain
      ? new PlainAgent(options)
      : new Agent({
          ...options,
          ...(ca ? { ca } : {}),
          ...(cert ? { cert } : {}),
          ...(key ? { key } : {}),
          ...(typeof cluster?.['tls-server-name'] === 'string' ? { servername: cluster['tls-server-name'] } : {}),
          rejectUnauthorized: cluster?.['insecure-skip-tls-verify'] !== true,
        }),
    ...(typeof token === 'string' ? { token } : {}),
  }
}

/** Posts an object, and reads the one that is answered. Rejects where the service cannot be asked, or does not answer 2xx. */
export function postJson({ url, agent, token, clock }: RemoteService, body: JsonObject, timeoutMs: number): Promise<JsonObject> {
  return ask({ url, agent, clock }, timeoutMs, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  })
}

/** Reads a document. */
export const getJson = (service: Place, timeoutMs: number): Promise<JsonObject> =>
  ask(service, timeoutMs, { method: 'GET', headers: { accept: 'application/json' } })

export type Place = Pick<RemoteService, 'url' | 'agent' | 'clock'>

interface Asked {
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

function ask({ url, agent, clock }: Place, timeoutMs: number, { method, headers, body }: Asked): Promise<JsonObject> {
  const { promise, resolve: done, reject } = Promise.withResolvers<JsonObject>()
  const start = url.protocol === 'http:' ? plainRequest : request
  const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
  const sent = start(url, { method, agent, headers: { ...headers, ...length } }, (response) => {
    const pieces: Buffer[] = []
    let size = 0
    response.on('data', (piece: Buffer) => {
      size += piece.length
      if (size > answerBytesMax) response.destroy(new Error('the answer is too long'))
      else pieces.push(piece)
    })
    response.on('error', reject)
    response.on('end', () => {
      const text = Buffer.concat(pieces).toString('utf8')
      const code = response.statusCode ?? 0
      if (code < 200 || code > 299) return reject(new Error(`${method} ${url.href}: ${code} ${text.slice(0, 1_000)}`))
      try {
        done(text === '' ? {} : (JSON.parse(text) as JsonObject))
      } catch (cause) {
        reject(new Error(`${method} ${url.href}: the answer is no JSON`, { cause }))
      }
    })
  })
  const deadline = clock.after(timeoutMs, () => sent.destroy(new Error(`${method} ${url.href}: no answer within ${timeoutMs} ms`)))
  sent.on('error', reject)
  sent.on('close', () => deadline[Symbol.dispose]())
  sent.end(body)
  return promise
}
