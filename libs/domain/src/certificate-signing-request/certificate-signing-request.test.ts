import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { describe, expect, test } from 'vitest'
import { certificateSubjectRestriction } from '../admission/certificate-subject-restriction.plugin.ts'
import {
  devCertificate,
  devRequest,
  edRequest,
  mastersRequest,
  pssRequest,
  rsaRequest,
} from '../testing/certificate-requests.ts'
import { certificateSigningRequestStrategy as strategy } from './certificate-signing-request.strategy.ts'
import { parseCertificateRequest } from './pkcs10.ts'
import { signerRights, validateSignerName } from './signer-name.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const request = (spec: JsonObject = {}, status: JsonObject = {}): KubeObject =>
  ({
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name: 'a', uid: 'u', creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { request: base64(devRequest), signerName: 'example.com/s', usages: ['client auth'], ...spec },
    status,
  }) as unknown as KubeObject
const say = (causes: readonly { field?: string; message: string }[]): string[] =>
  causes.map(({ field, message }) => `${field}: ${message}`)

describe('a PKCS#10 request', () => {
  test.each([
    ['ECDSA', mastersRequest, ['system:masters']],
    ['two organizations', devRequest, ['dev', 'ops']],
    ['Ed25519', edRequest, ['system:masters']],
    ['RSA', rsaRequest, ['dev']],
    ['RSA-PSS', pssRequest, ['dev']],
  ])('%s: its organizations are read and its signature holds', (_, pem, organizations) => {
    const parsed = parseCertificateRequest(pem)
    expect(parsed.organizations).toEqual(organizations)
    expect(parsed.whyUnsigned()).toBeUndefined()
  })

  test('with another subject than was signed is found out', () => {
    const der = Buffer.from(devRequest.replace(/-----.*-----|\n/g, ''), 'base64')
    der.write('DEV', der.indexOf('dev'))
    const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`
    expect(parseCertificateRequest(pem).whyUnsigned()).toBe('x509: ECDSA verification failure')
  })

  test('cut short anywhere is an error and nothing else', () => {
    const der = Buffer.from(devRequest.replace(/-----.*-----|\n/g, ''), 'base64')
    for (let length = 0; length < der.length; length++) {
      const part = der.subarray(0, length).toString('base64')
      const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${part}\n-----END CERTIFICATE REQUEST-----\n`
      expect(() => parseCertificateRequest(pem)).toThrow(/asn1|PEM/)
    }
    expect(() => parseCertificateRequest(devCertificate)).toThrow('PEM block type must be CERTIFICATE REQUEST')
  })
})

test('signers are named by a domain and a path', () => {
  for (const name of ['kubernetes.io/kube-apiserver-client', 'example.com/a.b'])
    expect(validateSignerName(name, 's')).toEqual([])
  for (const name of ['', 'x', 'x/y/z', 'nodots/a', 'Example.com/a', 'example.com/A', 'example.com/'])
    expect([name, validateSignerName(name, 's').length > 0]).toEqual([name, true])
  expect(signerRights('example.com/a')).toEqual(['example.com/a', 'example.com/*'])
})

describe('what is asked', () => {
  test.each<[JsonObject, RegExp]>([
    [{ request: base64('nonsense') }, /spec.request: .*PEM block type must be CERTIFICATE REQUEST/],
    [{ usages: [] }, /spec.usages: Required value/],
    [{ usages: ['nonsense'] }, /spec.usages\[0\]: Unsupported value: "nonsense"/],
    [{ usages: ['client auth', 'client auth'] }, /spec.usages\[1\]: Duplicate value: "client auth"/],
    [{ signerName: '' }, /spec.signerName: Required value/],
    [{ expirationSeconds: 599 }, /spec.expirationSeconds: .*less than 600 seconds/],
  ])('%j', (spec, expected) => {
    expect(say(strategy.validate!(request(spec))).join()).toMatch(expected)
  })

  test('may be anything that is right', () => {
    expect(strategy.validate!(request({ expirationSeconds: 600 }))).toEqual([])
  })
})

