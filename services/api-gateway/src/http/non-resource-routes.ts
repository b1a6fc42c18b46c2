// Paths that are not of a resource: discovery, OpenAPI, version, health, metrics.
import { apiVersions, discoveryDocument, etagOf } from '@shiplog/api/schema/discovery'
import type { SchemaRegistry } from '@shiplog/api/schema/schema'
import { methodNotAllowed, noRepresentation, notAcceptable, type Status } from '@shiplog/api/status'
import { metricsContentType, type MetricsRegistry } from '@shiplog/runtime/metrics'
import type { Catalogue } from '@shiplog/domain/catalogue/catalogue'
import type { Kinds } from '../store/kinds.ts'
import type { HealthCheck } from '@shiplog/runtime/service'
import { servableMediaTypes } from '../representation/negotiation.ts'
import {
  configurationPath,
  documentsMaxAgeSeconds,
  keySetPath,
  type ServiceAccountTokens,
} from '../access/service-account-tokens.ts'

type Headers = Readonly<Record<string, string | undefined>>

export interface Answer {
  readonly code: number
  readonly contentType?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer | string
}

export interface NonResourceRoutes {
  isHealth(path: string): boolean
  health(path: string, query: URLSearchParams): Promise<{ readonly ok: boolean; readonly text: string }>
  /** Undefined when there is no such path. */
  answer(
    method: string,
    path: string,
    query: URLSearchParams,
    headers: Headers,
    kinds: Kinds,
  ): Promise<Answer | undefined>
}

/** The Kubernetes version whose API this is. */
export const kubernetesVersion = { major: '1', minor: '36', gitVersion: 'v1.36.0+shiplog' }

const healthPath = /^\/(healthz|livez|readyz)(?:\/([a-z0-9-]+))?$/

export interface NonResourceDeps {
  readonly health: () => readonly HealthCheck[]
  /** Brings up to date what `health` tells, within a bound. */
  readonly refreshHealth: () => Promise<void>
  readonly stopping: () => boolean
  readonly metrics: Pick<MetricsRegistry, 'text'>
  readonly serviceAccountTokens?: ServiceAccountTokens | undefined
  /** Where this API server is reached: `host:port`. */
  readonly address?: () => string
}

