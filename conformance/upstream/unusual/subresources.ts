// Subresources: what is asked of them, and of kinds that have none.
import type { Any } from '../../src/case.ts'
import { apps, configMaps, core, namespace } from './fixtures.ts'
import type { Unusual } from './requests.ts'

const send = (method: string, path: string, name: string, body?: unknown): Unusual => ({ name: `${method} ${name}`, request: { method, path, ...(body === undefined ? {} : { body }) } })
const scale = (more: Any = {}): Any => ({ apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: { name: 'a', namespace }, spec: { replicas: 2 }, ...more })
const deployment = `${apps}/deployments/a`

const scales: readonly (readonly [name: string, body: unknown])[] = [
  ['of nothing', {}],
  ['of null', null],
  ['without a name', scale({ metadata: {} })],
  ['of another name', scale({ metadata: { name: 'b' } })],
  ['of another namespace', scale({ metadata: { name: 'a', namespace: 'b' } })],
  ['of another kind', scale({ kind: 'Deployment' })],
  ['of another version', scale({ apiVersion: 'apps/v1' })],
  ['of an old version', scale({ apiVersion: 'extensions/v1beta1' })],
  ['without a spec', scale({ spec: undefined })],
  ['below zero', scale({ spec: { replicas: -1 } })],
  ['to a text', scale({ spec: { replicas: '2' } })],
  ['to a fraction', scale({ spec: { replicas: 1.5 } })],
  ['to too many', scale({ spec: { replicas: 1e10 } })],
  ['with an old version of the object', scale({ metadata: { name: 'a', resourceVersion: '1' } })],
  ['with a version that is none', scale({ metadata: { name: 'a', resourceVersion: 'abc' } })],
  ['with another uid', scale({ metadata: { name: 'a', uid: 'x' } })],
  ['with unknown fields', scale({ foo: 1 })],
  ['with labels', scale({ metadata: { name: 'a', labels: { x: 'y' } } })],
]

const logs = ['tailLines=-1', 'tailLines=abc', 'sinceSeconds=0', 'sinceSeconds=-5', 'sinceSeconds=5&sinceTime=2026-01-01T00:00:00Z', 'sinceTime=abc', 'limitBytes=0', 'limitBytes=-1', 'limitBytes=abc', 'container=none', 'container=', 'follow=abc', 'previous=maybe', 'timestamps=x', 'stream=All', 'insecureSkipTLSVerifyBackend=x', 'tailLines=', 'foo=bar', 'tailLines=99999999999999999999']

const evictions: readonly (readonly [name: string, body: unknown])[] = [
  ['of nothing', {}],
  ['of another name', { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'b' } }],
  ['of another namespace', { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'none', namespace: 'b' } }],
  ['of another kind', { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'none' } }],
  ['of a missing pod', { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'none' } }],
  ['with wrong options', { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'none' }, deleteOptions: { gracePeriodSeconds: 'x' } }],
  ['with options of another kind', { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'none' }, deleteOptions: { kind: 'Pod' } }],
]

const tokens: readonly (readonly [name: string, body: unknown])[] = [
  ['for too short', { spec: { expirationSeconds: 1 } }],
  ['for too long', { spec: { expirationSeconds: 2 ** 33 } }],
  ['for a text', { spec: { expirationSeconds: 'x' } }],
  ['for a fraction', { spec: { expirationSeconds: 600.5 } }],
  ['bound to nothing', { spec: { boundObjectRef: {} } }],
  ['bound to a missing pod', { spec: { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'none' } } }],
  ['bound to another uid', { spec: { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'a', uid: 'x' } } }],
  ['bound to a config map', { spec: { boundObjectRef: { apiVersion: 'v1', kind: 'ConfigMap', name: 'a' } } }],
  ['with another name', { metadata: { name: 'b' }, spec: {} }],
  ['with another namespace', { metadata: { namespace: 'b' }, spec: {} }],
  ['of another kind', { apiVersion: 'v1', kind: 'Pod' }],
]

