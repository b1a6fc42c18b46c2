// Kinds that are answered and never stored: who am I, may I, whose token is this.
import { invalidValue } from '@shiplog/api/field-errors'
import type { ResourceAttributes } from '@shiplog/api/generated/types/authorization-v1'
import type { TokenReviewSpec } from '@shiplog/api/generated/types/authentication-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import { ApiError, badRequest, internalError, invalid, type StatusCause } from '@shiplog/api/status'
import { checkNamespace } from '@shiplog/domain/decider'
import { isBlank } from '@shiplog/domain/fields'
import type { User } from '@shiplog/domain/strategy'
import type { TokenVerdict } from '../access/service-account-authenticator.ts'
import type { Access, Authorizer, HeldRules, Verdict } from '../access/rbac-authorizer.ts'
import { reviewedSelectors, reviewSelectorCauses } from './review-selectors.ts'

export interface ReviewDeps {
  readonly authorizer: Authorizer
  authenticateToken(token: string, audiences?: readonly string[]): Promise<TokenVerdict>
}

const userInfo = (user: User): JsonObject => ({
  username: user.name,
  ...(user.uid ? { uid: user.uid } : {}),
  groups: [...user.groups],
  ...(user.extra ? { extra: user.extra } : {}),
})

/** The answer to a review; `review` is the decoded request, `namespace` that of the URL. */
export async function answerReview(
  resource: string,
  review: JsonObject,
  user: User,
  namespace: string,
  deps: ReviewDeps,
): Promise<JsonObject> {
  const spec = (review['spec'] ?? {}) as JsonObject
  const answer = (status: JsonObject): JsonObject => ({
    ...review,
    metadata: { ...(review['metadata'] as object), creationTimestamp: null },
    status,
  })
  switch (resource) {
    case 'selfsubjectreviews':
      return { ...answer({ userInfo: userInfo(user) }), metadata: { creationTimestamp: null } }
    case 'selfsubjectaccessreviews':
      refuseIfInvalid([...attributesCauses(spec), ...selectorCauses(spec), ...emptyMetadata(review)])
      return answer(decide(deps.authorizer, user, spec))
    case 'subjectaccessreviews':
      refuseIfInvalid([...subjectCauses(spec), ...emptyMetadata(review)])
      return answer(decide(deps.authorizer, subjectOf(spec), spec))
    case 'localsubjectaccessreviews':
      checkLocalReview(review, spec, namespace)
      return answer(decide(deps.authorizer, subjectOf(spec), spec))
    case 'selfsubjectrulesreviews':
      if (!spec['namespace']) throw new ApiError(badRequest('no namespace on request'))
      return answer(rulesStatus(deps.authorizer.rulesFor(user, spec['namespace'])))
    case 'tokenreviews':
      if (!spec['token']) throw new ApiError(badRequest('token is required for TokenReview in authentication'))
      return answer(await tokenStatus(deps, spec as TokenReviewSpec))
    default:
      throw new Error(`no review of ${resource}`)
  }
}

async function tokenStatus(deps: ReviewDeps, { token, audiences }: TokenReviewSpec): Promise<JsonObject> {
  const asked = audiences && audiences.length > 0 ? audiences : undefined
  const verdict = await deps.authenticateToken(token, asked)
  if ('error' in verdict) return { user: {}, error: verdict.error }
  // It is somebody's, but for none of those whom the asker is.
  if (asked && verdict.audiences.length === 0) throw new ApiError(internalError('invalid audience'))
  return { authenticated: true, user: userInfo(verdict.user), audiences: [...verdict.audiences] }
}

const subjectOf = (spec: JsonObject): User => ({
  name: spec['user'] ?? '',
  groups: spec['groups'] ?? [],
  ...(spec['uid'] ? { uid: spec['uid'] } : {}),
  ...(spec['extra'] ? { extra: spec['extra'] } : {}),
})

