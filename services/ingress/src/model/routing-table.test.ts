import { describe, expect, test } from 'vitest'
import { hostOf, pathForRouting } from './request-path.ts'
import { createPathRoutes, type PathType } from './path-routes.ts'
import { buildRoutingTable, type KnownObjects, type Route } from './routing-table.ts'
import { ingressOf } from '../testing/objects.ts'

const all: KnownObjects = { hasServicePort: () => 'yes' }
const nameOf = (route: Route | undefined): string | undefined => route && `${route.namespace}/${route.service}`

describe('paths are matched as the documentation of Ingress has it', () => {
  // kind, path(s), request, what is found
  const table: readonly (readonly [PathType, readonly string[], string, string | undefined])[] = [
    ['Prefix', ['/'], '/any/thing', '/'],
    ['Exact', ['/foo'], '/foo', '/foo'],
    ['Exact', ['/foo'], '/bar', undefined],
    ['Exact', ['/foo'], '/foo/', undefined],
    ['Exact', ['/foo/'], '/foo', undefined],
    ['Prefix', ['/foo'], '/foo', '/foo'],
    ['Prefix', ['/foo'], '/foo/', '/foo'],
    ['Prefix', ['/foo/'], '/foo', '/foo/'],
    ['Prefix', ['/foo/'], '/foo/', '/foo/'],
    ['Prefix', ['/aaa/bb'], '/aaa/bbb', undefined],
    ['Prefix', ['/aaa/bbb'], '/aaa/bbb', '/aaa/bbb'],
    ['Prefix', ['/aaa/bbb/'], '/aaa/bbb', '/aaa/bbb/'],
    ['Prefix', ['/aaa/bbb'], '/aaa/bbb/', '/aaa/bbb'],
    ['Prefix', ['/aaa/bbb'], '/aaa/bbb/ccc', '/aaa/bbb'],
    ['Prefix', ['/aaa/bbb'], '/aaa/bbbxyz', undefined],
    ['Prefix', ['/', '/aaa'], '/aaa/ccc', '/aaa'],
    ['Prefix', ['/', '/aaa', '/aaa/bbb'], '/aaa/bbb', '/aaa/bbb'],
    ['Prefix', ['/', '/aaa', '/aaa/bbb'], '/ccc', '/'],
    ['Prefix', ['/aaa'], '/ccc', undefined],
    ['ImplementationSpecific', ['/aaa'], '/aaa/b', '/aaa'],
  ]
  test.each(table)('%s %j, request %s: %s', (type, paths, request, found) => {
    const routes = createPathRoutes<string>()
    for (const path of paths) routes.add(type, path, path)
    expect(routes.find(request)).toBe(found)
  })

  test('Exact goes before Prefix of the same path, whichever came first', () => {
    const routes = createPathRoutes<string>()
    routes.add('Prefix', '/foo', 'prefix')
    routes.add('Exact', '/foo', 'exact')
    expect([routes.find('/foo'), routes.find('/foo/x')]).toEqual(['exact', 'prefix'])
  })

  test('a path of thousands of elements is found as fast as a short one', () => {
    const routes = createPathRoutes<string>()
    routes.add('Prefix', '/a', 'a')
    const long = `/a${'/x'.repeat(4_000)}`
    const began = performance.now()
    for (let i = 0; i < 10_000; i++) expect(routes.find(long)).toBe('a')
    expect(performance.now() - began).toBeLessThan(5_000)
  })
})

describe('the path that counts is the one that a server would make of it', () => {
  test.each([
    ['/a?b=/c/../d', '/a'],
    ['/public/../admin', '/admin'],
    ['/public/%2e%2e/admin', '/admin'],
    ['/public/%2E%2e%2Fadmin', '/admin'],
    ['//admin', '/admin'],
    ['/a/./b/', '/a/b/'],
    ['/a/b/..', '/a/'],
    ['/.well-known/x', '/.well-known/x'],
    ['/..', undefined],
    ['/a%00b', undefined],
    ['/a%5c..%5cb', undefined],
    ['/%zz', undefined],
    ['*', undefined],
    ['/a b', undefined],
    ['/\u{1f600}', undefined],
    ['/a?\r\nx: y', undefined],
    ['http://a/b', undefined],
  ])('%s is %s', (target, path) => expect(pathForRouting(target)).toBe(path))

  test.each([
    ['Shop.Example:8080', 'shop.example'],
    ['shop.example.', 'shop.example'],
    ['[::1]:80', '[::1]'],
    ['a b', undefined],
    ['a/b', undefined],
    ['a@b', undefined],
    ['', undefined],
    ['$(id)', undefined],
  ])('host %s is %s', (header, host) => expect(hostOf(header)).toBe(host))
})

