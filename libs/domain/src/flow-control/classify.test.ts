import type { FlowSchema } from '@shiplog/api/generated/types/flowcontrol-v1'
import { expect, test } from 'vitest'
import { bootstrapFlowControl } from '../bootstrap-flow-control.ts'
import { distinguisherOf, type FlowDigest, inPrecedence, schemaFor } from './classify.ts'

const made = bootstrapFlowControl('2026-01-01T00:00:00Z') as unknown as FlowSchema[]
const schemas = inPrecedence(made.filter(({ kind }) => kind === 'FlowSchema'))
const asked = (name: string, groups: string[], verb: string, resource: string, more: Partial<NonNullable<FlowDigest['target']>> = {}): FlowDigest => ({
  user: { name, groups: [...groups, 'system:authenticated'] },
  ...{ verb, path: '' },
  target: { group: '', resource, subresource: '', namespace: 'default', ...more },
})

test.each([
  [asked('admin', ['system:masters'], 'get', 'pods'), 'exempt'],
  [asked('system:node:a', ['system:nodes'], 'update', 'nodes', { subresource: 'status', namespace: '' }), 'system-node-high'],
  [asked('system:node:a', ['system:nodes'], 'update', 'leases', { group: 'coordination.k8s.io', namespace: 'kube-node-lease' }), 'system-node-high'],
  [asked('system:node:a', ['system:nodes'], 'list', 'pods', { namespace: '' }), 'system-nodes'],
  [asked('system:kube-scheduler', [], 'update', 'leases', { group: 'coordination.k8s.io', namespace: 'kube-system' }), 'system-leader-election'],
  [asked('system:kube-scheduler', [], 'list', 'pods', { namespace: '' }), 'kube-scheduler'],
  [asked('system:kube-controller-manager', [], 'create', 'pods'), 'kube-controller-manager'],
  [asked('system:serviceaccount:kube-system:x', ['system:serviceaccounts:kube-system', 'system:serviceaccounts'], 'get', 'pods'), 'kube-system-service-accounts'],
  [asked('system:serviceaccount:default:x', ['system:serviceaccounts'], 'get', 'pods'), 'service-accounts'],
  [asked('jane', [], 'get', 'pods'), 'global-default'],
])('requests fall under the schemas of a fresh cluster (%#)', (digest, name) => {
  expect(schemaFor(schemas, digest)?.metadata.name).toBe(name)
})

test('who is nobody falls under the last one', () => {
  const nobody = { name: 'system:anonymous', groups: ['system:unauthenticated'] }
  expect(schemaFor(schemas, { user: nobody, verb: 'get', path: '/healthz', target: undefined })?.metadata.name).toBe('probes')
  expect(schemaFor(schemas, { user: nobody, verb: 'get', path: '/x', target: undefined })?.metadata.name).toBe('global-default')
})

test('flows are told apart by user or by namespace', () => {
  const digest = asked('jane', [], 'get', 'pods')
  const schema = schemaFor(schemas, digest)!
  expect(distinguisherOf(schema, digest)).toBe('jane')
  expect(distinguisherOf({ ...schema, spec: { ...schema.spec, distinguisherMethod: { type: 'ByNamespace' } } }, digest)).toBe('default')
})
