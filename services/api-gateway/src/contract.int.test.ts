// The contract of the API where a request says something of the object that it is aimed at: name, namespace, kind, uid and
// version. The right values are upstream's.
import type { ApiClient, ApiRequest, ApiResult } from '@shiplog/api/api-client'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { ClusterLog } from '@shiplog/events/event-log'
import { devCertificate, devRequest, mastersRequest } from '@shiplog/domain/testing/certificate-requests'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ApiGateway, createApiGateway } from './api-gateway.ts'

let log: ClusterLog
let gateway: ApiGateway
let client: ApiClient

const namespaced = { namespace: 'default' }

beforeEach(async () => {
  log = await openSqliteClusterLog({ dataDir: ':memory:' })
  gateway = createApiGateway({ log, clock: systemClock, ids: systemIds, logger: silentLogger })
  await gateway.start()
  client = gateway.clientFor({ name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] })
  await told('create', 'namespaces', { body: { metadata: { name: 'default' } } })
  await told('create', 'serviceaccounts', { ...namespaced, body: { metadata: { name: 'default' } } })
})

afterEach(async () => {
  await gateway.stop()
  await log.close()
})

const ask = async (verb: ApiRequest['verb'], resource: string, more: Partial<ApiRequest>): Promise<ApiResult> => {
  const [name = '', ...group] = resource.split('.')
  return await client.request({ verb, group: group.join('.'), resource: name, ...more })
}

/** What was accepted; throws when it was not. */
async function told(verb: ApiRequest['verb'], resource: string, more: Partial<ApiRequest>): Promise<JsonObject> {
  const result = await ask(verb, resource, more)
  if (!result.ok) throw new Error(`${verb} ${resource}: ${result.status.message}`)
  return result.object
}

