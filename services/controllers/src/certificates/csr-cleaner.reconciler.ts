// Removes certificate requests that have had their day: an hour after they were answered, a day after nobody has, and when
// the certificate has come to its end.
import { X509Certificate } from 'node:crypto'
import type { CertificateSigningRequest } from '@shiplog/api/generated/types/certificates-v1'
import { forResource, type Reconciler, settled } from '@shiplog/reconcile/reconciler'
import { isBeingDeleted } from '../shared/ownership.ts'
import { deleteRequest, requests } from './csr.ts'

const hourMs = 3_600_000
const answeredLifeMs = hourMs
const pendingLifeMs = 24 * hourMs

/** When it is to go. */
function endMs({ metadata, status }: CertificateSigningRequest): number {
  const { conditions = [], certificate } = status ?? {}
  if (conditions.length === 0) return Date.parse(metadata.creationTimestamp) + pendingLifeMs
  const ends = conditions.flatMap(({ type, lastUpdateTime }) => {
    const at = Date.parse(lastUpdateTime ?? '')
    if (type === 'Denied' || type === 'Failed') return [at + answeredLifeMs]
    if (type !== 'Approved') return []
    return certificate ? [at + answeredLifeMs, certificateEndMs(certificate)] : [at + pendingLifeMs]
  })
  return Math.min(...ends.filter((end) => !Number.isNaN(end)))
}

function certificateEndMs(base64: string): number {
  try {
    return new X509Certificate(Buffer.from(base64, 'base64')).validToDate.getTime()
  } catch {
    return Number.NaN
  }
}

export const csrCleanerReconciler: Reconciler = {
  name: 'certificatesigningrequest-cleaner',
  component: 'certificate-controller',
  resources: [forResource(requests)],
  reconcile(key, view, { nowMs }) {
    const object = view.get(requests, key)
    if (!object || isBeingDeleted(object)) return settled
    const end = endMs(object)
    if (end === Number.POSITIVE_INFINITY) return settled
    // It is removed after its end, not at it.
    return end < nowMs ? { commands: [{ request: deleteRequest(object) }] } : { requeueAfterMs: end - nowMs + 1 }
  },
}
