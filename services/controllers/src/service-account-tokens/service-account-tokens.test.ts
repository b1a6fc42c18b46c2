import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { describe, expect, test } from 'vitest'
import { createReconcileHarness, type ReconcileHarness } from '../testing/reconcile-harness.ts'
import { createFakeTokenSigner } from '../testing/signers.ts'
import { legacyTokenCleanerReconciler } from './legacy-token-cleaner.reconciler.ts'
import { createServiceAccountTokenReconciler } from './service-account-token.reconciler.ts'

const dayMs = 86_400_000
const core = { group: '', namespace: 'default' }
const text = (base64: unknown): string => Buffer.from(String(base64), 'base64').toString()

const account = (h: ReconcileHarness, more: JsonObject = {}): KubeObject =>
  h.cluster.must({ verb: 'create', ...core, resource: 'serviceaccounts', body: { metadata: { name: 'app' }, ...more } })
const secret = (h: ReconcileHarness, metadata: JsonObject = {}, more: JsonObject = {}): KubeObject =>
  h.cluster.must({
    ...{ verb: 'create', ...core, resource: 'secrets' },
    body: {
      metadata: { name: 'token', annotations: { 'kubernetes.io/service-account.name': 'app' }, ...metadata },
      type: 'kubernetes.io/service-account-token',
      ...more,
    },
  })
const current = (h: ReconcileHarness): KubeObject | undefined => h.cluster.get('secrets', 'default/token')

describe('a Secret for a token', () => {
  const harness = (): ReconcileHarness =>
    createReconcileHarness([createServiceAccountTokenReconciler(createFakeTokenSigner(), 'CA')])

  test('is filled, once', () => {
    const h = harness()
    const { metadata } = account(h)
    secret(h)
    h.settle()
    const { data, metadata: written } = current(h)!
    expect(text(data.token)).toBe('token 1 of system:serviceaccount:default:app')
    expect([text(data['ca.crt']), text(data.namespace)]).toEqual(['CA', 'default'])
    expect(written.annotations).toMatchObject({ 'kubernetes.io/service-account.uid': metadata.uid })
    expect(h.secondRun()).toEqual([])
  })

  test('is filled again where somebody emptied it, and keeps what is right', () => {
    const h = harness()
    account(h)
    secret(h)
    h.settle()
    const { token } = current(h)!['data']
    h.cluster.must({ verb: 'update', ...core, resource: 'secrets', name: 'token', body: { ...current(h)!, data: { token } } })
    h.settle()
    expect(current(h)!['data']).toMatchObject({ token, 'ca.crt': expect.any(String) })
  })

  test('goes with its account, and before there is one', () => {
    const h = harness()
    secret(h)
    h.settle()
    expect(current(h)).toBeUndefined()
    account(h)
    secret(h)
    h.settle()
    h.cluster.must({ verb: 'delete', ...core, resource: 'serviceaccounts', name: 'app' })
    h.settle()
    expect(current(h)).toBeUndefined()
  })

  test('of an account that was there before, under the same name, goes', () => {
    const h = harness()
    account(h)
    secret(h, { annotations: { 'kubernetes.io/service-account.name': 'app', 'kubernetes.io/service-account.uid': 'old' } })
    h.settle()
    expect(current(h)).toBeUndefined()
  })

  test('is taken out of the list of its account when it is gone', () => {
    const h = harness()
    account(h, { secrets: [{ name: 'token' }, { name: 'other' }] })
    secret(h)
    h.settle()
    h.cluster.must({ verb: 'delete', ...core, resource: 'secrets', name: 'token' })
    h.settle()
    expect(h.cluster.get('serviceaccounts', 'default/app')!.secrets).toEqual([{ name: 'other' }])
  })

  test('of another type is nobody\'s business', () => {
    const h = harness()
    account(h)
    secret(h, {}, { type: 'Opaque' })
    h.settle()
    expect(current(h)!['data']).toBeUndefined()
  })
})

describe('the cleaner of tokens that nobody uses', () => {
  const invalidSince = 'kubernetes.io/legacy-token-invalid-since'
  const lastUsed = 'kubernetes.io/legacy-token-last-used'
  function story(options: { labels?: JsonObject; secrets?: JsonObject[]; pod?: boolean; tracked?: boolean } = {}): ReconcileHarness {
    const h = createReconcileHarness([legacyTokenCleanerReconciler])
    account(h, { secrets: options.secrets ?? [{ name: 'token' }] })
    secret(h, { labels: options.labels ?? {} })
    if (options.tracked ?? true) {
      const name = 'kube-apiserver-legacy-service-account-token-tracking'
      const target = { group: '', namespace: 'kube-system', resource: 'configmaps' }
      h.cluster.must({ verb: 'create', ...target, body: { metadata: { name }, data: { since: '2026-01-01' } } })
    }
    if (options.pod) {
      const spec = { containers: [], volumes: [{ name: 'v', secret: { secretName: 'token' } }] }
      h.cluster.must({ verb: 'create', ...core, resource: 'pods', body: { metadata: { name: 'p' }, spec } })
    }
    return h
  }

  test('marks one after a year, and removes it a year later', () => {
    const h = story()
    h.advance(364 * dayMs)
    expect(current(h)!.metadata.labels).toEqual({})
    h.advance(3 * dayMs)
    expect(current(h)!.metadata.labels).toEqual({ [invalidSince]: expect.stringMatching(/^2027-01-0/) })
    h.advance(363 * dayMs)
    expect(current(h)).toBeDefined()
    h.advance(5 * dayMs)
    expect(current(h)).toBeUndefined()
  })

  test.each([
    ['was used', { labels: { [lastUsed]: '2026-12-31' } }],
    ['was used at a time that nobody can read', { labels: { [lastUsed]: 'yesterday' } }],
    ['was made by hand', { secrets: [] }],
    ['is in a pod', { pod: true }],
    ['may have been used before anybody looked', { tracked: false }],
  ])('leaves one that %s', (_what, options) => {
    const h = story(options)
    h.advance(370 * dayMs)
    expect(current(h)!.metadata.labels).not.toHaveProperty([invalidSince])
  })
})
