// The dashboard's files at /dashboard: read once from the directory they were built into, sent packed as they lie there.
// Names of assets carry their hash and are kept for good; every other path is the page itself, which routes by the path.
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from '@shiplog/runtime/logger'
import { header, type HttpReply, type HttpRequest, type HttpServer } from '../http/fastify-types.ts'

export interface AssetDeps {
  /** Gives the directory of the built page, and has it built where that was not done yet. */
  readonly directory: () => Promise<string>
  readonly logger: Logger
}

interface Asset {
  readonly type: string
  readonly etag: string
  readonly isHashed: boolean
  readonly bodies: ReadonlyMap<string, Buffer>
}

type Assets = ReadonlyMap<string, Asset>

const types: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  woff2: 'font/woff2',
  json: 'application/json',
}

/** No script and no style but those of this origin's files; nobody may show the page in a frame. */
export const contentSecurityPolicy = [
  "default-src 'none'",
  ...["script-src 'self'", "style-src 'self'", "img-src 'self' data:", "font-src 'self'", "connect-src 'self'"],
  ...["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
].join('; ')

const pageHeaders = {
  'content-security-policy': contentSecurityPolicy,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const

const encodings = { br: 'br', gz: 'gzip' } as const
/** The first visitor of a page that is being built waits for so long before being told so. */
const patienceMs = 250

export function assetRoutes(server: HttpServer, deps: AssetDeps, sleep: (ms: number) => Promise<void>): void {
  let assets: Assets | undefined
  let loading: Promise<void> | undefined
  let failure: string | undefined
  const load = (): Promise<void> => {
    loading ??= deps
      .directory()
      .then(readAssets)
      .then(
        (found) => void (assets = found),
        (err: unknown) => {
          deps.logger.error({ err }, 'failed to provide the dashboard')
          failure = err instanceof Error ? err.message : String(err)
          loading = undefined
        },
      )
    return loading
  }
  const serve = async (request: HttpRequest, reply: HttpReply): Promise<HttpReply> => {
    if (!assets) await Promise.race([load(), sleep(patienceMs)])
    if (assets) return answerAsset(assets, request, reply)
    return answerWithout(reply, failure)
  }
  server.get('/dashboard', serve)
  server.get('/dashboard/*', serve)
}

async function readAssets(directory: string): Promise<Assets> {
  const assets = new Map<string, Asset>()
  const names = (await readdir(directory, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
  for (const name of names) {
    const type = types[/\.(\w+)$/.exec(name)?.[1] ?? '']
    if (type === undefined) continue
    const plain = await readFile(join(directory, name))
    const bodies = new Map([['identity', plain]])
    for (const [extension, encoding] of Object.entries(encodings))
      if (names.includes(`${name}.${extension}`)) bodies.set(encoding, await readFile(join(directory, `${name}.${extension}`)))
    const etag = `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`
    assets.set(name, { type, etag, bodies, isHashed: name.startsWith('assets/') })
  }
  if (!assets.has('index.html')) throw new Error(`${directory} holds no page`)
  return assets
}

function answerAsset(assets: Assets, request: HttpRequest, reply: HttpReply): HttpReply {
  const name = request.path.replace(/^\/dashboard\/?/, '')
  const asset = assets.get(name) ?? (name.startsWith('assets/') ? undefined : assets.get('index.html'))
  if (!asset) return reply.code(404).headers(pageHeaders).type('text/plain; charset=utf-8').send(Buffer.from('404 page not found\n'))
  const { type, etag, isHashed, bodies } = asset
  reply.headers({ ...pageHeaders, etag, vary: 'accept-encoding' })
  reply.header('cache-control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache')
  if (header(request.raw, 'if-none-match') === etag) return reply.code(304).send()
  const accepted = (header(request.raw, 'accept-encoding') ?? '').split(',').map((one) => one.trim().split(';')[0])
  const encoding = ['br', 'gzip'].find((one) => accepted.includes(one) && bodies.has(one))
  if (encoding) reply.header('content-encoding', encoding)
  return reply.type(type).send(bodies.get(encoding ?? 'identity'))
}

function answerWithout(reply: HttpReply, failure: string | undefined): HttpReply {
  const text = failure === undefined ? 'The dashboard is being built: some seconds, once.\n' : `The dashboard cannot be built: ${failure}\n`
  reply.code(503).headers({ ...pageHeaders, 'cache-control': 'no-store', refresh: '2', 'retry-after': '2' })
  return reply.type('text/plain; charset=utf-8').send(Buffer.from(text))
}
