import { describe, expect, test } from 'vitest'
import { answerQuestion } from './cluster-zone.ts'
import { service, slice, smallCluster } from './testing/names.ts'

const zone = { domain: 'cluster.local', ttlSeconds: 30 }
const view = smallCluster()
const ask = (name: string, type: string, of = view) => answerQuestion(of, zone, name, type)
const data = (name: string, type: string, of = view) => ask(name, type, of)?.answers.map((record) => record.data)

describe('names of the cluster', () => {
  test('lead to the addresses of a Service, each family by its type, whatever their case', () => {
    expect(data('web.default.svc.cluster.local', 'A')).toEqual(['10.96.0.20'])
    expect(data('Web.Default.SVC.cluster.local', 'AAAA')).toEqual(['fd00:96::14'])
    expect(ask('Web.default.svc.cluster.local', 'A')?.answers[0]?.name).toBe('Web.default.svc.cluster.local')
  })

  test('lead to the ready endpoints of a headless Service, and to each by its host name or its address', () => {
    expect(data('db.default.svc.cluster.local', 'A')).toEqual(['10.244.0.2', '10.244.0.3'])
    expect(data('db-0.db.default.svc.cluster.local', 'A')).toEqual(['10.244.0.2'])
    expect(data('10-244-0-3.db.default.svc.cluster.local', 'A')).toEqual(['10.244.0.3'])
    expect(ask('db-1.db.default.svc.cluster.local', 'A')?.code).toBe('NXDOMAIN')
  })

  test('of ports say where they are, with the addresses of who is named', () => {
    const srv = ask('_http._tcp.db.default.svc.cluster.local', 'SRV')!
    expect(srv.answers.map(({ data: one }) => one)).toEqual([
      { priority: 0, weight: 50, port: 8080, target: 'db-0.db.default.svc.cluster.local' },
      { priority: 0, weight: 50, port: 8080, target: '10-244-0-3.db.default.svc.cluster.local' },
    ])
    expect(srv.additionals.map(({ name, data: one }) => [name, one])).toEqual([
      ['db-0.db.default.svc.cluster.local', '10.244.0.2'],
      ['10-244-0-3.db.default.svc.cluster.local', '10.244.0.3'],
    ])
    expect(data('_dns._udp.web.default.svc.cluster.local', 'SRV')).toMatchObject([{ port: 53, target: 'web.default.svc.cluster.local' }])
    expect(ask('_dns._tcp.web.default.svc.cluster.local', 'SRV')?.code).toBe('NXDOMAIN')
    expect(data('web.default.svc.cluster.local', 'SRV')).toHaveLength(2)
  })

  test('of Services that stand for others are aliases', () => {
    expect(ask('out.default.svc.cluster.local', 'A')).toMatchObject({ alias: 'www.example.com', answers: [{ type: 'CNAME', data: 'www.example.com' }] })
    expect(ask('out.default.svc.cluster.local', 'CNAME')?.alias).toBeUndefined()
  })

  test('that are not there say so with the SOA of the zone, and so do those that have other records only', () => {
    for (const name of ['no.default.svc.cluster.local', 'web.other.svc.cluster.local', 'x.cluster.local', 'a.b.c.web.default.svc.cluster.local'])
      expect([name, ask(name, 'A')?.code]).toEqual([name, 'NXDOMAIN'])
    for (const name of ['svc.cluster.local', 'default.svc.cluster.local', '_tcp.web.default.svc.cluster.local'])
      expect([name, ask(name, 'A')?.code, ask(name, 'A')?.answers]).toEqual([name, 'NOERROR', []])
    expect(ask('db.default.svc.cluster.local', 'AAAA')).toMatchObject({ code: 'NOERROR', answers: [], authorities: [{ type: 'SOA' }] })
  })

  test('of addresses are those of Services and of endpoints; other addresses are for others', () => {
    expect(data('20.0.96.10.in-addr.arpa', 'PTR')).toEqual(['web.default.svc.cluster.local'])
    expect(data('2.0.244.10.in-addr.arpa', 'PTR')).toEqual(['db-0.db.default.svc.cluster.local'])
    expect(data('4.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.9.0.0.0.0.d.f.ip6.arpa', 'PTR')).toEqual(['web.default.svc.cluster.local'])
    expect(ask('1.1.1.1.in-addr.arpa', 'PTR')).toBeUndefined()
    expect(ask('example.com', 'A')).toBeUndefined()
    expect(ask('notcluster.local', 'A')).toBeUndefined()
  })

  test('of pods are what the names say, in namespaces that are there', () => {
    expect(data('10-244-0-9.default.pod.cluster.local', 'A')).toEqual(['10.244.0.9'])
    expect(ask('10-244-0-9.other.pod.cluster.local', 'A')?.code).toBe('NXDOMAIN')
    expect(ask('hello.default.pod.cluster.local', 'A')?.code).toBe('NXDOMAIN')
    expect(data('dns-version.cluster.local', 'TXT')).toEqual(['1.1.0'])
  })

  test('change with what they stand for', () => {
    const changing = smallCluster()
    changing.apply(slice('db', [{ addresses: ['10.244.0.7'], conditions: { ready: true } }], []))
    expect(data('db.default.svc.cluster.local', 'A', changing)).toEqual(['10.244.0.7'])
    expect(data('2.0.244.10.in-addr.arpa', 'PTR', changing)).toBeUndefined()
    changing.apply(service('web', {}, true))
    expect(ask('web.default.svc.cluster.local', 'A', changing)?.code).toBe('NXDOMAIN')
    expect(ask('20.0.96.10.in-addr.arpa', 'PTR', changing)).toBeUndefined()
  })
})
