import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CertificateSigningRequest } from '@shiplog/api/generated/types/certificates-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import type { Reconciler } from '@shiplog/reconcile/reconciler'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createReconcileHarness, type ReconcileHarness } from '../testing/reconcile-harness.ts'
import { createTestAuthority } from '../testing/signers.ts'
import { csrApprovingReconciler } from './csr-approving.reconciler.ts'
import { csrCleanerReconciler } from './csr-cleaner.reconciler.ts'
import { createCsrSigningReconciler } from './csr-signing.reconciler.ts'

const group = 'certificates.k8s.io'
const resource = 'certificatesigningrequests'
const hourMs = 3_600_000
const { certificate: authority, signer } = createTestAuthority()

const directory = mkdtempSync(join(tmpdir(), 'shiplog-csr-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** A request as people make them. */
function requestFor(subject: string, extension?: string, kind: 'ec' | 'rsa' = 'ec'): string {
  const file = join(directory, 'request.pem')
  const key = kind === 'ec' ? ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'] : ['-newkey', 'rsa:2048']
  const extensions = extension ? ['-addext', `subjectAltName=${extension}`] : []
  const args = ['req', '-new', '-nodes', ...key, '-keyout', join(directory, 'key.pem'), '-subj', subject, ...extensions]
  execFileSync('openssl', [...args, '-out', file], { stdio: 'pipe' })
  return readFileSync(file).toString('base64')
}

let person: string
let nodeClient: string
let nodeServing: string
beforeAll(() => {
  person = requestFor('/O=dev/O=ops/CN=jane', undefined, 'rsa')
  nodeClient = requestFor('/O=system:nodes/CN=system:node:n1')
  nodeServing = requestFor('/O=system:nodes/CN=system:node:n1', 'DNS:n1.test,IP:192.0.2.7,IP:2001:db8::1')
})

const client = ['digital signature', 'client auth']
const decidedAt = '2026-01-01T00:00:00Z'
const approved = { type: 'Approved', status: 'True', lastUpdateTime: decidedAt, lastTransitionTime: decidedAt }

function harness(...reconcilers: Reconciler[]): ReconcileHarness {
  return createReconcileHarness(reconcilers)
}

function create(h: ReconcileHarness, spec: object, conditions: object[] = [], more: object = {}): void {
  const metadata = { name: 'a', creationTimestamp: '2026-01-01T00:00:00Z' }
  const type = { apiVersion: `${group}/v1`, kind: 'CertificateSigningRequest' }
  h.cluster.put(`${resource}.${group}`, { ...type, metadata, spec, status: { conditions, ...more } })
}
const current = (h: ReconcileHarness): (KubeObject & CertificateSigningRequest) | undefined =>
  h.cluster.get(`${resource}.${group}`, '/a') as (KubeObject & CertificateSigningRequest) | undefined
const signedIn = (h: ReconcileHarness): X509Certificate =>
  new X509Certificate(Buffer.from(current(h)!.status.certificate!, 'base64'))

describe('signing', () => {
  test('gives whoever was approved a certificate of the cluster, for the groups in the request', () => {
    const h = harness(createCsrSigningReconciler(signer))
    create(h, { request: person, signerName: 'kubernetes.io/kube-apiserver-client', usages: client }, [approved])
    h.settle()
    const issued = signedIn(h)
    expect(issued.subject).toBe('O=dev\nO=ops\nCN=jane')
    expect(issued.checkIssued(new X509Certificate(authority))).toBe(true)
    expect(issued.verify(new X509Certificate(authority).publicKey)).toBe(true)
    expect(issued.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2'])
    expect(issued.ca).toBe(false)
    expect(issued.validToDate.getTime() - h.nowMs()).toBe(365 * 24 * hourMs - 5 * 60_000)
    expect(h.nowMs() - issued.validFromDate.getTime()).toBe(5 * 60_000)
    expect(h.secondRun()).toEqual([])
  })

  test('makes what openssl takes for a client of this authority', () => {
    const h = harness(createCsrSigningReconciler(signer))
    create(h, { request: person, signerName: 'kubernetes.io/kube-apiserver-client', usages: client }, [approved])
    h.settle()
    const files = { ca: join(directory, 'ca.pem'), own: join(directory, 'own.pem') }
    execFileSync('tee', [files.ca], { input: authority, stdio: 'pipe' })
    execFileSync('tee', [files.own], { input: Buffer.from(current(h)!.status.certificate!, 'base64'), stdio: 'pipe' })
    const args = ['verify', '-x509_strict', '-purpose', 'sslclient', '-attime', String(h.nowMs() / 1_000), '-CAfile']
    expect(execFileSync('openssl', [...args, files.ca, files.own], { encoding: 'utf8' })).toMatch(/: OK\n$/)
  })

  test('keeps to what was asked: how long, and for which names', () => {
    const h = harness(createCsrSigningReconciler(signer))
    const usages = ['digital signature', 'key encipherment', 'server auth']
    const spec = { request: nodeServing, signerName: 'kubernetes.io/kubelet-serving', usages, expirationSeconds: 3_600 }
    create(h, spec, [approved])
    h.settle()
    const issued = signedIn(h)
    expect(issued.subjectAltName).toBe('DNS:n1.test, IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:1')
    expect(issued.validToDate.getTime() - h.nowMs()).toBe(hourMs)
    expect(issued.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1'])
  })

  test.each<[string, () => object, string]>([
    ['a server\'s', () => ({ request: person, usages: ['server auth'] }), 'invalid usage for client certificate: server auth'],
    ['nothing\'s', () => ({ request: person, usages: ['digital signature'] }), 'missing required usage for client certificate: client auth'],
    [
      'a person\'s as a kubelet\'s',
      () => ({ request: person, usages: client, signerName: 'kubernetes.io/kube-apiserver-client-kubelet' }),
      'subject organization is not system:nodes',
    ],
    [
      'a kubelet\'s with names',
      () => ({ request: nodeServing, usages: client, signerName: 'kubernetes.io/kube-apiserver-client-kubelet' }),
      'DNS subjectAltNames are not allowed',
    ],
    [
      'a server\'s without names',
      () => ({ request: nodeClient, usages: ['digital signature', 'server auth'], signerName: 'kubernetes.io/kubelet-serving' }),
      'DNS or IP subjectAltName is required',
    ],
  ])('says why it does not sign %s', (_what, spec, why) => {
    const h = harness(createCsrSigningReconciler(signer))
    create(h, { signerName: 'kubernetes.io/kube-apiserver-client', ...spec() }, [approved])
    h.settle()
    expect(current(h)!.status.certificate).toBeUndefined()
    expect(current(h)!.status.conditions!.at(-1)).toMatchObject({
      ...{ type: 'Failed', status: 'True', reason: 'SignerValidationFailure', message: why },
    })
    expect(h.secondRun()).toEqual([])
  })

  test('leaves alone what nobody has approved, and what is another signer\'s', () => {
    const signerName = 'kubernetes.io/kube-apiserver-client'
    for (const [spec, conditions] of [
      [{ signerName }, []],
      [{ signerName }, [{ type: 'Denied', status: 'True' }]],
      [{ signerName: 'example.com/own' }, [approved]],
    ] as const) {
      const h = harness(createCsrSigningReconciler(signer))
      create(h, { request: person, usages: client, ...spec }, [...conditions])
      h.settle()
      expect(current(h)!.status.certificate).toBeUndefined()
    }
  })
})

describe('approving', () => {
  const signerName = 'kubernetes.io/kube-apiserver-client-kubelet'
  const asked: string[] = []
  const reviewing = (granted: string) =>
    createReconcileHarness([csrApprovingReconciler], {
      answer: ({ resource: asking, body }) => {
        if (asking !== 'subjectaccessreviews') return undefined
        const review = body as KubeObject
        const { user, resourceAttributes } = review['spec']
        asked.push(`${user} ${resourceAttributes.subresource}`)
        const status = { allowed: resourceAttributes.subresource === granted }
        return { ok: true, code: 201, sequence: 0, object: { ...review, status } }
      },
    })

  test.each([
    ['their own node\'s', 'system:node:n1', 'selfnodeclient', true],
    ['any node\'s, for a bootstrap token', 'system:bootstrap:abcdef', 'nodeclient', true],
    ['another node\'s, with the right for their own', 'system:node:n2', 'selfnodeclient', false],
    ['any without a right', 'system:node:n1', 'none', false],
  ])('%s: whoever may have it gets it', (_what, username, granted, isApproved) => {
    const h = reviewing(granted)
    create(h, { request: nodeClient, signerName, usages: client, username, groups: ['g'] })
    h.settle()
    const conditions = current(h)!.status.conditions ?? []
    expect(conditions.map(({ type, reason }) => `${type} ${reason}`)).toEqual(isApproved ? ['Approved AutoApproved'] : [])
    expect(h.secondRun()).toEqual([])
  })

  test('asks nobody about what is not a kubelet\'s, and leaves it alone', () => {
    asked.length = 0
    const requests = [
      { request: person, signerName, usages: client },
      { request: nodeClient, signerName: 'kubernetes.io/kube-apiserver-client', usages: client },
      { request: nodeClient, signerName, usages: ['server auth'] },
      { request: 'bm8=', signerName, usages: client },
    ]
    for (const spec of requests) {
      const h = reviewing('nodeclient')
      create(h, { ...spec, username: 'system:node:n1' })
      h.settle()
      expect(current(h)!.status.conditions ?? []).toEqual([])
    }
    expect(asked).toEqual([])
  })
})

describe('cleaning', () => {
  const at = (type: string) => ({ type, status: 'True', lastUpdateTime: '2026-01-01T00:00:00Z' })
  test.each<[string, object[], object, number]>([
    ['nobody has answered', [], {}, 24],
    ['was denied', [at('Denied')], {}, 1],
    ['failed', [at('Approved'), at('Failed')], {}, 1],
    ['was approved and never signed', [at('Approved')], {}, 24],
    ['was signed', [at('Approved')], { certificate: 'AAAA' }, 1],
  ])('what %s goes after its time and not before', (_what, conditions, more, hours) => {
    const h = harness(csrCleanerReconciler)
    create(h, { request: person, signerName: 'kubernetes.io/kube-apiserver-client' }, conditions, more)
    h.advance(hours * hourMs - 1_000)
    expect(current(h)).toBeDefined()
    h.advance(2_000)
    expect(current(h)).toBeUndefined()
  })
})
