// What a request is before anybody is asked to answer it: refused, sent elsewhere, or on its way to a route.
import { hostOf, pathForRouting, targetBytesMax } from '../model/request-path.ts'
import type { Route, RoutingTable } from '../model/routing-table.ts'
import { authorityOf, type ClientRequest, isOverTls } from './client-message.ts'

export type Admitted =
  | { readonly kind: 'refused'; readonly status: number; readonly text: string; readonly headers?: readonly string[]; readonly route?: Route }
  | { readonly kind: 'route'; readonly route: Route; readonly authority: string; readonly target: string }

const refused = (status: number, text: string): Admitted => ({ kind: 'refused', status, text })
const originForm = /^https?:\/\/([^/?#]*)(.*)$/i

export function admit(request: ClientRequest, table: RoutingTable, tlsPort: number | undefined): Admitted {
  const url = request.url ?? ''
  if (url.length > targetBytesMax) return refused(414, '414 Request-URI Too Large')
  // A request to a proxy names the host in its target, which then goes before the header.
  const absolute = originForm.exec(url)
  const authority = absolute?.[1] ?? authorityOf(request)
  const target = absolute ? (absolute[2]!.startsWith('/') ? absolute[2]! : `/${absolute[2]!}`) : url
  const host = hostOf(authority)
  const path = pathForRouting(target)
  if (authority === undefined || host === undefined || path === undefined || request.method === 'CONNECT') return refused(400, '400 Bad Request')
  const route = table.find(host, path)
  if (route === undefined) return refused(404, 'default backend - 404')
  if (route.hasTls && route.settings.redirectToTls && tlsPort !== undefined && !isOverTls(request)) {
    const location = `https://${host}${tlsPort === 443 ? '' : `:${tlsPort}`}${target}`
    return { ...refused(308, '308 Permanent Redirect'), headers: ['location', location], route } as Admitted
  }
  const { bodyBytesMax } = route.settings
  if (bodyBytesMax > 0 && Number(request.headers['content-length'] ?? 0) > bodyBytesMax)
    return { ...refused(413, '413 Request Entity Too Large'), headers: ['connection', 'close'], route } as Admitted
  return { kind: 'route', route, authority, target }
}
