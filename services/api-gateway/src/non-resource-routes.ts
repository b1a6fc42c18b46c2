// Paths that are not of a resource: discovery, OpenAPI, version, health, metrics.
import { aggregatedDiscovery, apiGroup, apiGroupList, apiResourceList, apiVersions } from '@shiplog/api/discovery'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { SchemaRegistry } from '@shiplog/api/schema'
import { methodNotAllowed } from '@shiplog/api/status'
import type { HealthCheck } from '@shiplog/runtime/service'
import type { Streams } from './streams.ts'

export interface Answer {
  readonly code: number
  readonly contentType?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer | string
}

export interface NonResourceRoutes {
  isHealth(path: string): boolean
  health(path: string, query: URLSearchParams): { readonly ok: boolean; readonly text: string }
  /** Undefined when there is no such path. */
  answer(
    method: string,
    path: string,
    query: URLSearchParams,
    headers: Readonly<Record<string, string | undefined>>,
  ): Promise<Answer | undefined>
}

/** The Kubernetes version whose API this is. */
export const kubernetesVersion = { major: '1', minor: '36', gitVersion: 'v1.36.0+shiplog' }

const healthPath = /^\/(healthz|livez|readyz)(?:\/([a-z0-9-]+))?$/

export function createNonResourceRoutes(deps: {
  readonly registry: SchemaRegistry
  readonly health: () => readonly HealthCheck[]
  readonly stopping: () => boolean
  readonly watchers: () => number
  readonly streams: Streams
}): NonResourceRoutes {
  const { registry } = deps
  const documents = new Map<string, { body: Buffer; etag: string }>()

  async function document(key: string, make: () => unknown): Promise<{ body: Buffer; etag: string }> {
    let known = documents.get(key)
    if (!known) {
      const { hash } = await import('node:crypto')
      const body = Buffer.from(JSON.stringify(make()))
      known = { body, etag: hash('sha512', body).slice(0, 64).toUpperCase() }
      documents.set(key, known)
    }
    return known
  }

  async function json(
    key: string,
    make: () => unknown,
    headers: Readonly<Record<string, string | undefined>>,
    contentType = 'application/json',
  ): Promise<Answer> {
    const { body, etag } = await document(key, make)
    const quoted = `"${etag}"`
    const common = { etag: quoted, vary: 'Accept', 'cache-control': 'public' }
    if (headers['if-none-match']?.split(',').some((tag) => tag.trim() === quoted)) return { code: 304, headers: common }
    return { code: 200, contentType, headers: common, body }
  }

  async function discovery(
    path: string,
    headers: Readonly<Record<string, string | undefined>>,
  ): Promise<Answer | undefined> {
    const accept = headers['accept'] ?? ''
    const aggregated = /as=APIGroupDiscoveryList/.test(accept) && /v=v2(;|,|$)/.test(accept.replace(/\s/g, ''))
    if ((path === '/api' || path === '/apis') && aggregated) {
      const type = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
      return await json(
        `${path} aggregated`,
        () => aggregatedDiscovery(registry, path === '/api' ? 'core' : 'groups'),
        headers,
        type,
      )
    }
    if (path === '/api') return await json(path, () => apiVersions(), headers)
    if (path === '/apis') return await json(path, () => apiGroupList(registry), headers)
    if (path === '/api/v1') return await json(path, () => apiResourceList(registry, '', 'v1'), headers)
    const match = /^\/apis\/([^/]+)(?:\/([^/]+))?$/.exec(path)
    if (!match) return undefined
    const [, group, version] = match as unknown as [string, string, string | undefined]
    const make = (): JsonObject | undefined =>
      version === undefined ? apiGroup(registry, group) : apiResourceList(registry, group, version)
    return make() === undefined ? undefined : await json(path, make, headers)
  }

  async function openApi(
    path: string,
    query: URLSearchParams,
    headers: Readonly<Record<string, string | undefined>>,
  ): Promise<Answer | undefined> {
    const { openApiDocument, openApiIndex } = await import('@shiplog/api/openapi')
    if (path === '/openapi/v3') return await json(path, () => openApiIndex(registry), headers)
    const groupVersion = path.slice('/openapi/v3/'.length)
    const made = openApiDocument(registry, groupVersion)
    if (!made) return undefined
    const answer = await json(path, () => made, headers)
    // The hash in the URL names the content, so that clients may keep it for good.
    return query.get('hash')
      ? { ...answer, headers: { ...answer.headers, 'cache-control': 'public, immutable' } }
      : answer
  }

  return {
    isHealth: (path) => healthPath.test(path),
    health(path, query) {
      const [, which, single] = healthPath.exec(path)!
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
        check.ok ? `[+]${check.name} ok` : `[-]${check.name} failed: ${check.reason ?? 'reason withheld'}`,
      )
      return { ok, text: `${lines.join('\n')}\n${which} check ${ok ? 'passed' : 'failed'}\n` }
    },
    async answer(method, path, query, headers) {
      if (method !== 'GET' && method !== 'HEAD') {
        const status = methodNotAllowed({ group: '', resource: '' }, method)
        return { code: status.code, contentType: 'application/json', body: JSON.stringify(status) }
      }
      const clean = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
      if (clean === '/version') {
        return {
          code: 200,
          contentType: 'application/json',
          body: JSON.stringify({
            ...kubernetesVersion,
            gitCommit: '',
            gitTreeState: 'clean',
            buildDate: '1970-01-01T00:00:00Z',
            goVersion: `node ${process.version}`,
            compiler: 'node',
            platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
          }),
        }
      }
      if (clean === '/metrics') return { code: 200, contentType: 'text/plain; version=0.0.4', body: metrics() }
      if (clean === '/' || clean === '')
        return await json('/', () => ({ paths: [...rootPaths(registry)].sort() }), headers)
      if (clean === '/openapi/v3' || clean.startsWith('/openapi/v3/')) return await openApi(clean, query, headers)
      if (clean === '/api' || clean === '/apis' || clean.startsWith('/api/') || clean.startsWith('/apis/'))
        return await discovery(clean, headers)
      return undefined
    },
  }

  function metrics(): string {
    const lines = [
      '# TYPE apiserver_longrunning_requests gauge',
      `apiserver_longrunning_requests{verb="WATCH"} ${deps.watchers()}`,
    ]
    lines.push('# TYPE shiplog_projection_sequence gauge')
    const names = ['EVENTS', 'LEASES', 'OBJEVENTS']
    deps.streams.all.forEach((stream, index) =>
      lines.push(`shiplog_projection_sequence{stream="${names[index]!}"} ${stream.projection.applied}`),
    )
    lines.push('# TYPE apiserver_resource_objects gauge')
    for (const stream of deps.streams.all) {
      for (const table of stream.projection.tables()) {
        const [resource, ...group] = table.groupResource.split('.')
        lines.push(
          `apiserver_resource_objects{group="${group.join('.')}",resource="${resource}"} ${table.current.size}`,
        )
      }
    }
    lines.push(
      '# TYPE process_resident_memory_bytes gauge',
      `process_resident_memory_bytes ${process.memoryUsage.rss()}`,
    )
    return `${lines.join('\n')}\n`
  }
}

function* rootPaths(registry: SchemaRegistry): Generator<string> {
  yield* ['/api', '/api/v1', '/apis', '/healthz', '/livez', '/metrics', '/openapi/v3', '/readyz', '/version']
  const seen = new Set<string>()
  for (const { group, version } of registry.resources) {
    if (group === '') continue
    seen.add(`/apis/${group}`).add(`/apis/${group}/${version}`)
  }
  yield* seen
}
