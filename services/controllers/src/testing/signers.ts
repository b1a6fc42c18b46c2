// Signers in memory: they sign with a key of the test's own, or say what they were asked to sign.
import { generateKeyPairSync } from 'node:crypto'
import { issueCertificate, keyPem } from '@shiplog/control-plane/identity/certificate'
import { type CertificateSigner, createCertificateSigner } from '@shiplog/control-plane/identity/certificate-signer'
import type { TokenSigner } from '@shiplog/control-plane/identity/signed-token'

/** `token of <account>`, and never the same twice. */
export function createFakeTokenSigner(): TokenSigner {
  let count = 0
  return { sign: ({ sub }) => `token ${++count} of ${sub}` }
}

/** An authority that was made on 1 January 2026 and lasts ten years. */
export function createTestAuthority(): { readonly certificate: string; readonly signer: CertificateSigner } {
  const keys = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const [notBeforeMs, notAfterMs] = [Date.parse('2025-12-31T00:00:00Z'), Date.parse('2036-01-01T00:00:00Z')]
  const certificate = issueCertificate({ use: 'authority', commonName: 'test-ca', notBeforeMs, notAfterMs }, keys)
  return { certificate, signer: createCertificateSigner({ certificate, key: keyPem(keys.privateKey) }) }
}
