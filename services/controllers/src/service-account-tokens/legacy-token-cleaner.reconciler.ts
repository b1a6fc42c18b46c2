// Tokens in Secrets that were made for an account once and that nobody has used for a year are marked invalid, and a year
// later removed. Since when uses are noted, and the last use of each, is said by the API server.
import type { Secret } from '@shiplog/api/generated/types/core-v1'
import { secretsUsedBy } from '@shiplog/control-plane/identity/mounted-secrets'
import { readsResource, type ReconcileResult, type Reconciler, settled, watchesResource } from '@shiplog/reconcile/reconciler'
import { keyOf, type ObjectView } from '@shiplog/reconcile/view'
import { isBeingDeleted } from '../shared/ownership.ts'
import { accountOf, isTokenSecret, refersTo } from './token-secret.ts'

const dayMs = 86_400_000
const yearMs = 365 * dayMs
const trackingKey = keyOf('kube-system', 'kube-apiserver-legacy-service-account-token-tracking')
const lastUsedLabel = 'kubernetes.io/legacy-token-last-used'
const invalidSinceLabel = 'kubernetes.io/legacy-token-invalid-since'
const dateForm = /^\d{4}-\d{2}-\d{2}$/

const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10)
const isDate = (text: string | undefined): text is string =>
  text !== undefined && dateForm.test(text) && !Number.isNaN(Date.parse(text))

export const legacyTokenCleanerReconciler: Reconciler = {
  name: 'legacy-serviceaccount-token-cleaner',
  component: 'legacy-service-account-token-cleaner',
  resources: [
    watchesResource('secrets', ({ object }) =>
      isTokenSecret(object) ? [keyOf(object.metadata.namespace, object.metadata.name)] : [],
    ),
    readsResource('serviceaccounts'),
    readsResource('configmaps'),
    readsResource('pods'),
  ],
  reconcile(key, view, { nowMs }) {
    const secret = view.get('secrets', key)
    if (!secret || isBeingDeleted(secret) || !isTokenSecret(secret)) return settled
    const result = isUnused(secret, view, nowMs) ? judged(secret, nowMs) : settled
    return result.commands ? result : { requeueAfterMs: dayMs }
  },
}

function isUnused(secret: Secret, view: ObjectView, nowMs: number): boolean {
  const { name, namespace, labels, creationTimestamp } = secret.metadata
  const { since } = view.get('configmaps', trackingKey)?.data ?? {}
  if (!isDate(since) || nowMs < Date.parse(since) + yearMs) return false
  if (Date.parse(creationTimestamp) >= nowMs - yearMs) return false
  const lastUsed = labels?.[lastUsedLabel]
  if (lastUsed !== undefined && (!isDate(lastUsed) || lastUsed >= dayOf(nowMs - yearMs))) return false
  const account = accountOf(secret, view)
  // Only those that were made for an account are in its list.
  if (!account || !refersTo(account, name)) return false
  return !secretsUsedBy(view.list('pods', namespace)).has(name)
}

function judged({ metadata }: Secret, nowMs: number): ReconcileResult {
  const { name, namespace, uid, resourceVersion, labels } = metadata
  const target = { group: '', version: 'v1', resource: 'secrets', namespace: namespace!, name } as const
  const invalidSince = labels?.[invalidSinceLabel]
  if (!isDate(invalidSince)) {
    const body = { metadata: { uid, labels: { [invalidSinceLabel]: dayOf(nowMs) } } }
    return { commands: [{ request: { verb: 'patch', ...target, patchType: 'application/merge-patch+json', body } }] }
  }
  if (invalidSince >= dayOf(nowMs - yearMs)) return settled
  const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { resourceVersion } }
  return { commands: [{ request: { verb: 'delete', ...target, body } }] }
}
