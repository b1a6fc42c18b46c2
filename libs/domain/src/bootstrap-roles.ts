// The roles and bindings that a cluster has from its first second, under upstream's names and with upstream's rules: for
// people (cluster-admin, system:discovery, system:basic-user, system:public-info-viewer) and for the components, which
// need rights as soon as they run apart from the gateway. Roles of controllers that do not exist here are left out.
//
// A rule is a line: `<verbs> <groups> <resources>`, each a list; `core` is the group without a name, and a resource may
// say one name (`leases=kube-scheduler`).
import type { JsonObject } from '@shiplog/api/kube-object'

const read = 'get,list,watch'
const events = 'create,patch,update core,events.k8s.io events'
const controllerManager = 'system:kube-controller-manager'
const scheduler = 'system:kube-scheduler'

const roles: Readonly<Record<string, readonly string[]>> = {
  'cluster-admin': ['* * *', '* *'],
  'system:basic-user': [
    'create authorization.k8s.io selfsubjectaccessreviews,selfsubjectrulesreviews',
    'create authentication.k8s.io selfsubjectreviews',
  ],
  'system:discovery': ['get /api,/api/*,/apis,/apis/*,/healthz,/livez,/openapi,/openapi/*,/readyz,/version,/version/'],
  'system:public-info-viewer': ['get /healthz,/livez,/readyz,/version,/version/'],
  'system:monitoring': ['get /healthz,/healthz/*,/livez,/livez/*,/metrics,/metrics/slis,/readyz,/readyz/*'],
  [controllerManager]: [
    events,
    'create coordination.k8s.io leases',
    'get,update coordination.k8s.io leases=kube-controller-manager',
    'create core secrets,serviceaccounts',
    'delete core secrets',
    'get core configmaps,namespaces,secrets,serviceaccounts',
    'update core secrets,serviceaccounts',
    'create authentication.k8s.io tokenreviews',
    'create authorization.k8s.io subjectaccessreviews',
    'list,watch * *',
    'create core serviceaccounts/token',
  ],
  [scheduler]: [
    events,
    'create coordination.k8s.io leases',
    'get,list,update,watch coordination.k8s.io leases=kube-scheduler',
    `${read} core nodes`,
    `delete,${read} core pods`,
    'create core bindings,pods/binding',
    'patch,update core pods/status',
    `${read} core replicationcontrollers,services`,
    `${read} apps,extensions replicasets`,
    `${read} apps statefulsets`,
    `${read} policy poddisruptionbudgets`,
    `${read} core persistentvolumeclaims,persistentvolumes`,
    'create authentication.k8s.io tokenreviews',
    'create authorization.k8s.io subjectaccessreviews',
    `${read} storage.k8s.io csinodes`,
    `${read} core namespaces`,
    `${read} storage.k8s.io csidrivers`,
    `${read} storage.k8s.io csistoragecapacities`,
  ],
  // Bound to nobody: what nodes may do is for the Node authorizer to say, which knows whose pod it is.
  'system:node': [
    'create authentication.k8s.io tokenreviews',
    'create authorization.k8s.io localsubjectaccessreviews,subjectaccessreviews',
    `${read} core services`,
    `create,${read} core nodes`,
    'patch,update core nodes/status',
    'patch,update core nodes',
    events,
    `${read} core pods`,
    'create,delete core pods',
    'patch,update core pods/status',
    'create core pods/eviction',
    `${read} core configmaps,secrets`,
    'get core persistentvolumeclaims,persistentvolumes',
    'get core endpoints',
    `create,${read} certificates.k8s.io certificatesigningrequests`,
    'create,delete,get,patch,update coordination.k8s.io leases',
    `get storage.k8s.io volumeattachments`,
    'create core serviceaccounts/token',
    'get,patch,update core persistentvolumeclaims/status',
    `${read} storage.k8s.io csidrivers`,
    'create,delete,get,patch,update storage.k8s.io csinodes',
    `${read} node.k8s.io runtimeclasses`,
  ],
}

