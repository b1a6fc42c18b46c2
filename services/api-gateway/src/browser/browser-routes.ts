// What is served for browsers beside the Kubernetes API, put together: the dashboard's files and sessions, which need no
// credentials, and its questions, which are asked as whoever asks.
import { ApiError, forbidden } from '@shiplog/api/status'
import type { Clock } from '@shiplog/runtime/clock'
import type { HttpReply, HttpRequest, HttpServer } from '../http/fastify-types.ts'
import { type AssetDeps, assetRoutes } from './asset-routes.ts'
import { deletedPath, serveDeleted } from './deleted-route.ts'
import { createExplainRoute, explainPath } from './explain-route.ts'
import { createTimelineRoute, historyPath, type PastRouteDeps, serveHistory, timelinePath } from './past-routes.ts'
import { answerLink, linksPath, type SessionDeps, sessionRoutes } from './session-routes.ts'
import { serveSql, sqlPath, type SqlSource } from './sql-route.ts'

export interface BrowserDeps extends SessionDeps, PastRouteDeps, Pick<AssetDeps, 'logger'> {
  readonly clock: Clock
  /** Gives the directory of the dashboard's files; without it there is no page, and all the rest. */
  readonly dashboard: AssetDeps['directory'] | undefined
  readonly sql: SqlSource | undefined
}

export function openBrowserRoutes(server: HttpServer, deps: BrowserDeps): void {
  sessionRoutes(server, deps)
  if (deps.dashboard)
    assetRoutes(server, { directory: deps.dashboard, logger: deps.logger }, (ms) => deps.clock.sleep(ms))
}

export interface BrowserRoute {
  readonly path: string
  /** Whether the path itself asks for a right, beside what it reads. */
  readonly isChecked: boolean
  readonly serve: (request: HttpRequest, reply: HttpReply) => Promise<void> | void
}

export const browserRoutes = (deps: BrowserDeps): readonly BrowserRoute[] => [
  { path: linksPath, isChecked: false, serve: (request, reply) => answerLink(deps, request, reply) },
  { path: historyPath, isChecked: false, serve: (request, reply) => serveHistory(deps, request, reply) },
  { path: deletedPath, isChecked: false, serve: (request, reply) => serveDeleted(deps, request, reply) },
  { path: timelinePath, isChecked: false, serve: forKnown(createTimelineRoute(deps)) },
  { path: explainPath, isChecked: false, serve: createExplainRoute(deps) },
  { path: sqlPath, isChecked: true, serve: (request, reply) => serveSql(deps.sql, request, reply) },
]

/** For everybody who is somebody. */
const forKnown =
  (serve: BrowserRoute['serve']): BrowserRoute['serve'] =>
  (request, reply) => {
    const { user, path } = request
    if (user.groups.includes('system:unauthenticated'))
      throw new ApiError(forbidden({ group: '', resource: '' }, '', `User "${user.name}" cannot get path "${path}"`))
    return serve(request, reply)
  }
