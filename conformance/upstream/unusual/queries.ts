// Queries of lists, gets, watches and writes.
import { apps, configMaps, core } from './fixtures.ts'
import type { Unusual } from './requests.ts'

const get = (path: string, name = `GET ${path}`): Unusual => ({ name, request: { path } })

const ofLists = [
  ...['limit=', 'limit=abc', 'limit=0', 'limit=1e3', 'limit=99999999999999999999', 'limit=-0', 'limit=+1', 'limit=%31'],
  ...['limit=1&limit=2', 'Limit=1', 'limit=1.5', 'limit=0x1', 'limit', 'limit=%201', 'limit=1&resourceVersion=0'],
  ...['continue=abc', 'continue=', 'continue=e30', 'continue=%00', 'continue=abc&resourceVersion=1', 'continue=bm90anNvbg'],
  'continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiIuLi8uLi9hIn0',
  'continue=eyJ2IjoibWV0YS5rOHMuaW8vdjIiLCJydiI6MSwic3RhcnQiOiJhIn0',
  'continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MCwic3RhcnQiOiJhIn0',
  ...['resourceVersion=abc', 'resourceVersion=-1', 'resourceVersion=', 'resourceVersion=0x10', 'resourceVersion=1.5'],
  ...['resourceVersion=18446744073709551616', 'resourceVersion=%20', 'resourceVersion=0&resourceVersion=abc'],
  ...['resourceVersionMatch=Exact', 'resourceVersionMatch=NotOlderThan', 'resourceVersionMatch=Foo', 'resourceVersionMatch='],
  'resourceVersionMatch=Exact&resourceVersion=0',
  'resourceVersionMatch=NotOlderThan&resourceVersion=0',
  'resourceVersionMatch=exact&resourceVersion=1',
  'resourceVersionMatch=Foo&resourceVersion=1',
  'resourceVersionMatch=Exact&resourceVersion=abc',
  'resourceVersionMatch=NotOlderThan&continue=abc&resourceVersion=1',
  'resourceVersionMatch=Unset&resourceVersion=0',
  ...['sendInitialEvents=true', 'sendInitialEvents=abc', 'sendInitialEvents=false', 'allowWatchBookmarks=abc'],
  ...['timeoutSeconds=abc', 'timeoutSeconds=-1', 'timeoutSeconds=0', 'timeoutSeconds=', 'timeoutSeconds=99999999999999999999'],
  ...['pretty=xyz', 'pretty=false', 'pretty=true', 'pretty=', 'pretty=1'],
  ...['foo=bar', '&&&', '=', '?', 'a;b', '%', '%zz', 'limit=1;continue=x', 'watch=&timeoutSeconds=1', 'watch=0', 'watch=false', 'watch=maybe&timeoutSeconds=1'],
  ...['includeUninitialized=true', 'exact=true&export=true', 'dryRun=All', 'fieldManager=x', 'propagationPolicy=Foo', 'shardSelector=x'],
]

const labelSelectors = [
  ...['', '=', 'number=', '=a', 'number==1', 'number=1,', ',number', 'number in ()', 'number in (1', 'number notin (1)'],
  ...['!number', '!!number', 'number>1', 'number<2', 'number>a', 'number>1,number<30', 'number in (,)', 'number in (1,,20)'],
  ...['é', 'number=é', ' number = 1 ', 'a.b/c=d', 'a.b/c/d=e', 'A_B=c', '-a=b', 'a=b=c', 'number in 1', 'in=a', 'notin', 'number!1'],
  ...['number!=1', 'number=1,number=20', 'number exists', 'a=-b', 'a/=b', '/a=b', `${'k'.repeat(64)}=v`, `k=${'v'.repeat(64)}`],
  ...['number=1\n', '"number"=1', '(number=1)', 'number=1 number=20', 'number\t=1', 'number in(1)', 'number  notin  (1,2)', '*', 'number=*'],
]

const fieldSelectors = [
  ...['', 'metadata.name', 'metadata.name=', '=a', 'metadata.foo=x', 'metadata.name=a,metadata.name=b', 'metadata.name!=a'],
  ...['metadata.name==a', 'status.phase=x', 'metadata.name in (a)', 'metadata.name=a\\,b', 'metadata.name=a\\', 'metadata.name=a,'],
  ...[',', 'metadata.name=a=b', 'METADATA.NAME=a', ' metadata.name=a', 'metadata.name = a', 'metadata.namespace=unusual', 'metadata.namespace=other'],
  ...['metadata.uid=x', 'metadata.labels.a=b', 'metadata.name>a', '!metadata.name', 'metadata.name=a\\=b', 'metadata.name=nothing'],
  'metadata.name=a,metadata.namespace=unusual',
]

