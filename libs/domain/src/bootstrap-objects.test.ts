import { expect, test } from 'vitest'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { apiServerEndpoints, bootstrapObjects } from './bootstrap-objects.ts'
import { validateObjectMeta } from './metadata-validation.ts'
import { strategyFor } from './strategies.ts'
import { heldBy, testContext } from './testing/objects.ts'

const resources: Readonly<Record<string, string>> = {
  Namespace: 'namespaces',
  PriorityClass: 'priorityclasses.scheduling.k8s.io',
  Service: 'services',
  Endpoints: 'endpoints',
  EndpointSlice: 'endpointslices.discovery.k8s.io',
  ClusterRole: 'clusterroles.rbac.authorization.k8s.io',
  ClusterRoleBinding: 'clusterrolebindings.rbac.authorization.k8s.io',
  Role: 'roles.rbac.authorization.k8s.io',
  ConfigMap: 'configmaps',
  RoleBinding: 'rolebindings.rbac.authorization.k8s.io',
  FlowSchema: 'flowschemas.flowcontrol.apiserver.k8s.io',
  PriorityLevelConfiguration: 'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io',
  APIService: 'apiservices.apiregistration.k8s.io',
  ServiceCIDR: 'servicecidrs.networking.k8s.io',
}

test('a fresh cluster has namespaces, priority classes and its own service', () => {
  const names = bootstrapObjects({ apiServers: [{ address: '10.0.0.9', port: 6443 }], nowMs: 0 }).map(
    (draft) => `${draft['kind']}/${draft['metadata'].name}`,
  )
  const others = /^(ClusterRole|Role|FlowSchema|PriorityLevel|APIService)/
  expect(names.filter((name) => !others.test(name))).toEqual([
    'Namespace/default',
    'Namespace/kube-system',
    'Namespace/kube-public',
    'Namespace/kube-node-lease',
    'PriorityClass/system-node-critical',
    'PriorityClass/system-cluster-critical',
    'ConfigMap/kube-apiserver-legacy-service-account-token-tracking',
    'ServiceCIDR/kubernetes',
    'Service/kubernetes',
    'Endpoints/kubernetes',
    'EndpointSlice/kubernetes',
  ])
})

test.each(['127.0.0.1', '10.0.0.9'])('all of them pass their own rules with the API server at %s', (address) => {
  for (const draft of bootstrapObjects({ apiServers: [{ address, port: 6443 }], nowMs: 0 }) as KubeObject[]) {
    const strategy = strategyFor(resources[draft.kind]!)
    strategy.setDefaults?.(draft)
    strategy.prepareForCreate?.(draft, testContext())
    const namespaced = draft.metadata.namespace !== undefined
    expect(validateObjectMeta(draft, { namespaced, validateName: strategy.validateName })).toEqual([])
    expect(strategy.validate?.(draft) ?? []).toEqual([])
    const change = strategy.allocate?.(draft, undefined, heldBy(), testContext())
    if (draft.kind === 'Service') expect(change?.take).toEqual(['clusterip/10.96.0.1'])
  }
})

test('every binding binds a role that is there, and of the roles of components only those of absent ones are bound to nobody', () => {
  const drafts = bootstrapObjects({ apiServers: [{ address: '10.0.0.9', port: 6443 }], nowMs: 0 })
  const namesOf = (kind: string): string[] =>
    drafts.filter((draft) => draft['kind'] === kind).map((draft) => String(draft.metadata.name))
  for (const scope of ['Cluster', '']) {
    const bindings = drafts.filter((draft) => draft['kind'] === `${scope}RoleBinding`)
    const roles = namesOf(`${scope}Role`)
    expect(bindings.filter((binding) => !roles.includes(binding['roleRef'].name))).toEqual([])
  }
  const unbound = namesOf('ClusterRole').filter((name) => !namesOf('ClusterRoleBinding').includes(name))
  expect(unbound.filter((name) => !name.startsWith('system:certificates.k8s.io'))).toEqual([
    'system:aggregate-to-admin',
    'system:aggregate-to-edit',
    'system:aggregate-to-view',
    'system:aggregated-metrics-reader',
    'system:auth-delegator',
    'system:heapster',
    'system:kube-aggregator',
    'system:kubelet-api-admin',
    'system:node-bootstrapper',
    'system:node-problem-detector',
    'system:persistent-volume-provisioner',
    'admin',
    'edit',
    'view',
  ])
})

test('nobody but the administrators can write roles or read Secrets, the controller manager apart', () => {
  const drafts = bootstrapObjects({ apiServers: [{ address: '10.0.0.9', port: 6443 }], nowMs: 0 })
  const mayAll = drafts
    .filter((draft) => draft['kind'] === 'ClusterRole')
    .filter((role) =>
      (role['rules'] as { resources?: string[] }[]).some((rule) =>
        rule.resources?.some((resource) => ['*', 'secrets', 'clusterroles', 'roles'].includes(resource)),
      ),
    )
    .map((role) => role['metadata'].name)
  expect(mayAll).toEqual([
    'cluster-admin',
    'system:kube-controller-manager',
    'system:node',
    'system:aggregate-to-admin',
    'system:aggregate-to-edit',
    'system:controller:clusterrole-aggregation-controller',
    'system:controller:generic-garbage-collector',
    'system:controller:horizontal-pod-autoscaler',
    'system:controller:legacy-service-account-token-cleaner',
    'system:controller:namespace-controller',
    'system:controller:resourcequota-controller',
  ])
})

test('API servers that serve on several ports or families have slices of their own, in one order', () => {
  const places = [
    { address: '10.0.0.9', port: 6444 },
    { address: '10.0.0.8', port: 6443 },
    { address: 'fd00::1', port: 6443 },
    { address: '10.0.0.7', port: 6443 },
    { address: '10.0.0.8', port: 6443 },
  ]
  const [endpoints, ...slices]: JsonObject[] = apiServerEndpoints(places)
  expect(apiServerEndpoints([...places].reverse())).toEqual([endpoints, ...slices])
  expect(endpoints!['subsets']).toEqual([
    {
      addresses: [{ ip: '10.0.0.7' }, { ip: '10.0.0.8' }, { ip: 'fd00::1' }],
      ports: [{ name: 'https', port: 6443, protocol: 'TCP' }],
    },
    { addresses: [{ ip: '10.0.0.9' }], ports: [{ name: 'https', port: 6444, protocol: 'TCP' }] },
  ])
  expect(slices.map((slice) => [slice['metadata'].name, slice['addressType'], slice['endpoints'].length])).toEqual([
    ['kubernetes', 'IPv4', 2],
    ['kubernetes-ipv6-6443', 'IPv6', 1],
    ['kubernetes-ipv4-6444', 'IPv4', 1],
  ])
})
