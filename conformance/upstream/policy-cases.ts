// Admission policies, each with the writes that it is asked about: played with upstream's API server, whose answers are
// recorded, and with ours. Each case has a namespace, and its bindings are for that namespace alone.
import type { JsonObject } from '@shiplog/api/kube-object'

export interface PolicyCase {
  readonly name: string
  readonly kind: 'validating' | 'mutating'
  readonly spec: JsonObject
  readonly binding?: JsonObject
  /** ConfigMaps that are there before. */
  readonly given?: readonly JsonObject[]
  readonly writes: readonly Write[]
}

export interface Write {
  readonly method: string
  /** Behind the namespace: `configmaps/a`. */
  readonly path: string
  readonly body?: JsonObject
  readonly contentType?: string
}

const configMaps = (operations: readonly string[] = ['*']) => ({
  resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], operations }],
})
const map = (name: string, data: JsonObject = {}, metadata: JsonObject = {}): Write => ({
  method: 'POST',
  path: 'configmaps',
  body: { metadata: { name, ...metadata }, data },
})

/** One expression and one ConfigMap. */
const judged = (expression: string, more: JsonObject = {}, validation: JsonObject = {}): PolicyCase => ({
  name: `${expression} ${JSON.stringify({ ...more, ...validation })}`,
  kind: 'validating',
  spec: { matchConstraints: configMaps(['CREATE', 'UPDATE']), validations: [{ expression, ...validation }], ...more },
  writes: [map('one', { a: '1', b: '2' }, { labels: { app: 'web' } })],
})

const expressions: readonly PolicyCase[] = [
  ...['true', 'false', "object.data.a == '1'", 'object.data.c == "1"', 'has(object.data.c)', 'oldObject == null', 'oldObject.x == 1'],
  ...["request.operation == 'CREATE'", "request.name == 'one'", "request.namespace.startsWith('case')", "request.kind.kind == 'ConfigMap'"],
  ...["request.resource.resource == 'configmaps' && request.subResource == ''", "request.userInfo.groups.exists(g, g == 'system:masters')"],
  ...["request.userInfo.username == 'kubernetes-admin'", 'request.dryRun == false', 'request.options.kind == "CreateOptions"'],
  ...["namespaceObject.metadata.labels['case'] != ''", "namespaceObject.metadata.name == 'nope'", "namespaceObject.status.phase == 'Active'"],
  ...["int(object.data.a) + int(object.data.b) == 4", "int(object.metadata.name) == 1", "object.data.all(k, object.data[k].size() == 1)"],
  ...["object.metadata.?labels.?app.orValue('') == 'web'", "object.metadata.?labels[?'none'].hasValue()", "quantity('1Gi').isGreaterThan(quantity(object.data.a))"],
  ...["authorizer.group('').resource('pods').check('create').allowed()", "authorizer.requestResource.check('create').reason() == ''"],
  ...["authorizer.serviceAccount('default', 'nobody').group('').resource('pods').namespace('default').check('create').allowed()"],
  ...["authorizer.path('/metrics').check('get').allowed()", "authorizer.path('').check('get').allowed()", "authorizer.group('').resource('').check('get').allowed()"],
  ...["object.data.a.matches('^[0-9]+$')", "object.data['a'] in ['1', '2']", "[1, 2, 3].map(x, x * 2).sum() == 12", "object.data.exists(k, v, k == 'a' && v == '1')"],
  ...["object.metadata.creationTimestamp == null", 'object.kind == "ConfigMap" && object.apiVersion == "v1"', 'type(object) == map'],
  ...['1 / (int(object.data.a) - 1) == 1', 'object.spec.replicas > 1', '[1][int(object.data.b)] == 1', 'dyn("a") < dyn(1)'],
].map((expression) => judged(expression))

