// Written by `npm run generate` from the same tables as kinds.json; see tools/generate/types.ts. Types only.
import type { ObjectMeta as StoredObjectMeta } from '../../kube-object.ts'
import type * as metaV1 from './meta-v1.ts'

export interface CertificateSigningRequest {
  kind: 'CertificateSigningRequest'
  apiVersion: 'certificates.k8s.io/v1'
  metadata: StoredObjectMeta
  spec: CertificateSigningRequestSpec
  status: CertificateSigningRequestStatus
}

export interface CertificateSigningRequestCondition {
  type: string
  status: string
  reason?: string
  message?: string
  lastUpdateTime?: string
  lastTransitionTime?: string
}

export interface CertificateSigningRequestList {
  kind: 'CertificateSigningRequestList'
  apiVersion: 'certificates.k8s.io/v1'
  metadata: metaV1.ListMeta
  items: CertificateSigningRequest[] | null
}

export interface CertificateSigningRequestSpec {
  request: string
  signerName: string
  expirationSeconds?: number
  usages?: ('any' | 'cert sign' | 'client auth' | 'code signing' | 'content commitment' | 'crl sign' | 'data encipherment' | 'decipher only' | 'digital signature' | 'email protection' | 'encipher only' | 'ipsec end system' | 'ipsec tunnel' | 'ipsec user' | 'key agreement' | 'key encipherment' | 'microsoft sgc' | 'netscape sgc' | 'ocsp signing' | 's/mime' | 'server auth' | 'signing' | 'timestamping')[]
  username?: string
  uid?: string
  groups?: string[]
  extra?: Record<string, string[]>
}

export interface CertificateSigningRequestStatus {
  conditions?: CertificateSigningRequestCondition[]
  certificate?: string
}
