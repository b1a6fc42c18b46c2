// Checks made before any read or write, for HTTP and the bus alike: does the resource exist, may this user do this to it,
// does it have the verb.
import type { ResourceInfo } from '@shiplog/api/schema/schema'
import { forbidden, methodNotAllowed, routeNotFound, type Status } from '@shiplog/api/status'
import type { Access, Authorizer } from './rbac-authorizer.ts'
import { type AskedSelectors, fieldValue } from './selectors.ts'
import type { Verb } from '../request/gateway-request.ts'

export interface AskedResource extends Omit<Access, 'verb'> {
  /** Undefined for what cannot be asked of any resource. */
  readonly verb: Verb | undefined
  readonly version: string
  /** What the path says behind the subresource. */
  readonly rest?: string
  /** How the request calls what it does: HTTP's method. */
  readonly method: string
}

/** What the audit log calls what authorizers said, and why. */
export const decisionKey = 'authorization.k8s.io/decision'
export const reasonKey = 'authorization.k8s.io/reason'

/** Resource and verb, or the refusal; `resource` is what the catalogue has at that address. */
export function accessResource(
  deps: {
    readonly authorizer: Authorizer
    readonly resource: ResourceInfo | undefined
    /** Whether there is anything of the group. */
    readonly isGroupServed?: () => boolean
    /** Told what authorizers said. */
    readonly annotate?: ((key: string, value: string) => void) | undefined
  },
  asked: AskedResource,
): { readonly resource: ResourceInfo; readonly verb: Verb } | { readonly refusal: Status; readonly isNoPath?: boolean } {
  const { authorizer, resource } = deps
  const { verb, namespace, subresource } = asked
  const name = asked.name || (verb === 'list' || verb === 'watch' ? soleName(asked.selectors) : '')
  if (!resource || (!resource.namespaced && namespace !== ''))
    return { refusal: routeNotFound(), isNoPath: deps.isGroupServed?.() === false }
  if (asked.name !== '' && subresource === '' && !resource.verbs.includes('get')) return { refusal: routeNotFound() }
  if (verb === undefined) return unknownMethod(asked)
  const access = { ...asked, verb, name }
  const { allowed, reason } = authorizer.decide(access)
  deps.annotate?.(decisionKey, allowed ? 'allow' : 'forbid')
  deps.annotate?.(reasonKey, reason)
  if (!allowed) return { refusal: forbidden(resource, name, whyForbidden(access, reason)) }
  if (asked.rest && subresource !== 'proxy') return { refusal: routeNotFound() }
  if (subresource === '' && !resource.verbs.includes(verb))
    return { refusal: methodNotAllowed({ group: '', resource: '' }, verb) }
  if (resource.namespaced && namespace === '' && verb !== 'list' && verb !== 'watch' && resource.stored) {
    return asked.name === '' ? unknownMethod(asked) : { refusal: routeNotFound() }
  }
  // What has no names has no paths with one.
  if (asked.name !== '' && subresource === '' && resource.namespaced && namespace === '' && verb === 'watch')
    return { refusal: routeNotFound() }
  return { resource, verb }
}

const unknownMethod = ({ method }: AskedResource): { readonly refusal: Status } => ({
  refusal: methodNotAllowed({ group: '', resource: '' }, method),
})

/** The one object that a list or watch asks for: who may read that one may ask so. */
function soleName(selectors: AskedSelectors | undefined): string {
  const name = fieldValue(selectors, 'metadata.name') ?? ''
  return name === '.' || name === '..' || /[/%]/.test(name) ? '' : name
}

export function whyForbidden(access: Access, reason: string): string {
  const full = access.subresource ? `${access.resource}/${access.subresource}` : access.resource
  const where = access.namespace ? ` in the namespace "${access.namespace}"` : ' at the cluster scope'
  return `User "${access.user.name}" cannot ${access.verb} resource "${full}" in API group "${access.group}"${where}${reason && `: ${reason}`}`
}
