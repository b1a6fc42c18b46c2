// The objects that a binding hands to its policy as `params`: k8s.io/apiserver/pkg/admission/plugin/policy/generic.
import type { ParamKind, ParamRef } from '@shiplog/api/generated/types/admissionregistration-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import { groupResourceOf, type ResourceInfo } from '@shiplog/api/schema/schema'
import { compileLabelSelector } from '@shiplog/api/selectors'
import type { AdmissionView } from '@shiplog/domain/admission'
import type { Catalogue } from '@shiplog/domain/catalogue/catalogue'

export interface Params {
  readonly params: readonly (JsonObject | undefined)[]
}

export interface ParamDeps {
  readonly view: AdmissionView
  readonly catalogue: () => Catalogue
}

const groupVersionOf = (apiVersion: string): readonly [group: string, version: string] => {
  const slash = apiVersion.indexOf('/')
  return slash < 0 ? ['', apiVersion] : [apiVersion.slice(0, slash), apiVersion.slice(slash + 1)]
}

/** The resource of a policy's parameters; a sentence when there is none. */
export function paramResource(catalogue: Catalogue, { apiVersion = '', kind = '' }: ParamKind): ResourceInfo | string {
  const [group, version] = groupVersionOf(apiVersion)
  return (
    catalogue.byKind(group, version, kind) ??
    `failed to find resource referenced by paramKind: '${group}/${version}, Kind=${kind}'`
  )
}

/** The parameters of one binding; a sentence when they are not to be had. Without a kind, or a reference, there is one: none. */
export function paramsOf(
  deps: ParamDeps,
  kind: ParamKind | undefined,
  reference: ParamRef | undefined,
  requestNamespace: string,
): Params | string {
  if (!kind || !reference) return { params: [undefined] }
  const catalogue = deps.catalogue()
  const resource = paramResource(catalogue, kind)
  if (typeof resource === 'string') return resource
  const { name = '', selector, namespace: ownNamespace = '', parameterNotFoundAction } = reference
  if (resource.namespaced && ownNamespace === '' && requestNamespace === '')
    return 'cannot use namespaced paramRef in policy binding that matches cluster-scoped resources'
  if (!resource.namespaced && ownNamespace !== '')
    return 'paramRef.namespace must not be provided for a cluster-scoped `paramKind`'
  const namespace = resource.namespaced ? ownNamespace || requestNamespace : ''
  const stored = groupResourceOf(resource.storageGroup, resource.resource)
  const one = name === '' ? undefined : deps.view.get(stored, namespace, name)
  const matching = selector ? compileLabelSelector(selector) : undefined
  const found =
    name !== ''
      ? one
        ? [one]
        : []
      : deps.view.list(stored, namespace).filter(({ metadata }) => matching?.matches(metadata.labels ?? {}))
  if (found.length === 0 && parameterNotFoundAction === 'Deny')
    return 'no params found for policy binding with `Deny` parameterNotFoundAction'
  const served = catalogue.kind(resource)
  return { params: found.map((object) => served.fromStorage(served.upgraded(object, Number(object.metadata.resourceVersion)))) }
}
