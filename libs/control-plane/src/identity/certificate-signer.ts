// Kubernetes' own signers: what each of them signs, for how long, and the port by which a controller has the cluster's
// authority sign without having its key.
import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { CertificateSigningRequestSpec } from '@shiplog/api/generated/types/certificates-v1'
import {
  type CertificateRequest,
  parseCertificateRequest,
} from '@shiplog/domain/certificate-signing-request/pkcs10'
import { signRequest } from './certificate.ts'

export const signerNames = {
  client: 'kubernetes.io/kube-apiserver-client',
  kubeletClient: 'kubernetes.io/kube-apiserver-client-kubelet',
  kubeletServing: 'kubernetes.io/kubelet-serving',
  legacyUnknown: 'kubernetes.io/legacy-unknown',
} as const

type Usages = readonly string[]

/** The request in a CertificateSigningRequest. Throws Error with the reason when it is none. */
export const requestIn = ({ request }: Pick<CertificateSigningRequestSpec, 'request'>): CertificateRequest =>
  parseCertificateRequest(Buffer.from(request, 'base64').toString('latin1'))

const nodeGroup = 'system:nodes'
const nodePrefix = 'system:node:'

const isNodeGroup = ({ organizations }: CertificateRequest): boolean =>
  organizations.length === 1 && organizations[0] === nodeGroup

/** RSA keys are also used to encipher other keys; others need not say so. */
const hasExactly = (usages: Usages, purpose: string): boolean => {
  const given = [...new Set(usages)].sort().join()
  return [['digital signature', 'key encipherment', purpose], ['digital signature', purpose]].some(
    (wanted) => wanted.sort().join() === given,
  )
}
const listText = (purpose: string): string =>
  `[${['digital signature', 'key encipherment', purpose].sort().join(' ')}]`

/** Why a request is not one for the certificate that a kubelet shows to the API server. */
export function whyNoKubeletClient(request: CertificateRequest, usages: Usages): string | undefined {
  const { commonName, alternatives } = request
  if (!isNodeGroup(request)) return 'subject organization is not system:nodes'
  if (alternatives.dnsNames.length > 0) return 'DNS subjectAltNames are not allowed'
  if (alternatives.emails.length > 0) return 'Email subjectAltNames are not allowed'
  if (alternatives.ipAddresses.length > 0) return 'IP subjectAltNames are not allowed'
  if (alternatives.uris.length > 0) return 'URI subjectAltNames are not allowed'
  if (!commonName.startsWith(nodePrefix)) return 'subject common name does not begin with system:node:'
  return hasExactly(usages, 'client auth') ? undefined : `usages did not match ${listText('client auth')}`
}

function whyNoKubeletServing(request: CertificateRequest, usages: Usages): string | undefined {
  const { commonName, alternatives } = request
  if (!isNodeGroup(request)) return 'subject organization is not system:nodes'
  if (alternatives.dnsNames.length + alternatives.ipAddresses.length === 0)
    return 'DNS or IP subjectAltName is required'
  if (alternatives.emails.length > 0) return 'Email subjectAltNames are not allowed'
  if (alternatives.uris.length > 0) return 'URI subjectAltNames are not allowed'
  if (!hasExactly(usages, 'server auth')) return `usages did not match ${listText('server auth')}`
  return commonName.startsWith(nodePrefix) ? undefined : 'subject common name does not begin with system:node:'
}

const clientUsages: ReadonlySet<string> = new Set(['digital signature', 'key encipherment', 'client auth'])

function whyNoClient(_: CertificateRequest, usages: Usages): string | undefined {
  const foreign = usages.find((usage) => !clientUsages.has(usage))
  if (foreign !== undefined) return `invalid usage for client certificate: ${foreign}`
  return usages.includes('client auth') ? undefined : 'missing required usage for client certificate: client auth'
}

const rules: Readonly<Record<string, (request: CertificateRequest, usages: Usages) => string | undefined>> = {
  [signerNames.client]: whyNoClient,
  [signerNames.kubeletClient]: whyNoKubeletClient,
  [signerNames.kubeletServing]: whyNoKubeletServing,
  [signerNames.legacyUnknown]: () => undefined,
}

/** Whether the cluster's own signers answer to a name: all others are somebody else's. */
export const isOwnSigner = (signerName: string): boolean => Object.hasOwn(rules, signerName)

/** Why a signer of ours does not sign; undefined when it does. */
export const whyNotSigned = (signerName: string, request: CertificateRequest, usages: Usages): string | undefined =>
  rules[signerName]?.(request, usages)

export interface Grant {
  readonly usages: Usages
  readonly expirationSeconds: number | undefined
  readonly nowMs: number
}

/** Signs certificates in the cluster's name. */
export interface CertificateSigner {
  /** PEM. Throws when the authority has come to its end, or whoever asks has not the key. */
  sign(request: CertificateRequest, grant: Grant): string
}

const secondMs = 1_000
const minuteMs = 60 * secondMs
const hourMs = 60 * minuteMs
/** No certificate lives longer, as upstream's `--cluster-signing-duration`. */
export const certificateLifeMsMax = 365 * 24 * hourMs
const lifeMsMin = 10 * minuteMs
/** Clocks of others may be behind. */
const backdateMs = 5 * minuteMs
/** What lives shorter does not lose its backdating at the end. */
const shortLifeMs = 8 * hourMs

/** From when to when a certificate is to hold; never longer than its authority. */
export function validityOf({ expirationSeconds, nowMs }: Grant, authorityEndMs: number): [from: number, to: number] {
  const asked = expirationSeconds === undefined ? certificateLifeMsMax : expirationSeconds * secondMs
  const lifeMs = Math.min(Math.max(asked, lifeMsMin), certificateLifeMsMax)
  const end = nowMs + (lifeMs < shortLifeMs ? lifeMs : lifeMs - backdateMs)
  if (nowMs >= authorityEndMs) throw new Error('the certificate of the authority has come to its end')
  return [nowMs - backdateMs, Math.min(end, authorityEndMs)]
}

/** Of the authority with this certificate and key, in PEM. */
export function createCertificateSigner(authority: { certificate: string; key: string }): CertificateSigner {
  const { certificate } = authority
  const key = createPrivateKey(authority.key)
  const parsed = new X509Certificate(certificate)
  if (!parsed.checkPrivateKey(key)) throw new Error('the key of the certificate authority is not that of its certificate')
  return {
    sign(request, grant) {
      const why = request.whyUnsigned()
      if (why) throw new Error(`unable to verify certificate request signature: ${why}`)
      const [notBeforeMs, notAfterMs] = validityOf(grant, parsed.validToDate.getTime())
      const { subject, publicKey, alternatives } = request
      const asked = { subject, publicKey, alternatives, usages: grant.usages, notBeforeMs, notAfterMs }
      return signRequest(asked, { certificate, key })
    },
  }
}
