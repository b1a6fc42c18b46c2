// NamespaceLifecycle: nothing is created in a namespace that is not there or is going, and three namespaces never go.
import { ApiError, forbidden, notFound } from '@shiplog/api/status'
import { type AdmissionAttributes, type AdmissionPlugin, type AdmissionView, lookUp } from '../admission.ts'

const immortal = new Set(['default', 'kube-system', 'kube-public'])
const namespaces = { group: '', resource: 'namespaces' }

const admit = (attributes: AdmissionAttributes, view: AdmissionView): void => {
  const { group, resource, namespace, name, operation } = attributes
  if (group === '' && resource === 'namespaces') {
    if (operation === 'DELETE' && attributes.subresource === '' && immortal.has(name))
      throw new ApiError(forbidden(namespaces, name, 'this namespace may not be deleted'))
    return
  }
  if (namespace === '' || operation === 'DELETE') return
  const found = lookUp(view, 'namespaces', '', namespace)
  if (!found) throw new ApiError(notFound(namespaces, namespace))
  if (operation !== 'CREATE' || found.status?.phase !== 'Terminating') return
  throw new ApiError(
    forbidden(
      { group, resource },
      name,
      `unable to create new content in namespace ${namespace} because it is being terminated`,
      [
        {
          reason: 'NamespaceTerminating',
          message: `namespace ${namespace} is being terminated`,
          field: 'metadata.namespace',
        },
      ],
    ),
  )
}

export const namespaceLifecycle: AdmissionPlugin = { name: 'NamespaceLifecycle', admit }
