// Signs the certificates that were approved, for Kubernetes' own signers; or says why one of them does not sign. The key is
// the signer's, whom the reconciler is given.
import type { CertificateSigningRequest } from '@shiplog/api/generated/types/certificates-v1'
import {
  type CertificateSigner,
  isOwnSigner,
  requestIn,
  whyNotSigned,
} from '@shiplog/control-plane/identity/certificate-signer'
import { forResource, type Reconciler, settled } from '@shiplog/reconcile/reconciler'
import { rfc3339 } from '@shiplog/runtime/clock'
import { hasCondition, requests, updateRequest } from './csr.ts'

export const createCsrSigningReconciler = (signer: CertificateSigner): Reconciler => ({
  name: 'certificatesigningrequest-signing',
  component: 'certificate-controller',
  resources: [forResource(requests)],
  reconcile(key, view, { nowMs }) {
    const object = view.get(requests, key)
    if (!object || object.status?.certificate || !isOwnSigner(object.spec.signerName)) return settled
    if (!hasCondition(object, 'Approved') || hasCondition(object, 'Failed')) return settled
    return { commands: [{ request: updateRequest({ ...object, status: answered(object, signer, nowMs) }, 'status') }] }
  },
})

function answered(
  { spec, status }: CertificateSigningRequest,
  signer: CertificateSigner,
  nowMs: number,
): CertificateSigningRequest['status'] {
  const { usages = [], expirationSeconds } = spec
  const request = requestIn(spec)
  const why = whyNotSigned(spec.signerName, request, usages)
  if (why === undefined) {
    const certificate = signer.sign(request, { usages, expirationSeconds, nowMs })
    return { ...status, certificate: Buffer.from(certificate).toString('base64') }
  }
  const failed = {
    ...{ type: 'Failed', status: 'True', reason: 'SignerValidationFailure', message: why },
    lastUpdateTime: rfc3339(nowMs),
  }
  return { ...status, conditions: [...(status?.conditions ?? []), failed] }
}