describe('CertificateSubjectRestriction', () => {
  const admit = (pem: string, signerName: string): void =>
    certificateSubjectRestriction.validate!(
      {
        operation: 'CREATE',
        group: 'certificates.k8s.io',
        resource: 'certificatesigningrequests',
        subresource: '',
        namespace: '',
        name: 'a',
        object: request({ request: base64(pem), signerName }),
        before: undefined,
        user: { name: 'eve', groups: [] },
        dryRun: false,
      },
      { get: () => undefined, list: () => [] },
    )
  const client = 'kubernetes.io/kube-apiserver-client'

  test('lets nobody ask to be in system:masters', () => {
    const refused =
      'certificatesigningrequests.certificates.k8s.io "a" is forbidden: use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed'
    expect(() => admit(mastersRequest, client)).toThrow(refused)
    expect(() => admit(edRequest, client)).toThrow(refused)
    expect(() => admit('nonsense', client)).toThrow('failed to parse CSR: PEM block type')
    admit(devRequest, client)
    admit(mastersRequest, 'example.com/other')
  })
})

describe('the status', () => {
  const approved = { type: 'Approved', status: 'True', reason: 'r' }
  const denied = { type: 'Denied', status: 'True' }
  const certificate = base64(devCertificate)
  const byStatus = (before: JsonObject, next: JsonObject): string[] => {
    const [old, draft] = [request({}, before), request({ signerName: 'example.com/other' }, structuredClone(next))]
    strategy.prepareForStatusUpdate!(draft, old, 0)
    expect(draft['spec']).toEqual(old['spec'])
    return say(strategy.validateStatusUpdate!(draft, old))
  }
  const byApproval = (before: JsonObject, next: JsonObject): { draft: KubeObject; said: string[] } => {
    const [old, draft] = [request({}, before), request({}, structuredClone(next))]
    strategy.prepareForSubresource!(draft, old, 'approval', 0)
    return { draft, said: say(strategy.validateUpdate!(draft, old, 'approval')) }
  }

  test('takes a certificate, once', () => {
    expect(byStatus({}, { certificate })).toEqual([])
    expect(byStatus({}, { certificate: base64('nonsense') })).toEqual([
      'status.certificate: Invalid value: "<certificate data>": must contain at least one CERTIFICATE PEM block',
    ])
    expect(byStatus({}, { certificate: base64(devRequest) }).join()).toMatch(/only CERTIFICATE PEM blocks are allowed/)
    expect(byStatus({ certificate }, { certificate: base64(`${devCertificate}${devCertificate}`) }).join()).toMatch(
      /updates may not modify existing certificate content/,
    )
  })

  test('is no way to decide', () => {
    expect(byStatus({}, { conditions: [approved] }).join()).toMatch(
      /updates may not add a condition of type "Approved"/,
    )
    expect(byStatus({ conditions: [approved] }, {}).join()).toMatch(
      /updates may not remove a condition of type "Approved"/,
    )
    const stamped = { ...approved, lastUpdateTime: '2026-01-01T00:00:00Z', lastTransitionTime: '2026-01-01T00:00:00Z' }
    expect(byStatus({ conditions: [stamped] }, { conditions: [{ ...approved, reason: 'other' }] })).toEqual([])
    expect(byStatus({}, { conditions: [{ type: 'Failed', status: 'False' }] }).join()).toMatch(
      /Unsupported value: "False"/,
    )
    expect(byStatus({}, { conditions: [{ type: 'Other', status: 'Unknown' }] })).toEqual([])
  })

  test('is decided by approval, for good and one way', () => {
    const { draft, said } = byApproval({}, { conditions: [approved], certificate })
    expect(said).toEqual([])
    expect(draft['status'].certificate).toBeUndefined()
    expect(draft['status'].conditions[0]).toMatchObject({
      lastUpdateTime: '1970-01-01T00:00:00Z',
      lastTransitionTime: '1970-01-01T00:00:00Z',
    })
    expect(byApproval({ conditions: [approved] }, {}).said.join()).toMatch(
      /may not remove a condition of type "Approved"/,
    )
    expect(byApproval({ conditions: [approved] }, { conditions: [approved, denied] }).said.join()).toMatch(
      /mutually exclusive/,
    )
    expect(byApproval({}, { conditions: [approved, approved] }).said.join()).toMatch(/Duplicate value: "Approved"/)
  })
})
