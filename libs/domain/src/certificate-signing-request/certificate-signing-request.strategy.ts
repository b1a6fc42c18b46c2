// CertificateSigningRequests: who asks is recorded by the server, and the request never changes.
import { required } from '@shiplog/api/field-errors'
import type { KubeObject } from '@shiplog/api/kube-object'
import { immutable, items, keep, section } from '../fields.ts'
import { pathSegment } from '../names.ts'
import type { Strategy } from '../strategy.ts'

const keepSpec = (draft: KubeObject, before: KubeObject): void => keep(draft, before, 'spec')

export const certificateSigningRequestStrategy: Strategy = {
  hasGeneration: false,
  validateName: pathSegment,
  prepareForCreate: (draft, context) => {
    draft['status'] = {}
    const spec = section(draft, 'spec')
    const { user } = context
    spec['username'] = user.name
    spec['groups'] = [...user.groups]
    if (user.uid === undefined) delete spec['uid']
    else spec['uid'] = user.uid
    if (user.extra === undefined) delete spec['extra']
    else spec['extra'] = Object.fromEntries(Object.entries(user.extra).map(([key, values]) => [key, [...values]]))
  },
  prepareForUpdate: (draft, before) => {
    keepSpec(draft, before)
    keep(draft, before, 'status')
  },
  // Approval writes conditions only; the certificate is the signer's.
  prepareForSubresource: (draft, before, subresource) => {
    if (subresource !== 'approval') return
    keepSpec(draft, before)
    const { conditions } = draft['status'] ?? {}
    draft['status'] = { ...before['status'], ...(conditions ? { conditions } : {}) }
  },
  validate: (request) => [
    ...(request['spec']?.signerName ? [] : [required('spec.signerName')]),
    ...(items(request['spec']?.usages).length > 0 ? [] : [required('spec.usages')]),
    ...(request['spec']?.request ? [] : [required('spec.request')]),
  ],
  validateUpdate: (next, before) => immutable(next['spec'], before['spec'], 'spec'),
  selectableFields: (request) => ({ 'spec.signerName': request['spec']?.signerName ?? '' }),
}
