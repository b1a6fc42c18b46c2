import type { JsonObject } from '@shiplog/api/kube-object'
import { expect, test } from 'vitest'
import { createReconcileHarness, type ReconcileHarness } from '../testing/reconcile-harness.ts'
import { bootstrapSignerReconciler, detachedSignature } from './bootstrap-signer.reconciler.ts'
import { tokenCleanerReconciler } from './token-cleaner.reconciler.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const secrets = { group: '', resource: 'secrets', namespace: 'kube-system' }
const infos = { group: '', resource: 'configmaps', namespace: 'kube-public' }

function token(h: ReconcileHarness, id: string, more: Record<string, string> = {}): void {
  const fields = { 'token-id': id, 'token-secret': '0123456789abcdef', 'usage-bootstrap-signing': 'true', ...more }
  const data = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, base64(value)]))
  const body = { metadata: { name: `bootstrap-token-${id}` }, type: 'bootstrap.kubernetes.io/token', data }
  h.cluster.must({ verb: 'create', ...secrets, body })
}
const info = (h: ReconcileHarness): JsonObject => h.cluster.get('configmaps', 'kube-public/cluster-info')!['data']!
function withInfo(): ReconcileHarness {
  const h = createReconcileHarness([bootstrapSignerReconciler, tokenCleanerReconciler])
  const body = { metadata: { name: 'cluster-info' }, data: { kubeconfig: 'K', note: 'stays', 'jws-kubeconfig-gone00': 'old' } }
  h.cluster.must({ verb: 'create', ...infos, body })
  return h
}

test('a detached signature is one of HMAC over what lies beside it', () => {
  // Made with upstream's example: the JWS of RFC 7515 without its middle.
  const signature = detachedSignature('content', { id: 'abcdef', secret: 'secret' })
  const [head = '', middle, rest = ''] = signature.split('.')
  expect(JSON.parse(Buffer.from(head, 'base64url').toString())).toEqual({ alg: 'HS256', kid: 'abcdef' })
  expect([middle, rest.length]).toEqual(['', 43])
})

test('cluster-info is signed with the tokens that are for it, and keeps what else it says', () => {
  const h = withInfo()
  token(h, 'aaaaaa')
  token(h, 'bbbbbb', { 'usage-bootstrap-signing': 'false' })
  h.settle()
  expect(Object.keys(info(h)).sort()).toEqual(['jws-kubeconfig-aaaaaa', 'kubeconfig', 'note'])
  expect(info(h)['jws-kubeconfig-aaaaaa']).toBe(
    detachedSignature('K', { id: 'aaaaaa', secret: '0123456789abcdef' }),
  )
  expect(h.secondRun()).toEqual([])
  const body = { ...h.cluster.get('configmaps', 'kube-public/cluster-info')!, data: { ...info(h), kubeconfig: 'L' } }
  h.cluster.must({ verb: 'update', ...infos, name: 'cluster-info', body })
  h.settle()
  expect(info(h)['jws-kubeconfig-aaaaaa']).toBe(
    detachedSignature('L', { id: 'aaaaaa', secret: '0123456789abcdef' }),
  )
})

test('a token goes when its time is over, and its signature with it', () => {
  const h = withInfo()
  token(h, 'aaaaaa', { expiration: '2026-01-01T01:00:00Z' })
  token(h, 'bbbbbb')
  token(h, 'cccccc', { expiration: 'soon' })
  h.settle()
  expect(Object.keys(info(h)).filter((key) => key.startsWith('jws-')).sort()).toEqual([
    'jws-kubeconfig-aaaaaa',
    'jws-kubeconfig-bbbbbb',
  ])
  expect(h.cluster.get('secrets', 'kube-system/bootstrap-token-cccccc')).toBeUndefined()
  h.advance(3_599_000)
  expect(h.cluster.get('secrets', 'kube-system/bootstrap-token-aaaaaa')).toBeDefined()
  h.advance(2_000)
  expect(h.cluster.get('secrets', 'kube-system/bootstrap-token-aaaaaa')).toBeUndefined()
  expect(Object.keys(info(h))).not.toContain('jws-kubeconfig-aaaaaa')
  expect(h.secondRun()).toEqual([])
})