export function createNonResourceRoutes(deps: NonResourceDeps): NonResourceRoutes {
  /** OpenAPI documents that were asked for, as they go out; of the catalogues that are still served. */
  const documentsOf = new WeakMap<Catalogue, Map<string, Document>>()
  const documentsFor = (catalogue: Catalogue): Map<string, Document> => {
    let documents = documentsOf.get(catalogue)
    if (!documents) documentsOf.set(catalogue, (documents = new Map()))
    return documents
  }

  /** An answer with an ETag, or 304 when the client has it. */
  function conditional(
    document: { readonly body: Buffer | string; readonly etag: string; readonly contentType: string },
    headers: Headers,
    cacheControl = 'public',
  ): Answer {
    const common = { etag: document.etag, vary: 'Accept', 'cache-control': cacheControl }
    const known = headers['if-none-match']?.split(',').some((tag) => tag.trim() === document.etag)
    return known
      ? { code: 304, headers: common }
      : { code: 200, contentType: document.contentType, headers: common, body: document.body }
  }

  function discovery(registry: Catalogue, path: string, headers: Headers): Answer | undefined {
    const accept = (headers['accept'] ?? '').replace(/\s/g, '')
    const aggregated =
      (path === '/api' || path === '/apis') &&
      accept.includes('as=APIGroupDiscoveryList') &&
      /;v=v2(;|,|$)/.test(accept)
    if (path === '/api' && !aggregated) {
      const host = headers['host'] ?? headers[':authority'] ?? 'localhost'
      return {
        code: 200,
        contentType: 'application/json',
        headers: { vary: 'Accept' },
        body: JSON.stringify(apiVersions(host)),
      }
    }
    const document = discoveryDocument(registry, path, aggregated)
    return document && conditional(document, headers)
  }

  async function openApi(
    registry: Catalogue,
    path: string,
    query: URLSearchParams,
    headers: Headers,
  ): Promise<Answer | undefined> {
    const documents = documentsFor(registry)
    // The texts are half a megabyte that only clients which explain and validate need.
    const { openApiDocument, openApiIndex } = await import('@shiplog/api/schema/openapi')
    let document = documents.get(path)
    if (!document) {
      const value =
        path === '/openapi/v3' ? openApiIndex(registry) : openApiDocument(registry, path.slice('/openapi/v3/'.length))
      if (!value) return undefined
      const body = Buffer.from(JSON.stringify(value))
      document = { body, etag: etagOf(body.toString()), contentType: 'application/json' }
      documents.set(path, document)
    }
    // The hash in a URL names the content, so that clients may keep it for good.
    return conditional(document, headers, query.get('hash') ? 'public, immutable' : 'public')
  }

  /** The one document of v2: kubectl checks the items of a `kind: List` against it, in protobuf. */
  async function openApiOfV2(registry: Catalogue, headers: Headers): Promise<Answer> {
    const documents = documentsFor(registry)
    const { encodeOpenApiV2, openApiV2, openApiV2Protobuf } = await import('@shiplog/api/schema/openapi-v2')
    const contentType = headers['accept']?.includes(openApiV2Protobuf) ? openApiV2Protobuf : 'application/json'
    const key = `/openapi/v2 ${contentType}`
    let document = documents.get(key)
    if (!document) {
      const value = openApiV2(registry)
      const body = contentType === openApiV2Protobuf ? encodeOpenApiV2(value) : Buffer.from(JSON.stringify(value))
      document = { body, etag: etagOf(body.toString('latin1')), contentType }
      documents.set(key, document)
    }
    return conditional(document, headers)
  }

  const hasCheck = (name: string): boolean => name === 'shutdown' || deps.health().some((check) => check.name === name)

  return {
    isHealth(path) {
      const [, , single] = healthPath.exec(path) ?? []
      return healthPath.test(path) && (single === undefined || hasCheck(single))
    },
    async health(path, query) {
      const [, which, single] = healthPath.exec(path)!
      if (which !== 'livez') await deps.refreshHealth()
      const excluded = new Set(query.getAll('exclude'))
      const all: HealthCheck[] = [...deps.health()]
      // Liveness is about this process; a log that is away is no reason to restart it.
      const relevant = which === 'livez' ? all.filter((check) => check.name === 'ping') : all
      if (which === 'readyz')
        relevant.push(
          deps.stopping() ? { name: 'shutdown', ok: false, reason: 'shutting down' } : { name: 'shutdown', ok: true },
        )
      const checks = single
        ? relevant.filter((check) => check.name === single)
        : relevant.filter((check) => !excluded.has(check.name))
      const ok = checks.length > 0 && checks.every((check) => check.ok)
      if (ok && !query.has('verbose')) return { ok, text: 'ok' }
      const lines = checks.map((check) =>
        check.ok ? `[+]${check.name} ok${check.note === undefined ? '' : `: ${check.note}`}` : `[-]${check.name} failed: ${check.reason ?? 'reason withheld'}`,
      )
      return { ok, text: `${lines.join('\n')}\n${which} check ${ok ? 'passed' : 'failed'}\n` }
    },
    async answer(method, path, query, headers, kinds) {
      if (method !== 'GET') {
        const status = methodNotAllowed({ group: '', resource: '' }, method)
        return { code: status.code, contentType: 'application/json', body: JSON.stringify(status) }
      }
      // Of these alone a slash at the end is upstream's as well.
      const isSlashed = /^\/(version|\.well-known\/openid-configuration|apis?(\/.*)?)\/$/.test(path)
      const clean = isSlashed ? path.slice(0, -1) : path
      if (clean === '/version') {
        const refusal = refusalOf(headers['accept'], ['application/json'])
        if (refusal) return refusal
        return {
          code: 200,
          contentType: 'application/json',
          body: JSON.stringify(
            {
              ...kubernetesVersion,
              emulationMajor: kubernetesVersion.major,
              emulationMinor: kubernetesVersion.minor,
              minCompatibilityMajor: kubernetesVersion.major,
              minCompatibilityMinor: String(Number(kubernetesVersion.minor) - 1),
              gitCommit: '',
              gitTreeState: 'clean',
              buildDate: '1970-01-01T00:00:00Z',
              goVersion: `node ${process.version}`,
              compiler: 'node',
              platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
            },
            null,
            2,
          ),
        }
      }
      const identity = issuerDocument(deps, clean)
      if (identity) return identity
      if (clean === '/metrics') return { code: 200, contentType: metricsContentType, body: await deps.metrics.text() }
      const registry = await latestOf(kinds)
      if (clean === '/' || clean === '')
        return {
          code: 200,
          contentType: 'application/json',
          body: JSON.stringify({ paths: [...rootPaths(registry, deps.serviceAccountTokens !== undefined)].sort() }, null, 2),
        }
      if (clean === '/openapi/v3' || clean.startsWith('/openapi/v3/')) return await openApi(registry, clean, query, headers)
      if (clean === '/openapi/v2') return await openApiOfV2(registry, headers)
      if (clean === '/api' || clean === '/apis' || clean.startsWith('/api/') || clean.startsWith('/apis/'))
        return refusalOfDiscovery(clean, headers['accept']) ?? discovery(registry, clean, headers)
      return undefined
    },
  }
}

