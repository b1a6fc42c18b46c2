// Admission policies in a gateway: who is asked, what refuses, what changes, in upstream's words.
import type { ApiClient, ApiResult } from '@shiplog/api/api-client'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { ClusterLog } from '@shiplog/events/event-log'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type ApiGateway, createApiGateway } from '../api-gateway.ts'

const admin = { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] }
const group = 'admissionregistration.k8s.io'
const [policies, bindings] = ['validatingadmissionpolicies', 'validatingadmissionpolicybindings']
const [mutatingPolicies, mutatingBindings] = ['mutatingadmissionpolicies', 'mutatingadmissionpolicybindings']

let log: ClusterLog
let gateway: ApiGateway
let client: ApiClient

beforeAll(async () => {
  log = await openSqliteClusterLog({ dataDir: ':memory:' })
  gateway = createApiGateway({ log, clock: systemClock, ids: systemIds, logger: silentLogger })
  await gateway.start()
  client = gateway.clientFor(admin)
  for (const [name, labels] of [['plain', {}], ['empty', {}], ['strict', { level: 'strict' }]] as const)
    await ok({ verb: 'create', group: '', resource: 'namespaces', body: { metadata: { name, labels } } })
  await ok({ verb: 'create', group: '', resource: 'serviceaccounts', namespace: 'plain', body: { metadata: { name: 'default' } } })
})

afterEach(async () => {
  for (const resource of [policies, bindings, mutatingPolicies, mutatingBindings])
    await ok({ verb: 'deletecollection', group, resource })
  await ok({ verb: 'deletecollection', group: '', resource: 'configmaps', namespace: 'plain' })
  await ok({ verb: 'deletecollection', group: '', resource: 'configmaps', namespace: 'strict' })
})

afterAll(async () => {
  await gateway.stop()
  await log.close()
})

type Request = Parameters<ApiClient['request']>[0]

async function ok(request: Request): Promise<KubeObject> {
  const result = await client.request(request)
  if (!result.ok) throw new Error(result.status.message)
  return result.object
}

const create = (resource: string, name: string, spec: unknown): Promise<KubeObject> =>
  ok({ verb: 'create', group, resource, body: { metadata: { name }, spec: spec as JsonObject } })

const configMapRules = [{ apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], operations: ['*'] }]

async function validating(spec: JsonObject, binding: JsonObject = {}, name = 'policy'): Promise<void> {
  await create(policies, name, { matchConstraints: { resourceRules: configMapRules }, ...spec })
  await create(bindings, `${name}-binding`, { policyName: name, validationActions: ['Deny'], ...binding })
}

async function mutating(spec: JsonObject, binding: JsonObject = {}, name = 'policy'): Promise<void> {
  const matchConstraints = { resourceRules: [{ ...configMapRules[0]!, operations: ['CREATE', 'UPDATE'] }] }
  await create(mutatingPolicies, name, { matchConstraints, reinvocationPolicy: 'Never', ...spec })
  await create(mutatingBindings, `${name}-binding`, { policyName: name, ...binding })
}

const configMap = (name: string, data: JsonObject, namespace = 'plain', metadata: JsonObject = {}): Promise<ApiResult> =>
  client.request({ verb: 'create', group: '', resource: 'configmaps', namespace, body: { metadata: { name, ...metadata }, data } })

const refusal = (result: ApiResult): string => (result.ok ? 'ok' : `${result.status.code} ${result.status.reason} ${result.status.message}`)

