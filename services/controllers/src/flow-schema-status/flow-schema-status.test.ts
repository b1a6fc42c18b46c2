import type { FlowSchema } from '@shiplog/api/generated/types/flowcontrol-v1'
import { expect, test } from 'vitest'
import { createReconcileHarness } from '../testing/reconcile-harness.ts'
import { flowSchemaStatusReconciler } from './flow-schema-status.reconciler.ts'

const at = { group: 'flowcontrol.apiserver.k8s.io' }
const levels = { ...at, resource: 'prioritylevelconfigurations' }

test('a schema dangles as long as its priority level is not there', () => {
  const h = createReconcileHarness([flowSchemaStatusReconciler])
  const dangling = () =>
    (h.cluster.list('flowschemas.flowcontrol.apiserver.k8s.io')[0] as FlowSchema).status?.conditions?.map(({ type, status, reason, message }) => ({ type, status, reason, message }))
  const rules = [{ subjects: [{ kind: 'Group', group: { name: 'x' } }], nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }] }]
  const spec = { priorityLevelConfiguration: { name: 'mine' }, matchingPrecedence: 500, rules }
  h.cluster.must({ verb: 'create', ...at, resource: 'flowschemas', body: { metadata: { name: 'mine' }, spec } })
  h.settle()
  const start = 'This FlowSchema references the PriorityLevelConfiguration object named "mine"'
  expect(dangling()).toEqual([{ type: 'Dangling', status: 'True', reason: 'NotFound', message: `${start} but there is no such object` }])
  const limited = { nominalConcurrencyShares: 1, limitResponse: { type: 'Reject' } }
  h.cluster.must({ verb: 'create', ...levels, body: { metadata: { name: 'mine' }, spec: { type: 'Limited', limited } } })
  h.settle()
  expect(dangling()).toEqual([{ type: 'Dangling', status: 'False', reason: 'Found', message: `${start} and it exists` }])
  expect(h.secondRun()).toEqual([])
  h.cluster.must({ verb: 'delete', ...levels, name: 'mine' })
  h.settle()
  expect(dangling()?.[0]).toMatchObject({ status: 'True', reason: 'NotFound' })
})
