// For whom a node may ask for tokens: for those whom a volume of the pod is for, and for those that somebody allows it by
// the verb request-serviceaccounts-token-audience. It asks the authorizer, so it stands here beside NodeRestriction.
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { TokenRequest } from '@shiplog/api/generated/types/authentication-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import { ApiError, forbidden } from '@shiplog/api/status'
import type { AdmissionPlugin, AdmissionView } from '@shiplog/domain/admission'
import { podAsksForAudience } from '@shiplog/domain/admission/node-restriction.plugin'
import { nodeOf } from '@shiplog/domain/node-identity'
import type { Authorizer } from './rbac-authorizer.ts'

export const createNodeAudienceCheck = (authorizerOver: (view: AdmissionView) => Authorizer): AdmissionPlugin => ({
  name: 'NodeAudienceRestriction',
  validate(attributes, view) {
    const { user, resource, subresource, namespace, name, object } = attributes
    if (resource !== 'serviceaccounts' || subresource !== 'token' || nodeOf(user) === undefined) return
    const { spec } = object as unknown as TokenRequest
    const [audience = '', ...more] = spec.audiences ?? []
    const refuse = (why: string): never => {
      throw new ApiError(forbidden({ group: '', resource }, name, why))
    }
    if (more.length > 0) refuse('node may only request 0 or 1 audiences')
    const pod = view.get('pods', namespace, spec.boundObjectRef?.name ?? '') as (KubeObject & Pod) | undefined
    if (pod && podAsksForAudience(pod, audience, view)) return
    const verb = 'request-serviceaccounts-token-audience'
    const access = { user, verb, group: '', resource: audience, subresource: '', namespace, name }
    if (authorizerOver(view).allows(access)) return
    refuse(
      `audience ${JSON.stringify(audience)} not found in pod spec volume, ${user.name} is not authorized to request tokens for this audience`,
    )
  },
})