describe('hosts', () => {
  test('an exact host goes before a wildcard, which stands for one label; then rules without a host', () => {
    const table = buildRoutingTable(
      [
        ingressOf('one', { hosts: { 'a.shop.example': { '/': 'exact' }, '*.shop.example': { '/': 'wild' } } }),
        ingressOf('two', { hosts: { '': { '/': 'any' } } }),
      ],
      all,
    )
    expect(['a.shop.example', 'b.shop.example', 'c.b.shop.example', 'shop.example', ''].map((host) => nameOf(table.find(host, '/')))).toEqual([
      'default/exact',
      'default/wild',
      'default/any',
      'default/any',
      'default/any',
    ])
  })

  test('what no path of a host matches goes to the default backend of its Ingress, else to that of all, else nowhere', () => {
    const rules = { hosts: { 'a.example': { '/x': 'x' } } }
    const own = buildRoutingTable([ingressOf('one', { ...rules, fallback: 'own' }), ingressOf('two', { fallback: 'general' })], all)
    expect([own.find('a.example', '/y'), own.find('b.example', '/')].map(nameOf)).toEqual(['default/own', 'default/general'])
    const general = buildRoutingTable([ingressOf('one', rules), ingressOf('two', { fallback: 'general' })], all)
    expect(nameOf(general.find('a.example', '/y'))).toBe('default/general')
    expect(buildRoutingTable([ingressOf('one', rules)], all).find('a.example', '/y')).toBeUndefined()
  })

  test('of two Ingresses with the same host and path the older one has it, and the other is told', () => {
    const younger = ingressOf('a', { createdAt: '2026-01-02T00:00:00Z', hosts: { 'x.example': { '/': 'late' } } })
    const older = ingressOf('b', { createdAt: '2026-01-01T00:00:00Z', hosts: { 'x.example': { '/': 'early' } } })
    for (const order of [[younger, older], [older, younger]]) {
      const table = buildRoutingTable(order, all)
      expect(nameOf(table.find('x.example', '/'))).toBe('default/early')
      expect(table.problems).toEqual([
        { object: younger, reason: 'Conflict', message: 'host "x.example" and path "/" is already defined in ingress default/b' },
      ])
    }
  })

  test('certificates go by name, exact before wildcard, and to the older Ingress', () => {
    const table = buildRoutingTable(
      [
        ingressOf('one', { tls: [{ hosts: ['a.example', '*.b.example'], secretName: 's1' }] }),
        ingressOf('two', { createdAt: '2027-01-01T00:00:00Z', tls: [{ hosts: ['a.example'], secretName: 's2' }] }),
      ],
      all,
    )
    expect(['a.example', 'x.b.example', 'b.example'].map((name) => table.certificate(name)?.secret)).toEqual(['s1', 's1', undefined])
    expect(table.problems.map(({ message }) => message)).toEqual([
      'the certificate of host "a.example" is already defined in ingress default/one',
    ])
  })
})

test('Services, ports and backends that cannot be served are problems of the Ingress', () => {
  const known: KnownObjects = {
    hasServicePort: (_, service) => (service === 'gone' ? 'no service' : service === 'other' ? 'no port' : 'external name'),
  }
  const table = buildRoutingTable([ingressOf('one', { hosts: { h: { '/a': 'gone', '/b': 'other', '/c': 'outside' } } })], known)
  expect(table.problems.map(({ reason, message }) => `${reason}: ${message}`)).toEqual([
    'ServiceNotFound: service "default/gone" does not exist',
    'ServicePortNotFound: service "default/other" does not have a port 80',
    'UnsupportedBackend: service "default/outside" is an external name: requests are sent to pods alone',
  ])
})

test('hostile annotations are reported and change nothing', () => {
  const annotations = {
    'ingress.shiplog.dev/body-bytes-max': '1; } server { listen 81',
    'ingress.shiplog.dev/answer-timeout-seconds': '1e9',
    'ingress.shiplog.dev/configuration-snippet': 'load_module /tmp/x.so;',
    'ingress.shiplog.dev/__proto__': '{"isSticky":true}',
    'ingress.shiplog.dev/affinity': 'cookie',
    'nginx.ingress.kubernetes.io/server-snippet': 'x',
  }
  const table = buildRoutingTable([ingressOf('one', { annotations, hosts: { h: { '/': 's' } } })], all)
  expect(table.problems.map(({ message }) => message)).toEqual([
    'annotation ingress.shiplog.dev/body-bytes-max: has no valid value',
    'annotation ingress.shiplog.dev/answer-timeout-seconds: has no valid value',
    'annotation ingress.shiplog.dev/configuration-snippet: is not known',
    'annotation ingress.shiplog.dev/__proto__: is not known',
  ])
  expect(table.find('h', '/')?.settings).toEqual({ redirectToTls: true, bodyBytesMax: 1_048_576, answerTimeoutMs: 60_000, isSticky: true })
})
