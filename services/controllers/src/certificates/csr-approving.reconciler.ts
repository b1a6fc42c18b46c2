// Approves the certificates by which kubelets speak to the API server, when a review says that whoever asks may have one:
// for their own node (selfnodeclient), or for any (nodeclient: a bootstrap token's).
import type { CertificateSigningRequest } from '@shiplog/api/generated/types/certificates-v1'
import type { SubjectAccessReview } from '@shiplog/api/generated/types/authorization-v1'
import { requestIn, signerNames, whyNoKubeletClient } from '@shiplog/control-plane/identity/certificate-signer'
import { type Command, forResource, type Reconciler, settled } from '@shiplog/reconcile/reconciler'
import { hasCondition, requests, updateRequest } from './csr.ts'

const messages: Readonly<Record<string, string>> = {
  selfnodeclient: 'Auto approving self kubelet client certificate after SubjectAccessReview.',
  nodeclient: 'Auto approving kubelet client certificate after SubjectAccessReview.',
}

/** The rights by which it may be approved, the narrowest first; none for what is not decided here. */
function rightsFor({ spec }: CertificateSigningRequest): string[] {
  if (spec.signerName !== signerNames.kubeletClient) return []
  const request = requestIn(spec)
  if (whyNoKubeletClient(request, spec.usages ?? [])) return []
  return [...(request.commonName === spec.username ? ['selfnodeclient'] : []), 'nodeclient']
}

const ask = ({ spec }: CertificateSigningRequest, subresource: string): Command => {
  const { username = '', uid, groups = [], extra } = spec
  const resourceAttributes = {
    ...{ group: 'certificates.k8s.io', resource: 'certificatesigningrequests', subresource },
    ...{ verb: 'create', version: '*' },
  }
  const asked = { user: username, groups, resourceAttributes, ...(uid ? { uid } : {}), ...(extra ? { extra } : {}) }
  const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', metadata: {}, spec: asked }
  const address = { group: 'authorization.k8s.io', version: 'v1', resource: 'subjectaccessreviews' }
  return { request: { verb: 'create', ...address, body }, asks: true }
}

export const csrApprovingReconciler: Reconciler = {
  name: 'certificatesigningrequest-approving',
  component: 'certificate-controller',
  resources: [forResource(requests)],
  reconcile(key, view, { answers = [] }) {
    const object = view.get(requests, key)
    if (!object || object.status?.certificate) return settled
    if (hasCondition(object, 'Approved') || hasCondition(object, 'Denied')) return settled
    const rights = readable(() => rightsFor(object))
    if (rights.length === 0) return settled
    if (answers.length === 0) return { commands: rights.map((right) => ask(object, right)) }
    const granted = (answers as unknown as SubjectAccessReview[]).find(({ status }) => status?.allowed)
    const message = messages[granted?.spec.resourceAttributes?.subresource ?? '']
    if (message === undefined) return settled
    const approved = { type: 'Approved', status: 'True', reason: 'AutoApproved', message }
    const status = { ...object.status, conditions: [...(object.status?.conditions ?? []), approved] }
    return { commands: [{ request: updateRequest({ ...object, status }, 'approval') }] }
  },
}

/** What cannot be read is not decided here. */
function readable(read: () => string[]): string[] {
  try {
    return read()
  } catch {
    return []
  }
}
