// The roles and bindings that a cluster has from its first second, under upstream's names and with upstream's rules: for
// people (cluster-admin, admin, edit, view, system:discovery, …) and for the components, which need rights as soon as they
// run apart from the gateway. The rules of admin, edit and view are gathered by the clusterrole-aggregation controller from
// the roles that are labelled for it.
//
// A rule is a line: `<verbs> <groups> <resources>`, each a list; `core` is the group without a name, and a resource may
// say one name (`leases=kube-scheduler`).
import { controllerRoles } from './bootstrap-controller-roles.ts'
import type { Manifest } from '@shiplog/api/decoded'
import type { ObjectMeta } from '@shiplog/api/kube-object'
import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  Subject,
} from '@shiplog/api/generated/types/rbac-v1'

const read = 'get,list,watch'
const write = 'create,delete,deletecollection,patch,update'
const all = 'create,delete,deletecollection,get,list,patch,update,watch'
const work = 'get,list,patch,update,watch'
const events = 'create,patch,update core,events.k8s.io events'
const electing = [
  'create,get,list,update,watch coordination.k8s.io leases',
  'create,get,list,update,watch coordination.k8s.io leasecandidates',
]
const requests = 'system:certificates.k8s.io:certificatesigningrequests'
const controllerManager = 'system:kube-controller-manager'
/** Our controllers' rights beside those of upstream's. */
const ownWork = 'shiplog:kube-controller-manager'
const scheduler = 'system:kube-scheduler'