/** By the name of the controller, without `system:controller:`. */
const controllerRoles: Readonly<Record<string, readonly string[]>> = {
  'deployment-controller': [
    'get,list,update,watch apps,extensions deployments',
    'update apps,extensions deployments/status',
    'update apps,extensions deployments/finalizers',
    `create,delete,${read},patch,update apps,extensions replicasets`,
    'get,list,update,watch core pods',
    events,
  ],
  'endpoint-controller': [
    `${read} core pods,services`,
    `create,delete,${read},update core endpoints`,
    'create core endpoints/restricted',
    events,
  ],
  'endpointslice-controller': [
    `${read} core nodes,pods,services`,
    'update core services/finalizers',
    `create,delete,${read},update discovery.k8s.io endpointslices`,
    events,
  ],
  'generic-garbage-collector': [`delete,${read},patch,update * *`, events],
  'job-controller': [
    `${read},patch,update batch jobs`,
    'update batch jobs/status',
    'update batch jobs/finalizers',
    'create,delete,list,patch,watch core pods',
    events,
  ],
  'namespace-controller': [
    `delete,${read} core namespaces`,
    'update core namespaces/finalize,namespaces/status',
    `delete,deletecollection,${read} * *`,
  ],
  'node-controller': [
    `delete,${read},patch,update core nodes`,
    'patch,update core nodes/status',
    'patch,update core pods/status',
    `delete,${read} core pods`,
    events,
  ],
  'pod-garbage-collector': ['delete,list,watch core pods', `${read} core nodes`, 'patch core pods/status'],
  'replicaset-controller': [
    'get,list,update,watch apps,extensions replicasets',
    'update apps,extensions replicasets/status',
    'update apps,extensions replicasets/finalizers',
    'create,delete,list,patch,watch core pods',
    events,
  ],
  'root-ca-cert-publisher': ['create,update core configmaps', events],
  'service-account-controller': ['create core serviceaccounts', events],
  'ttl-after-finished-controller': [`delete,${read} batch jobs`, events],
}

const group = 'rbac.authorization.k8s.io'
const metadata = (name: string): JsonObject => ({
  name,
  labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' },
  annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' },
})

const ruleOf = (line: string): JsonObject => {
  const [verbs, groups, resources] = line.split(' ').map((list) => list.split(','))
  if (resources === undefined) return { verbs, nonResourceURLs: groups }
  const [resource = '', name] = resources[0]!.split('=')
  return {
    verbs,
    apiGroups: groups!.map((each) => (each === 'core' ? '' : each)),
    resources: name === undefined ? resources : [resource],
    ...(name === undefined ? {} : { resourceNames: [name] }),
  }
}

const role = (name: string, lines: readonly string[]): JsonObject => ({
  apiVersion: `${group}/v1`,
  kind: 'ClusterRole',
  metadata: metadata(name),
  rules: lines.map(ruleOf),
})

const binding = (name: string, subjects: readonly JsonObject[]): JsonObject => ({
  apiVersion: `${group}/v1`,
  kind: 'ClusterRoleBinding',
  metadata: metadata(name),
  roleRef: { apiGroup: group, kind: 'ClusterRole', name },
  subjects,
})

const users = (...names: string[]): JsonObject[] => names.map((name) => ({ apiGroup: group, kind: 'User', name }))
const groups = (...names: string[]): JsonObject[] => names.map((name) => ({ apiGroup: group, kind: 'Group', name }))

/** Roles first, then who has them. */
export const bootstrapRoles = (): JsonObject[] => [
  ...Object.entries(roles).map(([name, lines]) => role(name, lines)),
  ...Object.entries(controllerRoles).map(([name, lines]) => role(`system:controller:${name}`, lines)),
  binding('cluster-admin', groups('system:masters')),
  binding('system:basic-user', groups('system:authenticated')),
  binding('system:discovery', groups('system:authenticated')),
  binding('system:public-info-viewer', groups('system:authenticated', 'system:unauthenticated')),
  binding('system:monitoring', groups('system:monitoring')),
  binding(controllerManager, users(controllerManager)),
  binding(scheduler, users(scheduler)),
  // Upstream's controllers may each use a service account of its own; ours all speak as their manager.
  ...Object.keys(controllerRoles).map((name) =>
    binding(`system:controller:${name}`, [
      { kind: 'ServiceAccount', name, namespace: 'kube-system' },
      ...users(controllerManager),
    ]),
  ),
]
