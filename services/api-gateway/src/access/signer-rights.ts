// CertificateApproval and CertificateSigning: whoever decides on certificate requests, or answers them, needs the right to
// approve or sign for the very signer (or for all of its domain), besides the right to write the object. They ask the
// authorizer, so they stand here and not with the other admission plugins.
import { ApiError, forbidden } from '@shiplog/api/status'
import type { AdmissionAttributes, AdmissionPlugin, AdmissionView } from '@shiplog/domain/admission'
import { signerRights } from '@shiplog/domain/certificate-signing-request/signer-name'
import { semanticEqual } from '@shiplog/domain/fields'
import type { Authorizer } from './rbac-authorizer.ts'

const group = 'certificates.k8s.io'
const resource = 'certificatesigningrequests'

/** `authorizerOver` gives the authorizer that sees what the decision sees. */
export function createSignerChecks(authorizerOver: (view: AdmissionView) => Authorizer): AdmissionPlugin[] {
  /** The signer is that of the stored request: whoever writes cannot choose another. */
  function requireRight(
    { user, before, name }: AdmissionAttributes,
    verb: 'approve' | 'sign',
    authorizer: Authorizer,
  ): void {
    const signerName = String(before?.['spec']?.signerName ?? '')
    const attributes = { user, verb, group, resource: 'signers', subresource: '', namespace: '' }
    if (signerRights(signerName).some((right) => authorizer.allows({ ...attributes, name: right }))) return
    const why = `user not permitted to ${verb} requests with signerName ${JSON.stringify(signerName)}`
    throw new ApiError(forbidden({ group, resource }, name, why))
  }

  const isUpdateOf = (attributes: AdmissionAttributes, subresource: string): boolean =>
    attributes.group === group &&
    attributes.resource === resource &&
    attributes.subresource === subresource &&
    attributes.operation === 'UPDATE'

  return [
    {
      name: 'CertificateApproval',
      validate: (attributes, view) => {
        if (isUpdateOf(attributes, 'approval')) requireRight(attributes, 'approve', authorizerOver(view))
      },
    },
    {
      name: 'CertificateSigning',
      validate: (attributes, view) => {
        if (!isUpdateOf(attributes, 'status')) return
        const [now, was] = [attributes.object?.['status'], attributes.before?.['status']]
        const same = (field: string): boolean => semanticEqual(now?.[field], was?.[field])
        if (!same('certificate') || !same('conditions')) requireRight(attributes, 'sign', authorizerOver(view))
      },
    },
  ]
}