test('a policy with a binding refuses, with the message that it makes', async () => {
  await validating({
    variables: [{ name: 'size', expression: 'size(object.data)' }, { name: 'isBig', expression: 'variables.size > 1' }],
    validations: [
      { expression: '!variables.isBig', messageExpression: "'has ' + string(variables.size) + ' entries'", reason: 'Forbidden' },
      { expression: "object.data.a != 'x'", message: 'a must not be x' },
      { expression: "!object.metadata.name.startsWith('no')" },
    ],
  })
  expect(refusal(await configMap('one', { a: '1' }))).toBe('ok')
  const why = (name: string) => `configmaps "${name}" is forbidden: ValidatingAdmissionPolicy 'policy' with binding 'policy-binding' denied request: `
  expect(refusal(await configMap('two', { a: '1', b: '2' }))).toBe(`403 Forbidden ${why('two')}has 2 entries`)
  expect(refusal(await configMap('three', { a: 'x' }))).toBe(`422 Invalid ${why('three')}a must not be x`)
  expect(refusal(await configMap('nope', { a: '1' }))).toBe(
    `422 Invalid ${why('nope')}failed expression: !object.metadata.name.startsWith('no')`,
  )
  const update = { verb: 'update', group: '', resource: 'configmaps', namespace: 'plain', name: 'one' } as const
  const bigger = await client.request({ ...update, body: { metadata: { name: 'one' }, data: { a: '1', b: '2' } } })
  expect(refusal(bigger)).toBe(`403 Forbidden ${why('one')}has 2 entries`)
})

test('what fails follows the failure policy', async () => {
  await validating({ validations: [{ expression: "object.data.missing == 'x'" }] })
  expect(refusal(await configMap('a', { a: '1' }))).toContain("denied request: expression 'object.data.missing == 'x'' resulted in error: no such key: missing")
  await validating({ failurePolicy: 'Ignore', validations: [{ expression: "object.data.missing == 'x'" }] }, {}, 'lenient')
  await ok({ verb: 'delete', group, resource: policies, name: 'policy' })
  expect(refusal(await configMap('a', { a: '1' }))).toBe('ok')
})

test('deletions are judged by what is deleted', async () => {
  await configMap('kept', { keep: 'yes' })
  await configMap('gone', { keep: 'no' })
  await validating({ validations: [{ expression: "request.operation != 'DELETE' || (object == null && oldObject.data.keep == 'no')" }] })
  const remove = (name: string) => client.request({ verb: 'delete', group: '', resource: 'configmaps', namespace: 'plain', name })
  expect(refusal(await remove('kept'))).toContain('denied request')
  expect(refusal(await remove('gone'))).toBe('ok')
  await ok({ verb: 'delete', group, resource: policies, name: 'policy' })
})

test('parameters come by name and by selector, from the namespace of the request', async () => {
  await configMap('limits', { most: '3' }, 'plain', { labels: { of: 'limits' } })
  await configMap('limits', { most: '5' }, 'strict', { labels: { of: 'limits' } })
  const spec = {
    paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
    matchConditions: [{ name: 'others', expression: "object.metadata.name != 'limits'" }],
    matchConstraints: { resourceRules: [{ ...configMapRules[0]!, operations: ['CREATE'] }] },
    validations: [{ expression: 'int(object.data.n) <= int(params.data.most)', messageExpression: "'more than ' + params.data.most" }],
  }
  await validating(spec, { paramRef: { name: 'limits', parameterNotFoundAction: 'Deny' } })
  expect(refusal(await configMap('a', { n: '4' }))).toContain('more than 3')
  expect(refusal(await configMap('a', { n: '4' }, 'strict'))).toBe('ok')
  expect(refusal(await configMap('a', { n: '4' }, 'empty'))).toContain(
    'failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction',
  )
  await ok({ verb: 'delete', group, resource: bindings, name: 'policy-binding' })
  const paramRef = { selector: { matchLabels: { of: 'limits' } }, namespace: 'strict', parameterNotFoundAction: 'Allow' }
  await create(bindings, 'by-selector', { policyName: 'policy', validationActions: ['Deny'], paramRef })
  expect(refusal(await configMap('b', { n: '6' }))).toContain('more than 5')
  expect(refusal(await configMap('b', { n: '4' }))).toBe('ok')
})

test('a kind of parameters that is not there is told of', async () => {
  await validating({ paramKind: { apiVersion: 'none.dev/v1', kind: 'Rule' }, validations: [{ expression: 'true' }] })
  expect(refusal(await configMap('a', {}))).toContain(
    "ValidatingAdmissionPolicy 'policy' denied request: failed to configure policy: failed to find resource referenced by paramKind: 'none.dev/v1, Kind=Rule'",
  )
})