const rulesStatus = ({ rules, incomplete }: HeldRules): JsonObject => ({
  resourceRules: rules
    .filter(({ resources = [] }) => resources.length > 0)
    .map(({ verbs, apiGroups, resources, resourceNames }) => ({
      verbs,
      apiGroups,
      resources,
      ...(resourceNames ? { resourceNames } : {}),
    })),
  nonResourceRules: rules
    .filter(({ nonResourceURLs = [] }) => nonResourceURLs.length > 0)
    .map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs })),
  incomplete: incomplete !== undefined,
  ...(incomplete === undefined ? {} : { evaluationError: incomplete }),
})

const refuseIfInvalid = (causes: readonly StatusCause[]): void => {
  // Upstream names no kind.
  if (causes.length > 0) throw new ApiError(invalid('authorization.k8s.io', '', '', causes))
}

/** What is asked about is a resource or a path, and one of them. */
function attributesCauses({ resourceAttributes, nonResourceAttributes }: JsonObject): StatusCause[] {
  if (resourceAttributes && nonResourceAttributes)
    return [
      invalidValue(
        'spec.nonResourceAttributes',
        nonResourceAttributes,
        'cannot be specified in combination with resourceAttributes',
      ),
    ]
  if (!resourceAttributes && !nonResourceAttributes)
    return [
      invalidValue(
        'spec.resourceAttributes',
        null,
        'exactly one of nonResourceAttributes or resourceAttributes must be specified',
      ),
    ]
  return []
}

const selectorCauses = ({ resourceAttributes }: JsonObject): StatusCause[] =>
  resourceAttributes ? reviewSelectorCauses(resourceAttributes as ResourceAttributes, 'spec.resourceAttributes') : []

const subjectCauses = (spec: JsonObject): StatusCause[] => [
  ...attributesCauses(spec),
  ...(spec['user'] || spec['groups']?.length > 0
    ? []
    : [invalidValue('spec.user', '', 'at least one of user or group must be specified')]),
  ...selectorCauses(spec),
]

/** A review is not kept, so it has no metadata. */
function emptyMetadata({ metadata }: JsonObject, allowed = ''): StatusCause[] {
  const { managedFields: _, uid: __, creationTimestamp: ___, ...rest } = (metadata ?? {}) as JsonObject
  const given = Object.keys(rest).filter((field) => field !== allowed && !isBlank(rest[field]))
  if (given.length === 0) return []
  return [invalidValue('metadata', rest, allowed ? `must be empty except for ${allowed}` : 'must be empty')]
}

function checkLocalReview(review: JsonObject, spec: JsonObject, namespace: string): void {
  const metadata = (review['metadata'] ??= {}) as JsonObject
  const elsewhere = checkNamespace(metadata, namespace)
  if (elsewhere) throw new ApiError(elsewhere)
  const { resourceAttributes: attributes, nonResourceAttributes: path } = spec
  const causes = [...subjectCauses(spec), ...emptyMetadata(review, 'namespace')]
  if (attributes && (attributes['namespace'] ?? '') !== namespace)
    causes.push(
      invalidValue('spec.resourceAttributes.namespace', attributes['namespace'] ?? '', 'must match metadata.namespace'),
    )
  if (path) causes.push(invalidValue('spec.nonResourceAttributes', path, 'disallowed on this kind of request'))
  refuseIfInvalid(causes)
}

function decide(authorizer: Authorizer, user: User, spec: JsonObject): JsonObject {
  const attributes = spec['resourceAttributes'] as JsonObject | undefined
  if (!attributes) {
    const { verb = '', path = '' } = spec['nonResourceAttributes'] as JsonObject
    return statusOf(authorizer.decidePath(user, verb, path))
  }
  const access: Access = {
    user,
    verb: attributes['verb'] ?? '',
    group: attributes['group'] ?? '',
    resource: attributes['resource'] ?? '',
    subresource: attributes['subresource'] ?? '',
    namespace: attributes['namespace'] ?? '',
    name: attributes['name'] ?? '',
    selectors: reviewedSelectors(attributes as ResourceAttributes),
  }
  return statusOf(authorizer.decide(access))
}

const statusOf = ({ allowed, reason }: Verdict): JsonObject => ({ allowed, ...(reason ? { reason } : {}) })
