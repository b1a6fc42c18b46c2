// A small registry for tests (OCI distribution v2): it holds images that were made in memory and can be in a bad mood, so that
// pulls, credentials and back-off are real without the internet. It asks for a name and a password at once, or by a token.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { type ImageBlobs, type ImageConfig, type ImageFile, imageBlobs, manifestType } from '@shiplog/node/containerd/image-archive'

/** How requests about one repository are answered. */
export interface Manner {
  /** `basic`: a name and a password with each request; `token`: with the one for a token. */
  readonly auth?: 'basic' | 'token'
  /** Of those who may pull: their passwords. */
  readonly users?: Readonly<Record<string, string>>
  /** So many manifests are answered with these codes first; the last one is for good. */
  readonly codes?: readonly number[]
  /** Before each answer. */
  readonly delayMs?: number
}

export interface ImageRegistry {
  /** `127.0.0.1:40123` */
  readonly address: string
  /** `team/app:1`; gives the digest of its manifest. */
  add(name: string, files: readonly ImageFile[], config: ImageConfig): string
  /** `team/app` */
  manner(repository: string, manner: Manner): void
  /** How often a manifest of the repository was asked for, with whatever answer, and how often it was given. */
  asked(repository: string): { readonly times: number; readonly served: number }
  close(): Promise<void>
}

interface State {
  readonly tags: Map<string, ImageBlobs>
  readonly manners: Map<string, Manner>
  readonly asked: Map<string, { times: number; served: number }>
  /** Tokens that were given, and for whom. */
  readonly tokens: Map<string, string>
}

export async function startRegistry(): Promise<ImageRegistry> {
  const state: State = { tags: new Map(), manners: new Map(), asked: new Map(), tokens: new Map() }
  const server = createServer((request, response) => {
    answer(state, request, response).catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  // Nobody waits for it alone.
  server.unref()
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    add(name, files, config) {
      const image = imageBlobs(files, config)
      state.tags.set(name, image)
      return image.manifest.digest
    },
    manner: (repository, manner) => void state.manners.set(repository, manner),
    asked: (repository) => ({ ...(state.asked.get(repository) ?? { times: 0, served: 0 }) }),
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

const failureOf = (code: string, message: string): string => JSON.stringify({ errors: [{ code, message }] })
const words: Readonly<Record<number, string>> = { 401: 'UNAUTHORIZED', 404: 'MANIFEST_UNKNOWN', 429: 'TOOMANYREQUESTS', 500: 'UNKNOWN' }

async function answer(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', `http://${request.headers.host}`)
  const send = (code: number, headers: Readonly<Record<string, string>> = {}, body: Uint8Array | string = ''): void =>
    void response.writeHead(code, { 'content-length': String(body.length), ...headers }).end(request.method === 'HEAD' ? undefined : body)
  const refuse = (code: number, headers = {}): void => send(code, headers, failureOf(words[code] ?? 'UNKNOWN', `told to answer ${code}`))
  if (url.pathname === '/token') return giveToken(state, url, request, send)
  if (url.pathname === '/v2/') return send(200)
  const [, repository = '', what, reference = ''] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(url.pathname) ?? []
  const manner = state.manners.get(repository) ?? {}
  if (manner.delayMs) await setTimeout(manner.delayMs)
  const count = state.asked.get(repository) ?? { times: 0, served: 0 }
  state.asked.set(repository, count)
  const code = what === 'manifests' ? manner.codes?.[Math.min(count.times, manner.codes.length - 1)] : undefined
  if (what === 'manifests') count.times++
  if (!mayPull(state, repository, manner, request)) {
    const realm = `http://${request.headers.host}/token`
    const challenge = manner.auth === 'token' ? `Bearer realm="${realm}",service="tests",scope="repository:${repository}:pull"` : 'Basic realm="tests"'
    return refuse(401, { 'www-authenticate': challenge })
  }
  if (code !== undefined && code !== 200) return refuse(code, code === 429 ? { 'retry-after': '1' } : {})
  const image = state.tags.get(`${repository}:${reference}`) ?? [...state.tags].find(([name, { blobs }]) => name.startsWith(`${repository}:`) && blobs.has(reference))?.[1]
  const digest = what === 'manifests' && !reference.includes(':') ? image?.manifest.digest : reference
  const bytes = image?.blobs.get(digest ?? '')
  if (bytes === undefined || digest === undefined) return refuse(404)
  if (what === 'manifests') count.served++
  const type = what === 'manifests' ? manifestType : 'application/octet-stream'
  send(200, { 'content-type': type, 'docker-content-digest': digest, 'content-length': String(bytes.length) }, bytes)
}

function userOf({ users = {} }: Manner, authorization = ''): string | undefined {
  const [, encoded = ''] = /^Basic (.+)$/.exec(authorization) ?? []
  const [name = '', ...rest] = Buffer.from(encoded, 'base64').toString('utf8').split(':')
  return Object.hasOwn(users, name) && users[name] === rest.join(':') ? name : undefined
}

function mayPull({ tokens }: State, repository: string, manner: Manner, { headers }: IncomingMessage): boolean {
  if (manner.auth === undefined) return true
  if (manner.auth === 'basic') return userOf(manner, headers.authorization) !== undefined
  return tokens.get(headers.authorization?.replace(/^Bearer /, '') ?? '') === repository
}

function giveToken(state: State, url: URL, { headers }: IncomingMessage, send: (code: number, headers: Record<string, string>, body: string) => void): void {
  const [, repository = ''] = /^repository:(.+):pull$/.exec(url.searchParams.get('scope') ?? '') ?? []
  const json = { 'content-type': 'application/json' }
  if (userOf(state.manners.get(repository) ?? {}, headers.authorization) === undefined) {
    send(401, json, failureOf('UNAUTHORIZED', 'authentication required'))
    return
  }
  const token = Buffer.from(`${repository} ${state.tokens.size}`).toString('base64url')
  state.tokens.set(token, repository)
  send(200, json, JSON.stringify({ token, expires_in: 300 }))
}
