import { describe, expect, test } from 'vitest'
import type { KubeObject } from '@shiplog/api/kube-object'
import { strategyFor } from './strategies.ts'
import { object, testContext } from './testing/objects.ts'

const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'app', image: 'nginx:1.29' }] } }
const podSpec = {
  containers: [
    {
      name: 'app',
      image: 'nginx:1.29',
      imagePullPolicy: 'IfNotPresent',
      resources: {},
      terminationMessagePath: '/dev/termination-log',
      terminationMessagePolicy: 'File',
    },
  ],
  dnsPolicy: 'ClusterFirst',
  restartPolicy: 'Always',
  schedulerName: 'default-scheduler',
  securityContext: {},
  terminationGracePeriodSeconds: 30,
}
const fullTemplate = { metadata: template.metadata, spec: podSpec }
const selector = { matchLabels: { app: 'web' } }

const created = (resource: string, rest: Record<string, unknown>): KubeObject => {
  const draft = object('v1', 'Any', structuredClone(rest))
  const strategy = strategyFor(resource)
  strategy.setDefaults?.(draft)
  strategy.prepareForCreate?.(draft, testContext())
  return draft
}
const bodyOf = ({ apiVersion, kind, metadata, ...body }: KubeObject) => body
const causesOf = (resource: string, rest: Record<string, unknown>): string[] =>
  (strategyFor(resource).validate?.(created(resource, rest)) ?? []).map((cause) => `${cause.field}: ${cause.message}`)

