// Ways to get rights that one does not have, tried on a gateway with its default roles: by roles, bindings, impersonation,
// certificates, tokens, labels of aggregation, and in the name of a node. All are refused, and leave nothing behind.
import { mkdtempSync, rmSync } from 'node:fs'
import { request as httpsRequest } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ApiGateway, createApiGateway } from '@shiplog/api-gateway/api-gateway'
import { bootGateway } from '@shiplog/api-gateway/boot'
import type { JsonObject } from '@shiplog/api/kube-object'
import { devCertificate, devRequest, mastersRequest } from '@shiplog/domain/testing/certificate-requests'
import { defaultIssuer } from '@shiplog/control-plane/identity/token-claims'
import type { ClusterLog } from '@shiplog/events/event-log'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { systemClock as clock } from '@shiplog/runtime/clock'
import { systemIds as ids } from '@shiplog/runtime/ids'
import { silentLogger as logger } from '@shiplog/runtime/logger'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadPki } from './pki.ts'

const directory = mkdtempSync(join(tmpdir(), 'shiplog-power-'))
const tokens = `
eve-token,eve,1
adam-token,adam,2
edith-token,edith,3
roger-token,roger,4
nina-token,nina,5
ian-token,ian,6
node-token,system:node:n1,7,"system:nodes"
false-node-token,system:node:n1,8
root-token,root,9,"system:masters"
`

let log: ClusterLog
let gateway: ApiGateway
let ca: string

const rbac = '/apis/rbac.authorization.k8s.io/v1'
const rbacApi = 'rbac.authorization.k8s.io'
const core = '/api/v1'
const inTeam = `${core}/namespaces/team-a`
const role = (name: string, rules: JsonObject[], more: JsonObject = {}): JsonObject => ({ metadata: { name, ...more }, rules })
const everything = [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }]
const secrets = [{ verbs: ['get'], apiGroups: [''], resources: ['secrets'] }]
const bind = (name: string, kind: string, to: string, user: string): JsonObject => ({
  metadata: { name },
  roleRef: { apiGroup: rbacApi, kind, name: to },
  subjects: [{ apiGroup: rbacApi, kind: 'User', name: user }],
})
const pod = (name: string, nodeName: string, more: JsonObject = {}): JsonObject => ({
  metadata: { name },
  spec: { nodeName, containers: [{ name: 'c', image: 'x' }], ...more },
})

const world: readonly (readonly [path: string, body: JsonObject])[] = [
  [`${core}/namespaces`, { metadata: { name: 'team-a' } }],
  ...['n1', 'n2'].map((name) => [`${core}/nodes`, { metadata: { name } }] as const),
  ...['default', 'builder'].map((name) => [`${inTeam}/serviceaccounts`, { metadata: { name } }] as const),
  [`${core}/namespaces/kube-system/serviceaccounts`, { metadata: { name: 'clusterrole-aggregation-controller' } }],
  [`${inTeam}/secrets`, { metadata: { name: 's1' } }],
  [`${inTeam}/secrets`, { metadata: { name: 's2' } }],
  [`${inTeam}/pods`, pod('p1', 'n1', { volumes: [{ name: 'v', secret: { secretName: 's1' } }] })],
  [`${inTeam}/pods`, pod('p2', 'n2', { volumes: [{ name: 'v', secret: { secretName: 's2' } }] })],
  [`${rbac}/namespaces/team-a/rolebindings`, bind('adam', 'ClusterRole', 'admin', 'adam')],
  [`${rbac}/namespaces/team-a/rolebindings`, bind('edith', 'ClusterRole', 'edit', 'edith')],
  [
    `${rbac}/clusterroles`,
    role('role-writer', [
      { verbs: ['create', 'update', 'patch', 'get'], apiGroups: [rbacApi], resources: ['*'] },
      { verbs: ['get'], apiGroups: [''], resources: ['pods'] },
    ]),
  ],
  [`${rbac}/clusterrolebindings`, bind('roger', 'ClusterRole', 'role-writer', 'roger')],
  [`${rbac}/clusterroles`, role('small', [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }])],
  [
    `${rbac}/clusterroles`,
    role('request-writer', [
      { verbs: ['*'], apiGroups: ['certificates.k8s.io'], resources: ['certificatesigningrequests', 'certificatesigningrequests/*'] },
      { verbs: ['update', 'patch'], apiGroups: ['certificates.k8s.io'], resources: ['certificatesigningrequests/approval', 'certificatesigningrequests/status'] },
    ]),
  ],
  [`${rbac}/clusterrolebindings`, bind('nina', 'ClusterRole', 'request-writer', 'nina')],
  [
    `${rbac}/clusterroles`,
    role('bob-only', [{ verbs: ['impersonate'], apiGroups: [''], resources: ['users'], resourceNames: ['bob'] }]),
  ],
  [`${rbac}/clusterrolebindings`, bind('ian', 'ClusterRole', 'bob-only', 'ian')],
]

