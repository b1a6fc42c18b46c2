// A request to a fake cluster with what it is about: its resource and kind, its body decoded as the gateway decodes it.
import type { ApiRequest } from '@shiplog/api/api-client'
import { cloneJson } from '@shiplog/api/clone-json'
import { normalize } from '@shiplog/api/decode/decode'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { applyJsonPatch } from '@shiplog/api/patch/json-patch'
import { applyMergePatch } from '@shiplog/api/patch/merge-patch'
import { strategicMergePatch } from '@shiplog/api/patch/strategic-merge'
import { apiVersionOf, groupResourceOf, type ResourceInfo, type SchemaRegistry } from '@shiplog/api/schema/schema'
import { ApiError, badRequest, notFound } from '@shiplog/api/status'
import type { AdmissionPlugin, AdmissionView } from '@shiplog/domain/admission'
import type { Catalogue } from '@shiplog/domain/catalogue/catalogue'
import type { ServedKind } from '@shiplog/domain/catalogue/served-kind'
import { checkIdentity, type DeleteCommand } from '@shiplog/domain/decider'
import type { DecisionContext } from '@shiplog/domain/strategy'
import type { MemoryStore } from './memory-store.ts'

export interface PipelineDeps {
  readonly registry: Catalogue
  readonly store: MemoryStore
  readonly admission: readonly AdmissionPlugin[]
  readonly reader: AdmissionView
  context(): DecisionContext
}

/** A request with what it is about. */
export interface Target extends PipelineDeps {
  readonly request: ApiRequest
  readonly resource: ResourceInfo
  readonly kind: ServedKind
  readonly groupResource: string
  readonly namespace: string
}

export const resourceOf = (registry: SchemaRegistry, { group, version, resource }: ApiRequest): ResourceInfo | undefined =>
  version === undefined ? registry.storage(groupResourceOf(group, resource)) : registry.resource(group, version, resource)

export function targetOf(deps: PipelineDeps, resource: ResourceInfo, request: ApiRequest): Target {
  const groupResource = groupResourceOf(resource.storageGroup, resource.resource)
  const kind = deps.registry.kind(resource)
  const said = (request.body as Partial<KubeObject> | undefined)?.metadata?.namespace
  const namespace = resource.namespaced ? (request.namespace ?? said ?? '') : ''
  return { ...deps, request, resource, kind, groupResource, namespace }
}

export const nameOf = ({ request }: Target): string =>
  request.name ?? (request.body as Partial<KubeObject> | undefined)?.metadata?.name ?? ''

export function found(target: Target): KubeObject {
  const { store, groupResource, namespace, resource } = target
  const object = store.get(groupResource, namespace, nameOf(target))
  if (!object) throw new ApiError(notFound(resource, nameOf(target)))
  return object
}

export const isDryRun = ({ request }: Target): boolean => request.query?.['dryRun'] === 'All'

/** Reads a body as an object of the resource. */
export function decode({ kind: served, resource, namespace, request }: Target, body: unknown): KubeObject {
  const { kind, version } = resource
  const given = { kind, apiVersion: apiVersionOf(resource.group, version), ...(body as JsonObject) }
  const { object, errors, unknown } = served.decode(given)
  const faults = [...errors, ...unknown.map((path) => `strict decoding error: unknown field "${path}"`)]
  if (faults.length > 0)
    throw new ApiError(badRequest(`${kind} in version "${version}" cannot be handled as a ${kind}: ${faults.join(', ')}`))
  const isCreate = request.verb === 'create'
  const name = request.name === undefined ? {} : { name: request.name }
  const status = checkIdentity(resource, object as JsonObject, { namespace, ...name, create: isCreate })
  if (status) throw new ApiError(status)
  return object as KubeObject
}

export const inStorage = ({ kind }: Target, object: KubeObject): KubeObject => kind.toStorage(object)

export const asRequested = ({ kind }: Target, object: KubeObject): KubeObject => kind.fromStorage(object)

export function deleteOptions(
  registry: SchemaRegistry,
  body: JsonObject,
): { readonly command: DeleteCommand; readonly dryRun: boolean } {
  const { object, errors, unknown } = normalize(registry, 'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions', { ...body })
  if (errors.length + unknown.length > 0) throw new ApiError(badRequest([...errors, ...unknown].join(', ')))
  const { gracePeriodSeconds, propagationPolicy, preconditions, dryRun } = object as JsonObject
  const command = {
    ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
    ...(propagationPolicy ? { propagationPolicy } : {}),
    ...(preconditions ? { preconditions } : {}),
  } as DeleteCommand
  return { command, dryRun: (dryRun ?? []).length > 0 }
}

export function patched({ registry, resource, request }: Target, document: KubeObject): unknown {
  const copy = cloneJson(document)
  switch (request.patchType) {
    case 'application/json-patch+json':
      return applyJsonPatch(copy, request.body)
    case 'application/strategic-merge-patch+json':
      return strategicMergePatch(registry, resource.definition, copy, request.body as JsonObject)
    case 'application/merge-patch+json':
      return applyMergePatch(copy, request.body)
    default:
      throw new Error(`the fake cluster does not serve ${request.patchType}`)
  }
}