const roles: Readonly<Record<string, readonly string[]>> = {
  'cluster-admin': ['* * *', '* *'],
  'system:basic-user': [
    'create authorization.k8s.io selfsubjectaccessreviews,selfsubjectrulesreviews',
    'create authentication.k8s.io selfsubjectreviews',
  ],
  'system:discovery': ['get /api,/api/*,/apis,/apis/*,/healthz,/livez,/openapi,/openapi/*,/readyz,/version,/version/'],
  'system:public-info-viewer': ['get /healthz,/livez,/readyz,/version,/version/'],
  'system:monitoring': [
    'get /flagz,/healthz,/healthz/*,/livez,/livez/*,/metrics,/metrics/slis,/readyz,/readyz/*,/statusz',
    'get core nodes/metrics',
  ],
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
  // What upstream's API server does itself.
  [ownWork]: [
    'create,delete networking.k8s.io ipaddresses',
    'patch,update flowcontrol.apiserver.k8s.io flowschemas/status,prioritylevelconfigurations/status',
  ],
  [scheduler]: [
    events,
    'create coordination.k8s.io leases',
    'get,list,update,watch coordination.k8s.io leases=kube-scheduler',
    `${all} coordination.k8s.io leasecandidates`,
    `${read} core nodes`,
    `delete,${read} core pods`,
    'create core bindings,pods/binding',
    'patch,update core pods/status',
    `${read} core replicationcontrollers,services`,
    `${read} apps,extensions replicasets`,
    `${read} apps statefulsets`,
    `${read} policy poddisruptionbudgets`,
    `${read} scheduling.k8s.io podgroups`,
    'patch,update scheduling.k8s.io podgroups/status',
    `${read} core persistentvolumeclaims,persistentvolumes`,
    'create authentication.k8s.io tokenreviews',
    'create authorization.k8s.io subjectaccessreviews',
    `${read} storage.k8s.io csinodes`,
    `${read} storage.k8s.io volumeattachments`,
    `${read} core namespaces`,
    `${read} storage.k8s.io csidrivers`,
    `${read} storage.k8s.io csistoragecapacities`,
    `${read} resource.k8s.io deviceclasses`,
    `${work} resource.k8s.io resourceclaims`,
    `${work} resource.k8s.io resourceclaims/status`,
    'update core pods/finalizers',
    `${read} resource.k8s.io resourceslices`,
    'create,delete resource.k8s.io resourceclaims',
    'patch,update resource.k8s.io resourceclaims/binding',
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
    'get resource.k8s.io resourceclaims',
    'deletecollection resource.k8s.io resourceslices',
    'get core serviceaccounts',
  ],
  'system:aggregate-to-admin': [
    'create authorization.k8s.io localsubjectaccessreviews',
    `${all} rbac.authorization.k8s.io rolebindings,roles`,
  ],
  'system:aggregate-to-edit': [
    `${read} core pods/attach,pods/exec,pods/portforward,pods/proxy,secrets,services/proxy`,
    'impersonate core serviceaccounts',
    `${write} core pods,pods/attach,pods/exec,pods/portforward,pods/proxy`,
    'create core pods/eviction',
    `${write} core configmaps,persistentvolumeclaims,replicationcontrollers,replicationcontrollers/scale,secrets,serviceaccounts,services,services/proxy`,
    'create core serviceaccounts/token',
    `${write} core,events.k8s.io events`,
    `${write} apps daemonsets,deployments,deployments/rollback,deployments/scale,replicasets,replicasets/scale,statefulsets,statefulsets/scale`,
    `${write} autoscaling horizontalpodautoscalers`,
    `${write} batch cronjobs,jobs`,
    `${write} extensions daemonsets,deployments,deployments/rollback,deployments/scale,ingresses,networkpolicies,replicasets,replicasets/scale,replicationcontrollers/scale`,
    `${write} policy poddisruptionbudgets`,
    `${write} networking.k8s.io ingresses,networkpolicies`,
    `${all} coordination.k8s.io leases`,
    `${write} resource.k8s.io resourceclaims,resourceclaimtemplates`,
    `${write} scheduling.k8s.io podgroups,workloads`,
  ],
  'system:aggregate-to-view': [
    `${read} core configmaps,endpoints,persistentvolumeclaims,persistentvolumeclaims/status,pods,replicationcontrollers,replicationcontrollers/scale,serviceaccounts,services,services/status`,
    `${read} core bindings,limitranges,namespaces/status,pods/log,pods/status,replicationcontrollers/status,resourcequotas,resourcequotas/status`,
    `${read} core namespaces`,
    `${read} core,events.k8s.io events`,
    `${read} discovery.k8s.io endpointslices`,
    `${read} apps controllerrevisions,daemonsets,daemonsets/status,deployments,deployments/scale,deployments/status,replicasets,replicasets/scale,replicasets/status,statefulsets,statefulsets/scale,statefulsets/status`,
    `${read} autoscaling horizontalpodautoscalers,horizontalpodautoscalers/status`,
    `${read} batch cronjobs,cronjobs/status,jobs,jobs/status`,
    `${read} extensions daemonsets,daemonsets/status,deployments,deployments/scale,deployments/status,ingresses,ingresses/status,networkpolicies,replicasets,replicasets/scale,replicasets/status,replicationcontrollers/scale`,
    `${read} policy poddisruptionbudgets,poddisruptionbudgets/status`,
    `${read} networking.k8s.io ingresses,ingresses/status,networkpolicies`,
    `${read} resource.k8s.io resourceclaims,resourceclaims/status,resourceclaimtemplates`,
    `${read} scheduling.k8s.io podgroups,podgroups/status,workloads`,
  ],
  // Upstream's metrics server brings it along.
  'system:aggregated-metrics-reader': [`${read} metrics.k8s.io nodes,pods`],
  'system:auth-delegator': [
    'create authentication.k8s.io tokenreviews',
    'create authorization.k8s.io subjectaccessreviews',
  ],
  [`${requests}:nodeclient`]: ['create certificates.k8s.io certificatesigningrequests/nodeclient'],
  [`${requests}:selfnodeclient`]: ['create certificates.k8s.io certificatesigningrequests/selfnodeclient'],
  ...Object.fromEntries(
    ['kube-apiserver-client', 'kube-apiserver-client-kubelet', 'kubelet-serving', 'legacy-unknown'].map((signer) => [
      `system:certificates.k8s.io:${signer}-approver`,
      [`approve certificates.k8s.io signers=kubernetes.io/${signer}`],
    ]),
  ),
  'system:heapster': [`${read} core events,namespaces,nodes,pods`, `${read} extensions deployments`],
  'system:kube-aggregator': [`${read} core endpoints,services`],
  'system:kube-dns': ['list,watch core endpoints,services'],
  'system:kubelet-api-admin': [
    `${read} core nodes`,
    'proxy core nodes',
    '* core nodes/log,nodes/metrics,nodes/proxy,nodes/stats',
    '* core nodes/configz,nodes/healthz,nodes/pods',
  ],
  'system:node-bootstrapper': [`create,${read} certificates.k8s.io certificatesigningrequests`],
  'system:node-problem-detector': ['get core nodes', 'patch core nodes/status', events],
  'system:node-proxier': [
    'list,watch core endpoints,services',
    `${read} core nodes`,
    events,
    'list,watch networking.k8s.io servicecidrs',
    'list,watch discovery.k8s.io endpointslices',
  ],
  'system:persistent-volume-provisioner': [
    `create,delete,${read} core persistentvolumes`,
    'get,list,update,watch core persistentvolumeclaims',
    `${read} storage.k8s.io storageclasses`,
    'watch core events',
    events,
  ],
  'system:service-account-issuer-discovery': [
    'get /.well-known/openid-configuration,/.well-known/openid-configuration/,/openid/v1/jwks,/openid/v1/jwks/',
  ],
  'system:volume-scheduler': [
    `${work} core persistentvolumes`,
    `${read} storage.k8s.io storageclasses`,
    `${work} core persistentvolumeclaims`,
  ],
}

