// The small HTTP server that every process has besides its work: `/livez`, `/readyz` (with `?verbose`), `/healthz` and
// `/metrics`, as Kubernetes' components do.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { metricsContentType, type MetricsRegistry } from './metrics.ts'
import type { HealthCheck } from './service.ts'

const requestTimeoutMs = 5_000

export interface HealthServer {
  readonly port: number
  close(): Promise<void>
}

export interface HealthServerOptions {
  readonly host: string
  /** 0 takes any free one. */
  readonly port: number
  /** Whether the process does its work. Liveness is that it answers at all. */
  readonly readiness: () => readonly HealthCheck[]
  readonly metrics: Pick<MetricsRegistry, 'text'>
}

/** Resolves when it listens. */
export async function startHealthServer(options: HealthServerOptions): Promise<HealthServer> {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost')
    const answer = (code: number, body: string, type = 'text/plain; charset=utf-8'): void => {
      response.writeHead(code, { 'content-type': type, 'cache-control': 'no-cache, private' }).end(body)
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(405, 'only GET\n')
    if (url.pathname === '/metrics') {
      void options.metrics.text().then(
        (text) => answer(200, text, metricsContentType),
        (error: unknown) => answer(500, `${String(error)}\n`),
      )
      return
    }
    const which = /^\/(livez|readyz|healthz)$/.exec(url.pathname)?.[1]
    if (which === undefined) return answer(404, '404 page not found\n')
    const checks = which === 'livez' ? [{ name: 'ping', ok: true }] : options.readiness()
    const ok = checks.every((check) => check.ok)
    if (ok && !url.searchParams.has('verbose')) return answer(200, 'ok')
    const lines = checks.map((check: HealthCheck) =>
      check.ok ? `[+]${check.name} ok${check.note === undefined ? '' : `: ${check.note}`}` : `[-]${check.name} failed: ${check.reason ?? 'reason withheld'}`,
    )
    answer(ok ? 200 : 500, `${lines.join('\n')}\n${which} check ${ok ? 'passed' : 'failed'}\n`)
  })
  server.requestTimeout = requestTimeoutMs
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
