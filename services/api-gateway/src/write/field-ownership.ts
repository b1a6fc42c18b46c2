// Managed fields of a write, as the version of its request has them.
import { updateManagedFields } from '@shiplog/api/apply/managed-fields'
import type { KubeObject } from '@shiplog/api/kube-object'
import { apiVersionOf, groupResourceOf, type ResourceInfo, type SchemaRegistry } from '@shiplog/api/schema/schema'
import { resetByStatusWrite } from '@shiplog/domain/status-metadata'
import type { Stamp } from '@shiplog/domain/write/stages'
import type { GatewayRequest } from '../request/gateway-request.ts'
import { fromStorage, severalVersions, versionConverter } from '../request/request-body.ts'
import { managerOf } from '../request/request-options.ts'

/** Gives what the request changed since `before` to its field manager. */
export function stampFor(
  registry: SchemaRegistry,
  request: GatewayRequest,
  before: KubeObject | undefined,
  nowMs: number,
): Stamp {
  const { resource, subresource } = request
  return (draft) => {
    const managedFields = updateManagedFields({
      registry,
      definition: resource.definition,
      before: before && fromStorage(resource, before),
      next: fromStorage(resource, draft),
      manager: managerOf(request),
      apiVersion: apiVersionOf(resource.group, resource.version),
      subresource,
      nowMs,
      ...resetFieldsOf(resource, subresource),
      ...(severalVersions(registry, resource) ? { versionConverter: versionConverter(registry, resource) } : {}),
    })
    if (managedFields.length > 0) draft.metadata.managedFields = managedFields
    else delete draft.metadata.managedFields
  }
}

/** For a draft that brings its managed fields. What admission adds belongs to nobody, as upstream. */
export const alreadyStamped: Stamp = () => undefined

/** What a status write does not own, where that is more than the spec. */
export function resetFieldsOf(
  { storageGroup, resource }: ResourceInfo,
  subresource: string,
): { readonly resetFields?: readonly string[] } {
  const resetFields = subresource === 'status' ? resetByStatusWrite(groupResourceOf(storageGroup, resource)) : undefined
  return resetFields ? { resetFields } : {}
}
