// ServiceAccount: every namespace that is not going away has the account `default`, also after somebody deleted it.
import { forResource, settled, watchesResource, type Reconciler } from '@shiplog/reconcile/reconciler'
import { keyOf } from '@shiplog/reconcile/view'
import { isBeingDeleted } from '../shared/ownership.ts'

const accountName = 'default'

export const serviceAccountReconciler: Reconciler = {
  name: 'serviceaccount',
  component: 'serviceaccount-controller',
  resources: [
    forResource('namespaces'),
    watchesResource('serviceaccounts', (change) =>
      change.deleted && change.name === accountName ? [keyOf('', change.namespace)] : [],
    ),
  ],
  reconcile: (key, view) => {
    const namespace = view.get('namespaces', key)
    if (!namespace || isBeingDeleted(namespace)) return settled
    const { name } = namespace.metadata
    if (view.get('serviceaccounts', keyOf(name, accountName))) return settled
    return {
      commands: [
        {
          request: {
            verb: 'create',
            group: '',
            version: 'v1',
            resource: 'serviceaccounts',
            namespace: name,
            body: { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: accountName, namespace: name } },
          },
        },
      ],
    }
  },
}
