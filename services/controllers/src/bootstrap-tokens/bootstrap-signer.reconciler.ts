// Signs the ConfigMap cluster-info in kube-public with every bootstrap token that is for signing: whoever joins with such a
// token can tell that the authority in it is this cluster's, though nobody has vouched for it yet.
import { createHmac } from 'node:crypto'
import type { ConfigMap } from '@shiplog/api/generated/types/core-v1'
import { type Reconciler, settled, watchesResource } from '@shiplog/reconcile/reconciler'
import { keyOf, type ObjectView } from '@shiplog/reconcile/view'
import { isBeingDeleted } from '../shared/ownership.ts'
import { endMsOf, isBootstrapToken, tokenFor, tokenNamespace } from './bootstrap-token.ts'

const [namespace, name] = ['kube-public', 'cluster-info']
const infoKey = keyOf(namespace, name)
const signaturePrefix = 'jws-kubeconfig-'

/** A detached signature (RFC 7515, appendix F): what is signed lies beside it. */
export function detachedSignature(content: string, token: { readonly id: string; readonly secret: string }): string {
  const head = Buffer.from(JSON.stringify({ alg: 'HS256', kid: token.id })).toString('base64url')
  const signed = `${head}.${Buffer.from(content).toString('base64url')}`
  return `${head}..${createHmac('sha256', token.secret).update(signed).digest('base64url')}`
}

function signaturesOf(content: string, view: ObjectView, nowMs: number): Record<string, string> {
  const tokens = [...view.list('secrets', tokenNamespace)].flatMap((secret) => tokenFor(secret, 'signing', nowMs) ?? [])
  return Object.fromEntries(tokens.map((token) => [`${signaturePrefix}${token.id}`, detachedSignature(content, token)]))
}

/** A token that ends takes its signature with it. */
function nextEndMs(view: ObjectView, nowMs: number): number {
  const ends = [...view.list('secrets', tokenNamespace)].filter(isBootstrapToken).map(endMsOf)
  return Math.min(...ends.filter((end): end is number => end !== undefined && end > nowMs))
}

export const bootstrapSignerReconciler: Reconciler = {
  name: 'bootstrap-signer',
  component: 'bootstrap-signer',
  resources: [
    watchesResource('configmaps', (change) => (keyOf(change.namespace, change.name) === infoKey ? [infoKey] : [])),
    watchesResource('secrets', ({ object }) => (isBootstrapToken(object) ? [infoKey] : [])),
  ],
  reconcile(key, view, { nowMs }) {
    const info = key === infoKey ? view.get('configmaps', infoKey) : undefined
    const { kubeconfig: content } = info?.data ?? {}
    if (!info || content === undefined || isBeingDeleted(info)) return settled
    const wanted = signaturesOf(content, view, nowMs)
    const rest = Object.entries(info.data ?? {}).filter(([field]) => !field.startsWith(signaturePrefix))
    const body = { ...info, data: { ...Object.fromEntries(rest), ...wanted } }
    if (isSame(info.data ?? {}, body.data)) {
      const end = nextEndMs(view, nowMs)
      return end === Number.POSITIVE_INFINITY ? settled : { requeueAfterMs: end - nowMs }
    }
    const target = { group: '', version: 'v1', resource: 'configmaps', namespace, name } as const
    return { commands: [{ request: { verb: 'update', ...target, body } }] }
  },
}

const isSame = (left: NonNullable<ConfigMap['data']>, right: NonNullable<ConfigMap['data']>): boolean =>
  Object.keys(left).length === Object.keys(right).length &&
  Object.entries(left).every(([field, value]) => right[field] === value)