test('selectors, exclusions and resource names narrow policies and bindings', async () => {
  const isDenied = async (name: string, namespace: string, labels: JsonObject = {}) =>
    refusal(await configMap(name, {}, namespace, { labels })) !== 'ok'
  await validating(
    {
      matchConstraints: { resourceRules: configMapRules, excludeResourceRules: [{ ...configMapRules[0]!, resourceNames: ['free'] }] },
      validations: [{ expression: 'false' }],
    },
    { matchResources: { namespaceSelector: { matchLabels: { level: 'strict' } }, objectSelector: { matchLabels: { a: 'b' } } } },
  )
  expect(await isDenied('x', 'plain', { a: 'b' })).toBe(false)
  expect(await isDenied('x', 'strict')).toBe(false)
  expect(await isDenied('free', 'strict', { a: 'b' })).toBe(false)
  expect(await isDenied('y', 'strict', { a: 'b' })).toBe(true)
})

test('a rule for another version is met by the same resource', async () => {
  const body = { metadata: { name: 'web' }, spec: { minReplicas: 1, maxReplicas: 3, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' } } }
  const asV2 = (): Promise<ApiResult> => client.request({ verb: 'create', group: 'autoscaling', version: 'v2', resource: 'horizontalpodautoscalers', namespace: 'plain', body })
  const resourceRules = [{ apiGroups: ['autoscaling'], apiVersions: ['v1'], resources: ['*'], operations: ['CREATE'] }]
  await validating({
    matchConstraints: { resourceRules },
    validations: [{ expression: "object.apiVersion == 'autoscaling/v2'", messageExpression: "object.apiVersion + ' ' + request.requestKind.version + ' ' + request.kind.version" }],
  })
  expect(refusal(await asV2())).toContain('denied request: autoscaling/v1 v2 v1')
})

test('permissions are asked of the authorizer, for whoever asks', async () => {
  await validating({
    validations: [{ expression: "authorizer.group('').resource('configmaps').namespace(namespaceObject.metadata.name).check('escalate').allowed()", message: 'you may not' }],
  })
  expect(refusal(await configMap('a', {}))).toBe('ok')
  const jane = gateway.clientFor({ name: 'jane', groups: ['system:authenticated'] })
  const body = { metadata: { name: 'b' } }
  expect(refusal(await jane.request({ verb: 'create', group: '', resource: 'configmaps', namespace: 'plain', body }))).toContain('you may not')
})

test('a costly policy is judged elsewhere, and one that costs too much is refused', async () => {
  const numbers = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`k${index}`, `${index}`]))
  await validating({ validations: [{ expression: 'object.data.all(a, object.data.all(b, a == b || object.data[a] != object.data[b]))' }] })
  expect(refusal(await configMap('many', numbers))).toBe('ok')
  await validating({ validations: [{ expression: 'object.data.all(a, object.data.all(b, object.data.all(c, a != b || b != c || a == c)))' }] }, {}, 'hopeless')
  expect(refusal(await configMap('more', numbers))).toContain('operation cancelled: actual cost limit exceeded')
})

test('policies judge no policies', async () => {
  await validating({ matchConstraints: { resourceRules: [{ apiGroups: ['*'], apiVersions: ['*'], resources: ['*'], operations: ['*'] }] }, validations: [{ expression: 'false' }] })
  expect(refusal(await configMap('a', {}))).toContain('denied')
  await ok({ verb: 'delete', group, resource: policies, name: 'policy' })
})