const bindings: readonly (readonly [name: string, body: unknown])[] = [
  ['to another kind', { metadata: { name: 'a' }, target: { kind: 'Pod', name: 'n' } }],
  ['to no name', { metadata: { name: 'a' }, target: { kind: 'Node', name: '' } }],
  ['of another name', { metadata: { name: 'b' }, target: { kind: 'Node', name: 'n' } }],
  ['of another namespace', { metadata: { name: 'a', namespace: 'b' }, target: { kind: 'Node', name: 'n' } }],
  ['of another uid', { metadata: { name: 'a', uid: 'x' }, target: { kind: 'Node', name: 'n' } }],
  ['of another kind of body', { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' } }],
]

const missing = ['status', 'scale', 'log', 'eviction', 'binding', 'token', 'approval', 'finalize', 'exec', 'foo', 'proxy', 'resize', 'ephemeralcontainers']

const put = (name: string, body: unknown, path: string): Unusual => send('PUT', `${path}?dryRun=All`, name, body)

export const subresources: readonly Unusual[] = [
  ...scales.map(([name, body]) => put(`a scale ${name}`, body, `${deployment}/scale`)),
  ...scales.slice(0, 10).map(([name, body]) => put(`a scale of a replication controller ${name}`, body, `${core}/replicationcontrollers/a/scale`)),
  put('a scale of a missing deployment', scale({ metadata: { name: 'none' } }), `${apps}/deployments/none/scale`),
  ...logs.map((query) => send('GET', `${core}/pods/a/log?${query}`, `a log?${query}`)),
  ...['exec', 'attach', 'portforward', 'exec?command=x', 'exec?container=none&command=x', 'exec?stdin=maybe&command=x', 'exec?tty=1&stdout=1&stderr=1&command=x', 'portforward?ports=x'].flatMap((path) => [
    send('GET', `${core}/pods/a/${path}`, `pods/${path} without an upgrade`),
    send('POST', `${core}/pods/a/${path}`, `pods/${path} without an upgrade`),
  ]),
  ...['exec?command=x', 'log', 'attach', 'portforward', 'proxy', 'proxy/x', 'status', 'resize', 'ephemeralcontainers'].map((path) => send('GET', `${core}/pods/none/${path}`, `pods/${path} of a missing pod`)),
  ...missing.map((sub) => send('GET', `${configMaps}/a/${sub}`, `configmaps/${sub}`)),
  ...missing.map((sub) => send('GET', `${deployment}/${sub}`, `deployments/${sub}`)),
  ...missing.map((sub) => send('PUT', `${core}/secrets/a/${sub}`, `secrets/${sub}`, {})),
  ...evictions.map(([name, body]) => send('POST', `${core}/pods/none/eviction?dryRun=All`, `an eviction ${name}`, body)),
  ...tokens.map(([name, body]) => send('POST', `${core}/serviceaccounts/default/token?dryRun=All`, `a token ${name}`, body)),
  send('POST', `${core}/serviceaccounts/none/token`, 'a token of a missing account', {}),
  ...bindings.map(([name, body]) => send('POST', `${core}/pods/a/binding?dryRun=All`, `a binding ${name}`, body)),
  ...bindings.map(([name, body]) => send('POST', `${core}/bindings?dryRun=All`, `a binding by itself ${name}`, body)),
  put('a status of another name', { metadata: { name: 'b' } }, `${core}/pods/a/status`),
  put('a status of another kind', { apiVersion: 'v1', kind: 'Node', metadata: { name: 'a' } }, `${core}/pods/a/status`),
  put('a status of nothing', {}, `${deployment}/status`),
  put('a status with an old version', { metadata: { name: 'a', resourceVersion: '1' } }, `${deployment}/status`),
  put('a status of a missing object', { metadata: { name: 'none' } }, `${apps}/deployments/none/status`),
  put('finalize of another name', { metadata: { name: 'b' } }, `/api/v1/namespaces/${namespace}/finalize`),
  put('finalize of nothing', {}, `/api/v1/namespaces/${namespace}/finalize`),
  put('finalize of a missing namespace', { metadata: { name: 'none' } }, '/api/v1/namespaces/none/finalize'),
  put('a resize of nothing', {}, `${core}/pods/a/resize`),
  put('a resize of another name', { metadata: { name: 'b' } }, `${core}/pods/a/resize`),
  put('ephemeral containers of nothing', {}, `${core}/pods/a/ephemeralcontainers`),
  put('ephemeral containers of another name', { metadata: { name: 'b' } }, `${core}/pods/a/ephemeralcontainers`),
  put('an approval of a missing request', { metadata: { name: 'none' } }, '/apis/certificates.k8s.io/v1/certificatesigningrequests/none/approval'),
  ...['/api/v1/nodes/unusual-node/proxy', '/api/v1/nodes/none/proxy/', `${core}/services/a/proxy`, `${core}/services/none/proxy/x`, `${core}/services/a:http/proxy/`].flatMap((path) => (path.includes('none') ? [send('GET', path, path)] : [])),
]
