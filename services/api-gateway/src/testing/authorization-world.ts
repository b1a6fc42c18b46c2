// A small cluster with roles, bindings, pods and nodes, who asks in it, and what they ask: the same is asked of our
// authorizer, of an oracle, and (conformance/upstream/authorization.ts) of upstream's API server.
import type { PolicyRule } from '@shiplog/api/generated/types/rbac-v1'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { compileLabelSelector } from '@shiplog/api/selectors'
import { bootstrapRoles } from '@shiplog/domain/bootstrap-roles'
import type { User } from '@shiplog/domain/strategy'

const rbac = 'rbac.authorization.k8s.io'
const authenticated = 'system:authenticated'

const named = (apiVersion: string, kind: string, name: string, more: JsonObject = {}, namespace?: string): KubeObject =>
  ({ apiVersion, kind, metadata: { name, ...(namespace ? { namespace } : {}) }, ...more }) as KubeObject
const clusterRole = (name: string, rules: readonly PolicyRule[]): KubeObject =>
  named(`${rbac}/v1`, 'ClusterRole', name, { rules })
const roleIn = (namespace: string, name: string, rules: readonly PolicyRule[]): KubeObject =>
  named(`${rbac}/v1`, 'Role', name, { rules }, namespace)
const subject = (kind: 'User' | 'Group' | 'ServiceAccount', name: string, namespace?: string): JsonObject =>
  kind === 'ServiceAccount' ? { kind, name, namespace } : { kind, name, apiGroup: rbac }
const bindCluster = (name: string, role: string, ...subjects: JsonObject[]): KubeObject =>
  named(`${rbac}/v1`, 'ClusterRoleBinding', name, { subjects, roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: role } })
const bindIn = (namespace: string, name: string, kind: string, role: string, ...subjects: JsonObject[]): KubeObject =>
  named(`${rbac}/v1`, 'RoleBinding', name, { subjects, roleRef: { apiGroup: rbac, kind, name: role } }, namespace)

/** With the rules that the aggregation controller gathers. */
function defaults(): KubeObject[] {
  const all = bootstrapRoles().map((object) => structuredClone(object) as KubeObject)
  for (const name of ['view', 'edit', 'admin']) {
    const role = all.find(({ kind, metadata }) => kind === 'ClusterRole' && metadata.name === name)!
    const chosen = compileLabelSelector(role['aggregationRule'].clusterRoleSelectors[0])
    role['rules'] = all
      .filter(({ kind, metadata }) => kind === 'ClusterRole' && metadata.name !== name && chosen.matches(metadata.labels))
      .flatMap((other) => other['rules'] as PolicyRule[])
  }
  return all
}

/** What this world adds to the default roles. */
export const ownRoles = (): KubeObject[] => [
  bindCluster('alice-is-admin', 'cluster-admin', subject('User', 'alice')),
  bindIn('team-a', 'adam', 'ClusterRole', 'admin', subject('User', 'adam')),
  bindIn('team-a', 'edith', 'ClusterRole', 'edit', subject('User', 'edith')),
  bindIn('team-a', 'victor', 'ClusterRole', 'view', subject('User', 'victor')),
  roleIn('team-a', 'builder', [
    { verbs: ['get', 'list', 'watch', 'create'], apiGroups: [''], resources: ['pods', 'pods/log', 'configmaps'] },
    { verbs: ['*'], apiGroups: ['batch'], resources: ['*'] },
    { verbs: ['get', 'update'], apiGroups: [''], resources: ['secrets'], resourceNames: ['s1', 's2'] },
  ]),
  bindIn('team-a', 'builder', 'Role', 'builder', subject('ServiceAccount', 'builder', 'team-a')),
  bindIn('team-b', 'guest', 'Role', 'builder', subject('ServiceAccount', 'builder', 'team-a')),
  clusterRole('ops', [
    { verbs: ['get', 'update', 'patch'], apiGroups: ['*'], resources: ['*/scale'] },
    { verbs: ['get', 'list'], apiGroups: ['', 'apps'], resources: ['*'] },
    { verbs: ['delete'], apiGroups: [''], resources: ['nodes'], resourceNames: ['n1'] },
    { verbs: ['get', 'post'], nonResourceURLs: ['/debug/*', '/metrics'] },
    { verbs: ['impersonate'], apiGroups: [''], resources: ['users', 'groups'], resourceNames: ['bob', 'dev'] },
  ]),
  bindCluster('ops', 'ops', subject('Group', 'ops'), subject('User', 'nobody')),
  bindIn('team-b', 'ops-accounts', 'ClusterRole', 'view', subject('Group', 'system:serviceaccounts:team-a')),
]

