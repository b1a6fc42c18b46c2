import type { JsonObject } from '@shiplog/api/kube-object'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import { describe, expect, test } from 'vitest'
import { createNamespaceReconciler } from '../namespace/namespace.reconciler.ts'
import { followedResources } from '../shared/resources.ts'
import { pods } from '../testing/manifests.ts'
import { createReconcileHarness, type ReconcileHarness } from '../testing/reconcile-harness.ts'
import { pvcProtectionReconciler } from './pvc-protection.reconciler.ts'

const claims = { group: '', resource: 'persistentvolumeclaims', namespace: 'default' } as const
const protection = 'kubernetes.io/pvc-protection'
const quiet = { withoutNodes: true }
const patchType = 'application/merge-patch+json'

const harness = (): ReconcileHarness => createReconcileHarness([pvcProtectionReconciler])
const makeClaim = (h: ReconcileHarness, name = 'data', metadata: JsonObject = {}) =>
  h.cluster.put(claims.resource, {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name, namespace: 'default', finalizers: [protection], ...metadata },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, volumeMode: 'Filesystem' },
    status: { phase: 'Pending' },
  })
const makePod = (
  h: ReconcileHarness,
  name: string,
  volume: JsonObject,
  spec: JsonObject = { nodeName: 'node-0' },
  namespace = 'default',
) =>
  h.cluster.put('pods', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace },
    spec: {
      containers: [{ name: 'main', image: 'x' }],
      volumes: [
        { name: 'token', projected: {} },
        { name: 'v', ...volume },
      ],
      ...spec,
    },
    status: { phase: 'Running' },
  })
const ofClaim = (claimName = 'data'): JsonObject => ({ persistentVolumeClaim: { claimName } })
const remove = (h: ReconcileHarness, name = 'data') => {
  h.cluster.must({ verb: 'delete', ...claims, name })
  h.settle(quiet)
}
const removePod = (h: ReconcileHarness, name: string) => {
  h.cluster.must({ verb: 'delete', ...pods, name, body: { gracePeriodSeconds: 0 } })
  h.settle(quiet)
}
const isThere = (h: ReconcileHarness, name = 'data'): boolean =>
  h.cluster.get(claims.resource, `default/${name}`) !== undefined

describe('a claim that is deleted', () => {
  test('goes at once when no pod uses it', () => {
    const h = harness()
    makeClaim(h)
    makePod(h, 'stranger', ofClaim('other'))
    h.settle(quiet)
    expect(isThere(h)).toBe(true)
    expect(h.cluster.requests.some(({ request }) => request.verb === 'patch')).toBe(false)
    remove(h)
    expect(isThere(h)).toBe(false)
    expect(h.secondRun()).toEqual([])
  })

  test.each([['on a node', { nodeName: 'node-0' }]])('stays for a pod %s until that is gone', (_what, spec) => {
    const h = harness()
    makeClaim(h)
    makePod(h, 'user', ofClaim(), spec)
    makePod(h, 'another', ofClaim(), spec)
    remove(h)
    removePod(h, 'another')
    expect(h.cluster.get(claims.resource, 'default/data')!.metadata.finalizers).toEqual([protection])
    expect(h.secondRun()).toEqual([])
    removePod(h, 'user')
    expect(isThere(h)).toBe(false)
  })

  test('does not wait for a pod that has no node yet', () => {
    const h = harness()
    makeClaim(h)
    makePod(h, 'waiting', ofClaim(), {})
    remove(h)
    expect(isThere(h)).toBe(false)
  })

  test('stays for a pod that has finished, until that is gone', () => {
    const h = harness()
    makeClaim(h)
    makePod(h, 'user', ofClaim())
    remove(h)
    expect(isThere(h)).toBe(true)
    h.cluster.must({
      verb: 'patch',
      ...pods,
      name: 'user',
      subresource: 'status',
      patchType,
      body: { status: { phase: 'Succeeded' } },
    })
    h.settle(quiet)
    expect(isThere(h)).toBe(true)
    removePod(h, 'user')
    expect(isThere(h)).toBe(false)
  })

  test('stays for the pod whose ephemeral volume it is, and for no other pod of that name', () => {
    const h = harness()
    const { uid } = makePod(h, 'p', { ephemeral: {} }).metadata
    const owner = (of: string) => ({
      ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'p', uid: of, controller: true }],
    })
    makeClaim(h, 'p-v', owner(uid))
    remove(h, 'p-v')
    expect(isThere(h, 'p-v')).toBe(true)
    removePod(h, 'p')
    expect(isThere(h, 'p-v')).toBe(false)

    const other = harness()
    makePod(other, 'p', { ephemeral: {} })
    makeClaim(other, 'p-v', owner('of-a-former-pod'))
    remove(other, 'p-v')
    expect(isThere(other, 'p-v')).toBe(false)
  })

  test('keeps the finalizers of others', () => {
    const h = harness()
    makeClaim(h, 'data', { finalizers: ['example.com/hold', protection] })
    remove(h)
    expect(h.cluster.get(claims.resource, 'default/data')!.metadata.finalizers).toEqual(['example.com/hold'])
    expect(h.secondRun()).toEqual([])
  })
})

test('a namespace that holds a claim in use goes', () => {
  const h = createReconcileHarness([
    createNamespaceReconciler(followedResources(builtInRegistry())),
    pvcProtectionReconciler,
  ])
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' } }
  h.cluster.must({ verb: 'create', group: '', resource: 'namespaces', body: namespace })
  makeClaim(h, 'data', { namespace: 'team' })
  makePod(h, 'user', ofClaim(), { nodeName: 'node-0' }, 'team')
  h.settle()
  h.cluster.must({ verb: 'delete', group: '', resource: 'namespaces', name: 'team' })
  h.advance(60_000)
  expect(h.cluster.list(claims.resource)).toEqual([])
  expect(h.cluster.get('namespaces', '/team')).toBeUndefined()
})