/** `400 the message` of a refusal, `201` of what was accepted. */
async function answer(verb: ApiRequest['verb'], resource: string, more: Partial<ApiRequest>): Promise<string> {
  const result = await ask(verb, resource, more)
  return result.ok ? String(result.code) : `${result.code} ${result.status.message}`
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const container = { name: 'c', image: 'nginx:1.29' }
const createPod = async (name: string): Promise<JsonObject> =>
  await told('create', 'pods', { ...namespaced, body: { metadata: { name }, spec: { containers: [container] } } })
const createConfigMap = async (name: string): Promise<JsonObject> =>
  await told('create', 'configmaps', { ...namespaced, body: { metadata: { name }, data: { x: '1' } } })
const createDeployment = async (name: string): Promise<JsonObject> =>
  await told('create', 'deployments.apps', {
    ...namespaced,
    body: {
      metadata: { name },
      spec: {
        selector: { matchLabels: { app: name } },
        template: { metadata: { labels: { app: name } }, spec: { containers: [container] } },
      },
    },
  })

describe('a body that names another object than the URL', () => {
  const elsewhere = '400 the namespace of the provided object does not match the namespace sent on the request'
  const evict = (body: JsonObject) =>
    answer('create', 'pods', { ...namespaced, name: 'e', subresource: 'eviction', body })
  const bind = (body: JsonObject) =>
    answer('create', 'pods', { ...namespaced, name: 'e', subresource: 'binding', body })

  test('does not evict', async () => {
    await createPod('e')
    const unnamed = '400 name in URL does not match name in Eviction object'
    expect(await evict({ metadata: { name: 'f' } })).toBe(unnamed)
    expect(await evict({})).toBe(unnamed)
    expect(await evict({ metadata: { name: 'e', namespace: 'other' } })).toBe(elsewhere)
    expect((await told('get', 'pods', { ...namespaced, name: 'e' }))['metadata'].deletionTimestamp).toBeUndefined()
    expect(await evict({ metadata: { name: 'e' } })).toBe('201')
  })

  test('does not bind', async () => {
    const { metadata } = await createPod('e')
    const target = { kind: 'Node', name: 'n' }
    const unnamed = '400 name in URL does not match name in Binding object'
    expect(await bind({ metadata: { name: 'f' }, target })).toBe(unnamed)
    expect(await bind({ target })).toBe(unnamed)
    expect(await bind({ metadata: { name: 'e', namespace: 'other' }, target })).toBe(elsewhere)
    expect(await bind({ metadata: { name: 'e', resourceVersion: '1' }, target })).toMatch(
      /^409 .*ResourceVersion in precondition: 1/,
    )
    expect(await bind({ metadata: { name: 'e', uid: metadata.uid }, target })).toBe('201')
  })

  test('does not scale', async () => {
    await createDeployment('d')
    const scale = (metadata: JsonObject) =>
      answer('update', 'deployments.apps', {
        ...namespaced,
        name: 'd',
        subresource: 'scale',
        body: { metadata, spec: { replicas: 2 } },
      })
    expect(await scale({ name: 'other' })).toBe(
      '400 the name of the object (other) does not match the name on the URL (d)',
    )
    expect(await scale({})).toBe(
      '400 the name of the object (d based on URL) was undeterminable: name must be provided',
    )
    expect(await scale({ name: 'd', namespace: 'other' })).toBe(elsewhere)
    expect(await scale({ name: 'd', uid: 'other' })).toMatch(/^409 /)
    expect(await scale({ name: 'd', resourceVersion: '1' })).toMatch(/^409 /)
    expect(await scale({ name: 'd', resourceVersion: '0' })).toBe('200')
  })

  test.each(['', 'status', 'ephemeralcontainers', 'resize'])('is not written to pods/%s', async (subresource) => {
    const pod = await createPod('e')
    const put = (metadata: JsonObject) =>
      answer('update', 'pods', { ...namespaced, name: 'e', subresource, body: { ...pod, metadata } as JsonObject })
    expect(await put({ ...pod['metadata'], name: 'f' })).toMatch(/^400 the name of the object \(f\) does not match/)
    expect(await put({ ...pod['metadata'], name: '' })).toMatch(
      /^400 the name of the object \(e based on URL\) was undeterm/,
    )
    expect(await put({ ...pod['metadata'], namespace: 'other' })).toBe(elsewhere)
    expect(await put(pod['metadata'])).toBe('200')
  })

  test('is fine where its kind has no namespace', async () => {
    const body = { metadata: { name: 'n', namespace: 'other' } }
    expect((await told('create', 'nodes', { body }))['metadata'].namespace).toBeUndefined()
  })
})

describe('a body of another kind', () => {
  test('deletes nothing', async () => {
    await createConfigMap('a')
    const remove = (body: JsonObject) => answer('delete', 'configmaps', { ...namespaced, name: 'a', body })
    expect(await remove({ apiVersion: 'v1', kind: 'Pod' })).toMatch(/^400 no kind "Pod" is registered for version "v1"/)
    expect(await remove({ apiVersion: 'v1', kind: 'ConfigMapList', items: [] })).toMatch(/^400 no kind "ConfigMapList"/)
    expect(await remove({ apiVersion: 'v1', kind: 'Status' })).toBe(
      '400 decoded object cannot be converted to DeleteOptions',
    )
    expect(await answer('deletecollection', 'configmaps', { ...namespaced, body: { kind: 'Pod' } })).toMatch(
      /^400 no kind/,
    )
    expect(await answer('get', 'configmaps', { ...namespaced, name: 'a' })).toBe('200')
    expect(await remove({ apiVersion: 'policy/v1beta1', kind: 'DeleteOptions' })).toBe('200')
  })

  test.each(['policy/v1', 'policy/v1beta1'])('an Eviction may be of %s', async (apiVersion) => {
    await createPod('e')
    const evict = (body: JsonObject) =>
      answer('create', 'pods', {
        ...namespaced,
        name: 'e',
        subresource: 'eviction',
        body: { metadata: { name: 'e' }, ...body },
      })
    expect(await evict({ apiVersion, kind: 'Pod' })).toMatch(/^400 /)
    expect(await evict({ apiVersion: 'v1', kind: 'Eviction' })).toMatch(/^400 /)
    expect(await evict({ apiVersion, kind: 'Eviction' })).toBe('201')
  })

  test('comes of no patch, but of a strategic merge, which takes the result for what is there', async () => {
    await createConfigMap('a')
    const patch = (patchType: NonNullable<ApiRequest['patchType']>, body: JsonObject | JsonObject[]) =>
      answer('patch', 'configmaps', { ...namespaced, name: 'a', patchType, body })
    const merge = (body: JsonObject) => patch('application/merge-patch+json', body)
    const unknown = /^422 .*patch: Invalid value: .*/
    expect(await merge({ kind: 'Secret' })).toMatch(
      /^422 .*converting \(v1.Secret\) to \(core.ConfigMap\): unknown conversion/,
    )
    expect(await merge({ apiVersion: 'v2' })).toMatch(unknown)
    expect(await merge({ apiVersion: 'apps/v1' })).toMatch(unknown)
    const replaced = [{ op: 'replace', path: '/kind', value: 'Nonsense' }]
    expect(await patch('application/json-patch+json', replaced)).toMatch(/^422 .*no kind "Nonsense" is registered/)
    expect(await merge({ kind: 'ConfigMap', apiVersion: 'v1' })).toBe('200')
    expect(await patch('application/strategic-merge-patch+json', { kind: 'Secret', apiVersion: 'v2' })).toBe('200')
    expect(await told('get', 'configmaps', { ...namespaced, name: 'a' })).toMatchObject({
      kind: 'ConfigMap',
      apiVersion: 'v1',
    })
  })
})

describe('an applied configuration says itself what it is', () => {
  const apply = (body: JsonObject): Promise<string> =>
    answer('patch', 'configmaps', {
      ...{ ...namespaced, name: 'a', patchType: 'application/apply-patch+yaml', query: { fieldManager: 'x' } },
      body,
    })
  const metadata = { name: 'a' }

  test('of its kind, version and name nothing is filled in', async () => {
    expect(await apply({ metadata })).toBe('400 invalid object type: /, Kind=')
    expect(await apply({ kind: 'ConfigMap', metadata })).toBe('400 invalid object type: /, Kind=ConfigMap')
    expect(await apply({ apiVersion: 'v1', metadata })).toBe('400 invalid object type: /v1, Kind=')
    expect(await apply({ apiVersion: 'v1', kind: 'ConfigMap' })).toBe(
      '400 the name of the object (a based on URL) was undeterminable: name must be provided',
    )
    expect(await apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata })).toBe('201')
    // The name of what is there need not be said.
    expect(await apply({ apiVersion: 'v1', kind: 'ConfigMap' })).toBe('200')
  })
})