const messages: readonly PolicyCase[] = [
  judged('false', {}, { message: 'no' }),
  judged('false', {}, { message: '  spaces  ' }),
  judged('false', {}, { message: 'no', messageExpression: "'a is ' + object.data.a" }),
  judged('false', {}, { message: 'no', messageExpression: 'object.data.none' }),
  judged('false', {}, { messageExpression: "'   '" }),
  judged('false', {}, { messageExpression: "'two\\nlines'" }),
  judged('false', {}, { reason: 'Forbidden' }),
  judged('false', {}, { reason: 'RequestEntityTooLarge', message: 'big' }),
  judged('false', {}, { reason: 'Invalid', message: 'bad' }),
  judged('object.data.none == 1', { failurePolicy: 'Ignore' }),
  judged('false', { failurePolicy: 'Ignore' }),
]

const all: PolicyCase['spec'] = { matchConstraints: configMaps() }

const bindings: readonly PolicyCase[] = [
  ['Deny'],
  ['Warn'],
  ['Audit'],
  ['Warn', 'Audit'],
  ['Deny', 'Audit'],
].map((validationActions) => ({ ...judged('false', {}, { message: validationActions.join(' and ') }), binding: { validationActions } }))

const several: readonly PolicyCase[] = [
  {
    name: 'the first of several validations refuses',
    kind: 'validating',
    spec: { ...all, validations: [{ expression: 'true' }, { expression: 'false', message: 'second' }, { expression: 'false', message: 'third', reason: 'Forbidden' }] },
    writes: [map('one')],
  },
  {
    name: 'warnings of several validations',
    kind: 'validating',
    spec: { ...all, validations: [{ expression: 'false', message: 'first' }, { expression: 'object.x', message: 'second' }, { expression: 'false' }] },
    binding: { validationActions: ['Warn'] },
    writes: [map('one')],
  },
  {
    name: 'variables',
    kind: 'validating',
    spec: {
      ...all,
      variables: [
        { name: 'sizes', expression: 'object.data.map(k, size(object.data[k]))' },
        { name: 'most', expression: 'variables.sizes.max()' },
        { name: 'broken', expression: 'object.none.none' },
      ],
      validations: [
        { expression: 'variables.most < 3', messageExpression: "'longest is ' + string(variables.most)" },
        { expression: "object.metadata.name != 'broken' || variables.broken == 1" },
      ],
    },
    writes: [map('one', { a: '1' }), map('two', { a: '12345' }), map('broken', { a: '1' }), map('empty')],
  },
  {
    name: 'match conditions',
    kind: 'validating',
    spec: {
      ...all,
      matchConditions: [
        { name: 'named', expression: "object.metadata.name.startsWith('x')" },
        { name: 'failing', expression: "object.data.a == '1'" },
      ],
      validations: [{ expression: 'false', message: 'met' }],
    },
    writes: [map('x1', { a: '1' }), map('y1', { a: '1' }), map('x2', { a: '2' }), map('x3'), map('y3')],
  },
  {
    name: 'match conditions that fail and are ignored',
    kind: 'validating',
    spec: { ...all, failurePolicy: 'Ignore', matchConditions: [{ name: 'failing', expression: "object.data.a == '1'" }], validations: [{ expression: 'false', message: 'met' }] },
    writes: [map('one', { a: '1' }), map('two')],
  },
  {
    name: 'several conditions fail',
    kind: 'validating',
    spec: { ...all, matchConditions: [{ name: 'a', expression: 'object.data.a == 1' }, { name: 'b', expression: 'object.data.b == 1' }], validations: [{ expression: 'false' }] },
    writes: [map('one')],
  },
  {
    name: 'updates, patches and deletions',
    kind: 'validating',
    spec: {
      matchConstraints: configMaps(['UPDATE', 'DELETE']),
      validations: [
        { expression: "request.operation == 'DELETE' || object.data.a >= oldObject.data.a", messageExpression: "object.data.a + ' is less than ' + oldObject.data.a" },
        { expression: "request.operation != 'DELETE' || oldObject.data.a == '9'", message: 'only 9 goes', reason: 'Forbidden' },
      ],
    },
    given: [{ metadata: { name: 'one' }, data: { a: '3' } }],
    writes: [
      { method: 'PATCH', path: 'configmaps/one', body: { data: { a: '2' } }, contentType: 'application/merge-patch+json' },
      { method: 'PUT', path: 'configmaps/one', body: { metadata: { name: 'one' }, data: { a: '1' } } },
      { method: 'DELETE', path: 'configmaps/one' },
      { method: 'PATCH', path: 'configmaps/one', body: { data: { a: '9' } }, contentType: 'application/merge-patch+json' },
      { method: 'DELETE', path: 'configmaps/one' },
    ],
  },
  {
    name: 'a name that is made up',
    kind: 'validating',
    spec: { ...all, validations: [{ expression: "object.metadata.name == ''", message: 'named' }] },
    writes: [{ method: 'POST', path: 'configmaps', body: { metadata: { generateName: 'made-' } } }],
  },
]

