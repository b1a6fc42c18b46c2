// One request to one pod and the head of its answer, over HTTP/1.1 or HTTP/2.
import { request as requestHttp1 } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http2'
import type { Readable } from 'node:stream'
import type { Backend, Endpoint } from '../model/backends.ts'
import { ConnectError, type Pools } from './pools.ts'

export interface PodRequest {
  readonly method: string
  readonly target: string
  /** Name after value. */
  readonly headers: string[]
  readonly authority: string
  /** Undefined when there is none; read from the moment that a connection is there. */
  readonly body: Readable | undefined
  readonly answerTimeoutMs: number
  readonly signal: AbortSignal
  /** The body is being read, or the head was sent: it cannot be told whether the pod acts on it. */
  readonly onSent: () => void
}

export interface PodAnswer {
  readonly status: number
  readonly rawHeaders: readonly string[]
  readonly body: Readable
  /** Complete when the body has ended. */
  readonly trailers: Readonly<Record<string, string>>
}

/** The pod said nothing for too long. */
export class AnswerTimeout extends Error {}

/** Rejects with `ConnectError`, `AnswerTimeout`, or what broke the connection. */
export const exchange = (pools: Pools, endpoint: Endpoint, protocol: Backend['protocol'], request: PodRequest): Promise<PodAnswer> =>
  protocol === 'h2c' ? overHttp2(pools, endpoint, request) : overHttp1(pools, endpoint, request)

function overHttp1(pools: Pools, endpoint: Endpoint, asked: PodRequest): Promise<PodAnswer> {
  return new Promise((resolve, reject) => {
    const { method, target, headers, body, answerTimeoutMs: timeout, signal } = asked
    const request = requestHttp1({ agent: pools.agent(endpoint), method, path: target, headers, setHost: false, timeout, signal })
    const onBodyError = (error: Error): void => void request.destroy(error)
    request.on('error', (error) => {
      body?.off('error', onBodyError)
      reject(error)
    })
    request.on('timeout', () => request.destroy(new AnswerTimeout('the pod does not answer')))
    request.on('socket', () => {
      asked.onSent()
      if (body === undefined) request.end()
      else body.on('error', onBodyError).pipe(request)
    })
    request.on('response', (answer) => {
      const trailers: Record<string, string> = {}
      answer.once('end', () => Object.assign(trailers, answer.trailers))
      resolve({ status: answer.statusCode ?? 502, rawHeaders: answer.rawHeaders, body: answer, trailers })
    })
    // Nothing was asked for: a pod that changes the protocol all the same is broken.
    request.on('upgrade', (_, socket) => {
      socket.destroy()
      reject(new Error('the pod changed the protocol unasked'))
    })
  })
}

async function overHttp2(pools: Pools, endpoint: Endpoint, asked: PodRequest): Promise<PodAnswer> {
  const session = await pools.session(endpoint)
  if (session.closed || session.destroyed) throw new ConnectError(new Error('closed'), false)
  return await new Promise((resolve, reject) => {
    const { body, answerTimeoutMs, signal } = asked
    asked.onSent()
    const stream = session.request(pseudoAndPlain(asked), { endStream: body === undefined, signal })
    const trailers: Record<string, string> = {}
    stream.on('error', reject)
    stream.on('close', () => reject(new Error('the pod ended the stream')))
    stream.setTimeout(answerTimeoutMs, () => stream.destroy(new AnswerTimeout('the pod does not answer')))
    stream.on('trailers', (given: IncomingHttpHeaders) => {
      for (const [name, value] of Object.entries(given)) if (typeof value === 'string') trailers[name] = value
    })
    stream.on('response', (given) => {
      const rawHeaders: string[] = []
      for (const [name, value] of Object.entries(given)) {
        if (name.startsWith(':')) continue
        for (const one of Array.isArray(value) ? value : [value]) rawHeaders.push(name, String(one))
      }
      resolve({ status: Number(given[':status'] ?? 502), rawHeaders, body: stream, trailers })
    })
    if (body !== undefined) body.on('error', (error) => stream.destroy(error)).pipe(stream)
  })
}

function pseudoAndPlain({ method, target, authority, headers }: PodRequest): Record<string, string | string[]> {
  const sent: Record<string, string | string[]> = { ':method': method, ':path': target, ':authority': authority, ':scheme': 'http' }
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!.toLowerCase()
    if (name === 'host' || name === 'transfer-encoding') continue
    const before = sent[name]
    sent[name] = before === undefined ? headers[i + 1]! : [...(Array.isArray(before) ? before : [before]), headers[i + 1]!]
  }
  return sent
}
