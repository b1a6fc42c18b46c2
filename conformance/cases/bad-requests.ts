// Bad input: requests that must be refused, each with the Status that upstream gives. Every one is a distinct
// (verb, resource, fault); none may leave anything behind.
import type { Any } from '../src/case.ts'
import type { HttpRequest } from '../src/http.ts'
import { configMap, deployment, pod, service } from '../src/manifests.ts'

export interface BadRequest {
  readonly verb: string
  readonly resource: string
  readonly fault: string
  readonly request: HttpRequest
  readonly code: number
  readonly reason: string
  readonly message: RegExp
}

/** The namespace in which the suite keeps the few good objects that bad requests aim at. */
export const namespace = 'bad-input'

interface Target {
  readonly resource: string
  readonly kind: string
  readonly apiVersion: string
  readonly path: string
  /** A valid object of this kind. */
  readonly object: Any
  /** The object with a value of a wrong type in it. */
  readonly wrongType: (object: Any) => Any
  /** A PUT to a name that does not exist creates it: so upstream has it for services and RBAC. */
  readonly createsOnUpdate?: boolean
}

const core = `/api/v1/namespaces/${namespace}`

const named = (apiVersion: string, kind: string, more: Any = {}): Any => ({
  apiVersion,
  kind,
  metadata: { name: 'target' },
  ...more,
})

/** The kinds that every general fault is tried on. */
export const targets: readonly Target[] = [
  {
    ...{ resource: 'configmaps', kind: 'ConfigMap', apiVersion: 'v1', path: `${core}/configmaps` },
    object: configMap('target', { a: '1' }),
    wrongType: (object) => ({ ...object, data: { a: 1 } }),
  },
  {
    ...{ resource: 'pods', kind: 'Pod', apiVersion: 'v1', path: `${core}/pods` },
    object: pod('target', { nodeSelector: { nowhere: 'x' } }),
    wrongType: (object) => ({ ...object, spec: { ...object.spec, containers: 'main' } }),
  },
  {
    ...{ resource: 'services', kind: 'Service', apiVersion: 'v1', path: `${core}/services` },
    object: service('target', 'web'),
    createsOnUpdate: true,
    wrongType: (object) => ({ ...object, spec: { ...object.spec, ports: [{ port: 'eighty' }] } }),
  },
  {
    ...{ resource: 'secrets', kind: 'Secret', apiVersion: 'v1', path: `${core}/secrets` },
    object: named('v1', 'Secret', { type: 'Opaque' }),
    wrongType: (object) => ({ ...object, data: 'x' }),
  },
  {
    ...{ resource: 'serviceaccounts', kind: 'ServiceAccount', apiVersion: 'v1', path: `${core}/serviceaccounts` },
    object: named('v1', 'ServiceAccount'),
    wrongType: (object) => ({ ...object, automountServiceAccountToken: 'yes' }),
  },
  {
    resource: 'deployments',
    kind: 'Deployment',
    apiVersion: 'apps/v1',
    path: `/apis/apps/v1/namespaces/${namespace}/deployments`,
    object: deployment('target', 0),
    wrongType: (object) => ({ ...object, spec: { ...object.spec, replicas: 'three' } }),
  },
  {
    resource: 'jobs',
    kind: 'Job',
    apiVersion: 'batch/v1',
    path: `/apis/batch/v1/namespaces/${namespace}/jobs`,
    object: named('batch/v1', 'Job', {
      spec: { suspend: true, template: { spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'b' }] } } },
    }),
    wrongType: (object) => ({ ...object, spec: { ...object.spec, suspend: 'yes' } }),
  },
  {
    resource: 'roles',
    kind: 'Role',
    apiVersion: 'rbac.authorization.k8s.io/v1',
    path: `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles`,
    object: named('rbac.authorization.k8s.io/v1', 'Role', { rules: [] }),
    createsOnUpdate: true,
    wrongType: (object) => ({ ...object, rules: 'all' }),
  },
]

const bad = (
  verb: string,
  resource: string,
  fault: string,
  request: HttpRequest,
  code: number,
  reason: string,
  message: RegExp,
): BadRequest => ({ verb, resource, fault, request, code, reason, message })

const type = (contentType: string): Readonly<Record<string, string>> => ({ 'content-type': contentType })
const merge = type('application/merge-patch+json')
const jsonPatch = type('application/json-patch+json')
const strategic = type('application/strategic-merge-patch+json')
const applyPatch = type('application/apply-patch+yaml')
const protobuf = type('application/vnd.kubernetes.protobuf')

