// Certificates by server name, from Secrets. What is wrong with one is said in a sentence; whoever asks for its host is shown
// the certificate that nobody trusts, as ingress-nginx does. A new one holds from the next handshake on.
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'
import type { Secret } from '@shiplog/api/generated/types/core-v1'
import { issueCertificate, keyPem, newKeyPair } from '@shiplog/control-plane/identity/certificate'
import type { CertificateRef } from './model/routing-table.ts'

const untrustedName = 'Kubernetes Ingress Controller Fake Certificate'
const untrustedDays = 3_650
const dayMs = 86_400_000

export interface Certificates {
  contextFor(ref: CertificateRef | undefined, secret: Secret | undefined): SecureContext
  readonly other: { readonly cert: string; readonly key: string }
}

export function untrustedCertificate(nowMs: number): { readonly cert: string; readonly key: string } {
  const pair = newKeyPair()
  const request = {
    ...{ use: 'server' as const, commonName: untrustedName, dnsNames: ['ingress.local'] },
    ...{ notBeforeMs: nowMs - dayMs, notAfterMs: nowMs + untrustedDays * dayMs },
  }
  return { cert: issueCertificate(request, pair), key: keyPem(pair.privateKey) }
}

const textOf = (secret: Secret, key: string): string | undefined => {
  const value = secret.data?.[key]
  return value === undefined ? undefined : Buffer.from(value, 'base64').toString('utf8')
}

/** The pair of a Secret, or why it is none. */
export function readPair(secret: Secret | undefined): { readonly cert: string; readonly key: string } | string {
  if (secret === undefined) return 'does not exist, or is not of type kubernetes.io/tls'
  const cert = textOf(secret, 'tls.crt')
  const key = textOf(secret, 'tls.key')
  if (!cert || !key) return 'contains no keypair'
  try {
    if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return 'has a key that is not that of its certificate'
    createSecureContext({ cert, key })
    return { cert, key }
  } catch {
    return 'contains no valid keypair'
  }
}

export function createCertificates(nowMs: number): Certificates {
  const other = untrustedCertificate(nowMs)
  const otherContext = createSecureContext(other)
  /** By the Secret itself: a changed one is another object. */
  const contexts = new WeakMap<Secret, SecureContext>()
  return {
    other,
    contextFor(ref, secret) {
      if (ref === undefined || secret === undefined) return otherContext
      const known = contexts.get(secret)
      if (known !== undefined) return known
      const pair = readPair(secret)
      const context = typeof pair === 'string' ? otherContext : createSecureContext(pair)
      contexts.set(secret, context)
      return context
    },
  }
}