test('a configuration is merged in: maps by key, lists by theirs', async () => {
  await mutating({
    mutations: [
      { patchType: 'ApplyConfiguration', applyConfiguration: { expression: "Object{metadata: Object.metadata{labels: {'by': request.userInfo.username}}, data: {'n': string(size(object.data))}}" } },
      { patchType: 'JSONPatch', jsonPatch: { expression: "[JSONPatch{op: 'test', path: '/data/n', value: '1'}, JSONPatch{op: 'add', path: '/metadata/labels/' + jsonpatch.escapeKey('a/b'), value: object.data.n}]" } },
    ],
  })
  await configMap('one', { a: '1' }, 'plain', { labels: { own: 'x' } })
  const one = await ok({ verb: 'get', group: '', resource: 'configmaps', namespace: 'plain', name: 'one' })
  expect(one['data']).toEqual({ a: '1', n: '1' })
  expect(one.metadata.labels).toEqual({ own: 'x', by: 'kubernetes-admin', 'a/b': '1' })
  // The patch's test fails: it is left out.
  await configMap('two', { a: '1', b: '2' })
  const two = await ok({ verb: 'get', group: '', resource: 'configmaps', namespace: 'plain', name: 'two' })
  expect(two['data']).toMatchObject({ n: '2' })
  expect(two.metadata.labels).toEqual({ by: 'kubernetes-admin' })
})

test('pods get containers, and defaults of what a policy adds', async () => {
  const resourceRules = [{ apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE'] }]
  await mutating({
    matchConstraints: { resourceRules },
    mutations: [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression: "Object{spec: Object.spec{initContainers: [Object.spec.initContainers{name: 'mesh', image: 'mesh:1', restartPolicy: 'Always'}], containers: [Object.spec.containers{name: 'main', env: [Object.spec.containers.env{name: 'A', value: 'b'}]}]}}" } }],
  })
  const body = { metadata: { name: 'pod' }, spec: { containers: [{ name: 'main', image: 'main:1' }] } }
  const pod = await ok({ verb: 'create', group: '', resource: 'pods', namespace: 'plain', body })
  expect(pod['spec']).toMatchObject({
    initContainers: [{ name: 'mesh', image: 'mesh:1', restartPolicy: 'Always', imagePullPolicy: 'IfNotPresent', terminationMessagePath: '/dev/termination-log' }],
    containers: [{ name: 'main', image: 'main:1', env: [{ name: 'A', value: 'b' }] }],
  })
})

test('a mutation that cannot be made refuses, in its words', async () => {
  const because = async (expression: string, isPatch = false): Promise<string> => {
    const mutation = isPatch ? { patchType: 'JSONPatch', jsonPatch: { expression } } : { patchType: 'ApplyConfiguration', applyConfiguration: { expression } }
    await mutating({ mutations: [mutation] })
    const result = await configMap('a', {})
    for (const resource of [mutatingPolicies, mutatingBindings]) await ok({ verb: 'deletecollection', group, resource })
    return refusal(result)
  }
  const start = "403 Invalid policy 'policy' with binding 'policy-binding' denied request: "
  expect(await because('Object{nothing: 1}')).toBe(`${start}error applying patch: failed to convert patch object to typed object: .nothing: field not declared in schema`)
  expect(await because('Object{metadata: Object.wrong{}}')).toBe(`${start}type mismatch: unexpected type name "Object.wrong", expected "Object.metadata", which matches field name path from root Object type`)
  expect(await because("[JSONPatch{op: 'replace', path: '/x/y', value: 1}]", true)).toBe(`${start}JSON Patch: replace operation does not apply: doc is missing path: /x/y: missing value`)
  expect(await because('Object{data: object.none}')).toBe(`${start}expression 'Object{data: object.none}' resulted in error: no such key: none`)
})

test('a policy that wants to is asked again when a later one has changed the object', async () => {
  const count = { patchType: 'ApplyConfiguration', applyConfiguration: { expression: "Object{metadata: Object.metadata{annotations: {'seen': string(size(object.data))}}}" } }
  const addEntry = { patchType: 'ApplyConfiguration', applyConfiguration: { expression: "Object{data: {'more': '1'}}" } }
  await mutating({ reinvocationPolicy: 'IfNeeded', mutations: [count] }, {}, 'a-counts')
  await mutating({ mutations: [count] }, {}, 'a-counts-once')
  await mutating({ mutations: [addEntry] }, {}, 'b-adds')
  await configMap('one', { a: '1' })
  const one = await ok({ verb: 'get', group: '', resource: 'configmaps', namespace: 'plain', name: 'one' })
  expect(one.metadata.annotations).toEqual({ seen: '2' })
})