test('a merge patch that empties the kind says nothing of it', async () => {
  await createConfigMap('m')
  const patch = { ...namespaced, name: 'm', patchType: 'application/merge-patch+json' as const }
  expect(await answer('patch', 'configmaps', { ...patch, body: { kind: '', data: { y: '2' } } })).toBe('200')
  expect(await told('get', 'configmaps', { ...namespaced, name: 'm' })).toMatchObject({ kind: 'ConfigMap', data: { y: '2' } })
})

test('a review of no token is refused', async () => {
  const review = { body: { spec: {} } }
  expect(await answer('create', 'tokenreviews.authentication.k8s.io', review)).toBe(
    '400 token is required for TokenReview in authentication',
  )
})

describe('an applied configuration with a field that the schema does not have', () => {
  const configuration = (name: string, more: JsonObject = {}, podSpec: JsonObject = {}): JsonObject => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      selector: { matchLabels: { a: 'b' } },
      template: { metadata: { labels: { a: 'b' } }, spec: { containers: [container], ...podSpec } },
    },
    ...more,
  })
  const apply = (body: JsonObject, fieldValidation?: string): Promise<string> =>
    answer('patch', 'deployments.apps', {
      ...namespaced,
      name: 'd',
      patchType: 'application/apply-patch+yaml',
      query: { fieldManager: 'x', ...(fieldValidation ? { fieldValidation } : {}) },
      body,
    })
  const refused = (path: string): string =>
    `400 failed to create typed patch object (default/d; apps/v1, Kind=Deployment): ${path}: field not declared in schema`

  test.each([undefined, 'Ignore', 'Warn', 'Strict'])('is refused with fieldValidation %s', async (fieldValidation) => {
    expect(await apply(configuration('d', { bogus: 1 }), fieldValidation)).toBe(refused('.bogus'))
    expect(await apply(configuration('d'), fieldValidation)).toBe('201')
    expect(await apply(configuration('d', { bogus: 1 }), fieldValidation)).toBe(refused('.bogus'))
  })

  test('is refused wherever it is', async () => {
    const odd = { ...container, nonsense: 1 }
    expect(await apply(configuration('d', {}, { containers: [odd] }))).toBe(
      refused('.spec.template.spec.containers[name="c"].nonsense'),
    )
    expect(await apply(configuration('d', {}, { tolerations: [{ key: 'a', nonsense: 1 }] }))).toBe(
      refused('.spec.template.spec.tolerations[0].nonsense'),
    )
    expect(await apply(configuration('d', { metadata: { name: 'd', labels: { any: 'thing' } } }))).toBe('201')
  })
})