const container = { name: 'c', image: 'x' }
const podOn = (namespace: string, name: string, nodeName: string, spec: JsonObject): KubeObject =>
  named('v1', 'Pod', name, { spec: { nodeName, containers: [container], serviceAccountName: 'default', ...spec } }, namespace)

/** Namespaces first, then what is in them. */
export const ownObjects = (): KubeObject[] => [
  ...['team-a', 'team-b'].map((name) => named('v1', 'Namespace', name)),
  ...['n1', 'n2'].map((name) => named('v1', 'Node', name)),
  ...['team-a', 'team-b'].flatMap((home) => ['default', 'builder'].map((name) => named('v1', 'ServiceAccount', name, {}, home))),
  named(
    'v1',
    'PersistentVolume',
    'pv1',
    {
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        claimRef: { namespace: 'team-a', name: 'claim1' },
        csi: { driver: 'd.test', volumeHandle: 'h', nodePublishSecretRef: { namespace: 'team-b', name: 's4' } },
      },
    },
  ),
  named(
    'v1',
    'PersistentVolumeClaim',
    'claim1',
    { spec: { accessModes: ['ReadWriteOnce'], volumeName: 'pv1', resources: { requests: { storage: '1Gi' } } } },
    'team-a',
  ),
  podOn('team-a', 'p1', 'n1', {
    serviceAccountName: 'builder',
    volumes: [
      { name: 'a', secret: { secretName: 's1' } },
      { name: 'b', persistentVolumeClaim: { claimName: 'claim1' } },
      { name: 'c', projected: { sources: [{ configMap: { name: 'c1' } }] } },
    ],
  }),
  podOn('team-a', 'p2', 'n2', { imagePullSecrets: [{ name: 's2' }] }),
  podOn('team-b', 'p3', 'n1', {
    containers: [{ ...container, env: [{ name: 'E', valueFrom: { secretKeyRef: { name: 's3', key: 'k' } } }] }],
  }),
]

/** All that an authorizer looks at. */
export const worldObjects = (): KubeObject[] => [...defaults(), ...ownRoles(), ...ownObjects()]

/** The gathered rules of the roles that an API server alone leaves empty. */
export const gatheredRoles = (): KubeObject[] =>
  defaults().filter(({ kind, metadata }) => kind === 'ClusterRole' && ['view', 'edit', 'admin'].includes(metadata.name))

const user = (name: string, ...groups: string[]): User => ({ name, groups: [...groups, authenticated] })
const account = (namespace: string, name: string): User =>
  user(`system:serviceaccount:${namespace}:${name}`, 'system:serviceaccounts', `system:serviceaccounts:${namespace}`)

export const identities: readonly User[] = [
  user('root', 'system:masters'),
  user('alice'),
  user('adam'),
  user('edith'),
  user('victor'),
  user('oscar', 'ops'),
  user('bob'),
  account('team-a', 'builder'),
  user('system:node:n1', 'system:nodes'),
  user('system:node:n2', 'system:nodes'),
  account('kube-system', 'deployment-controller'),
  user('system:kube-scheduler'),
  { name: 'system:anonymous', groups: ['system:unauthenticated'] },
]

export interface Question {
  readonly user: User
  readonly verb: string
  readonly group: string
  readonly resource: string
  readonly subresource: string
  readonly namespace: string
  readonly name: string
  readonly fieldSelector?: string
}

export interface PathQuestion {
  readonly user: User
  readonly verb: string
  readonly path: string
}

const verbs = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection', 'impersonate', 'bind']

const namesOf: Readonly<Record<string, readonly string[]>> = {
  secrets: ['s1', 's2', 's3', 's4'],
  configmaps: ['c1', 'other'],
  pods: ['p1', 'p2', 'p3'],
  'pods/status': ['p1', 'p2'],
  nodes: ['n1', 'n2'],
  'nodes/status': ['n1', 'n2'],
  serviceaccounts: ['builder', 'default'],
  'serviceaccounts/token': ['builder', 'default'],
  persistentvolumes: ['pv1', 'pv2'],
  persistentvolumeclaims: ['claim1', 'other'],
  'persistentvolumeclaims/status': ['claim1', 'other'],
  users: ['bob', 'alice'],
  groups: ['dev', 'system:masters'],
}