interface Attempt {
  readonly as: string
  readonly method?: string
  readonly path: string
  readonly body?: JsonObject
  readonly headers?: Record<string, string>
}

function send({ as, method = 'GET', path, body, headers = {} }: Attempt): Promise<{ code: number; text: string }> {
  return new Promise((resolve, reject) => {
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
    const all = { authorization: `Bearer ${as}-token`, 'content-type': type, ...headers }
    const call = httpsRequest({ host: '127.0.0.1', port: gateway.port, path, method, ca, headers: all, agent: false }, (answer) => {
      const pieces: Buffer[] = []
      answer.on('data', (piece: Buffer) => pieces.push(piece))
      answer.on('end', () => resolve({ code: answer.statusCode!, text: Buffer.concat(pieces).toString() }))
    })
    call.on('error', reject)
    call.end(body && JSON.stringify(body))
  })
}

beforeAll(async () => {
  const pki = loadPki({ directory: join(directory, 'pki'), nowMs: clock.nowMs() })
  ca = pki.ca
  log = await openSqliteClusterLog({ dataDir: ':memory:' })
  gateway = createApiGateway({
    ...{ log, clock, ids, logger, tokenFile: tokens.trim() },
    serviceAccounts: { issuers: [defaultIssuer], signingKey: pki.serviceAccountKey },
    https: { host: '127.0.0.1', port: 0, ca, cert: pki.server.certificate, key: pki.server.key },
  })
  const boot = bootGateway({ gateway, clock, logger, address: '127.0.0.1', keepSystemObjects: false })
  await boot.start()
  await boot.finish()
  // The aggregation controller is not here: what it gathers is written down.
  const rules = await rulesOf('system:aggregate-to-admin', 'system:aggregate-to-edit', 'system:aggregate-to-view')
  for (const name of ['admin', 'edit']) {
    const own = name === 'admin' ? rules.flat() : rules.slice(1).flat()
    await must({ as: 'root', method: 'PATCH', path: `${rbac}/clusterroles/${name}`, body: { rules: own } })
  }
  for (const [path, body] of world) await must({ as: 'root', method: 'POST', path, body })
  for (const [name, request] of [['req', devRequest]] as const) {
    const spec = { request: Buffer.from(request).toString('base64'), signerName: 'kubernetes.io/kube-apiserver-client', usages: ['client auth'] }
    await must({ as: 'nina', method: 'POST', path: requests, body: { metadata: { name }, spec } })
  }
}, 60_000)

const requests = '/apis/certificates.k8s.io/v1/certificatesigningrequests'
const rulesOf = (...names: string[]): Promise<JsonObject[][]> =>
  Promise.all(names.map(async (name) => JSON.parse(await must({ as: 'root', path: `${rbac}/clusterroles/${name}` })).rules))

async function must(attempt: Attempt): Promise<string> {
  const { code, text } = await send(attempt)
  if (code >= 300) throw new Error(`${attempt.method ?? 'GET'} ${attempt.path}: ${code} ${text}`)
  return text
}

afterAll(async () => {
  await gateway?.stop()
  await log?.close()
  rmSync(directory, { recursive: true, force: true })
})

