// CertificateSubjectRestriction: no request can make its bearer a member of system:masters.
import type { CertificateSigningRequest } from '@shiplog/api/generated/types/certificates-v1'
import { ApiError, forbidden } from '@shiplog/api/status'
import type { Draft } from '@shiplog/api/decoded'
import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts'
import { parseCertificateRequest } from '../certificate-signing-request/pkcs10.ts'
import { apiServerClientSigner } from '../certificate-signing-request/signer-name.ts'

const validate = (attributes: AdmissionAttributes): void => {
  const { group, resource, subresource, operation } = attributes
  const object: Draft<CertificateSigningRequest> | undefined = attributes.object
  if (group !== 'certificates.k8s.io' || resource !== 'certificatesigningrequests' || subresource !== '') return
  if (operation !== 'CREATE' || object?.spec?.signerName !== apiServerClientSigner) return
  const refuse = (why: string): ApiError => new ApiError(forbidden({ group, resource }, object.metadata.name, why))
  const pem = Buffer.from(object.spec.request ?? '', 'base64').toString('latin1')
  let organizations: readonly string[]
  try {
    ;({ organizations } = parseCertificateRequest(pem))
  } catch (error) {
    throw refuse(`failed to parse CSR: ${(error as Error).message}`)
  }
  if (organizations.includes('system:masters'))
    throw refuse(`use of ${apiServerClientSigner} signer with system:masters group is not allowed`)
}

export const certificateSubjectRestriction: AdmissionPlugin = { name: 'CertificateSubjectRestriction', validate }
