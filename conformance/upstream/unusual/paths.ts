// Paths and methods, with and without a name of who asks.
import { apps, configMaps, core } from './fixtures.ts'
import type { Unusual } from './requests.ts'

const odd = [
  ...['/', '//', '/api/', '/api/v1/', '/api/v2', '/api/v1/foo', '/apis/', '/apis/apps/', '/apis/apps/v1/', '/apis/apps/v2', '/apis/foo'],
  ...['/apis/foo/v1', '/apis/foo/v1/bars', '//api', '/api//v1', '/API', '/api/V1', '/api/v1/Pods', '/api/v1/pod', '/apis/apps/v1/foo'],
  ...[`${core}/`, `${configMaps}/`, `${configMaps}/a/`, `${configMaps}/A`, `${configMaps}/..`, `${configMaps}/%2e%2e`, `${configMaps}/a%2Fb`],
  ...[`${configMaps}/%00`, `${configMaps}/a%20b`, `${configMaps}/%zz`, `${configMaps}/é`, `${configMaps}/${'n'.repeat(300)}`, `${configMaps}/a/b`, `${configMaps}/a/status/b`],
  ...['/api/v1/namespaces/a/b/c/d/e', '/api/v1/namespaces/Unusual/configmaps', '/api/v1/namespaces/none/configmaps', '/api/v1/namespaces/none/configmaps/a'],
  ...['/api/v1/configmaps/a', '/api/v1/namespaces/unusual/nodes', '/api/v1/namespaces/unusual/nodes/unusual-node', '/api/v1/nodes/unusual-node/foo', '/api/v1/namespaces/unusual/namespaces'],
  ...['/apis/apps/v1/namespaces/unusual/pods', '/api/v1/namespaces/unusual/deployments', `${apps}/deployments/a/scale/b`, '/apis/apps/v1beta1/deployments', '/apis/extensions/v1beta1/ingresses'],
  ...['/apis//v1', '/apis/apps//deployments', '/api/v1?foo', '/apis?', '/api/v1/namespaces/unusual/configmaps/a?', '/foo', '/foo/bar', '/favicon.ico', '/robots.txt', '/index.html'],
  ...['/version/', '/version/foo', '/healthz/', '/healthz/ping', '/healthz/foo', '/healthz/etcd/x', '/livez/ping', '/livez/foo', '/readyz/ping', '/readyz/foo', '/readyz/', '/healthz?verbose=false'],
  ...['/healthz?exclude=ping', '/livez?exclude=nothing', '/metrics/', '/metrics/foo', '/openapi', '/openapi/', '/openapi/v2/', '/openapi/v3/', '/openapi/v3/foo', '/openapi/v3/api/v2', '/openapi/v4', '/swagger.json'],
  ...['/logs', '/logs/', '/ui', '/debug/pprof/', '/debug/api_priority_and_fairness/', '/.well-known/', '/.well-known/openid-configuration/', '/openid', '/openid/v1/', '/flagz', '/statusz', '/configz'],
]

const watched = [
  ...['/api/v1/watch', '/api/v1/watch/', '/api/v1/watch/foo', '/api/v1/watch/namespaces', '/api/v1/watch/namespaces/unusual', '/api/v1/watch/configmaps/a', '/api/v1/watch/namespaces/unusual/configmaps/a/status', '/apis/apps/v1/watch/foo', '/api/v1/proxy/namespaces/unusual/pods/a', '/api/v1/redirect/nodes/a'],
].map((path) => `${path}?timeoutSeconds=1&labelSelector=nothing`)

const watchedOne = [
  '/api/v1/watch/namespaces/unusual/configmaps/none',
  '/api/v1/watch/nodes/none',
  '/apis/apps/v1/watch/namespaces/unusual/deployments/none',
].map((path) => `${path}?timeoutSeconds=1`)

