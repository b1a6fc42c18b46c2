// Impersonation (`kubectl --as joe --as-group dev`): a request that asks to be somebody else is so for all that follows, if
// whoever asks may be. Since Kubernetes 1.36 rights can be narrow: `impersonate:<mode>` of whom, and `impersonate-on:<mode>:<verb>`
// of what is then done (KEP-5284). The old right, `impersonate`, holds for everything that is done; it is asked for last.
import { ApiError, badRequest, forbidden } from '@shiplog/api/status'
import { dns1123Label, dns1123Subdomain } from '@shiplog/domain/names'
import type { User } from '@shiplog/domain/strategy'
import type { Access, Authorizer } from './rbac-authorizer.ts'

/** Whom a request asks to be, as its headers say it. */
interface Wanted {
  readonly name: string
  readonly uid: string | undefined
  readonly groups: readonly string[]
  readonly extra: Readonly<Record<string, readonly string[]>>
}

/** What is to be done as somebody else: on a resource, or on a path. */
export type Action = Omit<Access, 'user'> | { readonly verb: string; readonly path: string }

/** The user that the request is to be served as; `user` itself when it does not ask to be another. Throws 403. */
export function impersonate(
  user: User,
  rawHeaders: readonly string[],
  authorizer: Authorizer,
  action: () => Action | undefined,
): User {
  const wanted = wantedBy(rawHeaders)
  if (!wanted) return user
  const asker: Asker = { user, authorizer, wanted }
  let first: ApiError | undefined
  for (const mode of modesFor(asker)) {
    try {
      checkAction(asker, mode, action())
      return checkWanted(asker, `impersonate:${mode}`, true)
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      // Why the narrowest right that there could be does not hold is said when none does.
      first ??= error
    }
  }
  try {
    return checkWanted(asker, 'impersonate', false)
  } catch (error) {
    throw first ?? error
  }
}

interface Asker {
  readonly user: User
  readonly authorizer: Authorizer
  readonly wanted: Wanted
}

const extraPrefix = 'impersonate-extra-'

function wantedBy(rawHeaders: readonly string[]): Wanted | undefined {
  let name = ''
  let uid: string | undefined
  const groups: string[] = []
  const extra: Record<string, string[]> = {}
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const header = rawHeaders[i]!.toLowerCase()
    if (!header.startsWith('impersonate-')) continue
    const value = rawHeaders[i + 1]!
    if (header === 'impersonate-user') name ||= value
    else if (header === 'impersonate-group') groups.push(value)
    else if (header === 'impersonate-uid') uid ??= value || undefined
    else if (header.startsWith(extraPrefix)) {
      const key = decodeKey(header.slice(extraPrefix.length))
      extra[key] = [...(extra[key] ?? []), value]
    }
  }
  if (name !== '') return { name, uid, groups, extra }
  if (uid === undefined && groups.length === 0 && Object.keys(extra).length === 0) return undefined
  throw new ApiError(badRequest(withoutUser(uid, groups, extra)))
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

// ── the narrow rights ─────────────────────────────────────────────────────────────────────────────────────────────

type Mode = 'associated-node' | 'arbitrary-node' | 'serviceaccount' | 'user-info'

const nodePrefix = 'system:node:'
const nodeNameKey = 'authentication.kubernetes.io/node-name'

/** The modes in which somebody of this name can be impersonated, the narrowest first. */
function modesFor({ user, wanted }: Asker): Mode[] {
  const isNameOnly = wanted.uid === undefined && wanted.groups.length === 0 && Object.keys(wanted.extra).length === 0
  const node = nodeNamed(wanted.name)
  if (node !== undefined) {
    if (!isNameOnly) return []
    const own = accountNamed(user.name) && user.extra?.[nodeNameKey]
    return own?.length === 1 && own[0] === node ? ['associated-node', 'arbitrary-node'] : ['arbitrary-node']
  }
  if (accountNamed(wanted.name)) return isNameOnly ? ['serviceaccount'] : []
  return ['user-info']
}

function nodeNamed(name: string): string | undefined {
  const node = name.startsWith(nodePrefix) ? name.slice(nodePrefix.length) : ''
  return node !== '' && dns1123Subdomain(node).length === 0 ? node : undefined
}

