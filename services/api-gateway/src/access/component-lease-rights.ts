// Who may hold which component Lease: a component those that bear its name, a node's agent the one of its node, and nobody
// else's. Roles cannot say so, since the names of replicas are not known before and a create is authorized without one.
import { ApiError, forbidden } from '@shiplog/api/status'
import type { AdmissionPlugin } from '@shiplog/domain/admission'
import { nodeOf } from '@shiplog/domain/node-identity'
import type { User } from '@shiplog/domain/strategy'
import { componentNamespace, leaseAddress } from '@shiplog/control-plane/leases/component-lease'
import type { Access } from './rbac-authorizer.ts'

const componentOf: ReadonlyMap<string, string> = new Map([
  ['system:kube-scheduler', 'kube-scheduler'],
  ['system:kube-controller-manager', 'kube-controller-manager'],
  ['system:shiplog-projector', 'shiplog-projector'],
])

/** Whether a user's Lease may be called so; undefined for users that hold none. */
function mayBeCalled(user: User, name: string): boolean | undefined {
  const component = componentOf.get(user.name)
  if (component !== undefined) return name.startsWith(`${component}-`)
  const node = nodeOf(user)
  return node === undefined ? undefined : name === `node-agent-${node}`
}

const byName = new Set(['get', 'update', 'patch', 'delete'])

/** True for what a component may do with its Leases; others may be allowed more. Which one it creates is for admission. */
export function allowsComponentLease(access: Access): boolean {
  const { user, verb, group, resource, subresource, namespace, name } = access
  if (group !== leaseAddress.group || resource !== leaseAddress.resource) return false
  if (namespace !== componentNamespace || subresource !== '') return false
  if (verb === 'create') return mayBeCalled(user, '') !== undefined
  // The replicas of a component look at one another.
  if (verb === 'list' || verb === 'watch') return componentOf.has(user.name)
  return byName.has(verb) && mayBeCalled(user, name) === true
}

/** Refuses to create a component Lease of somebody else. */
export const componentLeaseNames: AdmissionPlugin = {
  name: 'ComponentLeaseNames',
  validate({ user, group, resource, namespace, operation, object }) {
    if (group !== leaseAddress.group || resource !== leaseAddress.resource) return
    if (namespace !== componentNamespace || operation !== 'CREATE' || object === undefined) return
    const { name } = object.metadata
    if (mayBeCalled(user, name) === false) {
      throw new ApiError(forbidden({ group, resource }, name, `user "${user.name}" cannot hold the Lease of another`))
    }
  },
}