describe('versions and uids', () => {
  test('a PUT with no version, or with 0, takes what is there', async () => {
    const { metadata } = await createConfigMap('a')
    const put = (resourceVersion: string | undefined, data: JsonObject) =>
      answer('update', 'configmaps', {
        ...namespaced,
        name: 'a',
        body: { metadata: { name: 'a', ...(resourceVersion === undefined ? {} : { resourceVersion }) }, data },
      })
    expect(await put('0', { x: '2' })).toBe('200')
    expect(await put('', { x: '3' })).toBe('200')
    expect(await put(undefined, { x: '4' })).toBe('200')
    expect(await put(metadata.resourceVersion, { x: '5' })).toMatch(/^409 /)
    expect(await put('abc', { x: '5' })).toBe('400 strconv.ParseUint: parsing "abc": invalid syntax')
    expect(await put('99999999999999999999999', { x: '5' })).toMatch(/^400 .*value out of range/)
  })

  test('a kind that wants a version wants it of its status, too', async () => {
    const body = {
      metadata: { name: 'v1.example.com' },
      spec: { group: 'example.com', version: 'v1', groupPriorityMinimum: 100, versionPriority: 100 },
    }
    const made = await told('create', 'apiservices.apiregistration.k8s.io', { body })
    const put = (resourceVersion: string, subresource = '') =>
      answer('update', 'apiservices.apiregistration.k8s.io', {
        name: 'v1.example.com',
        subresource,
        body: { ...made, metadata: { ...made['metadata'], resourceVersion } },
      })
    for (const subresource of ['', 'status'])
      expect(await put('0', subresource)).toMatch(
        /^422 .*metadata.resourceVersion: Invalid value: 0: must be specified/,
      )
    expect(await put(made['metadata'].resourceVersion)).toBe('200')
  })

  test('a create may say version 0', async () => {
    const create = (resourceVersion: string) =>
      answer('create', 'configmaps', { ...namespaced, body: { metadata: { name: 'a', resourceVersion } } })
    expect(await create('7')).toMatch(/should not be set on objects to be created/)
    expect(await create('0')).toBe('201')
  })

  test('another uid is a failed precondition of a PUT and an immutable field of a patch', async () => {
    await createConfigMap('a')
    const at = { ...namespaced, name: 'a' }
    expect(await answer('update', 'configmaps', { ...at, body: { metadata: { name: 'a', uid: 'other' } } })).toMatch(
      /^409 .*Precondition failed: UID in precondition: other/,
    )
    for (const patchType of ['application/merge-patch+json', 'application/strategic-merge-patch+json'] as const)
      expect(await answer('patch', 'configmaps', { ...at, patchType, body: { metadata: { uid: 'other' } } })).toBe(
        '422 ConfigMap "a" is invalid: metadata.uid: Invalid value: "other": field is immutable',
      )
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', uid: 'other' } }
    const query = { fieldManager: 'x' }
    expect(
      await answer('patch', 'configmaps', { ...at, patchType: 'application/apply-patch+yaml', body, query }),
    ).toMatch(/^422 .*metadata.uid: Invalid value: "other": field is immutable/)
  })

  test('nobody marks an object as being deleted but by deleting it', async () => {
    await createConfigMap('a')
    const at = { ...namespaced, name: 'a', patchType: 'application/merge-patch+json' } as const
    const stamp = '2026-01-01T00:00:00Z'
    expect(await answer('patch', 'configmaps', { ...at, body: { metadata: { deletionTimestamp: stamp } } })).toMatch(
      /^422 .*metadata.deletionTimestamp: Invalid value: .*field is immutable/,
    )
    expect(await answer('patch', 'configmaps', { ...at, body: { metadata: { creationTimestamp: null } } })).toBe('200')
  })

  test('of lists and gets are numbers of 64 bits', async () => {
    await createConfigMap('a')
    const list = (query: Record<string, string>) => answer('list', 'configmaps', { ...namespaced, query })
    const huge = '99999999999999999999999'
    expect(await list({ resourceVersion: huge })).toMatch(/^400 .*strconv.ParseUint: parsing .*value out of range$/)
    expect(await list({ resourceVersion: '-1' })).toMatch(/^400 .*invalid syntax$/)
    expect(await answer('get', 'configmaps', { ...namespaced, name: 'a', query: { resourceVersion: huge } })).toMatch(
      /^400 /,
    )
    expect(await list({ limit: '-1' })).toBe('200')
    expect(await list({ limit: huge })).toBe(`400 strconv.ParseInt: parsing "${huge}": value out of range`)
    expect(await list({ timeoutSeconds: '1.5' })).toBe('400 strconv.ParseInt: parsing "1.5": invalid syntax')
  })

  test('preconditions of a deletion are compared as they are written, and a body counts alone', async () => {
    const { metadata } = await createConfigMap('a')
    const at = { ...namespaced, name: 'a' }
    const remove = (preconditions: JsonObject) => answer('delete', 'configmaps', { ...at, body: { preconditions } })
    expect(await remove({ resourceVersion: '0' })).toMatch(/^409 /)
    expect(await remove({ uid: 'other' })).toMatch(/^409 /)
    expect(await answer('delete', 'configmaps', { ...at, query: { gracePeriodSeconds: 'x' } })).toBe(
      '400 strconv.ParseInt: parsing "x": invalid syntax',
    )
    const { uid, resourceVersion } = metadata as { uid: string; resourceVersion: string }
    const body = { preconditions: { uid, resourceVersion }, dryRun: ['All'] }
    expect(await answer('delete', 'configmaps', { ...at, query: { gracePeriodSeconds: 'x' }, body })).toBe('200')
    expect(await answer('get', 'configmaps', at)).toBe('200')
  })
})