function accountNamed(name: string): { readonly namespace: string; readonly name: string } | undefined {
  const [, namespace = '', account = ''] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(name) ?? []
  const isOne = namespace !== '' && dns1123Label(namespace).length === 0 && dns1123Subdomain(account).length === 0
  return isOne ? { namespace, name: account } : undefined
}

/** Whether this may be done in this mode. */
function checkAction({ user, authorizer }: Asker, mode: Mode, action: Action | undefined): void {
  if (action === undefined) throw new ApiError(badRequest('the request cannot be read'))
  const verb = `impersonate-on:${mode}:${action.verb}`
  if (!('path' in action)) {
    check(authorizer, { ...action, verb, user })
    return
  }
  const { allowed, reason } = authorizer.decidePath(user, verb, action.path)
  if (allowed) return
  const why = `User "${user.name}" cannot ${verb} path "${action.path}"${reason && `: ${reason}`}`
  throw new ApiError(forbidden({ group: '', resource: '' }, '', why))
}

// ── whom ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const [master, everybody, nobody] = ['system:masters', 'system:authenticated', 'system:unauthenticated']
const identityGroup = 'authentication.k8s.io'

/** Checks each part of whom it is to be; the user that they make. */
function checkWanted(asker: Asker, verb: string, isNarrow: boolean): User {
  const { user, authorizer, wanted } = asker
  const may = (group: string, resource: string, name: string, more: Partial<Access> = {}): void =>
    check(authorizer, { user, verb, group, resource, subresource: '', namespace: '', name, ...more })
  const group = isNarrow ? identityGroup : ''
  const account = accountNamed(wanted.name)
  const node = isNarrow ? nodeNamed(wanted.name) : undefined
  if (account) may(group, 'serviceaccounts', account.name, { namespace: account.namespace })
  else if (node !== undefined) may(group, 'nodes', verb === 'impersonate:associated-node' ? '*' : node)
  else may(group, 'users', wanted.name)
  if (wanted.uid !== undefined) may(identityGroup, 'uids', wanted.uid)
  if (isNarrow) refuseUnfit(asker, group)
  for (const each of wanted.groups) may(group, 'groups', each)
  for (const [key, values] of Object.entries(wanted.extra))
    for (const value of values) may(identityGroup, 'userextras', value, { subresource: key })
  const given = node === undefined ? wanted.groups : ['system:nodes']
  const groups = account && given.length === 0 ? accountGroups(account.namespace) : [...given]
  const { uid, extra } = wanted
  return {
    name: wanted.name,
    ...(uid === undefined ? {} : { uid }),
    groups: withStanding(wanted.name, groups),
    ...(Object.keys(extra).length > 0 ? { extra } : {}),
  }
}

/** What no narrow right gives. */
function refuseUnfit({ wanted: { groups, extra } }: Asker, group: string): void {
  const refuse = (resource: string, name: string, why: string): never => {
    throw new ApiError(forbidden({ group: resource === 'groups' ? group : identityGroup, resource }, name, why))
  }
  if (groups.includes('')) refuse('groups', '', 'impersonating the empty string group is not allowed')
  if (groups.includes(master)) refuse('groups', master, `impersonating the ${master} group is not allowed`)
  for (const [key, values] of Object.entries(extra)) {
    if (key === '') refuse('userextras', '', 'impersonating the empty string key in extra is not allowed')
    if (values.includes('')) refuse('userextras', '', 'impersonating the empty string value in extra is not allowed')
  }
}

const accountGroups = (namespace: string): string[] => ['system:serviceaccounts', `system:serviceaccounts:${namespace}`]

/** Everybody is either known or not. */
function withStanding(name: string, groups: readonly string[]): string[] {
  if (name === 'system:anonymous') return groups.includes(nobody) ? [...groups] : [...groups, nobody]
  return groups.includes(nobody) || groups.includes(everybody) ? [...groups] : [...groups, everybody]
}

function check(authorizer: Authorizer, access: Access): void {
  const { allowed, reason } = authorizer.decide(access)
  if (allowed) return
  const { user, verb, group, resource, subresource, namespace, name } = access
  const full = subresource ? `${resource}/${subresource}` : resource
  const where = namespace ? ` in the namespace "${namespace}"` : ' at the cluster scope'
  const why = `User "${user.name}" cannot ${verb} resource "${full}" in API group "${group}"${where}${reason && `: ${reason}`}`
  throw new ApiError(forbidden({ group, resource }, name, why))
}
