import Fastify from 'fastify'
import { builtInCatalogue } from '@shiplog/domain/catalogue/catalogue'
import { expect, test } from 'vitest'
import { ApiError, unauthorized } from '@shiplog/api/status'
import { type ApiRouteDeps, authenticatedRoutes, healthRoutes } from './api-routes.ts'
import { createSessions } from '../browser/sessions.ts'
import { fixedKinds } from '../store/kinds.ts'
import { statusOf } from './errors.ts'
import { answerStatus } from './responses.ts'
import type { HttpServer } from './fastify-types.ts'

const user = { name: 'alice', groups: [] }

/** The routes over parts that say what they were asked, without a port. */
function serving(authenticates: boolean): HttpServer {
  const deps = {
    authenticator: { authenticate: () => (authenticates ? { user } : undefined) },
    authorizer: { allowsPath: (_: unknown, __: string, path: string) => path !== '/forbidden' },
    routes: {
      isHealth: (path: string) => path === '/healthz',
      health: () => ({ ok: true, text: 'ok' }),
      answer: (_: string, path: string) =>
        Promise.resolve(path === '/version' ? { code: 200, contentType: 'application/json', body: '{}' } : undefined),
    },
    past: {},
    operations: { kinds: fixedKinds(builtInCatalogue()) },
    sessions: createSessions({ nowMs: () => 0 }),
    browser: { events: {} },
    aggregated: { find: () => undefined },
  } as unknown as ApiRouteDeps
  const server = Fastify() as unknown as HttpServer
  server.addHook('onRequest', async (request) => {
    const url = new URL(request.raw.url ?? '/', 'http://x')
    Object.assign(request, { path: url.pathname, searchParams: url.searchParams })
  })
  server.setErrorHandler((error: Error, request, reply) =>
    answerStatus(reply, statusOf(error, request.raw, { error: () => undefined } as never)),
  )
  healthRoutes(server, deps)
  server.register(async (scope: HttpServer) => authenticatedRoutes(scope, deps))
  return server
}

test('health needs no credentials, and everything else does, whether it exists or not', async () => {
  const server = serving(false)
  expect((await server.inject('/healthz')).body).toBe('ok')
  for (const path of ['/version', '/api/v1/pods', '/at/5/healthz', '/nowhere', '/shiplog/v1/log'])
    expect((await server.inject(path)).json(), path).toEqual(new ApiError(unauthorized()).status)
})

test.each([
  ['GET', '/version', 200],
  ['GET', '/at/5/version', 200],
  ['GET', '/at/5/healthz', 200],
  ['GET', '/at/5/metrics', 404],
  ['GET', '/at/yesterday/version', 400],
  ['POST', '/at/5/version', 405],
  ['GET', '/forbidden', 403],
  ['GET', '/nowhere', 404],
])('%s %s is answered with %i', async (method, url, code) => {
  expect((await serving(true).inject({ method: method as 'GET', url })).statusCode).toBe(code)
})
