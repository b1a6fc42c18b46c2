// Impersonation (`kubectl --as joe --as-group dev`): a request that asks to be somebody else is so for all that follows,
// if whoever asks may `impersonate` each part of it (kubernetes.io/docs/reference/access-authn-authz/authentication).
import { ApiError, badRequest, forbidden } from '@shiplog/api/status'
import type { User } from '@shiplog/domain/strategy'
import type { Authorizer } from './rbac-authorizer.ts'

const serviceAccount = /^system:serviceaccount:([^:]+):([^:]+)$/

/** The user that the request is to be served as; `user` itself when it does not ask to be another. Throws 403. */
export function impersonate(user: User, rawHeaders: readonly string[], authorizer: Authorizer): User {
  let name: string | undefined
  let uid: string | undefined
  const groups: string[] = []
  const extra: Record<string, string[]> = {}
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const header = rawHeaders[i]!.toLowerCase()
    if (!header.startsWith('impersonate-')) continue
    const value = rawHeaders[i + 1]!
    if (header === 'impersonate-user') name = value
    else if (header === 'impersonate-group') groups.push(value)
    else if (header === 'impersonate-uid') uid = value
    else if (header.startsWith('impersonate-extra-')) {
      const key = decodeKey(header.slice('impersonate-extra-'.length))
      extra[key] = [...(extra[key] ?? []), value]
    }
  }
  const asked = uid !== undefined || groups.length > 0 || Object.keys(extra).length > 0
  if (name === undefined || name === '') {
    if (asked) throw new ApiError(badRequest(withoutUser(uid, groups, extra)))
    return user
  }
  const check = (group: string, resource: string, what: string, namespace = '', subresource = ''): void => {
    if (authorizer.allows({ user, verb: 'impersonate', group, resource, subresource, namespace, name: what })) return
    const full = subresource ? `${resource}/${subresource}` : resource
    const where = namespace ? ` in the namespace "${namespace}"` : ' at the cluster scope'
    const why = `User "${user.name}" cannot impersonate resource "${full}" in API group "${group}"${where}`
    throw new ApiError(forbidden({ group, resource }, what, why))
  }
  const account = serviceAccount.exec(name)
  if (account) check('', 'serviceaccounts', account[2]!, account[1]!)
  else check('', 'users', name)
  for (const group of groups) check('', 'groups', group)
  if (uid !== undefined) check('authentication.k8s.io', 'uids', uid)
  for (const [key, values] of Object.entries(extra)) {
    for (const value of values) check('authentication.k8s.io', 'userextras', value, '', key)
  }
  if (account && groups.length === 0) groups.push('system:serviceaccounts', `system:serviceaccounts:${account[1]!}`)
  const standing = name === 'system:anonymous' ? 'system:unauthenticated' : 'system:authenticated'
  if (!groups.includes(standing)) groups.push(standing)
  return { name, ...(uid === undefined ? {} : { uid }), groups, ...(Object.keys(extra).length > 0 ? { extra } : {}) }
}

/** Upstream's sentence shows its struct. */
function withoutUser(uid = '', groups: readonly string[], extra: Readonly<Record<string, readonly string[]>>): string {
  const list = (texts: readonly string[]): string =>
    texts.length === 0 ? '[]string(nil)' : `[]string{${texts.map((text) => JSON.stringify(text)).join(', ')}}`
  const pairs = Object.entries(extra).map(([key, values]) => `${JSON.stringify(key)}:${list(values)}`)
  const shown = pairs.length === 0 ? 'map[string][]string(nil)' : `map[string][]string{${pairs.join(', ')}}`
  return `requested &user.DefaultInfo{Name:"", UID:${JSON.stringify(uid)}, Groups:${list(groups)}, Extra:${shown}} without impersonating a user name`
}

function decodeKey(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
