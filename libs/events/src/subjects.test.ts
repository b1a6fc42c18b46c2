import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeToken, encodeToken, objectSubject, parseObjectSubject } from './subjects.ts'

test.each([
  ['evt.apps.deployments.default.web', { group: 'apps', resource: 'deployments', namespace: 'default', name: 'web' }],
  ['evt.core.nodes._.node-0', { group: '', resource: 'nodes', namespace: '', name: 'node-0' }],
  [
    'evt.rbac%2Eauthorization%2Ek8s%2Eio.clusterroles._.system%3Anode',
    { group: 'rbac.authorization.k8s.io', resource: 'clusterroles', namespace: '', name: 'system:node' },
  ],
  ['evt.core.configmaps._.%5F', { group: '', resource: 'configmaps', namespace: '', name: '_' }],
  [
    'lease.kube-node-lease.node-0',
    { group: 'coordination.k8s.io', resource: 'leases', namespace: 'kube-node-lease', name: 'node-0' },
  ],
  ['oev.default.web%2E17', { group: '', resource: 'events', namespace: 'default', name: 'web.17' }],
])('%s is an address, and the address is that subject', (subject, address) => {
  expect(parseObjectSubject(subject)).toEqual(address)
  expect(objectSubject(address)).toBe(subject)
})

test.each([
  'guard.clusterip.10%2E96%2E0%2E10',
  'dec.default-scheduler.default.web',
  'seal.events',
  'evt.core.pods.default',
  'evt.core.pods',
  'evt.core',
  'evt.',
  'evt.core.pods.default.web.more',
  'lease.default',
  'lease.default.a.b',
  'oev.default',
  'event.core.pods.default.web',
])('%s is no address', (subject) => {
  expect(parseObjectSubject(subject)).toBeUndefined()
})

test('any names come back as they were', () => {
  const text = fc.string({ minLength: 1, unit: 'grapheme' }).filter((name) => name.isWellFormed())
  fc.assert(
    fc.property(text, fc.oneof(fc.constant(''), text), (name, namespace) => {
      const address = { group: 'apps', resource: 'deployments', namespace, name }
      expect(parseObjectSubject(objectSubject(address))).toEqual(address)
      expect(decodeToken(encodeToken(name))).toBe(name)
    }),
  )
})