/** Roles that others are gathered into, and into which of them each is gathered. */
const aggregateTo = (name: string): string => `rbac.authorization.k8s.io/aggregate-to-${name}`
const aggregated = ['admin', 'edit', 'view'] as const
const gatheredInto: Readonly<Record<string, string>> = {
  edit: 'admin',
  view: 'edit',
  'system:aggregate-to-admin': 'admin',
  'system:aggregate-to-edit': 'edit',
  'system:aggregate-to-view': 'view',
  'system:aggregated-metrics-reader': 'view',
}

/** In the namespaces where the components keep what only they need. */
const namespacedRoles: readonly (readonly [namespace: string, name: string, lines: readonly string[]])[] = [
  [
    'kube-public',
    'system:controller:bootstrap-signer',
    [`${read} core configmaps`, 'update core configmaps=cluster-info', events],
  ],
  [
    'kube-system',
    'extension-apiserver-authentication-reader',
    [`${read} core configmaps=extension-apiserver-authentication`],
  ],
  ['kube-system', 'system::leader-locking-kube-controller-manager', electing],
  ['kube-system', 'system::leader-locking-kube-scheduler', electing],
  ['kube-system', 'system:controller:bootstrap-signer', [`${read} core secrets`]],
  ['kube-system', 'system:controller:cloud-provider', [`create,${read} core configmaps`]],
  ['kube-system', 'system:controller:token-cleaner', [`delete,${read} core secrets`, events]],
]

const group = 'rbac.authorization.k8s.io'
type Metadata = Partial<ObjectMeta>

const metadata = (name: string): Metadata => ({
  name,
  labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' },
  annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' },
})

const ruleOf = (line: string): PolicyRule => {
  const [verbs = [], groups = [], resources] = line.split(' ').map((list) => list.split(','))
  if (resources === undefined) return { verbs, nonResourceURLs: groups }
  const [resource = '', name] = resources[0]!.split('=')
  return {
    verbs,
    apiGroups: groups.map((each) => (each === 'core' ? '' : each)),
    resources: name === undefined ? resources : [resource],
    ...(name === undefined ? {} : { resourceNames: name.split('|') }),
  }
}

const clusterRole = (name: string, lines: readonly string[]): Manifest<ClusterRole> => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRole',
  metadata: labelledFor(gatheredInto[name], metadata(name)),
  rules: lines.map(ruleOf),
})

const role = (namespace: string, name: string, lines: readonly string[]): Manifest<Role> => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'Role',
  metadata: labelledFor(gatheredInto[name], { ...metadata(name), namespace }),
  rules: lines.map(ruleOf),
})

const labelledFor = (target: string | undefined, meta: Metadata): Metadata =>
  target === undefined ? meta : { ...meta, labels: { ...meta.labels, [aggregateTo(target)]: 'true' } }

/** A role whose rules are those of the roles that are labelled for it. */
const aggregate = (name: string): Manifest<ClusterRole> => ({
  ...clusterRole(name, []),
  aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [aggregateTo(name)]: 'true' } }] },
})

const binding = (
  name: string,
  subjects: Subject[],
  namespace?: string,
  roleName = name,
): Manifest<RoleBinding | ClusterRoleBinding> => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: namespace === undefined ? 'ClusterRoleBinding' : 'RoleBinding',
  metadata: { ...metadata(name), ...(namespace === undefined ? {} : { namespace }) },
  roleRef: { apiGroup: group, kind: namespace === undefined ? 'ClusterRole' : 'Role', name: roleName },
  subjects,
})