const otherFields: readonly (readonly [path: string, selector: string])[] = [
  [`${core}/pods`, 'spec.nodeName='],
  [`${core}/pods`, 'spec.nodeName!='],
  [`${core}/pods`, 'status.podIP='],
  [`${core}/pods`, 'spec.host=a'],
  [`${core}/pods`, 'spec.restartPolicy=Always,status.phase=Pending'],
  [`${core}/pods`, 'spec.schedulerName=default-scheduler'],
  [`${core}/pods`, 'spec.hostNetwork=false'],
  [`${core}/pods`, 'spec.serviceAccountName=default'],
  [`${core}/pods`, 'status.nominatedNodeName='],
  [`${core}/pods`, 'spec.containers=x'],
  [`${core}/secrets`, 'type=Opaque'],
  [`${core}/services`, 'spec.clusterIP=None'],
  [`${core}/services`, 'spec.type=ClusterIP'],
  [`${core}/replicationcontrollers`, 'status.replicas=0'],
  ['/api/v1/nodes', 'spec.unschedulable=false'],
  ['/api/v1/nodes', 'spec.unschedulable=x'],
  ['/api/v1/namespaces', 'name=unusual'],
  ['/api/v1/namespaces', 'status.phase=Active,metadata.name=unusual'],
  [`${apps}/replicasets`, 'status.replicas=0'],
  [`${apps}/deployments`, 'status.replicas=0'],
  [`/apis/batch/v1/namespaces/unusual/jobs`, 'status.successful=0'],
  [`/apis/batch/v1/namespaces/unusual/jobs`, 'status.successful=a'],
  ['/apis/certificates.k8s.io/v1/certificatesigningrequests', 'spec.signerName=x'],
  [`${core}/events`, 'involvedObject.kind=Pod'],
  [`${core}/events`, 'reason=x,type!=Normal,source=y'],
  [`${core}/events`, 'regarding.kind=Pod'],
  ['/apis/events.k8s.io/v1/namespaces/unusual/events', 'reportingController=x'],
  ['/apis/events.k8s.io/v1/namespaces/unusual/events', 'source=x'],
]

const ofWatches = [
  ...['limit=1', 'continue=abc', 'resourceVersion=abc', 'resourceVersion=99999999999999999999', 'labelSelector=a%20in'],
  ...['fieldSelector=status.phase%3Dx', 'resourceVersionMatch=Exact', 'resourceVersionMatch=NotOlderThan', 'sendInitialEvents=true'],
  ...['sendInitialEvents=true&resourceVersionMatch=Exact', 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan'],
  ...['sendInitialEvents=false&resourceVersionMatch=Exact', 'resourceVersionMatch=Exact&resourceVersion=1', 'pretty=true'],
  'fieldSelector=metadata.name%3Dnothing',
]

const ofGets = [
  ...['resourceVersion=abc', 'resourceVersion=0', 'resourceVersion=', 'resourceVersionMatch=Exact', 'limit=abc', 'pretty=1', 'foo=bar'],
  ...['labelSelector=a%20in', 'fieldSelector=x', 'export=true', 'watch=true&timeoutSeconds=1', 'continue=abc', 'dryRun=All'],
]

const created = { metadata: { name: 'made' } }
const ofWrites = [
  ...['dryRun=None', 'dryRun=all', 'dryRun=All&dryRun=All', 'dryRun=All&dryRun=None', 'dryRun=All,All', 'dryRun=true'],
  ...['dryRun=All&fieldManager=a%0Ab', `dryRun=All&fieldManager=${'m'.repeat(129)}`, 'dryRun=All&fieldManager=', 'dryRun=All&fieldManager=%C3%A9'],
  ...['dryRun=All&fieldValidation=strict', 'dryRun=All&fieldValidation=', 'dryRun=All&fieldValidation=Strict&fieldValidation=Warn'],
  ...['dryRun=All&force=true', 'dryRun=All&gracePeriodSeconds=abc', 'dryRun=All&limit=abc', 'dryRun=All&pretty=maybe', 'dryRun=All&timeout=abc', 'dryRun=All&timeout=-1s', 'dryRun=All&timeout=1h', 'dryRun=All&timeout=10'],
]

export const queries: readonly Unusual[] = [
  ...ofLists.map((query) => get(`${configMaps}?${query}`, `list?${query}`)),
  ...labelSelectors.map((text) => get(`${configMaps}?labelSelector=${encodeURIComponent(text)}`, `list by labels ${JSON.stringify(text)}`)),
  get(`${configMaps}?labelSelector=number%3D1&labelSelector=number%3D20`, 'list by two label selectors'),
  ...fieldSelectors.map((text) => get(`${configMaps}?fieldSelector=${encodeURIComponent(text)}`, `list by fields ${JSON.stringify(text)}`)),
  ...otherFields.map(([path, text]) => get(`${path}?fieldSelector=${encodeURIComponent(text)}`, `list ${path} by ${text}`)),
  ...ofWatches.map((query) => get(`${configMaps}?watch=true&timeoutSeconds=1&${query}`, `watch?${query}`)),
  ...ofGets.map((query) => get(`${configMaps}/a?${query}`, `get?${query}`)),
  ...ofWrites.map((query): Unusual => ({ name: `create?${query}`, request: { method: 'POST', path: `${configMaps}?${query.includes('None') || !query.startsWith('dryRun=All') ? `${query}&dryRun=x` : query}`, body: created } })),
]