const be = (user: string, ...groups: string[]): Record<string, string> => ({
  'impersonate-user': user,
  ...(groups[0] ? { 'impersonate-group': groups[0] } : {}),
})
const csr = (name: string, pem: string, signerName: string, usages = ['client auth']): JsonObject => ({
  metadata: { name },
  spec: { request: Buffer.from(pem).toString('base64'), signerName, usages },
})
const boundTo = (name: string, uid = 'u'): JsonObject => ({ spec: { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid } } })
const approved = { status: { conditions: [{ type: 'Approved', status: 'True', reason: 'r', message: '' }] } }
const aggregateTo = (name: string): JsonObject => ({ labels: { [`rbac.authorization.k8s.io/aggregate-to-${name}`]: 'true' } })
const rolesIn = `${rbac}/namespaces/team-a/roles`
const bindingsIn = `${rbac}/namespaces/team-a/rolebindings`

const attempts: readonly (readonly [what: string, attempt: Attempt])[] = [
  ['a role with all rights, by who may write roles', { as: 'roger', method: 'POST', path: `${rbac}/clusterroles`, body: role('x', everything) }],
  ['a role with one right too many', { as: 'roger', method: 'POST', path: rolesIn, body: role('x', secrets) }],
  ['a right more for a role', { as: 'roger', method: 'PATCH', path: `${rbac}/clusterroles/small`, body: { rules: secrets } }],
  ['a right more for one\'s own role', { as: 'roger', method: 'PATCH', path: `${rbac}/clusterroles/role-writer`, body: { rules: everything } }],
  ['all paths', { as: 'roger', method: 'POST', path: `${rbac}/clusterroles`, body: role('x', [{ verbs: ['*'], nonResourceURLs: ['*'] }]) }],
  ['the right to escalate', { as: 'roger', method: 'POST', path: `${rbac}/clusterroles`, body: role('x', [{ verbs: ['escalate', 'bind'], apiGroups: [rbacApi], resources: ['clusterroles'] }]) }],
  ['a role that aggregates all others', { as: 'roger', method: 'POST', path: `${rbac}/clusterroles`, body: { metadata: { name: 'x' }, aggregationRule: { clusterRoleSelectors: [{}] } } }],
  ['an aggregation for a role that is there', { as: 'roger', method: 'PATCH', path: `${rbac}/clusterroles/small`, body: { aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] } } }],
  ['rights for admins by a label', { as: 'roger', method: 'POST', path: `${rbac}/clusterroles`, body: role('x', secrets, aggregateTo('view')) }],
  ['cluster-admin by a binding', { as: 'roger', method: 'POST', path: `${rbac}/clusterrolebindings`, body: bind('x', 'ClusterRole', 'cluster-admin', 'roger') }],
  ['cluster-admin in a namespace', { as: 'roger', method: 'POST', path: bindingsIn, body: bind('x', 'ClusterRole', 'cluster-admin', 'roger') }],
  ['a role with more rights by a binding', { as: 'roger', method: 'POST', path: bindingsIn, body: bind('x', 'ClusterRole', 'edit', 'roger') }],
  ['a binding of others for oneself', { as: 'roger', method: 'PATCH', path: `${rbac}/clusterrolebindings/cluster-admin`, body: { subjects: bind('x', '', '', 'roger')['subjects'] } }],
  ['one\'s namespace\'s admin of the cluster', { as: 'adam', method: 'POST', path: `${rbac}/clusterrolebindings`, body: bind('x', 'ClusterRole', 'admin', 'adam') }],
  ['cluster-admin in one\'s namespace', { as: 'adam', method: 'POST', path: bindingsIn, body: bind('x', 'ClusterRole', 'cluster-admin', 'adam') }],
  ['rights over nodes in one\'s namespace', { as: 'adam', method: 'POST', path: rolesIn, body: role('x', [{ verbs: ['get'], apiGroups: [''], resources: ['nodes/proxy'] }]) }],
  ['rights over quotas in one\'s namespace', { as: 'adam', method: 'POST', path: rolesIn, body: role('x', [{ verbs: ['delete'], apiGroups: [''], resources: ['resourcequotas'] }]) }],
  ['a role by an editor', { as: 'edith', method: 'POST', path: rolesIn, body: role('x', []) }],
  ['a binding by an editor', { as: 'edith', method: 'POST', path: bindingsIn, body: bind('x', 'ClusterRole', 'edit', 'eve') }],
  ['to be root', { as: 'eve', path: `${core}/nodes`, headers: be('root') }],
  ['to be in system:masters', { as: 'ian', path: `${core}/nodes`, headers: be('bob', 'system:masters') }],
  ['to be somebody else than allowed', { as: 'ian', path: `${core}/nodes`, headers: be('alice') }],
  ['to be bob with another uid', { as: 'ian', path: `${core}/nodes`, headers: { ...be('bob'), 'impersonate-uid': '1' } }],
  ['to be bob with extras', { as: 'ian', path: `${core}/nodes`, headers: { ...be('bob'), 'impersonate-extra-scopes': 'x' } }],
  ['to be a node by an account\'s rights', { as: 'edith', path: `${core}/nodes/n1`, headers: be('system:node:n1', 'system:nodes') }],
  ['to be an account of the system', { as: 'edith', path: `${core}/secrets`, headers: be('system:serviceaccount:kube-system:clusterrole-aggregation-controller') }],
  ['a token of an account of the system', { as: 'edith', method: 'POST', path: `${core}/namespaces/kube-system/serviceaccounts/clusterrole-aggregation-controller/token`, body: { spec: {} } }],
  ['a token of any account', { as: 'eve', method: 'POST', path: `${inTeam}/serviceaccounts/builder/token`, body: { spec: {} } }],
  ['a secret with the token of an account of the system', { as: 'edith', method: 'POST', path: `${core}/namespaces/kube-system/secrets`, body: { metadata: { name: 'x', annotations: { 'kubernetes.io/service-account.name': 'clusterrole-aggregation-controller' } }, type: 'kubernetes.io/service-account-token' } }],
  ['a certificate for system:masters', { as: 'nina', method: 'POST', path: requests, body: csr('x', mastersRequest, 'kubernetes.io/kube-apiserver-client') }],
  ['to approve one\'s own certificate', { as: 'nina', method: 'PATCH', path: `${requests}/req/approval`, body: approved }],
  ['to sign one\'s own certificate', { as: 'nina', method: 'PATCH', path: `${requests}/req/status`, body: { status: { certificate: Buffer.from(devCertificate).toString('base64') } } }],
  ['a secret of another node\'s pod', { as: 'node', path: `${inTeam}/secrets/s2` }],
  ['all secrets, as a node', { as: 'node', path: `${inTeam}/secrets` }],
  ['the pods of all nodes, as a node', { as: 'node', path: `${core}/pods` }],
  ['the pods of another node, as a node', { as: 'node', path: `${core}/pods?fieldSelector=spec.nodeName%3Dn2` }],
  ['another node, as a node', { as: 'node', method: 'PATCH', path: `${core}/nodes/n2/status`, body: { status: { capacity: { cpu: '1' } } } }],
  ['a label that draws workloads, as a node', { as: 'node', method: 'PATCH', path: `${core}/nodes/n1`, body: { metadata: { labels: { 'node-restriction.kubernetes.io/x': 'y' } } } }],
  ['a role of nodes, as a node', { as: 'node', method: 'PATCH', path: `${core}/nodes/n1`, body: { metadata: { labels: { 'node-role.kubernetes.io/control-plane': '' } } } }],
  ['to be rid of taints, as a node', { as: 'node', method: 'PATCH', path: `${core}/nodes/n1`, body: { spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } } }],
  ['a pod that is no mirror, as a node', { as: 'node', method: 'POST', path: `${inTeam}/pods`, body: pod('x', 'n1') }],
  ['a mirror pod with a secret, as a node', { as: 'node', method: 'POST', path: `${inTeam}/pods`, body: { ...pod('x', 'n1', { volumes: [{ name: 'v', secret: { secretName: 's2' } }] }), metadata: { name: 'x', annotations: { 'kubernetes.io/config.mirror': 'x' } } } }],
  ['to delete another node\'s pod, as a node', { as: 'node', method: 'DELETE', path: `${inTeam}/pods/p2` }],
  ['to evict another node\'s pod, as a node', { as: 'node', method: 'POST', path: `${inTeam}/pods/p2/eviction`, body: { metadata: { name: 'p2' } } }],
  ['the status of another node\'s pod, as a node', { as: 'node', method: 'PATCH', path: `${inTeam}/pods/p2/status`, body: { status: { phase: 'Failed' } } }],
  ['other labels for one\'s pods, as a node', { as: 'node', method: 'PATCH', path: `${inTeam}/pods/p1/status`, body: { metadata: { labels: { app: 'web' } } } }],
  ['a token for a pod of another node, as a node', { as: 'node', method: 'POST', path: `${inTeam}/serviceaccounts/default/token`, body: boundTo('p2') }],
  ['a token that is bound to nothing, as a node', { as: 'node', method: 'POST', path: `${inTeam}/serviceaccounts/default/token`, body: { spec: {} } }],
  ['a token of an account of no pod of it, as a node', { as: 'node', method: 'POST', path: `${inTeam}/serviceaccounts/builder/token`, body: boundTo('p1') }],
  ['a certificate of another node, as a node', { as: 'node', method: 'POST', path: requests, body: csr('x', devRequest, 'kubernetes.io/kube-apiserver-client-kubelet') }],
  ['the Lease of another node, as a node', { as: 'node', method: 'POST', path: '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases', body: { metadata: { name: 'n2' } } }],
  ['a node\'s rights by its name alone', { as: 'false-node', path: `${core}/nodes/n1` }],
  ['a node through its proxy', { as: 'edith', path: `${core}/nodes/n1/proxy/pods` }],
  ['metrics', { as: 'eve', path: '/metrics' }],
  ['the log itself', { as: 'adam', path: '/shiplog/v1/events' }],
  ['a record of the scheduler', { as: 'adam', method: 'POST', path: '/shiplog/v1/attempts', body: {} }],
  ['secrets of the past', { as: 'eve', path: `/at/5${inTeam}/secrets/s1` }],
]

