// Deletions, of one and of many: options in the body, in the query, in both.
import { configMaps, core } from './fixtures.ts'
import type { Unusual } from './requests.ts'

const queries = ['', 'dryRun=All', 'gracePeriodSeconds=-1', 'gracePeriodSeconds=abc', 'gracePeriodSeconds=', 'gracePeriodSeconds=1.5', 'gracePeriodSeconds=99999999999999999999', 'propagationPolicy=Foo', 'propagationPolicy=', 'propagationPolicy=orphan', 'orphanDependents=true', 'orphanDependents=maybe', 'orphanDependents=true&propagationPolicy=Background', 'dryRun=Foo', 'dryRun=All&dryRun=Foo', 'foo=bar', 'preconditions.uid=x', 'ignoreStoreReadErrorWithClusterBreakingPotential=true', 'ignoreStoreReadErrorWithClusterBreakingPotential=maybe', 'pretty=x', 'propagationPolicy=Orphan&propagationPolicy=Background']

const bodies: readonly (readonly [name: string, body: unknown])[] = [
  ['null', 'null'],
  ['{}', '{}'],
  ['[]', '[]'],
  ['""', '""'],
  ['broken', '{'],
  ['text', 'x'],
  ['another kind', { apiVersion: 'v1', kind: 'Pod' }],
  ['another version', { apiVersion: 'v2', kind: 'DeleteOptions' }],
  ['another group', { apiVersion: 'apps/v1', kind: 'DeleteOptions' }],
  ['the group meta', { apiVersion: 'meta.k8s.io/v1', kind: 'DeleteOptions' }],
  ['no kind', { apiVersion: 'v1' }],
  ['no version', { kind: 'DeleteOptions' }],
  ['unknown fields', { foo: 1 }],
  ['a negative grace', { gracePeriodSeconds: -1 }],
  ['a grace of a text', { gracePeriodSeconds: '1' }],
  ['an unknown policy', { propagationPolicy: 'Foo' }],
  ['a policy of a number', { propagationPolicy: 1 }],
  ['orphans and a policy', { orphanDependents: true, propagationPolicy: 'Orphan' }],
  ['another uid', { preconditions: { uid: 'x' } }],
  ['an empty uid', { preconditions: { uid: '' } }],
  ['another version of the object', { preconditions: { resourceVersion: '1' } }],
  ['a version that is none', { preconditions: { resourceVersion: 'abc' } }],
  ['an unknown dry run', { dryRun: ['Foo'] }],
  ['a dry run that is a text', { dryRun: 'All' }],
  ['two dry runs', { dryRun: ['All', 'All'] }],
  ['unsafe', { ignoreStoreReadErrorWithClusterBreakingPotential: true }],
]

const remove = (name: string, path: string, body?: unknown, headers?: Record<string, string>): Unusual => ({
  name: `DELETE ${name}`,
  request: { method: 'DELETE', path, ...(body === undefined ? {} : { body }), ...(headers ? { headers } : {}) },
})
const isDry = (body: unknown): boolean => typeof body === 'object'
const dryBody = (body: unknown): unknown => (typeof body === 'object' ? { dryRun: ['All'], ...body } : body)
const dry = (query: string): string => (/(^|&)dryRun=/.test(query) || query === '' ? query || 'dryRun=All' : `${query}&dryRun=All`)

export const deletions: readonly Unusual[] = [
  ...queries.map((query) => remove(`an object?${query}`, `${configMaps}/a?${dry(query)}`)),
  ...queries.map((query) => remove(`a pod?${query}`, `${core}/pods/a?${dry(query)}`)),
  ...queries.map((query) => remove(`a collection?${query}`, `${configMaps}?labelSelector=nothing&${dry(query)}`)),
  // The options of a body count alone, whatever the query says.
  ...bodies.map(([name, body]) => remove(`an object with ${name}`, `${configMaps}/${isDry(body) ? 'a' : 'none'}?dryRun=All`, dryBody(body))),
  ...bodies.map(([name, body]) => remove(`a collection with ${name}`, `${configMaps}?dryRun=All&labelSelector=nothing`, body)),
  ...bodies.slice(0, 10).map(([name, body]) => remove(`a missing object with ${name}`, `${configMaps}/none?dryRun=All`, body)),
  ...['limit=1', 'continue=abc', 'resourceVersion=abc', 'fieldSelector=foo', 'labelSelector=a%20in', 'resourceVersionMatch=Exact', 'watch=true', 'timeoutSeconds=abc', 'limit=abc', 'fieldSelector=metadata.name%3Da', 'resourceVersion=0'].map((query) =>
    remove(`a collection, ${query}`, `${configMaps}?dryRun=All&${query}`),
  ),
  remove('with options in both', `${configMaps}/a?dryRun=All&gracePeriodSeconds=5`, { gracePeriodSeconds: 7, dryRun: ['All'] }),
  remove('with a policy in both', `${configMaps}/a?dryRun=All&propagationPolicy=Foo`, { propagationPolicy: 'Orphan', dryRun: ['All'] }),
  remove('with a dry run in the query and a body without', `${configMaps}/none?dryRun=All`, { gracePeriodSeconds: 0 }),
  ...['text/plain', '', 'application/yaml', 'application/vnd.kubernetes.protobuf', 'application/merge-patch+json'].map((type) =>
    remove(`with content type ${JSON.stringify(type)}`, `${configMaps}/a?dryRun=All`, '{"dryRun":["All"]}', { 'content-type': type }),
  ),
  remove('a missing object', `${configMaps}/none`),
  remove('an object in a missing namespace', '/api/v1/namespaces/none/configmaps/none'),
  remove('a collection in a missing namespace', '/api/v1/namespaces/none/configmaps'),
  remove('all namespaces', '/api/v1/namespaces'),
  remove('all services', `${core}/services?dryRun=All`),
  remove('a namespace that may not go', '/api/v1/namespaces/default?dryRun=All'),
  remove('kube-system', '/api/v1/namespaces/kube-system?dryRun=All'),
  remove('a system priority class', '/apis/scheduling.k8s.io/v1/priorityclasses/system-node-critical?dryRun=All'),
]