const limits = (name: string, most: string): JsonObject => ({ metadata: { name, labels: { of: 'limits' } }, data: { most } })
const withParams = (name: string, binding: JsonObject, given: readonly JsonObject[], more: JsonObject = {}): PolicyCase => ({
  name,
  kind: 'validating',
  spec: {
    paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
    matchConstraints: configMaps(['CREATE']),
    matchConditions: [{ name: 'others', expression: "!object.metadata.name.startsWith('limits')" }],
    validations: [{ expression: 'params == null || int(object.data.n) <= int(params.data.most)', messageExpression: "'more than ' + params.data.most + ' of ' + params.kind" }],
    ...more,
  },
  binding,
  given,
  writes: [map('one', { n: '2' }), map('two', { n: '7' })],
})

const params: readonly PolicyCase[] = [
  withParams('params by name', { paramRef: { name: 'limits', parameterNotFoundAction: 'Deny' } }, [limits('limits', '5')]),
  withParams('params by name that are not there, denied', { paramRef: { name: 'limits', parameterNotFoundAction: 'Deny' } }, []),
  withParams('params by name that are not there, allowed', { paramRef: { name: 'limits', parameterNotFoundAction: 'Allow' } }, []),
  withParams('params that are not there, ignored', { paramRef: { name: 'limits', parameterNotFoundAction: 'Deny' } }, [], { failurePolicy: 'Ignore' }),
  withParams('params by selector', { paramRef: { selector: { matchLabels: { of: 'limits' } }, parameterNotFoundAction: 'Deny' } }, [limits('limits', '5')]),
  withParams('params by a selector that selects none', { paramRef: { selector: { matchLabels: { of: 'x' } }, parameterNotFoundAction: 'Deny' } }, []),
  withParams('params by a selector in another namespace', { paramRef: { selector: {}, namespace: 'policy-nowhere', parameterNotFoundAction: 'Deny' } }, []),
  withParams('a kind of params and no reference', {}, []),
  withParams('a kind of params that nobody knows', { paramRef: { name: 'x', parameterNotFoundAction: 'Allow' } }, [], { paramKind: { apiVersion: 'none.dev/v1', kind: 'Rule' } }),
  withParams('a namespace for params of the cluster', { paramRef: { name: 'x', namespace: 'default', parameterNotFoundAction: 'Allow' } }, [], { paramKind: { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole' } }),
  withParams('params of the cluster that are not there', { paramRef: { name: 'x', parameterNotFoundAction: 'Deny' } }, [], { paramKind: { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole' } }),
]

const refuses = { validations: [{ expression: 'false', message: 'met' }] }
const rule = configMaps().resourceRules[0]!
const matching: readonly PolicyCase[] = [
  { name: 'resource names', kind: 'validating', spec: { matchConstraints: { resourceRules: [{ ...rule, resourceNames: ['a'] }] }, ...refuses }, writes: [map('a'), map('b')] },
  { name: 'excluded names', kind: 'validating', spec: { matchConstraints: { ...configMaps(), excludeResourceRules: [{ ...rule, resourceNames: ['a'] }] }, ...refuses }, writes: [map('a'), map('b')] },
  { name: 'all resources of a group', kind: 'validating', spec: { matchConstraints: { resourceRules: [{ ...rule, resources: ['*'] }] }, ...refuses }, writes: [map('a'), { method: 'POST', path: 'secrets', body: { metadata: { name: 'a' } } }] },
  { name: 'cluster scope', kind: 'validating', spec: { matchConstraints: { resourceRules: [{ ...rule, scope: 'Cluster' }] }, ...refuses }, writes: [map('a')] },
  { name: 'labels of objects', kind: 'validating', spec: { matchConstraints: { ...configMaps(), objectSelector: { matchLabels: { a: 'b' } } }, ...refuses }, writes: [map('a'), map('b', {}, { labels: { a: 'b' } })] },
  { name: 'labels of objects, by the binding', kind: 'validating', spec: { ...all, ...refuses }, binding: { matchResources: { objectSelector: { matchExpressions: [{ key: 'a', operator: 'DoesNotExist' }] } } }, writes: [map('a'), map('b', {}, { labels: { a: 'b' } })] },
  { name: 'operations, by the binding', kind: 'validating', spec: { ...all, ...refuses }, binding: { matchResources: { resourceRules: [{ ...rule, operations: ['DELETE'] }] } }, given: [{ metadata: { name: 'x' } }], writes: [map('a'), { method: 'DELETE', path: 'configmaps/x' }] },
  { name: 'another version, equivalent', kind: 'validating', spec: { matchConstraints: { resourceRules: [{ apiGroups: ['autoscaling'], apiVersions: ['v1'], resources: ['horizontalpodautoscalers'], operations: ['CREATE'] }] }, validations: [{ expression: 'false', messageExpression: "object.apiVersion + ' ' + request.kind.version + ' ' + request.requestKind.version + ' ' + string(has(object.spec.metrics))" }] }, writes: [{ method: 'POST', path: 'v2/horizontalpodautoscalers', body: { metadata: { name: 'web' }, spec: { maxReplicas: 3, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' } } } }] },
  { name: 'another version, exact', kind: 'validating', spec: { matchConstraints: { matchPolicy: 'Exact', resourceRules: [{ apiGroups: ['autoscaling'], apiVersions: ['v1'], resources: ['horizontalpodautoscalers'], operations: ['CREATE'] }] }, ...refuses }, writes: [{ method: 'POST', path: 'v2/horizontalpodautoscalers', body: { metadata: { name: 'web' }, spec: { maxReplicas: 3, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' } } } }] },
]

const costs: readonly PolicyCase[] = [
  '[0,1,2,3,4,5,6,7,8,9].all(a, [0,1,2,3,4,5,6,7,8,9].all(b, [0,1,2,3,4,5,6,7,8,9].all(c, [0,1,2,3,4,5,6,7,8,9].all(d, a + b + c + d < 99))))',
  'lists.range(1000).all(a, lists.range(1000).all(b, a + b >= 0))',
  "authorizer.path('/a').check('get').allowed() && authorizer.path('/b').check('get').allowed() && authorizer.path('/c').check('get').allowed()",
].map((expression) => judged(expression))

const apply = (expression: string): JsonObject => ({ patchType: 'ApplyConfiguration', applyConfiguration: { expression } })
const patch = (expression: string): JsonObject => ({ patchType: 'JSONPatch', jsonPatch: { expression } })
const changed = (mutations: readonly JsonObject[], more: JsonObject = {}): PolicyCase => ({
  name: `mutating ${JSON.stringify([mutations, more])}`,
  kind: 'mutating',
  spec: { matchConstraints: configMaps(['CREATE', 'UPDATE']), reinvocationPolicy: 'Never', failurePolicy: 'Fail', mutations, ...more },
  writes: [map('one', { a: '1' }, { labels: { app: 'web' } })],
})

const mutating: readonly PolicyCase[] = [
  changed([apply("Object{metadata: Object.metadata{labels: {'x': 'y'}}}")]),
  changed([apply("Object{metadata: Object.metadata{annotations: {'by': request.userInfo.username, 'ns': namespaceObject.metadata.name.substring(0, 4)}}}")]),
  changed([apply("Object{data: {'a': object.data.a + '0', 'b': string(size(object.data))}}"), apply("Object{data: {'c': string(size(object.data))}}")]),
  changed([apply('Object{}')]),
  changed([apply('Object{?data: object.?none}')]),
  changed([apply('Object{nothing: 1}')]),
  changed([apply('Object{spec: Object.spec{replicas: 1}}')]),
  changed([apply("Object{metadata: Object.wrong{labels: {'a': 'b'}}}")]),
  changed([apply('Object{data: object.none}')]),
  changed([apply('Object{data: object.none}')], { failurePolicy: 'Ignore' }),
  changed([apply("Object{metadata: Object.metadata{labels: {'x': variables.x}}}")], { variables: [{ name: 'x', expression: "object.data.a + 'x'" }] }),
  changed([apply("Object{metadata: Object.metadata{labels: {'x': 'y'}}}")], { matchConditions: [{ name: 'no', expression: 'false' }] }),
  changed([apply("Object{metadata: Object.metadata{labels: {'x': 'y'}}}")], { matchConditions: [{ name: 'bad', expression: 'object.none == 1' }] }),
  changed([apply("Object{metadata: Object.metadata{labels: {'x': 'not a label'}}}")]),
  changed([apply("Object{metadata: Object.metadata{finalizers: ['a.dev/one']}}")]),
  changed([apply("Object{metadata: Object.metadata{ownerReferences: [Object.metadata.ownerReferences{apiVersion: 'v1', kind: 'ConfigMap', name: 'x', uid: 'u'}]}}")]),
  changed([patch("[JSONPatch{op: 'add', path: '/data/b', value: '2'}]")]),
  changed([patch("[JSONPatch{op: 'replace', path: '/data/a', value: object.data.a + '0'}, JSONPatch{op: 'copy', from: '/data/a', path: '/data/c'}]")]),
  changed([patch("[JSONPatch{op: 'move', from: '/data/a', path: '/data/z'}]")]),
  changed([patch("[JSONPatch{op: 'remove', path: '/metadata/labels/app'}]")]),
  changed([patch("[JSONPatch{op: 'remove', path: '/data/none'}]")]),
  changed([patch("[JSONPatch{op: 'replace', path: '/x/y', value: 1}]")]),
  changed([patch("[JSONPatch{op: 'test', path: '/data/a', value: '1'}, JSONPatch{op: 'add', path: '/data/tested', value: 'yes'}]")]),
  changed([patch("[JSONPatch{op: 'test', path: '/data/a', value: '2'}, JSONPatch{op: 'add', path: '/data/tested', value: 'yes'}]")]),
  changed([patch("[JSONPatch{op: 'add', path: '/metadata/labels/' + jsonpatch.escapeKey('a.dev/b'), value: 'c'}]")]),
  changed([patch("[JSONPatch{op: 'add', path: '/metadata/annotations', value: {'k': 'v'}}]")]),
  changed([patch("[JSONPatch{op: 'add', path: '/spec', value: Object.spec{a: 1}}]")]),
  changed([patch('[]')]),
  changed([patch("has(object.data) ? [JSONPatch{op: 'add', path: '/data/more', value: 'yes'}] : []")]),
  changed([patch("[JSONPatch{op: 'add', path: '/data/n', value: 7}]")]),
  {
    name: 'mutating with params',
    kind: 'mutating',
    spec: {
      paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
      reinvocationPolicy: 'Never',
      matchConstraints: configMaps(['CREATE']),
      matchConditions: [{ name: 'others', expression: "object.metadata.name != 'limits'" }],
      mutations: [apply("Object{data: {'most': params.data.most}}")],
    },
    binding: { paramRef: { name: 'limits', parameterNotFoundAction: 'Deny' } },
    given: [limits('limits', '5')],
    writes: [map('one')],
  },
  {
    name: 'mutating with params that are not there',
    kind: 'mutating',
    spec: { paramKind: { apiVersion: 'v1', kind: 'ConfigMap' }, reinvocationPolicy: 'Never', matchConstraints: configMaps(['CREATE']), mutations: [apply("Object{data: {'most': params.data.most}}")] },
    binding: { paramRef: { name: 'limits', parameterNotFoundAction: 'Deny' } },
    writes: [map('one')],
  },
  {
    name: 'mutating a deployment: containers by name, what is atomic not at all',
    kind: 'mutating',
    spec: {
      reinvocationPolicy: 'Never',
      matchConstraints: { resourceRules: [{ apiGroups: ['apps'], apiVersions: ['v1'], resources: ['deployments'], operations: ['CREATE'] }] },
      mutations: [
        apply("Object{spec: Object.spec{replicas: 3, template: Object.spec.template{spec: Object.spec.template.spec{containers: [Object.spec.template.spec.containers{name: 'main', env: [Object.spec.template.spec.containers.env{name: 'B', value: '2'}]}, Object.spec.template.spec.containers{name: 'side', image: 'side:1'}]}}}}"),
      ],
    },
    writes: [
      {
        method: 'POST',
        path: 'deployments',
        body: {
          metadata: { name: 'web' },
          spec: { selector: { matchLabels: { a: 'b' } }, template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'main', image: 'main:1', env: [{ name: 'A', value: '1' }] }] } } },
        },
      },
    ],
  },
  {
    name: 'mutating what is atomic',
    kind: 'mutating',
    spec: {
      reinvocationPolicy: 'Never',
      matchConstraints: { resourceRules: [{ apiGroups: ['apps'], apiVersions: ['v1'], resources: ['deployments'], operations: ['CREATE'] }] },
      mutations: [apply("Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{containers: [Object.spec.template.spec.containers{name: 'main', args: ['x']}]}}}}")],
    },
    writes: [
      {
        method: 'POST',
        path: 'deployments',
        body: {
          metadata: { name: 'web' },
          spec: { selector: { matchLabels: { a: 'b' } }, template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'main', image: 'main:1' }] } } },
        },
      },
    ],
  },
]

/** Policies that are refused, or taken, as such. */
export const writtenPolicies: readonly { readonly resource: string; readonly spec: JsonObject }[] = [
  ...[
    {},
    { matchConstraints: configMaps(['DELETE']), reinvocationPolicy: 'Never', mutations: [apply('Object{}')] },
    { matchConstraints: configMaps(['CREATE']), mutations: [apply('Object{}')] },
    { matchConstraints: configMaps(['CREATE']), reinvocationPolicy: 'Sometimes', mutations: [apply('Object{}')] },
    { matchConstraints: configMaps(['CREATE']), reinvocationPolicy: 'Never', mutations: [] },
    { matchConstraints: configMaps(['CREATE']), reinvocationPolicy: 'Never', mutations: [{}] },
    { matchConstraints: configMaps(['CREATE']), reinvocationPolicy: 'Never', mutations: [{ patchType: 'Other' }] },
    { matchConstraints: configMaps(['CREATE']), reinvocationPolicy: 'Never', mutations: [{ patchType: 'JSONPatch' }] },
    { matchConstraints: configMaps(['CREATE']), reinvocationPolicy: 'Never', mutations: [{ ...apply('Object{}'), jsonPatch: { expression: '[]' } }] },
    ...['', '1', 'object', '{"a": 1}', 'Object.spec{}', 'Object{a: nothing}', 'Other{}', 'JSONPatch{}', 'Object{metadata: Object.metadata{name: params.x}}'].map((expression) => ({
      matchConstraints: configMaps(['CREATE']),
      reinvocationPolicy: 'Never',
      mutations: [apply(expression)],
    })),
    ...['', '[]', '[1]', "[JSONPatch{op: 1}]", "[JSONPatch{nope: 'a'}]", "[JSONPatch{op: 'add'}]", 'JSONPatch{}', '[Object{}]'].map((expression) => ({
      matchConstraints: configMaps(['CREATE']),
      reinvocationPolicy: 'Never',
      mutations: [patch(expression)],
    })),
  ].map((spec) => ({ resource: 'mutatingadmissionpolicies', spec: spec as JsonObject })),
  ...[
    {},
    { policyName: 'x', matchResources: { resourceRules: [{ ...rule, operations: ['DELETE'] }] } },
    { policyName: 'x', paramRef: {} },
    { policyName: 'Not a name' },
  ].map((spec) => ({ resource: 'mutatingadmissionpolicybindings', spec: spec as JsonObject })),
]

export const policyCases: readonly PolicyCase[] = [
  ...expressions,
  ...messages,
  ...bindings,
  ...several,
  ...params,
  ...matching,
  ...costs,
  ...mutating,
]