/** What there is is told as it is now; while the log is away, as it was. */
async function latestOf(kinds: Kinds): Promise<Catalogue> {
  try {
    return await kinds.latest()
  } catch {
    return kinds.current
  }
}

/** Nothing of discovery is a row of a Table. */
function refusalOfDiscovery(path: string, accept: string | undefined): Answer | undefined {
  const asked = /;\s*as=(\w+)/.exec((accept ?? '').split(',').at(-1)!)?.[1]
  if (!asked || asked === 'APIGroupDiscoveryList') return refusalOf(accept, servableMediaTypes(false), path !== '/api')
  return answered(notAcceptable(servableMediaTypes(false)))
}

const answered = (status: Status): Answer => ({
  code: status.code,
  contentType: 'application/json',
  body: JSON.stringify(status),
})

/** 406 for who takes nothing that there is; which parameters of a type mean what is the document's to say. */
function refusalOf(accept: string | undefined, available: readonly string[], isKnown = false): Answer | undefined {
  const ranges = (accept || '*/*').split(',').map((range) => range.split(';')[0]!.trim())
  if (ranges.some((range) => range === '*/*' || available.includes(range))) return undefined
  return answered(isKnown ? notAcceptable(available) : noRepresentation(available))
}

interface Document {
  readonly body: Buffer
  readonly etag: string
  readonly contentType: string
}

/** Who issues the tokens of service accounts, and the keys to verify them with: so others can, who cannot ask for a review. */
function issuerDocument({ serviceAccountTokens: tokens, address }: NonResourceDeps, path: string): Answer | undefined {
  if (!tokens || (path !== configurationPath && path !== keySetPath)) return undefined
  const isKeys = path === keySetPath
  return {
    code: 200,
    contentType: isKeys ? 'application/jwk-set+json' : 'application/json',
    headers: { 'cache-control': `public, max-age=${documentsMaxAgeSeconds}` },
    body: JSON.stringify(isKeys ? tokens.keySet : tokens.configuration(address?.() ?? 'localhost')),
  }
}

function* rootPaths(registry: SchemaRegistry, hasIssuer: boolean): Generator<string> {
  if (hasIssuer) yield* [configurationPath, keySetPath]
  yield* [
    '/api',
    '/api/v1',
    '/apis',
    '/healthz',
    '/livez',
    '/metrics',
    '/openapi/v2',
    '/openapi/v3',
    '/readyz',
    '/version',
  ]
  const seen = new Set<string>()
  for (const { group, version } of registry.resources) {
    if (group === '') continue
    seen.add(`/apis/${group}`).add(`/apis/${group}/${version}`)
  }
  yield* seen
}
