// From a request of the ApiClient port to a method and a path of the Kubernetes API, as a pure function.
import type { ApiRequest } from '@shiplog/api/api-client'
import { groupResourceOf, type SchemaRegistry } from '@shiplog/api/schema/schema'

const methods: Readonly<Record<ApiRequest['verb'], string>> = {
  get: 'GET',
  list: 'GET',
  create: 'POST',
  update: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
  deletecollection: 'DELETE',
}

/** Undefined when nobody knows a version of the resource. */
export function wireTarget(
  request: ApiRequest,
  registry: SchemaRegistry,
): { readonly method: string; readonly path: string } | undefined {
  const { group, resource, verb, subresource, namespace } = request
  const version = request.version ?? registry.storage(groupResourceOf(group, resource))?.version
  if (version === undefined) return undefined
  const isCollection = verb === 'list' || verb === 'deletecollection' || (verb === 'create' && !subresource)
  const parts = [
    ...(group === '' ? ['api', version] : ['apis', group, version]),
    ...(namespace ? ['namespaces', namespace] : []),
    resource,
    ...(isCollection || request.name === undefined ? [] : [request.name]),
    ...(subresource ? subresource.split('/') : []),
  ]
  const query = new URLSearchParams(request.query).toString()
  return {
    method: methods[verb],
    path: `/${parts.map(encodeURIComponent).join('/')}${query === '' ? '' : `?${query}`}`,
  }
}