const deep = (levels: number): string => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`
const renamed = (object: Any, name: unknown): Any => ({ ...object, metadata: { ...object.metadata, name } })

/** The faults that any kind can suffer. */
function general(target: Target): readonly BadRequest[] {
  const { resource, path, object, kind } = target
  const fresh = renamed(object, 'fresh')
  const text = JSON.stringify(fresh)
  const item = `${path}/target`
  const post = (body: unknown, headers = {}): HttpRequest => ({ method: 'POST', path, body, headers })
  const patch = (headers: Readonly<Record<string, string>>, body: unknown, query = ''): HttpRequest => ({
    method: 'PATCH',
    path: `${item}${query}`,
    headers,
    body,
  })
  return [
    bad('create', resource, 'broken JSON', post(text.slice(0, -2)), 400, 'BadRequest', /unexpected end of JSON|json/i),
    bad('create', resource, 'an empty body', post(''), 400, 'BadRequest', /./),
    bad('create', resource, 'a list instead of an object', post('[]'), 400, 'BadRequest', /./),
    bad('create', resource, 'broken YAML', post('a: [b', type('application/yaml')), 400, 'BadRequest', /yaml/i),
    bad(
      'create',
      resource,
      'broken protobuf',
      post(Buffer.from('6b3873000a', 'hex'), protobuf),
      400,
      'BadRequest',
      /./,
    ),
    bad(
      'create',
      resource,
      'protobuf without its prefix',
      post(Buffer.from('nonsense'), protobuf),
      400,
      'BadRequest',
      /./,
    ),
    bad(
      'create',
      resource,
      'an unknown media type',
      post('<a/>', type('text/xml')),
      415,
      'UnsupportedMediaType',
      /^the body of the request was in an unknown format - accepted media types include: application\/json/,
    ),
    bad(
      'create',
      resource,
      'an Accept that cannot be served',
      post(fresh, { accept: 'text/html' }),
      406,
      'NotAcceptable',
      /^406: Not Acceptable\n\nAvailable representations: application\/json/,
    ),
    bad(
      'create',
      resource,
      'another kind',
      post({ ...fresh, kind: kind === 'Secret' ? 'ConfigMap' : 'Secret', apiVersion: 'v1' }),
      400,
      'BadRequest',
      /./,
    ),
    bad(
      'create',
      resource,
      'an unknown version',
      post({ ...fresh, apiVersion: 'example.com/v9' }),
      400,
      'BadRequest',
      /example\.com/,
    ),
    bad(
      'create',
      resource,
      'a wrong type',
      post(target.wrongType(fresh)),
      400,
      'BadRequest',
      new RegExp(`^${kind} in version "v1" cannot be handled as a ${kind}: `),
    ),
    bad(
      'create',
      resource,
      'an unknown field',
      { ...post({ ...fresh, wrong: 1 }), path: `${path}?fieldValidation=Strict` },
      400,
      'BadRequest',
      /strict decoding error: unknown field "wrong"/,
    ),
    bad(
      'create',
      resource,
      'an unknown metadata field',
      { ...post({ ...fresh, metadata: { name: 'fresh', wrong: 1 } }), path: `${path}?fieldValidation=Strict` },
      400,
      'BadRequest',
      /unknown field "metadata\.wrong"/,
    ),
    bad(
      'create',
      resource,
      'a duplicate field',
      { ...post(text.replace('{', '{"kind":"x",')), path: `${path}?fieldValidation=Strict` },
      400,
      'BadRequest',
      /duplicate field "kind"/,
    ),
    bad(
      'create',
      resource,
      'no name',
      post(renamed(object, undefined)),
      422,
      'Invalid',
      /metadata\.name: Required value: name or generateName is required/,
    ),
    bad('create', resource, 'a number as name', post(renamed(object, 7)), 400, 'BadRequest', /cannot be handled as a/),
    bad('create', resource, 'a name that exists', post(object), 409, 'AlreadyExists', /"target" already exists$/),
    bad(
      'create',
      resource,
      'another namespace',
      post({ ...fresh, metadata: { name: 'fresh', namespace: 'default' } }),
      400,
      'BadRequest',
      /^the namespace of the provided object does not match the namespace sent on the request$/,
    ),
    bad(
      'create',
      resource,
      'a value of dryRun',
      { ...post(fresh), path: `${path}?dryRun=Some` },
      422,
      'Invalid',
      /dryRun: Unsupported value/,
    ),
    bad(
      'create',
      resource,
      'a body that is too large',
      post(JSON.stringify({ ...fresh, padding: 'x'.repeat(3_200_000) })),
      413,
      'RequestEntityTooLarge',
      /limit is 3145728/,
    ),
    bad(
      'update',
      resource,
      'another name',
      { method: 'PUT', path: item, body: fresh },
      400,
      'BadRequest',
      /^the name of the object \(fresh\) does not match the name on the URL \(target\)$/,
    ),
    bad(
      'update',
      resource,
      'a stale version',
      { method: 'PUT', path: item, body: { ...object, metadata: { name: 'target', resourceVersion: '1' } } },
      409,
      'Conflict',
      /the object has been modified; please apply your changes to the latest version and try again$/,
    ),
    bad(
      'update',
      resource,
      'a malformed version',
      { method: 'PUT', path: item, body: { ...object, metadata: { name: 'target', resourceVersion: 'new' } } },
      400,
      'BadRequest',
      /^strconv.ParseUint: parsing "new": invalid syntax$/,
    ),
    bad(
      'update',
      resource,
      'another uid',
      {
        method: 'PUT',
        path: item,
        body: { ...object, metadata: { name: 'target', uid: '00000000-0000-4000-8000-000000000000' } },
      },
      409,
      'Conflict',
      /Precondition failed: UID in precondition: 00000000-0000-4000-8000-000000000000/,
    ),
    ...(target.createsOnUpdate
      ? []
      : [
          bad(
            'update',
            resource,
            'what does not exist',
            { method: 'PUT', path: `${path}/none`, body: renamed(object, 'none') },
            404,
            'NotFound',
            /"none" not found$/,
          ),
        ]),
    bad('update', resource, 'the collection', { method: 'PUT', path, body: object }, 405, 'MethodNotAllowed', /./),
    bad(
      'patch',
      resource,
      'a media type that is no patch',
      patch(type('application/json'), {}),
      415,
      'UnsupportedMediaType',
      /^415: Unsupported Media Type$/,
    ),
    bad('patch', resource, 'broken JSON', patch(merge, '{"a":'), 400, 'BadRequest', /./),
    bad('patch', resource, 'a JSON patch that is no list', patch(jsonPatch, { op: 'add' }), 400, 'BadRequest', /./),
    bad(
      'patch',
      resource,
      '10,001 operations',
      patch(
        jsonPatch,
        Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/kind', value: kind })),
      ),
      413,
      'RequestEntityTooLarge',
      /^Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001$/,
    ),
    bad(
      'patch',
      resource,
      'a test that fails',
      patch(jsonPatch, [{ op: 'test', path: '/kind', value: 'x' }]),
      422,
      'Invalid',
      /./,
    ),
    bad(
      'patch',
      resource,
      'a path that does not exist',
      patch(jsonPatch, [{ op: 'remove', path: '/nothing/here' }]),
      422,
      'Invalid',
      /./,
    ),
    bad(
      'patch',
      resource,
      'an unknown operation',
      patch(jsonPatch, [{ op: 'explode', path: '/kind' }]),
      422,
      'Invalid',
      /./,
    ),
    bad(
      'patch',
      resource,
      'into a prototype',
      patch(jsonPatch, [{ op: 'add', path: '/__proto__/polluted', value: 1 }]),
      422,
      'Invalid',
      /./,
    ),
    bad(
      'patch',
      resource,
      'a prototype by merge',
      patch(merge, '{"__proto__":{"polluted":1}}', '?fieldValidation=Strict'),
      422,
      'Invalid',
      /unknown field "__proto__"/,
    ),
    bad(
      'patch',
      resource,
      'a constructor by strategic merge',
      patch(strategic, '{"constructor":{"prototype":{"polluted":1}}}', '?fieldValidation=Strict'),
      422,
      'Invalid',
      /unknown field "constructor"/,
    ),
    bad(
      'patch',
      resource,
      'a stale version',
      patch(merge, { metadata: { resourceVersion: '1', labels: { a: 'b' } } }),
      409,
      'Conflict',
      /the object has been modified/,
    ),
    bad(
      'patch',
      resource,
      'a bad label',
      patch(merge, { metadata: { labels: { 'a b': 'c' } } }),
      422,
      'Invalid',
      /metadata\.labels: Invalid value: "a b"/,
    ),
    bad(
      'patch',
      resource,
      'an unknown directive',
      patch(strategic, { metadata: { $patch: 'explode' } }),
      400,
      'BadRequest',
      /./,
    ),
    bad(
      'patch',
      resource,
      'what does not exist',
      { method: 'PATCH', path: `${path}/none`, headers: merge, body: {} },
      404,
      'NotFound',
      /"none" not found$/,
    ),
    bad(
      'patch',
      resource,
      'force without apply',
      patch(merge, { metadata: { labels: { a: 'b' } } }, '?force=true'),
      422,
      'Invalid',
      /force: Forbidden: may not be specified for non-apply patch/,
    ),
    bad(
      'apply',
      resource,
      'no field manager',
      patch(applyPatch, object),
      422,
      'Invalid',
      /fieldManager: Required value: is required for apply patch/,
    ),
    bad(
      'apply',
      resource,
      'managed fields',
      patch(
        applyPatch,
        { ...object, metadata: { name: 'target', managedFields: [{ manager: 'x' }] } },
        '?fieldManager=x',
      ),
      400,
      'BadRequest',
      /metadata\.managedFields must be nil/,
    ),
    bad(
      'apply',
      resource,
      'another name',
      patch(applyPatch, fresh, '?fieldManager=x'),
      400,
      'BadRequest',
      /does not match/,
    ),
    bad(
      'apply',
      resource,
      'a manager that is too long',
      patch(applyPatch, object, `?fieldManager=${'m'.repeat(129)}`),
      422,
      'Invalid',
      /fieldManager: (Invalid value|Too long)/,
    ),
    bad(
      'delete',
      resource,
      'what does not exist',
      { method: 'DELETE', path: `${path}/none` },
      404,
      'NotFound',
      /"none" not found$/,
    ),
    bad(
      'delete',
      resource,
      'broken options',
      { method: 'DELETE', path: item, body: '{"propagationPolicy":' },
      400,
      'BadRequest',
      /./,
    ),
    bad(
      'delete',
      resource,
      'an unknown propagation policy',
      { method: 'DELETE', path: `${item}?propagationPolicy=Sideways` },
      422,
      'Invalid',
      /propagationPolicy: Unsupported value: "Sideways"/,
    ),
    bad(
      'delete',
      resource,
      'another uid',
      {
        method: 'DELETE',
        path: item,
        body: {
          apiVersion: 'v1',
          kind: 'DeleteOptions',
          preconditions: { uid: '00000000-0000-4000-8000-000000000000' },
        },
      },
      409,
      'Conflict',
      /the UID in the precondition \(00000000-0000-4000-8000-000000000000\) does not match the UID in record \(/,
    ),
    bad(
      'deletecollection',
      resource,
      'a bad selector',
      { method: 'DELETE', path: `${path}?labelSelector=a%20in%20b` },
      400,
      'BadRequest',
      /./,
    ),
    bad('get', resource, 'what does not exist', { path: `${path}/none` }, 404, 'NotFound', /"none" not found$/),
    bad('get', resource, 'a hostile name', { path: `${path}/..%2f..%2fetc%2fpasswd` }, 404, 'NotFound', /./),
    bad(
      'get',
      resource,
      'an unknown subresource',
      { path: `${item}/nonsense` },
      404,
      'NotFound',
      /^the server could not find the requested resource$/,
    ),
    bad('list', resource, 'a bad label selector', { path: `${path}?labelSelector=a%20b%20c` }, 400, 'BadRequest', /./),
    bad('list', resource, 'a bad field selector', { path: `${path}?fieldSelector=a` }, 400, 'BadRequest', /./),
    bad(
      'list',
      resource,
      'an unknown field',
      { path: `${path}?fieldSelector=spec.nonsense%3D1` },
      400,
      'BadRequest',
      /field label not supported: spec\.nonsense|field label "spec\.nonsense" not supported|is not a known field selector/,
    ),
    bad('list', resource, 'a malformed version', { path: `${path}?resourceVersion=abc` }, 400, 'BadRequest', /abc/),
    bad(
      'list',
      resource,
      'a version from the future',
      { path: `${path}?resourceVersion=99999999999` },
      504,
      'Timeout',
      /Too large resource version/,
    ),
    bad(
      'list',
      resource,
      'a match without a version',
      { path: `${path}?resourceVersionMatch=Exact` },
      422,
      'Invalid',
      /resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided/,
    ),
    bad(
      'list',
      resource,
      'an unknown match',
      { path: `${path}?resourceVersion=1&resourceVersionMatch=Roughly` },
      422,
      'Invalid',
      /resourceVersionMatch: Unsupported value: "Roughly"/,
    ),
    bad('list', resource, 'a malformed limit', { path: `${path}?limit=many` }, 400, 'BadRequest', /./),
    bad(
      'list',
      resource,
      'a malformed continue token',
      { path: `${path}?limit=1&continue=nonsense` },
      400,
      'BadRequest',
      /continue key is not valid/,
    ),
    bad(
      'list',
      resource,
      'an Accept that cannot be served',
      { path, headers: { accept: 'image/png' } },
      406,
      'NotAcceptable',
      /^406: Not Acceptable\n\nAvailable representations: application\/json/,
    ),
    bad(
      'watch',
      resource,
      'a malformed version',
      { path: `${path}?watch=1&resourceVersion=-7` },
      400,
      'BadRequest',
      /./,
    ),
    bad(
      'watch',
      resource,
      'initial events without a match',
      { path: `${path}?watch=1&sendInitialEvents=true` },
      422,
      'Invalid',
      /sendInitialEvents|resourceVersionMatch/,
    ),
  ]
}

const invalidPod = (fault: string, spec: Any, message: RegExp, metadata: Any = {}): BadRequest =>
  bad(
    'create',
    'pods',
    fault,
    { method: 'POST', path: `${core}/pods`, body: pod('fresh', spec, metadata) },
    422,
    'Invalid',
    message,
  )

const container = (more: Any): Any => ({ containers: [{ name: 'main', image: 'x', ...more }] })

const podFaults: readonly BadRequest[] = [
  invalidPod('no containers', { containers: [] }, /spec\.containers: Required value/),
  invalidPod(
    'two containers of one name',
    {
      containers: [
        { name: 'a', image: 'x' },
        { name: 'a', image: 'x' },
      ],
    },
    /spec\.containers\[1\]\.name: Duplicate value: "a"/,
  ),
  invalidPod(
    'a container without a name',
    { containers: [{ image: 'x' }] },
    /spec\.containers\[0\]\.name: Required value/,
  ),
  invalidPod(
    'a container without an image',
    { containers: [{ name: 'a' }] },
    /spec\.containers\[0\]\.image: Required value/,
  ),
  invalidPod(
    'a bad restart policy',
    { restartPolicy: 'Sometimes' },
    /spec\.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"|spec\.restartPolicy: Unsupported value: "Sometimes"/,
  ),
  invalidPod('a bad DNS policy', { dnsPolicy: 'Nowhere' }, /spec\.dnsPolicy: Unsupported value: "Nowhere"/),
  invalidPod(
    'a port that is none',
    container({ ports: [{ containerPort: 70_000 }] }),
    /spec\.containers\[0\]\.ports\[0\]\.containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive/,
  ),
  invalidPod(
    'a bad protocol',
    container({ ports: [{ containerPort: 80, protocol: 'ICMP' }] }),
    /ports\[0\]\.protocol: Unsupported value: "ICMP"/,
  ),
  invalidPod(
    'a mount without a volume',
    container({ volumeMounts: [{ name: 'v', mountPath: '/v' }] }),
    /volumeMounts\[0\]\.name: Not found: "v"/,
  ),
  invalidPod(
    'requests beyond limits',
    container({ resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } }),
    /resources\.requests: Invalid value: "2": must be less than or equal to cpu limit of 1/,
  ),
  invalidPod(
    'a negative request',
    container({ resources: { requests: { cpu: '-1' } } }),
    /must be greater than or equal to 0/,
  ),
  invalidPod('a bad environment name', container({ env: [{ name: '=' }] }), /env\[0\]\.name: Invalid value: "="/),
  invalidPod(
    'a bad pull policy',
    container({ imagePullPolicy: 'Maybe' }),
    /imagePullPolicy: Unsupported value: "Maybe"/,
  ),
  invalidPod(
    'a deadline of no seconds',
    { activeDeadlineSeconds: 0 },
    /spec\.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive/,
  ),
  invalidPod('a bad label', {}, /metadata\.labels: Invalid value: "not allowed!"/, { labels: { a: 'not allowed!' } }),
  invalidPod('a bad annotation key', {}, /metadata\.annotations: Invalid value: "a b"/, {
    annotations: { 'a b': 'c' },
  }),
  invalidPod(
    'annotations that are too long',
    {},
    /metadata\.annotations: Too long: may not be more than 262144 bytes/,
    { annotations: { a: 'x'.repeat(270_000) } },
  ),
  invalidPod('a bad finalizer', {}, /metadata\.finalizers/, { finalizers: ['no spaces'] }),
  invalidPod('a bad generated name', {}, /metadata\.generateName: Invalid value/, {
    name: undefined,
    generateName: 'NOT_OK-',
  }),
  invalidPod('an owner without a uid', {}, /metadata\.ownerReferences\.uid: Invalid value: "": must not be empty/, {
    ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'x', uid: '' }],
  }),
  invalidPod(
    'two volumes of one name',
    {
      volumes: [
        { name: 'v', emptyDir: {} },
        { name: 'v', emptyDir: {} },
      ],
    },
    /spec\.volumes\[1\]\.name: Duplicate value: "v"/,
  ),
  invalidPod(
    'a volume of two kinds',
    { volumes: [{ name: 'v', emptyDir: {}, hostPath: { path: '/x' } }] },
    /spec\.volumes\[0\]\.hostPath: Forbidden: may not specify more than 1 volume type/,
  ),
  bad(
    'create',
    'pods',
    'a bad quantity',
    { method: 'POST', path: `${core}/pods`, body: pod('fresh', container({ resources: { limits: { cpu: 'much' } } })) },
    400,
    'BadRequest',
    /quantities must match the regular expression/,
  ),
  bad(
    'create',
    'pods',
    'an unknown priority class',
    { method: 'POST', path: `${core}/pods`, body: pod('fresh', { priorityClassName: 'none' }) },
    403,
    'Forbidden',
    /no PriorityClass with name none was found/,
  ),
  bad(
    'create',
    'pods',
    'an unknown service account',
    { method: 'POST', path: `${core}/pods`, body: pod('fresh', { serviceAccountName: 'none' }) },
    403,
    'Forbidden',
    /error looking up service account bad-input\/none: serviceaccount "none" not found/,
  ),
  bad(
    'create',
    'pods/binding',
    'a pod that does not exist',
    {
      method: 'POST',
      path: `${core}/pods/none/binding`,
      body: { apiVersion: 'v1', kind: 'Binding', metadata: { name: 'none' }, target: { kind: 'Node', name: 'x' } },
    },
    404,
    'NotFound',
    /pods "none" not found/,
  ),
  bad(
    'create',
    'pods/binding',
    'no target',
    {
      method: 'POST',
      path: `${core}/pods/target/binding`,
      body: { apiVersion: 'v1', kind: 'Binding', metadata: { name: 'target' }, target: { kind: 'Node' } },
    },
    422,
    'Invalid',
    /target\.name: Required value/,
  ),
]

const names: readonly (readonly [string, string])[] = [
  ['upper case', 'Upper'],
  ['a slash', 'a/b'],
  ['a parent folder', '../x'],
  ['a dot', '.'],
  ['a space', 'a b'],
  ['a NUL', 'a\u0000b'],
  ['a line break', 'a\nb'],
  ['letters of other scripts', 'größe'],
  ['254 characters', 'a'.repeat(254)],
  ['a percent sign', 'a%2fb'],
  ['the prototype', '__proto__'],
  ['a wildcard', '*'],
  ['the end of a subject', '>'],
  ['a leading dash', '-a'],
]

const nameFaults: readonly BadRequest[] = names.map(([fault, name]) =>
  bad(
    'create',
    'configmaps',
    `a name with ${fault}`,
    { method: 'POST', path: `${core}/configmaps`, body: configMap(name, {}) },
    422,
    'Invalid',
    /metadata\.name: Invalid value/,
  ),
)

const invalid = (
  resource: string,
  fault: string,
  path: string,
  body: Any,
  message: RegExp,
  code = 422,
  reason = 'Invalid',
): BadRequest => bad('create', resource, fault, { method: 'POST', path, body }, code, reason, message)

const invalidService = (fault: string, spec: Any, message: RegExp): BadRequest =>
  invalid('services', fault, `${core}/services`, service('fresh', 'web', spec), message)

const serviceFaults: readonly BadRequest[] = [
  invalidService('no ports', { ports: [] }, /spec\.ports: Required value/),
  invalidService(
    'port 0',
    { ports: [{ port: 0 }] },
    /spec\.ports\[0\]\.port: Invalid value: 0: must be between 1 and 65535, inclusive/,
  ),
  invalidService(
    'two ports of one name',
    {
      ports: [
        { name: 'a', port: 1 },
        { name: 'a', port: 2 },
      ],
    },
    /spec\.ports\[1\]\.name: Duplicate value: "a"/,
  ),
  invalidService(
    'two ports without names',
    { ports: [{ port: 1 }, { port: 2 }] },
    /spec\.ports\[0\]\.name: Required value/,
  ),
  invalidService('an unknown type', { type: 'Magic' }, /spec\.type: Unsupported value: "Magic"/),
  invalidService(
    'an address outside the range',
    { clusterIP: '192.0.2.1' },
    /spec\.clusterIPs: Invalid value: \["192\.0\.2\.1"\]: failed to allocate IP 192\.0\.2\.1: the provided network does not match the current range/,
  ),
  invalidService(
    'two families on a cluster of one',
    { ipFamilyPolicy: 'RequireDualStack' },
    /spec\.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services/,
  ),
  invalidService(
    'a family that the cluster has not',
    { ipFamilies: ['IPv6'] },
    /spec\.ipFamilies\[0\]: Invalid value: "IPv6": not configured on this cluster/,
  ),
  invalidService('an address that is none', { clusterIP: 'here' }, /spec\.clusterIPs\[0\]: Invalid value: "here"/),
  invalidService(
    'a node port outside the range',
    { type: 'NodePort', ports: [{ port: 80, nodePort: 80 }] },
    /spec\.ports\[0\]\.nodePort: Invalid value: 80: provided port is not in the valid range\. The range of valid ports is 30000-32767/,
  ),
  invalidService(
    'a node port on a cluster IP',
    { ports: [{ port: 80, nodePort: 30_100 }] },
    /spec\.ports\[0\]\.nodePort: Forbidden: may not be used when `type` is 'ClusterIP'/,
  ),
  invalidService('a bad affinity', { sessionAffinity: 'Sticky' }, /spec\.sessionAffinity: Unsupported value: "Sticky"/),
  invalidService(
    'an external name that is missing',
    { type: 'ExternalName' },
    /spec\.externalName: (Required|Invalid) value/,
  ),
  invalidService(
    'a name for DNS that is none',
    { ports: [{ name: 'Not_Ok', port: 1 }] },
    /spec\.ports\[0\]\.name: Invalid value: "Not_Ok"/,
  ),
  invalid(
    'services',
    'a name with a dot',
    `${core}/services`,
    service('web.a', 'web'),
    /metadata\.name: Invalid value: "web\.a": must not contain dots/,
  ),
]

const apps = `/apis/apps/v1/namespaces/${namespace}/deployments`
const invalidDeployment = (fault: string, spec: Any, message: RegExp): BadRequest =>
  invalid('deployments', fault, apps, deployment('fresh', 0, spec), message)

const deploymentFaults: readonly BadRequest[] = [
  invalidDeployment('no selector', { selector: undefined }, /spec\.selector: Required value/),
  invalidDeployment(
    'a selector that misses the template',
    { selector: { matchLabels: { app: 'other' } } },
    /spec\.template\.metadata\.labels: Invalid value: .*`selector` does not match template `labels`/,
  ),
  invalidDeployment(
    'negative replicas',
    { replicas: -1 },
    /spec\.replicas: Invalid value: -1: must be greater than or equal to 0/,
  ),
  invalidDeployment(
    'an unknown strategy',
    { strategy: { type: 'Slowly' } },
    /spec\.strategy: Unsupported value: \{"Type":"Slowly","RollingUpdate":null\}/,
  ),
  invalidDeployment(
    'a strategy that cannot move',
    { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } },
    /spec\.strategy\.rollingUpdate\.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0/,
  ),
  invalidDeployment(
    'a template without containers',
    { template: { metadata: { labels: { app: 'fresh' } }, spec: { containers: [] } } },
    /spec\.template\.spec\.containers: Required value/,
  ),
  invalidDeployment(
    'a template that does not restart',
    {
      template: {
        metadata: { labels: { app: 'fresh' } },
        spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'b' }] },
      },
    },
    /spec\.template\.spec\.restartPolicy: Unsupported value: "Never": supported values: "Always"/,
  ),
  bad(
    'update',
    'deployments/scale',
    'negative replicas',
    {
      method: 'PUT',
      path: `${apps}/target/scale`,
      body: {
        apiVersion: 'autoscaling/v1',
        kind: 'Scale',
        metadata: { name: 'target', namespace },
        spec: { replicas: -1 },
      },
    },
    422,
    'Invalid',
    /spec\.replicas: Invalid value: -1/,
  ),
  bad(
    'update',
    'deployments/scale',
    'another kind',
    { method: 'PUT', path: `${apps}/target/scale`, body: deployment('target') },
    400,
    'BadRequest',
    /./,
  ),
]

const otherFaults: readonly BadRequest[] = [
  invalid(
    'configmaps',
    'a key with a space',
    `${core}/configmaps`,
    configMap('fresh', { 'a b': '1' }),
    /data\[a b\]: Invalid value: "a b"/,
  ),
  invalid(
    'configmaps',
    'a key twice',
    `${core}/configmaps`,
    { ...configMap('fresh', { a: '1' }), binaryData: { a: 'AA==' } },
    /data\[a\]: Invalid value: "a": duplicate of key present in binaryData|binaryData\[a\]: Invalid value/,
  ),
  invalid(
    'configmaps',
    'data that is too long',
    `${core}/configmaps`,
    configMap('fresh', { a: 'x'.repeat(1_048_577) }),
    /Too long: may not be more than 1048576 bytes/,
  ),
  invalid(
    'configmaps',
    'base64 that is none',
    `${core}/configmaps`,
    { ...configMap('fresh', {}), binaryData: { a: '!!' } },
    /illegal base64|base64/,
    400,
    'BadRequest',
  ),
  invalid('configmaps', 'deep nesting', `${core}/configmaps`, deep(20_000), /./, 400, 'BadRequest'),
  invalid(
    'configmaps',
    'an object as a value',
    `${core}/configmaps`,
    configMap('fresh', { a: {} as never }),
    /cannot be handled as a ConfigMap/,
    400,
    'BadRequest',
  ),
  invalid(
    'secrets',
    'a Docker configuration that is none',
    `${core}/secrets`,
    named('v1', 'Secret', {
      metadata: { name: 'fresh' },
      type: 'kubernetes.io/dockerconfigjson',
      stringData: { '.dockerconfigjson': 'no' },
    }),
    /data\[\.dockerconfigjson\]: Invalid value: "<secret contents redacted>"/,
  ),
  invalid(
    'secrets',
    'a key that is missing',
    `${core}/secrets`,
    named('v1', 'Secret', { metadata: { name: 'fresh' }, type: 'kubernetes.io/basic-auth' }),
    /data\[username\]: Required value|data\[.*\]: Required value/,
  ),
  bad(
    'update',
    'secrets',
    'another type',
    { method: 'PUT', path: `${core}/secrets/target`, body: named('v1', 'Secret', { type: 'example.com/other' }) },
    422,
    'Invalid',
    /type: Invalid value: "example\.com\/other": field is immutable/,
  ),
  invalid(
    'namespaces',
    'upper case',
    '/api/v1/namespaces',
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'Upper' } },
    /metadata\.name: Invalid value: "Upper"/,
  ),
  invalid(
    'namespaces',
    '64 characters',
    '/api/v1/namespaces',
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a'.repeat(64) } },
    /metadata\.name: Invalid value: .*must be no more than 63/,
  ),
  invalid(
    'namespaces',
    'a dot',
    '/api/v1/namespaces',
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a.b' } },
    /metadata\.name: Invalid value: "a\.b"/,
  ),
  bad(
    'delete',
    'namespaces',
    'one that must stay',
    { method: 'DELETE', path: '/api/v1/namespaces/default' },
    403,
    'Forbidden',
    /this namespace may not be deleted/,
  ),
  bad(
    'deletecollection',
    'namespaces',
    'all of them',
    { method: 'DELETE', path: '/api/v1/namespaces' },
    405,
    'MethodNotAllowed',
    /./,
  ),
  invalid(
    'configmaps',
    'a namespace that does not exist',
    '/api/v1/namespaces/none/configmaps',
    configMap('fresh', {}),
    /^namespaces "none" not found$/,
    404,
    'NotFound',
  ),
  invalid(
    'nodes',
    'upper case',
    '/api/v1/nodes',
    { apiVersion: 'v1', kind: 'Node', metadata: { name: 'Node_A' } },
    /metadata\.name: Invalid value: "Node_A"/,
  ),
  bad(
    'get',
    'gizmos',
    'an unknown resource',
    { path: `${core}/gizmos` },
    404,
    'NotFound',
    /^the server could not find the requested resource$/,
  ),
  bad(
    'create',
    'gizmos',
    'an unknown resource',
    { method: 'POST', path: `${core}/gizmos`, body: {} },
    404,
    'NotFound',
    /^the server could not find the requested resource$/,
  ),
  bad(
    'get',
    'deployments',
    'an unknown version',
    { path: '/apis/apps/v9/deployments' },
    404,
    'NotFound',
    /^the server could not find the requested resource$/,
  ),
  bad('get', 'nodes', 'a namespace', { path: `${core}/nodes` }, 404, 'NotFound', /./),
  bad(
    'create',
    'configmaps',
    'no namespace in the path',
    { method: 'POST', path: '/api/v1/configmaps', body: configMap('fresh', {}) },
    405,
    'MethodNotAllowed',
    /./,
  ),
  bad(
    'create',
    'configmaps',
    'a name in the path',
    { method: 'POST', path: `${core}/configmaps/target`, body: configMap('target', {}) },
    405,
    'MethodNotAllowed',
    /./,
  ),
  bad(
    'patch',
    'configmaps',
    'the collection',
    { method: 'PATCH', path: `${core}/configmaps`, headers: merge, body: {} },
    405,
    'MethodNotAllowed',
    /./,
  ),
  bad(
    'list',
    'configmaps',
    'a bearer token that nobody knows',
    { path: `${core}/configmaps`, authenticated: false, headers: { authorization: 'Bearer nobody' } },
    401,
    'Unauthorized',
    /^Unauthorized$/,
  ),
  bad(
    'patch',
    'deployments/scale',
    'broken JSON',
    {
      method: 'PATCH',
      path: '/apis/apps/v1/namespaces/bad-input/deployments/target/scale',
      headers: { 'content-type': 'application/merge-patch+json' },
      body: '{"spec":',
    },
    400,
    'BadRequest',
    /./,
  ),
  bad(
    'patch',
    'deployments/scale',
    'a media type that is no patch',
    {
      method: 'PATCH',
      path: '/apis/apps/v1/namespaces/bad-input/deployments/target/scale',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    },
    415,
    'UnsupportedMediaType',
    /./,
  ),
  bad('get', 'paths', 'a broken escape', { path: `${core}/configmaps/%zz` }, 400, 'BadRequest', /./),
  bad(
    'create',
    'priorityclasses',
    'a system name',
    {
      method: 'POST',
      path: '/apis/scheduling.k8s.io/v1/priorityclasses',
      body: { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name: 'system-mine' }, value: 1 },
    },
    422,
    'Invalid',
    /metadata\.name/,
  ),
]

/** What `kubectl logs` would not send; the pod has no node, so nobody else is asked. */
const logFaults: readonly BadRequest[] = (
  [
    ['a negative tail', 'tailLines=-1', 422, /tailLines: Invalid value: -1: must be greater than or equal to 0$/],
    ['a tail that is no number', 'tailLines=many', 400, /parsing "many": invalid syntax$/],
    ['an empty tail', 'tailLines=', 400, /parsing "": invalid syntax$/],
    ['a tail beyond all numbers', 'tailLines=99999999999999999999', 400, /value out of range$/],
    ['no bytes', 'limitBytes=0', 422, /limitBytes: Invalid value: 0: must be greater than 0$/],
    ['no seconds', 'sinceSeconds=0', 422, /sinceSeconds: Invalid value: 0: must be greater than 0$/],
    ['two beginnings', 'sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z', 422, /at most one of `sinceTime` or/],
    ['a time that is none', 'sinceTime=yesterday', 400, /^parsing time "yesterday"/],
    ['a time without a zone', 'sinceTime=2026-01-01T00:00:00', 400, /^parsing time "2026-01-01T00:00:00"/],
    ['a day that is none', 'sinceTime=2026-02-30T00:00:00Z', 400, /day out of range$/],
    ['a month that is none', 'sinceTime=2026-13-30T00:00:00Z', 400, /month out of range$/],
    ['a time with more', 'sinceTime=2026-02-03T00:00:00Zulu', 400, /extra text: "ulu"$/],
    ['an hour that is none', 'sinceTime=2026-02-03T25:00:00Z', 400, /hour out of range$/],
    ['a date', 'sinceTime=2026-02-03', 400, /cannot parse "" as "T"$/],
    ['a zone that is none', 'sinceTime=2026-02-03T00:00:00%2B25:00', 400, /./],
    ['a stream that is none', 'stream=Both', 422, /stream: Unsupported value: "Both"/],
    ['the tail of one stream', 'stream=Stderr&tailLines=1', 422, /`tailLines` and specific `stream` are mutually/],
    ['several faults at once', 'tailLines=-1&limitBytes=0', 422, /^PodLogOptions "target" is invalid: \[/],
    ['a container that is none', 'container=nobody', 400, /^container nobody is not valid for pod target$/],
  ] as const
).map(([fault, query, code, message]) => {
  const reason = code === 422 ? 'Invalid' : 'BadRequest'
  return bad('get', 'pods/log', fault, { path: `${core}/pods/target/log?${query}` }, code, reason, message)
})

const logPathFaults: readonly BadRequest[] = [
  bad('get', 'pods/log', 'no such pod', { path: `${core}/pods/none/log` }, 404, 'NotFound', /^pods "none" not found$/),
  bad(
    'create',
    'pods/log',
    'a write',
    { method: 'POST', path: `${core}/pods/target/log`, body: {} },
    405,
    'MethodNotAllowed',
    /./,
  ),
  bad(
    'delete',
    'pods/log',
    'a deletion',
    { method: 'DELETE', path: `${core}/pods/target/log` },
    405,
    'MethodNotAllowed',
    /./,
  ),
]

export const badRequests: readonly BadRequest[] = [
  ...targets.flatMap(general),
  ...nameFaults,
  ...podFaults,
  ...logFaults,
  ...logPathFaults,
  ...serviceFaults,
  ...deploymentFaults,
  ...otherFaults,
]