// Minimal manifest in, what upstream stores out.
const defaulted: readonly (readonly [string, Record<string, unknown>, Record<string, unknown>])[] = [
  [
    'deployments.apps',
    { spec: { selector, template } },
    {
      spec: {
        progressDeadlineSeconds: 600,
        replicas: 1,
        revisionHistoryLimit: 10,
        selector,
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
        template: fullTemplate,
      },
      status: {},
    },
  ],
  [
    'replicasets.apps',
    { spec: { selector, template } },
    { spec: { replicas: 1, selector, template: fullTemplate }, status: { replicas: 0 } },
  ],
  [
    'statefulsets.apps',
    {
      spec: {
        serviceName: 'web',
        selector,
        template,
        volumeClaimTemplates: [
          {
            metadata: { name: 'data' },
            spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
          },
        ],
      },
    },
    {
      spec: {
        serviceName: 'web',
        podManagementPolicy: 'OrderedReady',
        persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
        replicas: 1,
        revisionHistoryLimit: 10,
        selector,
        template: fullTemplate,
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
        volumeClaimTemplates: [
          {
            apiVersion: 'v1',
            kind: 'PersistentVolumeClaim',
            metadata: { name: 'data' },
            spec: {
              accessModes: ['ReadWriteOnce'],
              resources: { requests: { storage: '1Gi' } },
              volumeMode: 'Filesystem',
            },
            status: { phase: 'Pending' },
          },
        ],
      },
      status: { replicas: 0, availableReplicas: 0 },
    },
  ],
  [
    'daemonsets.apps',
    { spec: { selector, template } },
    {
      spec: {
        revisionHistoryLimit: 10,
        selector,
        template: fullTemplate,
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
      },
      status: { currentNumberScheduled: 0, numberMisscheduled: 0, desiredNumberScheduled: 0, numberReady: 0 },
    },
  ],
  [
    'cronjobs.batch',
    {
      spec: {
        schedule: '*/5 * * * *',
        jobTemplate: { spec: { template: { spec: { ...template.spec, restartPolicy: 'Never' } } } },
      },
    },
    {
      spec: {
        concurrencyPolicy: 'Allow',
        failedJobsHistoryLimit: 1,
        jobTemplate: { spec: { template: { metadata: {}, spec: { ...podSpec, restartPolicy: 'Never' } } } },
        schedule: '*/5 * * * *',
        successfulJobsHistoryLimit: 3,
        suspend: false,
      },
      status: {},
    },
  ],
  [
    'replicationcontrollers',
    { spec: { template } },
    { spec: { replicas: 1, selector: { app: 'web' }, template: fullTemplate }, status: { replicas: 0 } },
  ],
  [
    'horizontalpodautoscalers.autoscaling',
    { spec: { maxReplicas: 3, scaleTargetRef: { kind: 'Deployment', name: 'web', apiVersion: 'apps/v1' } } },
    {
      spec: {
        maxReplicas: 3,
        metrics: [
          { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } },
        ],
        minReplicas: 1,
        scaleTargetRef: { kind: 'Deployment', name: 'web', apiVersion: 'apps/v1' },
      },
      status: { desiredReplicas: 0, currentMetrics: null },
    },
  ],
  ['namespaces', {}, { spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } }],
  ['configmaps', { data: { a: 'b' } }, { data: { a: 'b' } }],
  ['secrets', { stringData: { a: 'hé' }, data: { b: 'Yg==' } }, { data: { a: 'aMOp', b: 'Yg==' }, type: 'Opaque' }],
  [
    'nodes',
    { status: { capacity: { cpu: '4' }, nodeInfo: { kubeletVersion: 'v1.36.3' } } },
    {
      status: {
        capacity: { cpu: '4' },
        allocatable: { cpu: '4' },
        daemonEndpoints: { kubeletEndpoint: { Port: 0 } },
        nodeInfo: {
          ...{ machineID: '', systemUUID: '', bootID: '', kernelVersion: '', osImage: '', kubeProxyVersion: '' },
          ...{ containerRuntimeVersion: '', kubeletVersion: 'v1.36.3', operatingSystem: '', architecture: '' },
        },
      },
    },
  ],
  ['serviceaccounts', {}, {}],
  [
    'persistentvolumeclaims',
    { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
    {
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, volumeMode: 'Filesystem' },
      status: { phase: 'Pending' },
    },
  ],
  [
    'persistentvolumes',
    { spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/data' } } },
    {
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        hostPath: { path: '/data', type: '' },
        persistentVolumeReclaimPolicy: 'Retain',
        volumeMode: 'Filesystem',
      },
      status: { phase: 'Pending', lastPhaseTransitionTime: '2026-01-02T03:04:05Z' },
    },
  ],
  [
    'storageclasses.storage.k8s.io',
    { provisioner: 'example.com/nfs' },
    { provisioner: 'example.com/nfs', reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' },
  ],
  ['priorityclasses.scheduling.k8s.io', { value: 5 }, { value: 5, preemptionPolicy: 'PreemptLowerPriority' }],
  [
    'networkpolicies.networking.k8s.io',
    { spec: { egress: [{ ports: [{ port: 53 }] }] } },
    {
      spec: {
        egress: [{ ports: [{ port: 53, protocol: 'TCP' }] }],
        podSelector: {},
        policyTypes: ['Ingress', 'Egress'],
      },
    },
  ],
  [
    'rolebindings.rbac.authorization.k8s.io',
    {
      roleRef: { kind: 'Role', name: 'r' },
      subjects: [
        { kind: 'User', name: 'u' },
        { kind: 'ServiceAccount', name: 's' },
      ],
    },
    {
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'r' },
      subjects: [
        { apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'u' },
        { kind: 'ServiceAccount', name: 's' },
      ],
    },
  ],
  [
    'limitranges',
    { spec: { limits: [{ type: 'Container', max: { cpu: '2' }, min: { memory: '1Mi' } }] } },
    {
      spec: {
        limits: [
          {
            type: 'Container',
            max: { cpu: '2' },
            min: { memory: '1Mi' },
            default: { cpu: '2' },
            defaultRequest: { cpu: '2', memory: '1Mi' },
          },
        ],
      },
    },
  ],
  [
    'endpoints',
    { subsets: [{ addresses: [{ ip: '10.0.0.1' }], ports: [{ port: 80 }] }] },
    { subsets: [{ addresses: [{ ip: '10.0.0.1' }], ports: [{ port: 80, protocol: 'TCP' }] }] },
  ],
  [
    'endpointslices.discovery.k8s.io',
    { addressType: 'IPv4', endpoints: [{ addresses: ['10.0.0.1'] }], ports: [{ port: 80 }] },
    { addressType: 'IPv4', endpoints: [{ addresses: ['10.0.0.1'] }], ports: [{ name: '', port: 80, protocol: 'TCP' }] },
  ],
  [
    'csidrivers.storage.k8s.io',
    { spec: {} },
    {
      spec: {
        attachRequired: true,
        fsGroupPolicy: 'ReadWriteOnceWithFSType',
        podInfoOnMount: false,
        requiresRepublish: false,
        seLinuxMount: false,
        storageCapacity: false,
        volumeLifecycleModes: ['Persistent'],
      },
    },
  ],
  [
    'validatingwebhookconfigurations.admissionregistration.k8s.io',
    {
      webhooks: [
        {
          name: 'a.b.c',
          sideEffects: 'None',
          admissionReviewVersions: ['v1'],
          clientConfig: { service: { namespace: 'n', name: 's' } },
          rules: [{ operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*'] }],
        },
      ],
    },
    {
      webhooks: [
        {
          name: 'a.b.c',
          sideEffects: 'None',
          admissionReviewVersions: ['v1'],
          clientConfig: { service: { namespace: 'n', name: 's', port: 443 } },
          failurePolicy: 'Fail',
          matchPolicy: 'Equivalent',
          namespaceSelector: {},
          objectSelector: {},
          rules: [{ operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*'], scope: '*' }],
          timeoutSeconds: 10,
        },
      ],
    },
  ],
]

describe('defaults', () => {
  test.each(defaulted)('of %s', (resource, given, expected) => {
    expect(bodyOf(created(resource, given))).toEqual(expected)
    expect(causesOf(resource, given)).toEqual([])
  })

  test.each(defaulted)('of %s are the same a second time', (resource, given) => {
    const once = created(resource, given)
    const twice = structuredClone(once)
    strategyFor(resource).setDefaults?.(twice)
    expect(twice).toEqual(once)
  })

  test('of a namespace label it with its name', () => {
    expect(created('namespaces', {}).metadata.labels).toEqual({ 'kubernetes.io/metadata.name': 'web' })
  })

  test('of a job make its selector from its uid', () => {
    const job = created('jobs.batch', { spec: { template: { spec: { ...template.spec, restartPolicy: 'Never' } } } })
    const labels = {
      'controller-uid': 'uid-1',
      'job-name': 'web',
      'batch.kubernetes.io/controller-uid': 'uid-1',
      'batch.kubernetes.io/job-name': 'web',
    }
    expect(bodyOf(job)).toEqual({
      spec: {
        backoffLimit: 6,
        completionMode: 'NonIndexed',
        completions: 1,
        parallelism: 1,
        podReplacementPolicy: 'TerminatingOrFailed',
        selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': 'uid-1' } },
        manualSelector: false,
        suspend: false,
        template: { metadata: { labels }, spec: { ...podSpec, restartPolicy: 'Never' } },
      },
      status: {},
    })
    expect(strategyFor('jobs.batch').validate!(job)).toEqual([])
  })
})

describe('what is refused', () => {
  test.each([
    [
      'deployments.apps',
      { spec: { template } },
      [
        'spec.selector: Required value',
        'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
      ],
    ],
    [
      'deployments.apps',
      { spec: { selector: {}, template } },
      ['spec.selector: Invalid value: {}: empty selector is invalid for deployment'],
    ],
    [
      'deployments.apps',
      { spec: { selector: { matchLabels: { app: 'other' } }, template } },
      ['spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`'],
    ],
    [
      'deployments.apps',
      { spec: { selector, template, replicas: -1 } },
      ['spec.replicas: Invalid value: -1: must be greater than or equal to 0'],
    ],
    [
      'deployments.apps',
      { spec: { selector, template, strategy: { type: 'Recreate', rollingUpdate: {} } } },
      ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
    ],
    [
      'deployments.apps',
      { spec: { selector, template, strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } } },
      ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0'],
    ],
    [
      'deployments.apps',
      { spec: { selector, template: { ...template, spec: { ...template.spec, restartPolicy: 'Never' } } } },
      ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
    ],
    [
      'deployments.apps',
      { spec: { selector, template, minReadySeconds: 700 } },
      ['spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds'],
    ],
    [
      'replicasets.apps',
      { spec: { selector, template: { metadata: template.metadata, spec: { containers: [] } } } },
      ['spec.template.spec.containers: Required value'],
    ],
    [
      'jobs.batch',
      { spec: { template } },
      ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
    ],
    [
      'cronjobs.batch',
      {
        spec: {
          schedule: 'often',
          jobTemplate: { spec: { template: { spec: { ...template.spec, restartPolicy: 'Never' } } } },
        },
      },
      ['spec.schedule: Invalid value: "often": expected exactly 5 fields, found 1: [often]'],
    ],
    [
      'configmaps',
      { data: { 'a/b': 'x' } },
      [
        `data[a/b]: Invalid value: "a/b": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')`,
      ],
    ],
    ['configmaps', { data: { a: 'x'.repeat(1024 * 1024 + 1) } }, ['[]: Too long: may not be more than 1048576 bytes']],
    ['configmaps', { data: { a: 'é'.repeat(512 * 1024 + 1) } }, ['[]: Too long: may not be more than 1048576 bytes']],
    [
      'secrets',
      { stringData: { a: 'x'.repeat(1024 * 1024 + 1) } },
      ['data: Too long: may not be more than 1048576 bytes'],
    ],
    [
      'secrets',
      { type: 'kubernetes.io/tls', data: {} },
      ['data[tls.crt]: Required value', 'data[tls.key]: Required value'],
    ],
    [
      'secrets',
      { type: 'kubernetes.io/dockerconfigjson', stringData: { '.dockerconfigjson': '{' } },
      ['data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": unexpected end of JSON input'],
    ],
    [
      'nodes',
      { spec: { taints: [{ key: 'a', effect: 'Sometimes' }] } },
      [
        'metadata.taints[0].effect: Unsupported value: "Sometimes": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
      ],
    ],
    [
      'persistentvolumeclaims',
      { spec: {} },
      [
        'spec.accessModes: Required value: at least 1 access mode is required',
        'spec.resources[storage]: Required value',
      ],
    ],
    [
      'poddisruptionbudgets.policy',
      { spec: { minAvailable: 1, maxUnavailable: 1 } },
      [
        'spec: Invalid value: {"MinAvailable":1,"Selector":null,"MaxUnavailable":1,"UnhealthyPodEvictionPolicy":null}: minAvailable and maxUnavailable cannot be both set',
      ],
    ],
    [
      'ingresses.networking.k8s.io',
      {
        spec: {
          rules: [
            {
              http: {
                paths: [{ path: 'x', pathType: 'Prefix', backend: { service: { name: 's', port: { number: 80 } } } }],
              },
            },
          ],
        },
      },
      ['spec.rules[0].http.paths[0].path: Invalid value: "x": must be an absolute path'],
    ],
    [
      'priorityclasses.scheduling.k8s.io',
      { value: 1_000_000_001 },
      ['value: Forbidden: maximum allowed value of a user defined priority is 1000000000'],
    ],
    [
      'priorityclasses.scheduling.k8s.io',
      { metadata: { name: 'system-mine' }, value: 1 },
      [
        "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: system-mine is not a known system priority class",
      ],
    ],
    [
      'clusterrolebindings.rbac.authorization.k8s.io',
      { roleRef: { kind: 'Role', name: 'r' } },
      ['roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"'],
    ],
    [
      'roles.rbac.authorization.k8s.io',
      { rules: [{ verbs: [], apiGroups: [''], resources: ['pods'] }] },
      ['rules[0].verbs: Required value: verbs must contain at least one value'],
    ],
    [
      'endpoints',
      { subsets: [{ addresses: [{ ip: '127.0.0.1' }] }] },
      [
        'subsets[0].addresses[0].ip: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
      ],
    ],
    [
      'leases.coordination.k8s.io',
      { spec: { leaseDurationSeconds: 0 } },
      ['spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0'],
    ],
    [
      'events',
      { involvedObject: { namespace: 'other' } },
      ['involvedObject.namespace: Invalid value: "other": does not match event.namespace'],
    ],
    [
      'limitranges',
      { spec: { limits: [{ type: 'Pod', min: { cpu: '2' }, max: { cpu: '1' } }] } },
      ['spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1'],
    ],
  ])('%s case %#', (resource, given, expected) => {
    expect(causesOf(resource, given)).toEqual(expected)
  })
})

describe('what may not change', () => {
  const update = (resource: string, before: Record<string, unknown>, after: Record<string, unknown>): string[] =>
    (strategyFor(resource).validateUpdate?.(created(resource, after), created(resource, before), '') ?? []).map(
      (cause) => `${cause.field}: ${cause.message}`,
    )
  const claim = (storage: string) => ({
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } }, storageClassName: 'a' },
  })

  test.each([
    [
      'deployments.apps',
      { spec: { selector, template } },
      { spec: { selector: { matchLabels: { app: 'x' } }, template } },
      ['spec.selector: Invalid value: {"matchLabels":{"app":"x"}}: field is immutable'],
    ],
    [
      'statefulsets.apps',
      { spec: { selector, template, serviceName: 'a' } },
      { spec: { selector, template, serviceName: 'b', replicas: 4 } },
      [
        "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
      ],
    ],
    [
      'configmaps',
      { immutable: true, data: { a: '1' } },
      { immutable: true, data: { a: '2' } },
      ['data: Forbidden: field is immutable when `immutable` is set'],
    ],
    [
      'secrets',
      { immutable: true, type: 'Opaque', data: { a: 'MQ==' } },
      { type: 'Opaque', data: { a: 'MQ==' } },
      ['immutable: Forbidden: field is immutable when `immutable` is set'],
    ],
    ['secrets', { type: 'a/b' }, { type: 'a/c' }, ['type: Invalid value: "a/c": field is immutable']],
    [
      'persistentvolumeclaims',
      claim('2Gi'),
      claim('3Gi'),
      [
        'spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims',
      ],
    ],
    [
      'storageclasses.storage.k8s.io',
      { provisioner: 'a' },
      { provisioner: 'b' },
      ['provisioner: Invalid value: "b": field is immutable'],
    ],
    [
      'priorityclasses.scheduling.k8s.io',
      { value: 1 },
      { value: 2 },
      ['value: Forbidden: may not be changed in an update.'],
    ],
    [
      'rolebindings.rbac.authorization.k8s.io',
      { roleRef: { kind: 'Role', name: 'a' } },
      { roleRef: { kind: 'Role', name: 'b' } },
      [
        'roleRef: Invalid value: {"APIGroup":"rbac.authorization.k8s.io","Kind":"Role","Name":"b"}: cannot change roleRef',
      ],
    ],
    [
      'runtimeclasses.node.k8s.io',
      { handler: 'a' },
      { handler: 'b' },
      ['handler: Invalid value: "b": field is immutable'],
    ],
  ])('%s case %#', (resource, before, after, expected) => {
    expect(update(resource, before, after)).toEqual(expected)
  })

  test('a bound claim may grow', () => {
    const before = created('persistentvolumeclaims', claim('2Gi'))
    before['status'] = { phase: 'Bound', capacity: { storage: '2Gi' } }
    expect(
      strategyFor('persistentvolumeclaims').validateUpdate!(created('persistentvolumeclaims', claim('3Gi')), before),
    ).toEqual([])
  })

  test("a namespace's finalizers, but by the finalize subresource", () => {
    const strategy = strategyFor('namespaces')
    const before = created('namespaces', {})
    const main = structuredClone(before)
    main['spec'].finalizers = []
    strategy.prepareForUpdate!(main, before)
    expect(main['spec'].finalizers).toEqual(['kubernetes'])
    const finalize = structuredClone(before)
    finalize['spec'].finalizers = []
    finalize.metadata.labels = { other: 'x' }
    strategy.prepareForSubresource!(finalize, before, 'finalize', 0)
    expect(finalize['spec']).toEqual({})
    expect(finalize.metadata.labels).toEqual(before.metadata.labels)
  })
})

