import { expect, test } from 'vitest'
import { decidedBy, linesOf, type Reason } from './why.ts'

const reason = (sequence: number, type: string, object: string, more: Partial<Reason> = {}): Reason => ({
  ...{ sequence, type, object, time: '2026-01-01T00:00:00.000Z', namespace: 'default', actor: 'system:kube-controller-manager' },
  ...{ requestId: 'r', previous: 0, deleted: false },
  ...more,
})

test('an event is told with who decided it, on which basis, what was observed, and all that led to it', () => {
  const decided = { reconciler: 'horizontalpodautoscaler', key: 'default/web', observed: { load: 7 }, memory: { n: 1 } }
  const scaled = reason(12, 'DeploymentScaled', 'deployment.apps/web', { basis: 11, cause: 9, decided })
  const chain = [
    reason(9, 'ReplicaSetUpdated', 'replicaset.apps/web-1', {
      ...{ cause: 4, decided: { reconciler: 'replicaset', key: 'default/web-1' } },
    }),
    reason(4, 'NodeRegistered', 'node/n1', { namespace: '', actor: 'kubernetes-admin' }),
  ]
  expect(linesOf(scaled, chain)).toEqual([
    '\n12  2026-01-01T00:00:00.000Z  DeploymentScaled',
    '    by horizontalpodautoscaler for default/web, decided at 11',
    '    observed {"load":7}',
    '    remembered {"n":1}',
    '    because of 9: ReplicaSetUpdated of replicaset.apps/web-1 in default, by replicaset for default/web-1',
    '      because of 4: NodeRegistered of node/n1, by kubernetes-admin',
  ])
})

test('what the log does not hold any more, or never held, is said', () => {
  const tooLong = { reconciler: 'r', key: 'k', tooLong: 70_000 }
  expect(linesOf(reason(12, 'PodCreated', 'pod/a', { cause: 3, decided: tooLong }), []).slice(2)).toEqual([
    '    what it observed had 70000 characters and is not recorded',
    '    because of 3, which the log does not hold any more',
  ])
  expect(linesOf(reason(12, 'PodCreated', 'pod/a', { actor: 'me' }), [])).toEqual([
    '\n12  2026-01-01T00:00:00.000Z  PodCreated',
    '    by me',
  ])
})

test('decisions of controllers are told from those of schedulers', () => {
  expect(decidedBy('{"reconciler":"job","key":"a/b"}')).toEqual({ reconciler: 'job', key: 'a/b' })
  expect(decidedBy('{"scheduler":"default-scheduler","node":"n"}')).toBeUndefined()
  expect(decidedBy(undefined)).toBeUndefined()
})

test('who changed it on the way is named', () => {
  const by = 'MutatingWebhookConfiguration/sidecars'
  const admission = [{ by, name: 'inject.example.com', paths: ['/spec/containers/-'], more: 2 }]
  expect(linesOf(reason(12, 'PodCreated', 'pod/a', { actor: 'me', admission }), []).slice(1)).toEqual([
    '    by me',
    `    changed on the way by ${by} (inject.example.com): /spec/containers/-, and 2 more`,
  ])
})
