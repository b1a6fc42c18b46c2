import { bootstrapRoles } from '@shiplog/domain/bootstrap-roles'
import type { JsonObject } from '@shiplog/api/kube-object'
import { expect, test } from 'vitest'
import { createReconcileHarness } from '../testing/reconcile-harness.ts'
import { clusterRoleAggregationReconciler } from './cluster-role-aggregation.reconciler.ts'

const roles = { group: 'rbac.authorization.k8s.io', resource: 'clusterroles' } as const
const groupResource = 'clusterroles.rbac.authorization.k8s.io'

test('view, edit and admin gather what is labelled for them, through one another, each rule once', () => {
  const h = createReconcileHarness([clusterRoleAggregationReconciler])
  for (const body of bootstrapRoles())
    if (body['kind'] === 'ClusterRole') h.cluster.must({ verb: 'create', ...roles, body })
  h.settle()
  const rulesOf = (name: string): JsonObject[] => h.cluster.get(groupResource, `/${name}`)!['rules'] as JsonObject[]
  expect(rulesOf('view')).toEqual([...rulesOf('system:aggregate-to-view'), ...rulesOf('system:aggregated-metrics-reader')])
  expect(rulesOf('edit')).toEqual([...rulesOf('system:aggregate-to-edit'), ...rulesOf('view')])
  expect(rulesOf('admin')).toHaveLength(2 + rulesOf('edit').length)
  expect(h.secondRun()).toEqual([])

  const rule = { apiGroups: ['example.com'], resources: ['widgets'], verbs: ['get'] }
  const labels = { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' }
  h.cluster.must({ verb: 'create', ...roles, body: { metadata: { name: 'widgets', labels }, rules: [rule] } })
  h.settle()
  for (const name of ['view', 'edit', 'admin']) expect(rulesOf(name)).toContainEqual(rule)
  h.cluster.must({ verb: 'delete', ...roles, name: 'widgets' })
  h.settle()
  for (const name of ['view', 'edit', 'admin']) expect(rulesOf(name)).not.toContainEqual(rule)
})
