// Managed fields of a write, as the version of its request has them.
import { updateManagedFields } from '@shiplog/api/apply/managed-fields'
import type { KubeObject } from '@shiplog/api/kube-object'
import { apiVersionOf } from '@shiplog/api/schema/schema'
import type { Stamp } from '@shiplog/domain/write/stages'
import type { GatewayRequest } from '../request/gateway-request.ts'
import { managerOf } from '../request/request-options.ts'

/** Gives what the request changed since `before` to its field manager. */
export function stampFor(request: GatewayRequest, before: KubeObject | undefined, nowMs: number): Stamp {
  const { kind } = request
  return (draft) => {
    const managedFields = updateManagedFields({
      ...ownershipOf(request),
      before: before && kind.fromStorage(before),
      next: kind.fromStorage(draft),
      manager: managerOf(request),
      nowMs,
    })
    if (managedFields.length > 0) draft.metadata.managedFields = managedFields
    else delete draft.metadata.managedFields
  }
}

/** For a draft that brings its managed fields. What admission adds belongs to nobody, as upstream. */
export const alreadyStamped: Stamp = () => undefined

/** What apply and managed fields need to know of the kind that is written. */
export function ownershipOf({ kind, resource, subresource }: GatewayRequest) {
  const resetFields = kind.resetFields(subresource)
  return {
    registry: kind.registry,
    definition: resource.definition,
    apiVersion: apiVersionOf(resource.group, resource.version),
    subresource,
    ...(resetFields ? { resetFields } : {}),
    ...(kind.versionConverter ? { versionConverter: kind.versionConverter } : {}),
  }
}