const accounts = (...names: string[]): Subject[] =>
  names.map((name) => ({ kind: 'ServiceAccount', name, namespace: 'kube-system' }))
const users = (...names: string[]): Subject[] => names.map((name) => ({ apiGroup: group, kind: 'User', name }))
const groups = (...names: string[]): Subject[] => names.map((name) => ({ apiGroup: group, kind: 'Group', name }))

/** What every node may do, but for what the Node authorizer knows better. */
export const nodeRules = (): PolicyRule[] => (roles['system:node'] ?? []).map(ruleOf)

/** Of upstream's controllers those that are here, or are to be: they speak as their manager. */
const ownControllers: ReadonlySet<string> = new Set([
  'certificate-controller',
  'clusterrole-aggregation-controller',
  'cronjob-controller',
  'daemon-set-controller',
  'deployment-controller',
  'disruption-controller',
  'endpoint-controller',
  'endpointslice-controller',
  'endpointslicemirroring-controller',
  'ephemeral-volume-controller',
  'expand-controller',
  'generic-garbage-collector',
  'horizontal-pod-autoscaler',
  'job-controller',
  'legacy-service-account-token-cleaner',
  'namespace-controller',
  'node-controller',
  'persistent-volume-binder',
  'pod-garbage-collector',
  'pv-protection-controller',
  'pvc-protection-controller',
  'replicaset-controller',
  'replication-controller',
  'resource-claim-controller',
  'resourcequota-controller',
  'root-ca-cert-publisher',
  'service-account-controller',
  'service-cidrs-controller',
  'service-controller',
  'statefulset-controller',
  'ttl-after-finished-controller',
  'ttl-controller',
  'validatingadmissionpolicy-status-controller',
  'volumeattributesclass-protection-controller',
])

/** Roles first, then who has them. */
export const bootstrapRoles = (): Manifest<Role | ClusterRole | RoleBinding | ClusterRoleBinding>[] => [
  ...Object.entries(roles).map(([name, lines]) => clusterRole(name, lines)),
  ...aggregated.map(aggregate),
  ...Object.entries(controllerRoles).map(([name, lines]) => clusterRole(`system:controller:${name}`, lines)),
  ...namespacedRoles.map(([namespace, name, lines]) => role(namespace, name, lines)),
  binding('cluster-admin', groups('system:masters')),
  binding('system:basic-user', groups('system:authenticated')),
  binding('system:discovery', groups('system:authenticated')),
  binding('system:public-info-viewer', groups('system:authenticated', 'system:unauthenticated')),
  binding('system:monitoring', groups('system:monitoring')),
  binding(controllerManager, users(controllerManager)),
  binding(ownWork, users(controllerManager)),
  binding(scheduler, users(scheduler)),
  binding('system:kube-dns', accounts('kube-dns')),
  binding('system:node', []),
  binding('system:node-proxier', users('system:kube-proxy')),
  binding('system:service-account-issuer-discovery', groups('system:serviceaccounts')),
  binding('system:volume-scheduler', users(scheduler)),
  binding(
    'system:controller:bootstrap-signer',
    [...accounts('bootstrap-signer'), ...users(controllerManager)],
    'kube-public',
  ),
  binding(
    'system::extension-apiserver-authentication-reader',
    users(controllerManager, scheduler),
    'kube-system',
    'extension-apiserver-authentication-reader',
  ),
  binding(
    'system::leader-locking-kube-controller-manager',
    [...users(controllerManager), ...accounts('kube-controller-manager', 'leader-election-controller')],
    'kube-system',
  ),
  binding('system::leader-locking-kube-scheduler', [...users(scheduler), ...accounts('kube-scheduler')], 'kube-system'),
  binding('system:controller:cloud-provider', accounts('cloud-provider'), 'kube-system'),
  ...['bootstrap-signer', 'token-cleaner'].map((name) =>
    binding(`system:controller:${name}`, [...accounts(name), ...users(controllerManager)], 'kube-system'),
  ),
  // Upstream's controllers may each use a service account of its own; ours all speak as their manager.
  ...Object.keys(controllerRoles).map((name) =>
    binding(`system:controller:${name}`, [
      ...accounts(name),
      ...(ownControllers.has(name) ? users(controllerManager) : []),
    ]),
  ),
]
