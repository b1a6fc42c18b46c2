// Approves the certificates by which kubelets speak to the API server, when a review says that whoever asks may have one:
// for their own node (selfnodeclient), or for any (nodeclient: a bootstrap token's).
import type { CertificateSigningRequest } from '@shiplog/api/generated/types/certificates-v1'
import type { SubjectAccessReview } from '@shiplog/api/generated/types/authorization-v1'
import { requestIn, signerNames, whyNoKubeletClient } from '@shiplog/control-plane/identity/certificate-signer'
import type { ApiRequest } from '@shiplog/api/api-client'
import { forResource, type Observation, type Reconciler, settled } from '@shiplog/reconcile/reconciler'
import type { ObjectView } from '@shiplog/reconcile/view'
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

const askFor = ({ spec }: CertificateSigningRequest, subresource: string): ApiRequest => {
  const { username = '', uid, groups = [], extra } = spec
  const resourceAttributes = {
    ...{ group: 'certificates.k8s.io', resource: 'certificatesigningrequests', subresource },
    ...{ verb: 'create', version: '*' },
  }
  const asked = { user: username, groups, resourceAttributes, ...(uid ? { uid } : {}), ...(extra ? { extra } : {}) }
  const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', metadata: {}, spec: asked }
  const address = { group: 'authorization.k8s.io', version: 'v1', resource: 'subjectaccessreviews' }
  return { verb: 'create', ...address, body }
}

export const csrApprovingReconciler: Reconciler = {
  name: 'certificatesigningrequest-approving',
  component: 'certificate-controller',
  resources: [forResource(requests)],
  observe(key, view) {
    const object = undecided(key, view)
    const rights = object ? readable(() => rightsFor(object)) : []
    return object && rights.length > 0 ? grantedTo(object, rights) : undefined
  },
  reconcile(key, view, { observed }) {
    const object = undecided(key, view)
    const { right } = (observed ?? {}) as { readonly right?: string }
    const message = messages[String(right)]
    if (!object || message === undefined) return settled
    const approved = { type: 'Approved', status: 'True', reason: 'AutoApproved', message }
    const status = { ...object.status, conditions: [...(object.status?.conditions ?? []), approved] }
    return { commands: [{ request: updateRequest({ ...object, status }, 'approval') }] }
  },
}

/** The request while nobody has decided about it. */
function undecided(key: string, view: ObjectView): CertificateSigningRequest | undefined {
  const object = view.get(requests, key)
  if (!object || object.status?.certificate) return undefined
  return hasCondition(object, 'Approved') || hasCondition(object, 'Denied') ? undefined : object
}

/** The first of the rights that whoever asks has. */
function* grantedTo(object: CertificateSigningRequest, rights: readonly string[]): Observation {
  const answers = yield rights.map((right) => askFor(object, right))
  for (const [index, answer] of answers.entries()) {
    if (!answer.ok) throw new Error(`a right could not be reviewed: ${answer.status.message}`)
    if ((answer.object as unknown as SubjectAccessReview).status?.allowed) return { right: rights[index]! }
  }
  return undefined
}

/** What cannot be read is not decided here. */
function readable(read: () => string[]): string[] {
  try {
    return read()
  } catch {
    return []
  }
}
