// The certificate that the API server serves with: the one that flags name, the one of --cert-dir, or one made there.
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { issueCertificate, keyPem, newKeyPair } from '@shiplog/control-plane/identity/certificate'
import { writeSecretFile } from '@shiplog/runtime/secret-files'

export interface ServingCertificate {
  readonly cert: string
  readonly key: string
}

export interface CertificateFiles {
  readonly certFile: string | undefined
  readonly keyFile: string | undefined
  readonly certDir: string
  /** Of the files in there; default `apiserver`. */
  readonly baseName?: string
}

const dayMs = 86_400_000
const validDays = 365
const backdateMs = 3_600_000

export function servingCertificate(files: CertificateFiles, addresses: readonly string[], nowMs: number): ServingCertificate {
  const { baseName = 'apiserver' } = files
  const certFile = files.certFile ?? join(files.certDir, `${baseName}.crt`)
  const keyFile = files.keyFile ?? join(files.certDir, `${baseName}.key`)
  if (files.certFile === undefined && !existsSync(certFile)) makeCertificate(certFile, keyFile, files.certDir, addresses, nowMs)
  return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') }
}

/** Signed by itself, as upstream's. */
function makeCertificate(certFile: string, keyFile: string, directory: string, addresses: readonly string[], nowMs: number): void {
  const keys = newKeyPair()
  const names = ['localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc']
  const certificate = issueCertificate(
    {
      use: 'server',
      commonName: 'kube-apiserver',
      dnsNames: names,
      ipAddresses: addresses,
      notBeforeMs: nowMs - backdateMs,
      notAfterMs: nowMs + validDays * dayMs,
    },
    keys,
  )
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  writeSecretFile(certFile, certificate)
  writeSecretFile(keyFile, keyPem(keys.privateKey))
}