test('the token of a paged list expires where it is told to, and another goes on without the snapshot', async () => {
  let aheadMs = 0
  const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + aheadMs }
  const strict = createApiGateway({
    log,
    clock,
    ids: systemIds,
    logger: silentLogger,
    continueTokenLifetimeMs: 300_000,
  })
  await strict.start()
  try {
    for (const name of ['a', 'b', 'c', 'd']) await createConfigMap(name)
    const page = async (token?: string): Promise<ApiResult> =>
      await strict.clientFor({ name: 'admin', groups: ['system:masters'] }).request({
        ...{ verb: 'list', group: '', resource: 'configmaps', namespace: 'default' },
        query: { limit: '1', ...(token ? { continue: token } : {}) },
      } as ApiRequest)
    const tokenOf = (result: ApiResult): string => (result as { object: JsonObject }).object['metadata'].continue
    const first = tokenOf(await page())
    aheadMs = 299_000
    const second = tokenOf(await page(first))
    aheadMs = 301_000
    // A later page does not make the snapshot younger.
    for (const token of [first, second])
      expect(await page(token)).toMatchObject({ ok: false, code: 410, status: { reason: 'Expired' } })
    const { status } = (await page(second)) as unknown as { status: { metadata: { continue: string } } }
    const rest = await page(status.metadata.continue)
    expect(rest).toMatchObject({ ok: true, object: { items: [{ metadata: { name: 'c' } }] } })
    const inconsistent = tokenOf(rest)
    aheadMs = 500_000
    expect(await page(inconsistent)).toMatchObject({ ok: true, object: { items: [{ metadata: { name: 'd' } }] } })
  } finally {
    await strict.stop()
  }
})

