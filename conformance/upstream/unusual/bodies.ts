// Bodies of creates and updates: broken, of another kind, with what only the server may say, with numbers and texts at edges.
import type { Any } from '../../src/case.ts'
import { apps, configMaps, core } from './fixtures.ts'
import type { Unusual } from './requests.ts'

const post = (name: string, body: unknown, path = `${configMaps}?dryRun=All`): Unusual => ({
  name: `create ${name}`,
  request: { method: 'POST', path, body, headers: { 'content-type': 'application/json' } },
})
const put = (name: string, body: unknown, path = `${configMaps}/a?dryRun=All`): Unusual => ({
  name: `update ${name}`,
  request: { method: 'PUT', path, body, headers: { 'content-type': 'application/json' } },
})
const configMap = (metadata: Any, more: Any = {}): Any => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata, ...more })
const made = { name: 'made' }
const uid = '00000000-0000-4000-8000-000000000000'
const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'a', uid }

const raw = [
  ...['', ' ', 'null', '[]', '""', '"x"', '1', 'true', '{', '{}', '{"a"}', '{"metadata":}', '{}{}', '{} x', '\u0000', '\ufeff{}', "{'a':1}", '{"a":1,}', '// x', '{"kind":1}', '{"apiVersion":{}}', '{"kind":null}'],
  ...['{"metadata":null}', '{"metadata":"x"}', '{"metadata":[]}', '{"metadata":{"name":1}}', '{"metadata":{"name":null}}', '{"metadata":{"name":"made"},"data":null}', '{"metadata":{"name":"made"},"data":[]}'],
  ...['{"metadata":{"name":"made"},"data":{"a":1}}', '{"metadata":{"name":"made"},"data":{"a":null}}', '{"metadata":{"name":"made"},"data":{"a":"\\ud800"}}', '{"metadata":{"name":"made"},"data":{"a":"\\u0000"}}'],
  ...['{"metadata":{"name":"made","name":"other"}}', '{"metadata":{"name":"made"},"metadata":{"name":"other"}}', '{"Metadata":{"name":"made"}}', '{"metadata":{"Name":"made"}}', '{"METADATA":{"NAME":"made"}}'],
  ...['{"metadata":{"name":"made","labels":{"a":1}}}', '{"metadata":{"name":"made","labels":[]}}', '{"metadata":{"name":"made","generation":"1"}}', '{"metadata":{"name":"made","generation":1.5}}', '{"metadata":{"name":"made","generation":1e3}}', '{"metadata":{"name":"made","generation":9223372036854775808}}', '{"metadata":{"name":"made","deletionGracePeriodSeconds":-1}}'],
  ...['{"metadata":{"name":"made","creationTimestamp":"yesterday"}}', '{"metadata":{"name":"made","creationTimestamp":1}}', '{"metadata":{"name":"made","creationTimestamp":""}}', '{"metadata":{"name":"made","creationTimestamp":"2026-01-01T00:00:00+01:00"}}', '{"metadata":{"name":"made","finalizers":"x"}}', '{"metadata":{"name":"made","ownerReferences":{}}}'],
  '{"metadata":{"name":"made"},"immutable":"yes"}',
  '{"metadata":{"name":"made"},"binaryData":{"a":"not base64!"}}',
  `{"metadata":{"name":"made"},"data":${'{"a":'.repeat(50)}1${'}'.repeat(50)}}`,
]

