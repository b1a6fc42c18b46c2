import type { JsonObject } from '@shiplog/api/kube-object'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import { describe, expect, test } from 'vitest'
import { createRootCaReconciler } from '../root-ca/root-ca.reconciler.ts'
import { serviceAccountReconciler } from '../service-account/service-account.reconciler.ts'
import { followedResources } from '../shared/resources.ts'
import { defineWidgets, makeWidget } from '../testing/custom-resources.ts'
import { createReconcileHarness, type ReconcileHarness } from '../testing/reconcile-harness.ts'
import { createNamespaceReconciler } from './namespace.reconciler.ts'

const harness = (options = {}): ReconcileHarness =>
  createReconcileHarness(
    [
      createNamespaceReconciler(followedResources(builtInRegistry())),
      serviceAccountReconciler,
      createRootCaReconciler('-----BEGIN CERTIFICATE-----'),
    ],
    options,
  )

const makeNamespace = (h: ReconcileHarness, name = 'team') => {
  h.cluster.must({
    verb: 'create',
    group: '',
    resource: 'namespaces',
    body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
  })
  h.settle()
}
const makePod = (h: ReconcileHarness, name: string) =>
  h.cluster.must({
    verb: 'create',
    group: '',
    resource: 'pods',
    namespace: 'team',
    body: { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'team' }, spec: { containers: [{ name: 'main', image: 'x' }] } },
  })
const remove = (h: ReconcileHarness) =>
  h.cluster.must({ verb: 'delete', group: '', resource: 'namespaces', name: 'team' })
const conditions = (h: ReconcileHarness): Record<string, JsonObject> =>
  Object.fromEntries(
    (h.cluster.get('namespaces', '/team')!['status'].conditions as JsonObject[]).map((one) => [one['type'], one]),
  )

describe('every namespace', () => {
  test('gets the ServiceAccount default and the ConfigMap kube-root-ca.crt, also again when deleted', () => {
    const h = harness()
    makeNamespace(h)
    expect(h.cluster.get('serviceaccounts', 'team/default')).toBeDefined()
    const { uid } = h.cluster.get('configmaps', 'team/kube-root-ca.crt')!.metadata
    h.cluster.must({ verb: 'delete', group: '', resource: 'configmaps', namespace: 'team', name: 'kube-root-ca.crt' })
    h.cluster.must({ verb: 'delete', group: '', resource: 'serviceaccounts', namespace: 'team', name: 'default' })
    h.settle()
    expect(h.cluster.get('configmaps', 'team/kube-root-ca.crt')!.metadata.uid).not.toBe(uid)
    expect(h.cluster.get('configmaps', 'team/kube-root-ca.crt')!['data']).toEqual({
      'ca.crt': '-----BEGIN CERTIFICATE-----',
    })
    expect(h.cluster.get('serviceaccounts', 'team/default')).toBeDefined()
    expect(h.secondRun()).toEqual([])
  })

  test('gets its CA back when somebody changed it', () => {
    const h = harness()
    makeNamespace(h)
    h.cluster.must({
      verb: 'patch',
      group: '',
      resource: 'configmaps',
      namespace: 'team',
      name: 'kube-root-ca.crt',
      patchType: 'application/merge-patch+json',
      body: { data: { 'ca.crt': 'mine', more: 'x' } },
    })
    h.settle()
    expect(h.cluster.get('configmaps', 'team/kube-root-ca.crt')!['data']).toEqual({
      'ca.crt': '-----BEGIN CERTIFICATE-----',
    })
  })
})

describe('a namespace that is deleted', () => {
  test('goes with all its content, and nothing is created in it again', () => {
    const h = harness()
    makeNamespace(h)
    makePod(h, 'p')
    h.settle()
    remove(h)
    h.settle()
    expect(h.cluster.get('namespaces', '/team')).toBeUndefined()
    expect(h.cluster.list('pods', 'team')).toEqual([])
    expect(h.cluster.list('configmaps', 'team')).toEqual([])
    expect(h.cluster.list('serviceaccounts', 'team')).toEqual([])
  })

  test('has its pods deleted first, and nothing else before the last pod is gone', () => {
    const h = harness({ terminates: () => false })
    makeNamespace(h)
    makePod(h, 'p')
    h.settle()
    remove(h)
    h.advance(20_000)
    expect(h.cluster.get('pods', 'team/p')!.metadata.deletionTimestamp).toBeDefined()
    expect(h.cluster.get('configmaps', 'team/kube-root-ca.crt')!.metadata.deletionTimestamp).toBeUndefined()
    expect(conditions(h)['NamespaceContentRemaining']).toMatchObject({
      status: 'True',
      reason: 'SomeResourcesRemain',
      message:
        'Some resources are remaining: configmaps. has 1 resource instances, pods. has 1 resource instances, serviceaccounts. has 1 resource instances',
    })
    expect(conditions(h)['NamespaceDeletionDiscoveryFailure']).toMatchObject({
      status: 'False',
      reason: 'ResourcesDiscovered',
      message: 'All resources successfully discovered',
    })
    // Nothing is asked for twice while it waits.
    expect(h.cluster.requests.filter(({ request }) => request.verb === 'deletecollection')).toHaveLength(1)
    h.cluster.must({
      verb: 'delete',
      group: '',
      resource: 'pods',
      namespace: 'team',
      name: 'p',
      body: { gracePeriodSeconds: 0 },
    })
    h.settle()
    expect(h.cluster.get('namespaces', '/team')).toBeUndefined()
  })

  test('waits for finalizers of its content and names them', () => {
    const h = harness()
    makeNamespace(h)
    h.cluster.must({
      verb: 'create',
      group: '',
      resource: 'secrets',
      namespace: 'team',
      body: {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 's', namespace: 'team', finalizers: ['example.com/hold'] },
      },
    })
    remove(h)
    h.settle()
    expect(conditions(h)['NamespaceFinalizersRemaining']).toMatchObject({
      status: 'True',
      reason: 'SomeFinalizersRemain',
      message: 'Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances',
    })
    h.cluster.must({
      verb: 'patch',
      group: '',
      resource: 'secrets',
      namespace: 'team',
      name: 's',
      patchType: 'application/merge-patch+json',
      body: { metadata: { finalizers: null } },
    })
    h.settle()
    expect(h.cluster.get('namespaces', '/team')).toBeUndefined()
  })

  test('takes custom resources with it', () => {
    const h = harness()
    makeNamespace(h)
    defineWidgets(h)
    makeWidget(h, 'a', { namespace: 'team' })
    makeWidget(h, 'b')
    remove(h)
    h.settle()
    expect(h.cluster.get('namespaces', '/team')).toBeUndefined()
    expect(h.cluster.list('widgets.example.com' as string).map(({ metadata }) => metadata.name)).toEqual(['b'])
  })

  test('has its Event objects and Leases deleted too, which no view shows', () => {
    const h = harness()
    makeNamespace(h)
    h.cluster.must({
      verb: 'create',
      group: '',
      resource: 'events',
      namespace: 'team',
      body: {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name: 'e', namespace: 'team' },
        involvedObject: { namespace: 'team' },
      },
    })
    remove(h)
    h.settle()
    expect(h.cluster.list('events', 'team')).toEqual([])
  })
})