const resources: readonly (readonly [group: string, resource: string, ...subresources: string[]])[] = [
  ['', 'pods', '', 'status', 'log', 'exec', 'eviction', 'binding', 'proxy', 'resize'],
  ['', 'secrets', ''],
  ['', 'configmaps', ''],
  ['', 'services', '', 'status', 'proxy'],
  ['', 'serviceaccounts', '', 'token'],
  ['', 'namespaces', '', 'finalize'],
  ['', 'nodes', '', 'status', 'proxy', 'metrics'],
  ['', 'persistentvolumes', ''],
  ['', 'persistentvolumeclaims', '', 'status'],
  ['', 'replicationcontrollers', '', 'scale'],
  ['', 'events', ''],
  ['', 'endpoints', ''],
  ['', 'resourcequotas', '', 'status'],
  ['', 'users', ''],
  ['', 'groups', ''],
  ['apps', 'deployments', '', 'scale', 'status'],
  ['apps', 'statefulsets', '', 'scale'],
  ['batch', 'jobs', '', 'status'],
  ['coordination.k8s.io', 'leases', ''],
  ['rbac.authorization.k8s.io', 'roles', ''],
  ['rbac.authorization.k8s.io', 'rolebindings', ''],
  ['rbac.authorization.k8s.io', 'clusterroles', ''],
  ['certificates.k8s.io', 'certificatesigningrequests', '', 'approval'],
  ['certificates.k8s.io', 'signers', ''],
  ['storage.k8s.io', 'csinodes', ''],
  ['storage.k8s.io', 'csidrivers', ''],
  ['storage.k8s.io', 'volumeattachments', ''],
  ['resource.k8s.io', 'resourceclaims', ''],
  ['resource.k8s.io', 'resourceslices', ''],
  ['node.k8s.io', 'runtimeclasses', ''],
  ['authorization.k8s.io', 'selfsubjectaccessreviews', ''],
  ['authentication.k8s.io', 'tokenreviews', ''],
  ['custom.example', 'things', ''],
]

const fieldSelectors: Readonly<Record<string, readonly string[]>> = {
  pods: ['spec.nodeName=n1', 'spec.nodeName=n2,status.phase=Running', 'spec.nodeName!=n1'],
  resourceslices: ['spec.nodeName=n1'],
}

/** Every verb on every resource and subresource, in the cluster and in two namespaces, by every identity. */
export function* questions(): Generator<Question> {
  for (const asker of identities) {
    for (const [group, resource, ...subresources] of resources) {
      for (const subresource of subresources) {
        const full = subresource === '' ? resource : `${resource}/${subresource}`
        for (const verb of verbs) {
          for (const namespace of ['', 'team-a', 'team-b']) {
            const question = { user: asker, verb, group, resource, subresource, namespace }
            for (const name of ['', ...(namesOf[full] ?? ['x'])]) yield { ...question, name }
            if (subresource === '')
              for (const fieldSelector of fieldSelectors[resource] ?? []) yield { ...question, name: '', fieldSelector }
          }
        }
      }
    }
  }
}

const paths = [
  ...['/', '/api', '/api/v1', '/apis', '/apis/apps', '/healthz', '/healthz/ping', '/livez', '/readyz', '/version'],
  ...['/version/', '/openapi', '/openapi/v2', '/openapi/v3/apis/apps/v1', '/metrics', '/metrics/cadvisor', '/debug'],
  ...['/debug/pprof', '/debug/pprof/heap', '/.well-known/openid-configuration', '/openid/v1/jwks', '/logs', '/secret'],
]

export function* pathQuestions(): Generator<PathQuestion> {
  for (const asker of identities)
    for (const path of paths) for (const verb of ['get', 'post', 'head']) yield { user: asker, verb, path }
}

/** Asked of upstream's API server: so many of the questions, spread over all of them. */
export const askedOfUpstream = 2_000

export function upstreamQuestions(): readonly (Question | PathQuestion)[] {
  const all = [...questions()]
  const ofPaths = [...pathQuestions()].filter((_, index) => index % 5 === 0)
  // Nodes are asked for more often: their rights hang by objects.
  const isNode = ({ user: { name } }: Question): boolean => name.startsWith('system:node:')
  const [nodes, others] = [all.filter(isNode), all.filter((question) => !isNode(question))]
  const share = (askedOfUpstream - ofPaths.length) / 2
  return [...spread(nodes, Math.ceil(share)), ...spread(others, Math.floor(share)), ...ofPaths]
}

const spread = <T>(list: readonly T[], count: number): T[] =>
  Array.from({ length: count }, (_, index) => list[Math.floor((index * list.length) / count)]!)
