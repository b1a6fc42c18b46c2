import { builtInRegistry } from '@shiplog/api/schema/registry'
import { apiVersionOf, groupResourceOf } from '@shiplog/api/schema/schema'
import { describe, expect, test } from 'vitest'
import { selectableField } from './field-labels.ts'
import { strategyFor } from './strategies.ts'

const kindOf = (apiVersion: string, kind: string) => {
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion]
  return { group: group!, version: version!, kind }
}
const meaning = (apiVersion: string, kind: string, label: string): string => {
  const found = selectableField(kindOf(apiVersion, kind), label)
  return 'field' in found ? found.field : found.refusal
}

test.each([
  ['v1', 'Event', 'involvedObject.kind', 'involvedObject.kind'],
  ['v1', 'Event', 'reportingComponent', 'reportingComponent'],
  ['v1', 'Event', 'reportingController', 'field label not supported: reportingController'],
  ['v1', 'Event', 'regarding.kind', 'field label not supported: regarding.kind'],
  ['events.k8s.io/v1', 'Event', 'regarding.kind', 'involvedObject.kind'],
  ['events.k8s.io/v1', 'Event', 'reportingController', 'reportingComponent'],
  ['events.k8s.io/v1', 'Event', 'involvedObject.kind', 'field label not supported: involvedObject.kind'],
  ['events.k8s.io/v1', 'Event', 'source', 'field label not supported: source'],
  ['v1', 'Pod', 'spec.host', 'spec.nodeName'],
  ['v1', 'Pod', 'status.podIPs', 'status.podIPs'],
  ['v1', 'Pod', 'spec.priority', 'field label not supported: spec.priority'],
  ['v1', 'Node', 'metadata.namespace', 'field label not supported: metadata.namespace'],
  ['v1', 'Namespace', 'name', 'field label not supported: name'],
  ['batch/v1', 'Job', 'status.failed', 'field label "status.failed" not supported for Job'],
  [
    'apps/v1',
    'ReplicaSet',
    'status.replicas',
    '"status.replicas" is not a known field selector: only "metadata.name", "metadata.namespace"',
  ],
  ['rbac.authorization.k8s.io/v1', 'ClusterRole', 'metadata.namespace', 'metadata.namespace'],
  ['resource.k8s.io/v1', 'ResourceSlice', 'spec.driver', 'spec.driver'],
  [
    'resource.k8s.io/v1',
    'ResourceSlice',
    'spec.pool',
    'field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: spec.pool',
  ],
])('%s %s: %s', (apiVersion, kind, label, expected) => {
  expect(meaning(apiVersion, kind, label)).toBe(expected)
})

describe('what may be selected by', () => {
  const kinds = builtInRegistry().resources.filter(({ stored }) => stored)
  test.each(
    kinds.map((info) => [`${apiVersionOf(info.group, info.version)} ${info.kind}`, info] as const),
  )('of %s is a field that its objects have', (_, info) => {
    const strategy = strategyFor(groupResourceOf(info.storageGroup, info.resource))
    const object = { apiVersion: 'v1', kind: info.kind, metadata: { name: 'a', uid: 'u', creationTimestamp: '' } }
    for (const field of Object.keys(strategy.selectableFields?.(object) ?? {})) {
      const labels = [field, field.replace('involvedObject', 'regarding'), field.replace('Component', 'Controller')]
      const known = labels.some((label) => 'field' in selectableField(info, label))
      // The newer Event group has no name for the old source.
      expect([field, known || (info.group === 'events.k8s.io' && field === 'source')]).toEqual([field, true])
    }
  })
})

test.each([
  ['v1', 'Pod', 'pods', 'spec.nodeName'],
  ['v1', 'Node', 'nodes', 'spec.unschedulable'],
  ['v1', 'Namespace', 'namespaces', 'status.phase'],
  ['v1', 'ReplicationController', 'replicationcontrollers', 'status.replicas'],
  ['v1', 'Secret', 'secrets', 'type'],
  ['v1', 'Service', 'services', 'spec.clusterIP'],
  ['v1', 'Event', 'events', 'involvedObject.kind'],
  ['batch/v1', 'Job', 'jobs.batch', 'status.successful'],
  ['certificates.k8s.io/v1', 'CertificateSigningRequest', 'certificatesigningrequests.certificates.k8s.io', 'spec.signerName'],
  ['resource.k8s.io/v1', 'ResourceSlice', 'resourceslices.resource.k8s.io', 'spec.driver'],
])('the strategy of %s %s gives what its label stands for', (apiVersion, kind, groupResource, label) => {
  const object = { apiVersion, kind, metadata: { name: 'a', uid: 'u', creationTimestamp: '' } }
  const fields = strategyFor(groupResource).selectableFields?.(object as never) ?? {}
  expect(Object.keys(fields)).toContain(meaning(apiVersion, kind, label))
})