test('forty and more ways to gain power are refused', async () => {
  expect(attempts.length).toBeGreaterThanOrEqual(40)
  const before = await must({ as: 'root', path: `${rbac}/clusterroles` })
  const through: string[] = []
  for (const [what, attempt] of attempts) {
    const { code, text } = await send(attempt)
    if (code !== 403) through.push(`${what}: ${code} ${text.slice(0, 300)}`)
  }
  expect(through).toEqual([])
  const after = await must({ as: 'root', path: `${rbac}/clusterroles` })
  const rulesIn = (text: string): unknown => JSON.parse(text).items.map(({ metadata, rules }: JsonObject) => [metadata.name, rules])
  expect(rulesIn(after)).toEqual(rulesIn(before))
}, 60_000)

test('what each of them may do is done: it is not that nothing works', async () => {
  const uid = JSON.parse(await must({ as: 'root', path: `${inTeam}/pods/p1` })).metadata.uid
  const allowed: readonly Attempt[] = [
    { as: 'roger', method: 'POST', path: `${rbac}/clusterroles`, body: role('own', [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }]) },
    { as: 'roger', method: 'POST', path: bindingsIn, body: bind('own', 'ClusterRole', 'own', 'eve') },
    { as: 'adam', method: 'POST', path: bindingsIn, body: bind('own-2', 'ClusterRole', 'edit', 'eve') },
    { as: 'edith', method: 'POST', path: `${inTeam}/serviceaccounts/builder/token`, body: { spec: {} } },
    { as: 'ian', path: '/api', headers: be('bob') },
    { as: 'node', path: `${inTeam}/secrets/s1` },
    { as: 'node', method: 'POST', path: `${inTeam}/serviceaccounts/default/token`, body: boundTo('p1', uid) },
    { as: 'node', method: 'PATCH', path: `${inTeam}/pods/p1/status`, body: { status: { phase: 'Running' } } },
  ]
  for (const attempt of allowed) await must(attempt)
})
