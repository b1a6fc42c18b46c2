import { describe, expect, test } from 'vitest'
import { dnsConfigOf, hostsFile, type NodeNames, sandboxHostname } from './pod-names.ts'

const names: NodeNames = {
  clusterDomain: 'cluster.local',
  clusterDns: '10.96.0.10',
  resolvConf: '# a comment\nnameserver 192.0.2.1\nsearch corp.example\noptions ndots:2 edns0\n',
  hosts: '127.0.0.1 localhost machine\n',
}
const pod = (spec: object): any => ({ metadata: { name: 'web-0', namespace: 'shop', uid: 'u' }, spec })

describe('the resolver of a pod', () => {
  test.each([
    [
      'asks the cluster first',
      {},
      { servers: ['10.96.0.10'], searches: ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'corp.example'], options: ['ndots:5'] },
    ],
    ['is the machine’s with its network', { hostNetwork: true }, { servers: ['192.0.2.1'], searches: ['corp.example'], options: ['ndots:2', 'edns0'] }],
    ['is the machine’s when asked for', { dnsPolicy: 'Default' }, { servers: ['192.0.2.1'], searches: ['corp.example'], options: ['ndots:2', 'edns0'] }],
    [
      'is the pod’s own with policy None',
      { dnsPolicy: 'None', dnsConfig: { nameservers: ['1.1.1.1'], searches: ['x'], options: [{ name: 'ndots', value: '3' }, { name: 'rotate' }] } },
      { servers: ['1.1.1.1'], searches: ['x'], options: ['ndots:3', 'rotate'] },
    ],
    [
      'gets what the pod adds, whose options win',
      { dnsConfig: { nameservers: ['1.1.1.1'], options: [{ name: 'ndots', value: '1' }] } },
      { servers: ['10.96.0.10', '1.1.1.1'], searches: ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'corp.example'], options: ['ndots:1'] },
    ],
  ])('%s', (_what, spec, expected) => {
    expect(dnsConfigOf(pod(spec), names)).toEqual(expected)
  })

  test('is the machine’s where the cluster has no DNS', () => {
    expect(dnsConfigOf(pod({}), { ...names, clusterDns: undefined }).servers).toEqual(['192.0.2.1'])
  })
})

describe('the name of a pod', () => {
  test.each([
    [{}, 'web-0'],
    [{ hostname: 'me' }, 'me'],
    [{ hostname: 'me', subdomain: 'sub' }, 'me'],
    [{ hostname: 'me', subdomain: 'sub', setHostnameAsFQDN: true }, 'me.sub.shop.svc.cluster.local'],
    [{ hostNetwork: true }, ''],
  ])('of %j is %s', (spec, expected) => {
    expect(sandboxHostname(pod(spec), names)).toBe(expected)
  })

  test('is cut where the kernel would refuse it', () => {
    const long = { metadata: { name: `${'a'.repeat(62)}-b`, namespace: 'n' }, spec: {} } as any
    expect(sandboxHostname(long, names)).toBe('a'.repeat(62))
  })
})

test('the hosts file has the pod and what it adds; with the machine’s network it begins with the machine’s', () => {
  const aliases = { hostAliases: [{ ip: '1.2.3.4', hostnames: ['a', 'b'] }] }
  const own = hostsFile(pod({ hostname: 'me', subdomain: 'sub', ...aliases }), ['10.0.0.9'], names)
  expect(own.startsWith('# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n')).toBe(true)
  expect(own.endsWith('10.0.0.9\tme.sub.shop.svc.cluster.local\tme\n\n# Entries added by HostAliases.\n1.2.3.4\ta\tb\n')).toBe(true)
  expect(hostsFile(pod({ hostNetwork: true, ...aliases }), ['10.0.0.9'], names)).toBe(
    '# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost machine\n\n# Entries added by HostAliases.\n1.2.3.4\ta\tb\n',
  )
})