describe('what a change is called', () => {
  test('a deployment of which only the replicas change is scaled', () => {
    const { eventType, changesGeneration } = strategyFor('deployments.apps')
    const before = created('deployments.apps', { spec: { selector, template } })
    const after = created('deployments.apps', { spec: { selector, template, replicas: 3 } })
    expect(eventType!(after, before, '')).toBe('DeploymentScaled')
    expect(changesGeneration!(after, before)).toBe(true)
    const annotated = structuredClone(before)
    annotated.metadata.annotations = { a: 'b' }
    expect(eventType!(annotated, before, '')).toBeUndefined()
    expect(changesGeneration!(annotated, before)).toBe(true)
    expect(changesGeneration!({ ...before, status: { replicas: 1 } }, before)).toBe(false)
  })

  test('a node may be cordoned', () => {
    const node = created('nodes', {})
    expect(strategyFor('nodes').eventType!({ ...node, spec: { unschedulable: true } }, node, '')).toBe('NodeCordoned')
  })
})

describe('field selectors', () => {
  test.each([
    [
      'events',
      { reason: 'Killed', involvedObject: { name: 'web', kind: 'Pod', namespace: 'default' } },
      { reason: 'Killed', 'involvedObject.name': 'web' },
    ],
    ['secrets', { type: 'Opaque' }, { type: 'Opaque' }],
    ['nodes', { spec: { unschedulable: true } }, { 'spec.unschedulable': 'true' }],
    ['namespaces', {}, { 'status.phase': 'Active' }],
    [
      'resourceslices.resource.k8s.io',
      { spec: { driver: 'd', nodeName: 'n' } },
      { 'spec.driver': 'd', 'spec.nodeName': 'n' },
    ],
  ])('of %s', (resource, given, expected) => {
    const strategy = strategyFor(resource)
    const fields = strategy.selectableFields!(created(resource, given))
    expect(fields).toMatchObject(expected)
  })
})
