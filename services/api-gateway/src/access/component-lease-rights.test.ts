import type { KubeObject } from '@shiplog/api/kube-object'
import type { AdmissionAttributes } from '@shiplog/domain/admission'
import { expect, test } from 'vitest'
import { allowsComponentLease, componentLeaseNames } from './component-lease-rights.ts'

const scheduler = { name: 'system:kube-scheduler', groups: ['system:authenticated'] }
const projector = { name: 'system:shiplog-projector', groups: ['system:authenticated'] }
const agent = { name: 'system:node:node-7', groups: ['system:nodes', 'system:authenticated'] }
const person = { name: 'jane', groups: ['system:authenticated'] }
const lease = { group: 'coordination.k8s.io', resource: 'leases', subresource: '', namespace: 'kube-system' }

const allowed = (user: typeof person, verb: string, name: string, more: Partial<typeof lease> = {}): boolean =>
  allowsComponentLease({ user, verb, name, ...lease, ...more })

test('a component may do what it needs with the Leases that bear its name, and with no others', () => {
  for (const verb of ['get', 'update', 'delete']) {
    expect(allowed(scheduler, verb, 'kube-scheduler-one')).toBe(true)
    expect(allowed(projector, verb, 'shiplog-projector-one')).toBe(true)
    expect(allowed(agent, verb, 'node-agent-node-7')).toBe(true)
    expect(allowed(projector, verb, 'kube-scheduler-one')).toBe(false)
    expect(allowed(projector, verb, 'shiplog-projector')).toBe(false)
    expect(allowed(agent, verb, 'node-agent-node-70')).toBe(false)
    expect(allowed(person, verb, 'kube-scheduler-one')).toBe(false)
  }
  expect(allowed(projector, 'get', 'shiplog-projector-one', { namespace: 'default' })).toBe(false)
  expect(allowed(projector, 'get', 'shiplog-projector-one', { resource: 'secrets', group: '' })).toBe(false)
  expect(allowed(projector, 'deletecollection', '')).toBe(false)
  expect([allowed(scheduler, 'list', ''), allowed(agent, 'list', ''), allowed(person, 'list', '')]).toEqual([
    true,
    false,
    false,
  ])
})

test('a component creates no Lease under the name of another', () => {
  const create = (user: typeof person, name: string): void =>
    componentLeaseNames.validate!(
      {
        ...lease,
        user,
        operation: 'CREATE',
        name: '',
        dryRun: false,
        before: undefined,
        object: { metadata: { name } } as KubeObject,
      } satisfies AdmissionAttributes,
      { get: () => undefined, list: () => [] },
    )
  create(projector, 'shiplog-projector-one')
  create(scheduler, 'kube-scheduler-one')
  create(agent, 'node-agent-node-7')
  create(person, 'whatever')
  expect(() => create(scheduler, 'kube-scheduler')).toThrow('cannot hold the Lease of another')
  expect(() => create(projector, 'kube-scheduler-one')).toThrow('cannot hold the Lease of another')
  expect(() => create(agent, 'node-agent-node-8')).toThrow('cannot hold the Lease of another')
})
