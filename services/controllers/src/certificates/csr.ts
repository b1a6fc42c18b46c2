// What the controllers of certificate requests share.
import type { CertificateSigningRequest } from '@shiplog/api/generated/types/certificates-v1'
import type { ApiRequest } from '@shiplog/api/api-client'
import { findCondition } from '../shared/conditions.ts'

export const requests = 'certificatesigningrequests.certificates.k8s.io'
const address = { group: 'certificates.k8s.io', version: 'v1', resource: 'certificatesigningrequests' } as const

export const hasCondition = ({ status }: CertificateSigningRequest, type: string): boolean =>
  findCondition(status?.conditions ?? [], type)?.status === 'True'

/** Writes the object by one of its subresources, if nobody has written it since. */
export const updateRequest = (object: CertificateSigningRequest, subresource: 'approval' | 'status'): ApiRequest => ({
  verb: 'update',
  ...address,
  subresource,
  name: object.metadata.name,
  body: object,
})

export const deleteRequest = ({ metadata: { name, uid, resourceVersion } }: CertificateSigningRequest): ApiRequest => ({
  verb: 'delete',
  ...address,
  name,
  body: { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid, resourceVersion } },
})