const metadata: readonly (readonly [name: string, metadata: Any])[] = [
  ['without a name', {}],
  ['with an empty name', { name: '' }],
  ['with a long name', { name: 'n'.repeat(254) }],
  ['with a longest name', { name: 'n'.repeat(253) }],
  ['with capitals', { name: 'Made' }],
  ['with a slash', { name: 'a/b' }],
  ['with dots', { name: '..' }],
  ['with spaces', { name: ' made ' }],
  ['with a name in another script', { name: 'имя' }],
  ['with a name of a digit', { name: '1' }],
  ['with a long prefix', { generateName: `${'g'.repeat(80)}-` }],
  ['with a prefix that is none', { generateName: 'G_' }],
  ['with another namespace', { ...made, namespace: 'other' }],
  ['with an empty namespace', { ...made, namespace: '' }],
  ['with a uid', { ...made, uid }],
  ['with a resource version', { ...made, resourceVersion: '1' }],
  ['with a resource version of zero', { ...made, resourceVersion: '0' }],
  ['with a resource version that is none', { ...made, resourceVersion: 'abc' }],
  ['with a generation', { ...made, generation: 7 }],
  ['with a negative generation', { ...made, generation: -7 }],
  ['with a link to itself', { ...made, selfLink: '/x' }],
  ['with a time of deletion', { ...made, deletionTimestamp: '2026-01-01T00:00:00Z' }],
  ['with a grace', { ...made, deletionGracePeriodSeconds: 5 }],
  ['with a time of creation', { ...made, creationTimestamp: '2001-01-01T00:00:00Z' }],
  ['with managed fields', { ...made, managedFields: [{ manager: 'x', operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: {} }] }],
  ['with managed fields of no operation', { ...made, managedFields: [{ manager: 'x' }] }],
  ['with managed fields of another type', { ...made, managedFields: [{ manager: 'x', operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV2' }] }],
  ['with a cluster name', { ...made, clusterName: 'x' }],
  ['with a finalizer that is none', { ...made, finalizers: ['x y'] }],
  ['with a finalizer twice', { ...made, finalizers: ['a.b/c', 'a.b/c'] }],
  ['with an unqualified finalizer', { ...made, finalizers: ['nobody'] }],
  ['with both finalizers of deletion', { ...made, finalizers: ['orphan', 'foregroundDeletion'] }],
  ['with an owner without a uid', { ...made, ownerReferences: [{ ...owner, uid: '' }] }],
  ['with an owner without a name', { ...made, ownerReferences: [{ ...owner, name: '' }] }],
  ['with an owner of no version', { ...made, ownerReferences: [{ ...owner, apiVersion: '' }] }],
  ['with an owner of a strange version', { ...made, ownerReferences: [{ ...owner, apiVersion: 'a/b/c' }] }],
  ['with an event as owner', { ...made, ownerReferences: [{ ...owner, kind: 'Event' }] }],
  ['with two controllers', { ...made, ownerReferences: [{ ...owner, controller: true }, { ...owner, name: 'b', uid: `${uid.slice(0, -1)}1`, controller: true }] }],
  ['with one owner twice', { ...made, ownerReferences: [owner, owner] }],
  ['with a blocked owner', { ...made, ownerReferences: [{ ...owner, blockOwnerDeletion: true }] }],
  ['with a label of no name', { ...made, labels: { '': 'x' } }],
  ['with a label of a strange name', { ...made, labels: { 'a/b/c': 'x' } }],
  ['with a label of a long value', { ...made, labels: { a: 'x'.repeat(64) } }],
  ['with a label of a strange value', { ...made, labels: { a: 'x y' } }],
  ['with an annotation of a strange name', { ...made, annotations: { 'a b': 'x' } }],
  ['with annotations too long', { ...made, annotations: { a: 'x'.repeat(256 * 1024) } }],
  ['with annotations just long enough', { ...made, annotations: { a: 'x'.repeat(256 * 1024 - 1) } }],
]

const objects: readonly (readonly [name: string, object: Any])[] = [
  ['of another kind', { apiVersion: 'v1', kind: 'Secret', metadata: made }],
  ['of another version', { apiVersion: 'v2', kind: 'ConfigMap', metadata: made }],
  ['of another group', { apiVersion: 'apps/v1', kind: 'ConfigMap', metadata: made }],
  ['of an unknown kind', { apiVersion: 'v1', kind: 'Foo', metadata: made }],
  ['of no kind', { apiVersion: 'v1', metadata: made }],
  ['of no version', { kind: 'ConfigMap', metadata: made }],
  ['of a strange version', { apiVersion: 'a/b/c', kind: 'ConfigMap', metadata: made }],
  ['as a list', { apiVersion: 'v1', kind: 'List', items: [configMap(made)] }],
  ['as a list of its kind', { apiVersion: 'v1', kind: 'ConfigMapList', items: [configMap(made)] }],
  ['as a Status', { apiVersion: 'v1', kind: 'Status', status: 'Failure' }],
  ['as DeleteOptions', { apiVersion: 'v1', kind: 'DeleteOptions' }],
  ['with a key that is none', configMap(made, { data: { 'a/b': 'x' } })],
  ['with an empty key', configMap(made, { data: { '': 'x' } })],
  ['with keys of the prototype', configMap(made, { data: JSON.parse('{"__proto__":"x","constructor":"y","toString":"z"}') })],
  ['with one key in data and binaryData', configMap(made, { data: { a: 'x' }, binaryData: { a: 'eA==' } })],
  ['with a megabyte', configMap(made, { data: { a: 'x'.repeat(1024 * 1024 + 1) } })],
  ['with unknown fields', configMap(made, { spec: {}, Data: {}, foo: { bar: [] } })],
]

const updates: readonly (readonly [name: string, object: Any])[] = [
  ['without a name', configMap({})],
  ['with another name', configMap({ name: 'b' })],
  ['with another namespace', configMap({ name: 'a', namespace: 'other' })],
  ['without a version', configMap({ name: 'a' })],
  ['with a version of zero', configMap({ name: 'a', resourceVersion: '0' })],
  ['with an empty version', configMap({ name: 'a', resourceVersion: '' })],
  ['with an old version', configMap({ name: 'a', resourceVersion: '1' })],
  ['with a future version', configMap({ name: 'a', resourceVersion: '999999999' })],
  ['with a version that is none', configMap({ name: 'a', resourceVersion: 'abc' })],
  ['with another uid', configMap({ name: 'a', uid })],
  ['with another kind', { ...configMap({ name: 'a' }), kind: 'Secret' }],
  ['with a time of deletion', configMap({ name: 'a', deletionTimestamp: '2026-01-01T00:00:00Z' })],
  ['with another time of creation', configMap({ name: 'a', creationTimestamp: '2001-01-01T00:00:00Z' })],
  ['with a generation', configMap({ name: 'a', generation: 5 })],
  ['with a prefix', configMap({ name: 'a', generateName: 'x-' })],
  ['with a grace', configMap({ name: 'a', deletionGracePeriodSeconds: 5 })],
  ['with a link to itself', configMap({ name: 'a', selfLink: '/x' })],
  ['with no managed fields', configMap({ name: 'a', managedFields: [] })],
  ['with an empty entry of managed fields', configMap({ name: 'a', managedFields: [{}] })],
]

export const bodies: readonly Unusual[] = [
  ...raw.map((text) => post(`${text.length > 90 ? `${text.slice(0, 60)}…` : JSON.stringify(text)}`, text)),
  ...['', 'null', '[]', '{}', '{"metadata":{}}', '{'].map((text) => put(JSON.stringify(text), text)),
  ...metadata.map(([name, one]) => post(name, configMap(one))),
  ...objects.map(([name, object]) => post(name, object)),
  ...updates.map(([name, object]) => put(name, object)),
  put('of a missing object', configMap({ name: 'none' }), `${configMaps}/none?dryRun=All`),
  put('of a missing object with a uid', configMap({ name: 'none', uid }), `${configMaps}/none?dryRun=All`),
  put('of a missing object with a version', configMap({ name: 'none', resourceVersion: '5' }), `${configMaps}/none?dryRun=All`),
  put('of a missing service', { apiVersion: 'v1', kind: 'Service', metadata: { name: 'none' }, spec: { clusterIP: 'None' } }, `${core}/services/none?dryRun=All`),
  put('of a missing lease', { metadata: { name: 'none' } }, `/apis/coordination.k8s.io/v1/namespaces/unusual/leases/none?dryRun=All`),
  put('of a missing lease with a version', { metadata: { name: 'none', resourceVersion: '5' } }, `/apis/coordination.k8s.io/v1/namespaces/unusual/leases/none?dryRun=All`),
  put('of a missing lease with a uid', { metadata: { name: 'none', uid } }, `/apis/coordination.k8s.io/v1/namespaces/unusual/leases/none?dryRun=All`),
  put('of a missing cluster role', { metadata: { name: 'none' }, rules: [] }, `/apis/rbac.authorization.k8s.io/v1/clusterroles/none?dryRun=All`),
  post('in a namespace that is missing', configMap(made), '/api/v1/namespaces/none/configmaps?dryRun=All'),
  post('in all namespaces', configMap({ ...made, namespace: 'unusual' }), '/api/v1/configmaps?dryRun=All'),
  post('of a node in a namespace', { metadata: { name: 'n', namespace: 'unusual' } }, '/api/v1/nodes?dryRun=All'),
  post('of what is there', configMap({ name: 'a' })),
  post('of what is there, by prefix too', configMap({ name: 'a', generateName: 'b' })),
  ...['metadata', 'spec', 'status'].map((key) => post(`of a deployment with an empty ${key}`, { metadata: made, spec: { selector: { matchLabels: { a: 'b' } }, template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'm', image: 'i' }] } } }, [key]: {} }, `${apps}/deployments?dryRun=All`)),
  ...[1e10, -1, 2147483648, 1.5, '3', true, null, [], {}].map((replicas) =>
    post(`of a deployment of ${JSON.stringify(replicas)} replicas`, { metadata: made, spec: { replicas, selector: { matchLabels: { a: 'b' } }, template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'm', image: 'i' }] } } } }, `${apps}/deployments?dryRun=All`),
  ),
  ...['x', 1, 1.5, '1e400', '-1', '', null, '1Ki1', ' 1', '0x1', '1e', {}, '9999999999999999999999', '.5', '5.', '1E3', '1e3', '+1'].map((cpu) =>
    post(`of a pod that wants ${JSON.stringify(cpu)} cpu`, { metadata: made, spec: { containers: [{ name: 'm', image: 'i', resources: { requests: { cpu } } }] } }, `${core}/pods?dryRun=All`),
  ),
  ...[0, 65536, '80', -1, 1.5, null, '80x', '', 'http', 'a_b', 99999999999].map((targetPort) =>
    post(`of a service to port ${JSON.stringify(targetPort)}`, { metadata: made, spec: { clusterIP: 'None', ports: [{ port: 80, targetPort }] } }, `${core}/services?dryRun=All`),
  ),
  ...[{}, { spec: {} }, { spec: { resourceAttributes: {}, nonResourceAttributes: { path: '/' } } }, { spec: { user: 'bob' } }, { spec: { resourceAttributes: { verb: '*' } } }].flatMap((body) => [
    post(`an access review of ${JSON.stringify(body)}`, body, '/apis/authorization.k8s.io/v1/subjectaccessreviews'),
    post(`an access review of oneself, ${JSON.stringify(body)}`, body, '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews'),
    post(`a local access review of ${JSON.stringify(body)}`, body, '/apis/authorization.k8s.io/v1/namespaces/unusual/localsubjectaccessreviews'),
  ]),
  post('a review of rules', {}, '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews'),
  post('a review of a token', {}, '/apis/authentication.k8s.io/v1/tokenreviews'),
  post('a review of a token that is none', { spec: { token: 'x' } }, '/apis/authentication.k8s.io/v1/tokenreviews'),
  post('a review of oneself', {}, '/apis/authentication.k8s.io/v1/selfsubjectreviews'),
  post('a review of oneself with a name', { metadata: { name: 'x' } }, '/apis/authentication.k8s.io/v1/selfsubjectreviews'),
  post('a review of a token with a name', { metadata: { name: 'x' }, spec: { token: 'x' } }, '/apis/authentication.k8s.io/v1/tokenreviews'),
]