test('the components have a status, made when it is asked for', async () => {
  const list = await told('list', 'componentstatuses', {})
  expect(
    list['items'].map(({ metadata, conditions }: JsonObject) => `${metadata.name} ${conditions[0].status}`),
  ).toEqual(['controller-manager False', 'etcd-0 True', 'scheduler False'])
  expect(await answer('get', 'componentstatuses', { name: 'etcd-0' })).toBe('200')
  expect(await answer('get', 'componentstatuses', { name: 'other' })).toMatch(/^404 /)
})

test('a pod is replaced by the manifest that made it, and a refusal shows what differs', async () => {
  const spec = { serviceAccountName: 'default', automountServiceAccountToken: false, containers: [container] }
  const manifest = { metadata: { name: 'a' }, spec }
  await told('create', 'pods', { ...namespaced, body: manifest })
  const put = (body: JsonObject) => answer('update', 'pods', { ...namespaced, name: 'a', body })
  expect(await put(manifest)).toBe('200')
  expect(await put({ ...manifest, spec: { ...spec, hostname: 'other' } })).toMatch(
    /^422 .*pod updates may not change fields other than[^\n]*\n@@ [^\n]* @@\n[\s\S]*\+ "hostname": "other"/,
  )
})

test('a HorizontalPodAutoscaler scales a ReplicationController', async () => {
  const spec = { maxReplicas: 3, scaleTargetRef: { apiVersion: 'v1', kind: 'ReplicationController', name: 'rc' } }
  const create = (kind: string) =>
    answer('create', 'horizontalpodautoscalers.autoscaling', {
      ...namespaced,
      body: { metadata: { name: 'a' }, spec: { ...spec, scaleTargetRef: { ...spec.scaleTargetRef, kind } } },
    })
  expect(await create('Pod')).toMatch(/^422 .*apiVersion must specify API group/)
  expect(await create('ReplicationController')).toBe('201')
})

