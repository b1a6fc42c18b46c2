// Removes bootstrap tokens whose time is over.
import { type Reconciler, settled, watchesResource } from '@shiplog/reconcile/reconciler'
import { keyOf } from '@shiplog/reconcile/view'
import { isBeingDeleted } from '../shared/ownership.ts'
import { endMsOf, hasEnded, isBootstrapToken } from './bootstrap-token.ts'

export const tokenCleanerReconciler: Reconciler = {
  name: 'token-cleaner',
  component: 'token-cleaner',
  resources: [
    watchesResource('secrets', ({ object }) =>
      isBootstrapToken(object) ? [keyOf(object.metadata.namespace, object.metadata.name)] : [],
    ),
  ],
  reconcile(key, view, { nowMs }) {
    const secret = view.get('secrets', key)
    if (!secret || isBeingDeleted(secret) || !isBootstrapToken(secret)) return settled
    const end = endMsOf(secret)
    if (end === undefined) return settled
    if (!hasEnded(secret, nowMs)) return { requeueAfterMs: end - nowMs }
    const { namespace, name, uid } = secret.metadata
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid } }
    const target = { group: '', version: 'v1', resource: 'secrets', namespace: namespace!, name } as const
    return { commands: [{ request: { verb: 'delete', ...target, body } }] }
  },
}
