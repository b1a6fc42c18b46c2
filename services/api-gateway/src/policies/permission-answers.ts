// What authorizers say to expressions that ask for permissions.
import type { AccessAnswer, AccessQuestion } from '@shiplog/cel/functions/authorizer'
import type { Authorizer } from '../access/rbac-authorizer.ts'
import { selectorsOf } from '../access/selectors.ts'

export const createPermissionAnswers =
  (authorizer: Pick<Authorizer, 'decide' | 'decidePath'>) =>
  (question: AccessQuestion): AccessAnswer => {
    const { user, verb, path, fieldSelector, labelSelector } = question
    if (path !== undefined) return authorizer.decidePath(user, verb, path)
    const { group = '', resource = '', subresource = '', namespace = '', name = '' } = question
    const query = new URLSearchParams({
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
      ...(labelSelector === undefined ? {} : { labelSelector }),
    })
    const selectors = query.size === 0 ? undefined : selectorsOf('list', query)
    return authorizer.decide({ user, verb, group, resource, subresource, namespace, name, selectors })
  }