describe('rights', () => {
  const bob = { name: 'bob', groups: ['system:authenticated'] }
  const role = 'clusterroles.rbac.authorization.k8s.io'
  const binding = 'clusterrolebindings.rbac.authorization.k8s.io'
  const group = 'rbac.authorization.k8s.io'
  const bindTo = (name: string, roleName: string): JsonObject => ({
    metadata: { name },
    roleRef: { apiGroup: group, kind: 'ClusterRole', name: roleName },
    subjects: [{ kind: 'User', apiGroup: group, name: 'bob' }],
  })
  const review = async (spec: JsonObject): Promise<JsonObject> =>
    (await told('create', 'subjectaccessreviews.authorization.k8s.io', { body: { spec } }))['status']
  const getPods = { resourceAttributes: { verb: 'get', resource: 'pods', namespace: 'default' } }

  test('who is bound by name needs no group, and is told why', async () => {
    await told('create', role, {
      body: { metadata: { name: 'readers' }, rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }] },
    })
    expect(await review({ user: 'bob', ...getPods })).toEqual({ allowed: false })
    await told('create', binding, { body: bindTo('b', 'readers') })
    const reason = 'RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "readers" to User "bob"'
    expect(await review({ user: 'bob', ...getPods })).toEqual({ allowed: true, reason })
    await told('create', binding, { body: bindTo('c', 'nowhere') })
    expect(await review({ user: 'bob', nonResourceAttributes: { verb: 'get', path: '/x' } })).toEqual({
      allowed: false,
      reason: 'RBAC: clusterrole.rbac.authorization.k8s.io "nowhere" not found',
    })
  })

  test('a review says whom and what it is about', async () => {
    const asked = (spec: JsonObject, metadata = {}) =>
      answer('create', 'subjectaccessreviews.authorization.k8s.io', { body: { metadata, spec } })
    expect(await asked({ ...getPods })).toMatch(/^422 .*at least one of user or group must be specified/)
    expect(await asked({ user: 'bob' })).toMatch(/^422 .*exactly one of nonResourceAttributes or resourceAttributes/)
    expect(await asked({ user: 'bob', ...getPods }, { name: 'x' })).toMatch(/^422 .*must be empty/)
    const local = (body: JsonObject) =>
      answer('create', 'localsubjectaccessreviews.authorization.k8s.io', { ...namespaced, body })
    expect(await local({ spec: { user: 'bob', ...getPods } })).toBe('201')
    expect(await local({ metadata: { namespace: 'other' }, spec: { user: 'bob', ...getPods } })).toMatch(/^400 /)
    expect(await local({ spec: { user: 'bob', resourceAttributes: { verb: 'get', resource: 'pods' } } })).toMatch(
      /^422 .*must match metadata.namespace/,
    )
  })

  test('whoever may not bind anything cannot bind a role that is not there', async () => {
    const rules = [{ apiGroups: [group], resources: ['clusterrolebindings'], verbs: ['create'] }]
    await told('create', role, { body: { metadata: { name: 'binders' }, rules } })
    await told('create', binding, { body: bindTo('b', 'binders') })
    const asBob = await gateway.clientFor(bob).request({
      verb: 'create',
      group,
      resource: 'clusterrolebindings',
      body: bindTo('c', 'nowhere'),
    })
    expect(asBob).toMatchObject({
      ok: false,
      code: 404,
      status: { message: 'clusterroles.rbac.authorization.k8s.io "nowhere" not found' },
    })
    expect(await answer('create', binding, { body: bindTo('d', 'nowhere') })).toBe('201')
  })

  test('whoever may write certificate requests decides on none and signs none without a right on their signer', async () => {
    const csr = 'certificatesigningrequests.certificates.k8s.io'
    const rights = [
      'certificatesigningrequests',
      'certificatesigningrequests/approval',
      'certificatesigningrequests/status',
    ]
    const grant = async (name: string, rule: JsonObject): Promise<void> => {
      const rules = [{ apiGroups: ['certificates.k8s.io'], ...rule }]
      await told('create', role, { body: { metadata: { name }, rules } })
      await told('create', binding, { body: bindTo(name, name) })
    }
    await grant('writers', { resources: rights, verbs: ['create', 'update', 'patch', 'get'] })
    const spec = { request: base64(devRequest), signerName: 'example.com/s', usages: ['client auth'] }
    await told('create', csr, { body: { metadata: { name: 'a' }, spec } })
    const asBob = async (subresource: string, status: JsonObject): Promise<string> => {
      const result = await gateway.clientFor(bob).request({
        ...{
          verb: 'patch',
          group: 'certificates.k8s.io',
          resource: 'certificatesigningrequests',
          name: 'a',
          subresource,
        },
        patchType: 'application/merge-patch+json',
        body: { status },
      })
      return result.ok ? String(result.code) : `${result.code} ${result.status.message}`
    }
    const approved = { conditions: [{ type: 'Approved', status: 'True', reason: 'r' }] }
    const certificate = { certificate: base64(devCertificate) }
    const refused = (verb: string): string =>
      `403 ${csr} "a" is forbidden: user not permitted to ${verb} requests with signerName "example.com/s"`
    expect(await asBob('approval', approved)).toBe(refused('approve'))
    expect(await asBob('status', certificate)).toBe(refused('sign'))
    await grant('approvers', { resources: ['signers'], resourceNames: ['example.com/*'], verbs: ['approve'] })
    expect(await asBob('approval', approved)).toBe('200')
    expect(await asBob('status', certificate)).toBe(refused('sign'))
    await grant('signers', { resources: ['signers'], resourceNames: ['example.com/s'], verbs: ['sign'] })
    expect(await asBob('status', certificate)).toBe('200')
    const masters = { ...spec, signerName: 'kubernetes.io/kube-apiserver-client', request: base64(mastersRequest) }
    expect(await answer('create', csr, { body: { metadata: { name: 'm' }, spec: masters } })).toMatch(
      /^403 .*use of kubernetes.io\/kube-apiserver-client signer with system:masters group is not allowed/,
    )
  })
})
