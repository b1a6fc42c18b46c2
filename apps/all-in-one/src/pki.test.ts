import { spawnSync } from 'node:child_process'
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createServer, type TLSSocket } from 'node:tls'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { kubeconfigText } from './kubeconfig.ts'
import { publicTokenKeys } from '@shiplog/control-plane/identity/token-keys'
import { loadPki, type Pki } from './pki.ts'

const nowMs = Date.parse('2026-11-23T12:00:00Z')
const dayMs = 86_400_000
let directory = ''
const load = (more: { nowMs?: number; hosts?: string[] } = {}): Pki => loadPki({ directory, nowMs, ...more })

beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), 'shiplog-pki-')), 'pki')
})
afterEach(() => rmSync(join(directory, '..'), { recursive: true, force: true }))

describe('the certificates of a cluster', () => {
  test('are signed by its authority, for the names and addresses of the server and the group of the administrator', () => {
    const { ca, server, admin } = load()
    const authority = new X509Certificate(ca)
    expect(authority.ca).toBe(true)
    expect(authority.verify(authority.publicKey)).toBe(true)
    const certificate = new X509Certificate(server.certificate)
    expect(certificate.checkIssued(authority)).toBe(true)
    expect(certificate.verify(authority.publicKey)).toBe(true)
    for (const name of ['localhost', 'kubernetes.default.svc']) expect(certificate.checkHost(name)).toBe(name)
    for (const address of ['127.0.0.1', '::1', '10.96.0.1']) expect(certificate.checkIP(address)).toBe(address)
    expect(certificate.checkHost('example.com')).toBeUndefined()
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1'])
    const client = new X509Certificate(admin.certificate)
    expect(client.subject).toBe('O=system:masters\nCN=kubernetes-admin')
    expect(client.verify(authority.publicKey)).toBe(true)
    expect(client.checkPrivateKey(createPrivateKey(admin.key))).toBe(true)
  })

  test('let a client and a server trust each other over TLS', async () => {
    const { ca, server, admin } = load()
    const listener = createServer({ ca, cert: server.certificate, key: server.key, requestCert: true })
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
    const { port } = listener.address() as { port: number }
    const peer = new Promise<TLSSocket>((resolve) => listener.once('secureConnection', resolve))
    const socket = connect({ port, host: '127.0.0.1', ca, cert: admin.certificate, key: admin.key })
    await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
    const accepted = await peer
    expect(socket.authorized).toBe(true)
    expect(accepted.authorized).toBe(true)
    expect(accepted.getPeerCertificate().subject).toMatchObject({ CN: 'kubernetes-admin', O: 'system:masters' })
    socket.destroy()
    listener.close()
  })

  test.skipIf(spawnSync('openssl', ['version']).error !== undefined)('satisfy openssl', () => {
    load()
    const files = ['-CAfile', join(directory, 'ca.crt'), join(directory, 'apiserver.crt')]
    const at = String(nowMs / 1_000)
    const { stdout, stderr } = spawnSync(
      'openssl',
      ['verify', '-x509_strict', '-purpose', 'sslserver', '-attime', at, ...files],
      { encoding: 'utf8' },
    )
    expect(`${stdout}${stderr}`).toMatch(/: OK\n$/)
  })

  test('are for their owner alone, and no half-written file stays', () => {
    load()
    expect(readdirSync(directory).sort()).toEqual(
      [
        ...['admin.crt', 'admin.key', 'apiserver.crt', 'apiserver.key', 'ca.crt', 'ca.key', 'sa.key', 'sa.pub'],
        ...['front-proxy-ca.crt', 'front-proxy-ca.key', 'front-proxy-client.crt', 'front-proxy-client.key'],
      ].sort(),
    )
    for (const file of readdirSync(directory)) expect(statSync(join(directory, file)).mode & 0o777).toBe(0o600)
    expect(statSync(directory).mode & 0o777).toBe(0o700)
  })

  test('are used again at the next start', () => {
    const first = load()
    const second = load()
    expect(first.made).toBe(6)
    expect(second).toEqual({ ...first, made: 0 })
  })

  test('have keys in SEC1, which every client loads', () => {
    const { admin, server, serviceAccountKey, clients } = loadPki({ directory, nowMs, clients: [{ name: 'a', user: 'a' }] })
    const written = ['ca.key', 'apiserver.key', 'admin.key', 'sa.key', 'a.key'].map((file) =>
      readFileSync(join(directory, file), 'utf8'),
    )
    for (const key of [admin.key, server.key, serviceAccountKey, clients['a']!.key, ...written])
      expect(key).toMatch(/^-----BEGIN EC PRIVATE KEY-----\n/)
  })

  test('of a directory with keys in PKCS#8 stay what they are, in SEC1', () => {
    const first = load()
    const files = ['ca.key', 'apiserver.key', 'admin.key', 'sa.key']
    for (const file of files) {
      const key = createPrivateKey(readFileSync(join(directory, file)))
      writeFileSync(join(directory, file), key.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
    }
    expect(load()).toEqual({ ...first, made: 0 })
    for (const file of files)
      expect(readFileSync(join(directory, file), 'utf8')).toMatch(/^-----BEGIN EC PRIVATE KEY-----\n/)
  })

  test('an RSA key that somebody brought is written as PKCS#1', () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 })
    load()
    writeFileSync(join(directory, 'sa.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
    expect(load().serviceAccountKey).toBe(privateKey.export({ type: 'pkcs1', format: 'pem' }))
  })

  test('of service accounts are changed by removing the private one: what the old one has signed is known until then', () => {
    const first = load()
    expect(publicTokenKeys(first.serviceAccountPublicKeys)).toHaveLength(1)
    rmSync(join(directory, 'sa.key'))
    const second = load()
    expect(second.made).toBe(1)
    expect(second.serviceAccountKey).not.toBe(first.serviceAccountKey)
    const ids = (...pems: string[]): string[] => publicTokenKeys(...pems).map(({ id }) => id)
    expect(ids(second.serviceAccountPublicKeys)).toEqual(ids(second.serviceAccountKey, first.serviceAccountKey))
    writeFileSync(join(directory, 'sa.pub'), '')
    expect(ids(load().serviceAccountPublicKeys)).toEqual(ids(second.serviceAccountKey))
  })

  test('are renewed a month before they end, under the same authority', () => {
    const first = load()
    expect(load({ nowMs: nowMs + 330 * dayMs }).made).toBe(0)
    const later = load({ nowMs: nowMs + 340 * dayMs })
    expect(later.made).toBe(3)
    expect(later.ca).toBe(first.ca)
  })

  test('that are not valid yet are made anew, as a clock that was ahead once leaves them', () => {
    const ahead = load({ nowMs: nowMs + 400 * dayMs })
    const now = load()
    expect(now.made).toBe(5)
    expect(now.notes).toEqual([expect.stringContaining('a clock was ahead')])
    for (const pem of [now.ca, now.server.certificate, now.admin.certificate]) {
      expect(new X509Certificate(pem).validFromDate.getTime()).toBeLessThanOrEqual(nowMs)
    }
    const authority = new X509Certificate(now.ca)
    // The authority's key is the one of before: what it signed stays signed.
    expect(new X509Certificate(ahead.server.certificate).verify(authority.publicKey)).toBe(true)
    expect(new X509Certificate(now.admin.certificate).checkIssued(authority)).toBe(true)
    expect(load()).toMatchObject({ made: 0, notes: [] })
  })

  test('of an authority that has come to its end are renewed with it', () => {
    const first = load()
    const later = load({ nowMs: nowMs + 3_640 * dayMs })
    expect(later.ca).not.toBe(first.ca)
    expect(later.notes).toEqual([expect.stringContaining('come to its end')])
  })

  test('are made anew when the server gets a further name', () => {
    load()
    const { made, server } = load({ hosts: ['shiplog.test', '192.0.2.7'] })
    expect(made).toBe(1)
    expect(new X509Certificate(server.certificate).checkIP('192.0.2.7')).toBe('192.0.2.7')
  })

  test('that were cut off between two files are completed', () => {
    const first = load()
    rmSync(join(directory, 'admin.crt'))
    const second = load()
    expect(second.made).toBe(1)
    expect(second.server).toEqual(first.server)
  })

  test('that are damaged stop the start, and the message names the file', () => {
    load()
    writeFileSync(join(directory, 'ca.crt'), 'nonsense')
    expect(() => load()).toThrow('ca.crt')
    expect(existsSync(join(directory, 'ca.key'))).toBe(true)
  })
})

test('the kubeconfig carries the client certificate and the server, as YAML that kubectl reads', () => {
  const text = kubeconfigText({ server: 'https://127.0.0.1:6443', ca: 'A', certificate: 'B', key: 'C' })
  expect(text).toContain('server: https://127.0.0.1:6443')
  expect(text).toContain(`client-key-data: ${Buffer.from('C').toString('base64')}`)
  expect(text).toContain('current-context: shiplog')
})