const methods = ['HEAD', 'OPTIONS', 'TRACE', 'PUT', 'PATCH', 'DELETE', 'POST', 'FOO', 'get', 'PROPFIND']
const targets: readonly (readonly [name: string, path: string, methods: readonly string[]])[] = [
  ['the root', '/', methods],
  ['/api', '/api', methods],
  ['/apis/apps/v1', '/apis/apps/v1', methods],
  ['/version', '/version', methods],
  ['/healthz', '/healthz', methods],
  ['/openapi/v2', '/openapi/v2', methods.filter((method) => method !== 'HEAD')],
  ['a list', configMaps, methods.filter((method) => method !== 'DELETE' && method !== 'POST')],
  ['all lists', '/api/v1/configmaps?labelSelector=number', methods],
  ['an object', `${configMaps}/a`, ['HEAD', 'OPTIONS', 'TRACE', 'POST', 'FOO', 'get']],
  ['a missing object', `${configMaps}/none`, ['HEAD', 'OPTIONS', 'TRACE', 'POST', 'FOO']],
  ['a status', `${core}/pods/a/status`, ['HEAD', 'OPTIONS', 'POST', 'DELETE', 'FOO']],
  ['a scale', `${apps}/deployments/a/scale`, ['HEAD', 'OPTIONS', 'POST', 'DELETE']],
  ['a binding', `${core}/pods/a/binding`, ['HEAD', 'GET', 'PUT', 'PATCH', 'DELETE']],
  ['an eviction', `${core}/pods/a/eviction`, ['HEAD', 'GET', 'PUT', 'PATCH', 'DELETE']],
  ['bindings', `${core}/bindings`, ['HEAD', 'GET', 'PUT', 'PATCH', 'DELETE']],
  ['a token', `${core}/serviceaccounts/default/token`, ['HEAD', 'GET', 'PUT', 'PATCH', 'DELETE']],
  ['reviews', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', ['HEAD', 'GET', 'PUT', 'PATCH', 'DELETE']],
  ['a review', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews/a', ['GET', 'POST']],
  ['an unknown resource', '/api/v1/foo', ['HEAD', 'POST', 'DELETE', 'OPTIONS']],
  ['an unknown group', '/apis/foo/v1/bars', ['HEAD', 'POST', 'DELETE', 'OPTIONS']],
]

const anonymous = [
  ...['/version', '/version/', '/healthz', '/healthz/ping', '/livez', '/readyz', '/livez/ping', '/readyz/ping', '/healthz/', '/api', '/apis', '/', '/metrics', '/openapi/v2', '/openapi/v3'],
  ...['/.well-known/openid-configuration', '/openid/v1/jwks', '/foo', configMaps, `${configMaps}/a`, '/api/v1/foo', '/apis/foo/v1/bars', '/logs/', `${core}/pods/a/log`],
]

const named = (headers: Record<string, string>, name: string, path = `${configMaps}/a`): Unusual => ({ name, request: { path, headers } })

export const paths: readonly Unusual[] = [
  ...[...odd, ...watched, ...watchedOne].map((path): Unusual => ({ name: `GET ${path.length > 120 ? `${path.slice(0, 60)}…` : path}`, request: { path } })),
  ...targets.flatMap(([name, path, those]) =>
    those.map((method): Unusual => ({ name: `${method} of ${name}`, request: { method, path }, headers: ['allow'] })),
  ),
  ...anonymous.map((path): Unusual => ({ name: `anonymous GET ${path}`, request: { path, authenticated: false } })),
  ...['POST', 'DELETE', 'PATCH', 'HEAD'].map((method): Unusual => ({ name: `anonymous ${method} of a list`, request: { method, path: configMaps, authenticated: false } })),
  { name: 'a bad token', request: { path: configMaps, authenticated: false, headers: { authorization: 'Bearer nonsense' } } },
  { name: 'an empty token', request: { path: configMaps, authenticated: false, headers: { authorization: 'Bearer ' } } },
  { name: 'a password', request: { path: configMaps, authenticated: false, headers: { authorization: 'Basic YTpi' } } },
  { name: 'a bad token for what all may read', request: { path: '/version', authenticated: false, headers: { authorization: 'Bearer nonsense' } } },
  { name: 'a token of three parts', request: { path: configMaps, authenticated: false, headers: { authorization: 'Bearer a.b.c' } } },
  named({ authorization: 'Bearer nonsense' }, 'a certificate and a bad token'),
  named({ 'impersonate-user': 'bob' }, 'as bob'),
  named({ 'impersonate-user': '' }, 'as nobody'),
  named({ 'impersonate-group': 'g' }, 'as a group without a user'),
  named({ 'impersonate-uid': 'u' }, 'as a uid without a user'),
  named({ 'impersonate-extra-scopes': 'u' }, 'as an extra without a user'),
  named({ 'impersonate-user': 'bob', 'impersonate-group': 'system:masters' }, 'as bob among the masters'),
  named({ 'impersonate-user': 'bob', 'impersonate-extra-a%2fb': 'x' }, 'as bob with an extra'),
  named({ 'impersonate-user': 'bob', 'impersonate-foo': 'x' }, 'as bob with an unknown header'),
  named({ 'impersonate-user': 'system:serviceaccount:unusual:default' }, 'as a service account'),
  named({ 'impersonate-user': 'system:serviceaccount:bad' }, 'as a service account without a name'),
  named({ 'impersonate-user': 'system:anonymous' }, 'as anonymous'),
  named({ 'impersonate-user': 'system:anonymous' }, 'as anonymous, of the version', '/version'),
]
