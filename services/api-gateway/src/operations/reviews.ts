// Kinds that are answered and never stored: who am I, may I, whose token is this.
import type { JsonObject } from '@shiplog/api/kube-object'
import type { User } from '@shiplog/domain/strategy'
import type { Access, Authorizer } from '../access/rbac-authorizer.ts'

export interface ReviewDeps {
  readonly authorizer: Authorizer
  authenticateToken(token: string): User | undefined
}

const userInfo = (user: User): JsonObject => ({
  username: user.name,
  ...(user.uid ? { uid: user.uid } : {}),
  groups: [...user.groups],
  ...(user.extra ? { extra: user.extra } : {}),
})

/** The answer to a review; `review` is the decoded request. */
export function answerReview(
  resource: string,
  review: JsonObject,
  user: User,
  namespace: string,
  deps: ReviewDeps,
): JsonObject {
  const { authorizer } = deps
  const spec = (review['spec'] ?? {}) as JsonObject
  const status = (() => {
    switch (resource) {
      case 'selfsubjectreviews':
        return { userInfo: userInfo(user) }
      case 'selfsubjectaccessreviews':
        return decide(authorizer, user, spec, namespace)
      case 'subjectaccessreviews':
      case 'localsubjectaccessreviews':
        return decide(
          authorizer,
          { name: spec['user'] ?? '', groups: spec['groups'] ?? [], ...(spec['uid'] ? { uid: spec['uid'] } : {}) },
          spec,
          namespace,
        )
      case 'selfsubjectrulesreviews': {
        const rules = authorizer.rulesFor(user, spec['namespace'] ?? '')
        return {
          resourceRules: rules
            .filter((rule) => rule['resources'])
            .map(({ verbs, apiGroups, resources, resourceNames }) => ({
              verbs,
              apiGroups,
              resources,
              ...(resourceNames ? { resourceNames } : {}),
            })),
          nonResourceRules: rules
            .filter((rule) => rule['nonResourceURLs'])
            .map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs })),
          incomplete: false,
        }
      }
      case 'tokenreviews': {
        const found = deps.authenticateToken(String(spec['token'] ?? ''))
        return found
          ? { authenticated: true, user: userInfo(found) }
          : { authenticated: false, error: 'invalid bearer token' }
      }
      default:
        throw new Error(`no review of ${resource}`)
    }
  })()
  return { ...review, metadata: { ...(review['metadata'] as object), creationTimestamp: null }, status }
}

function decide(authorizer: Authorizer, user: User, spec: JsonObject, namespace: string): JsonObject {
  const attributes = spec['resourceAttributes'] as JsonObject | undefined
  if (attributes) {
    const access: Access = {
      user,
      verb: attributes['verb'] ?? '',
      group: attributes['group'] ?? '',
      resource: attributes['resource'] ?? '',
      subresource: attributes['subresource'] ?? '',
      namespace: namespace || (attributes['namespace'] ?? ''),
      name: attributes['name'] ?? '',
    }
    return verdict(authorizer.allows(access))
  }
  const path = spec['nonResourceAttributes'] as JsonObject | undefined
  return verdict(path ? authorizer.allowsPath(user, path['verb'] ?? '', path['path'] ?? '') : false)
}

const verdict = (allowed: boolean): JsonObject => ({ allowed })
