// Rules that relate fields, statuses and warnings: one example of each kind of fault that wrong values one at a time
// cannot find. The sentences are upstream's; thousands more are judged in conformance/upstream.
import type { KubeObject } from '@shiplog/api/kube-object'
import { describe, expect, test } from 'vitest'
import { strategyFor } from './strategies.ts'

const objectOf = (given: object): KubeObject =>
  ({ metadata: { name: 'x', namespace: 'n', ...(given as any).metadata }, ...given }) as never

/** What is said of an object, after its defaults. */
const refusals = (kind: string, given: object): string[] => {
  const object = objectOf(structuredClone(given))
  const strategy = strategyFor(kind)
  strategy.setDefaults?.(object)
  return (strategy.validate?.(object) ?? []).map(({ field, message }) => `${field}: ${message}`)
}

const statusRefusals = (kind: string, next: object, before: object): string[] =>
  (strategyFor(kind).validateStatusUpdate?.(objectOf(next), objectOf(before)) ?? []).map(
    ({ field, message }) => `${field}: ${message}`,
  )

const containers = [{ name: 'main', image: 'x:1' }]
const pod = (spec: object): object => ({ spec: { containers, ...spec } })

describe('fields that do not go together', () => {
  const cases: readonly (readonly [kind: string, object: object, said: string])[] = [
    [
      'networkpolicies.networking.k8s.io',
      { spec: { ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['11.0.0.0/16'] } }] }] } },
      'spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: "11.0.0.0/16": must be a strict subset of `cidr`',
    ],
    [
      'pods',
      pod({ hostUsers: false, hostNetwork: true }),
      'spec.hostNetwork: Forbidden: when `hostUsers` is false',
    ],
    [
      'pods',
      pod({ shareProcessNamespace: true, hostPID: true }),
      'spec.securityContext.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled',
    ],
    [
      'pods',
      pod({ containers: [{ name: 'main', image: 'x', resources: { claims: [{ name: 'gpu' }] } }] }),
      'spec.containers[0].resources.claims[0]: Not found: "gpu": must be one of the names in pod.spec.resourceClaims which is empty',
    ],
    [
      'pods',
      pod({ os: { name: 'windows' }, hostPID: true }),
      'spec.hostPID: Forbidden: cannot be set for a windows pod',
    ],
    [
      'persistentvolumeclaims',
      {
        spec: {
          dataSource: { kind: 'PersistentVolumeClaim', name: 'a' },
          dataSourceRef: { kind: 'PersistentVolumeClaim', name: 'b' },
        },
      },
      'spec: Invalid value: {}: must match dataSourceRef',
    ],
    [
      'services',
      { spec: { type: 'ExternalName', externalName: 'a.b', clusterIP: 'None', clusterIPs: ['None'] } },
      'spec.clusterIPs: Forbidden: may not be set for ExternalName services',
    ],
    [
      'services',
      { spec: { ports: [{ port: 1 }], externalIPs: ['127.0.0.1'] } },
      'spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
    ],
    [
      'validatingwebhookconfigurations.admissionregistration.k8s.io',
      {
        webhooks: [
          {
            name: 'a.b.c',
            clientConfig: { url: 'https://a' },
            sideEffects: 'None',
            admissionReviewVersions: ['v1'],
            matchConditions: [{ name: 'a', expression: 'nope == 1' }],
          },
        ],
      },
      'webhooks[0].matchConditions[0].expression: Invalid value: "nope == 1": compilation failed: ERROR: <input>:1:1: undeclared reference to \'nope\' (in container \'\')\n | nope == 1\n | ^',
    ],
  ]
  test.each(cases)('%s %j', (kind, object, said) => {
    expect(refusals(kind, object)).toContain(said)
  })
})

test('a replication controller may be scaled, though its group has no name', () => {
  const scaleTargetRef = { apiVersion: 'v1', kind: 'ReplicationController', name: 'a' }
  const kind = 'horizontalpodautoscalers.autoscaling'
  expect(refusals(kind, { spec: { maxReplicas: 3, scaleTargetRef } })).toEqual([])
  const other = { ...scaleTargetRef, kind: 'Deployment' }
  expect(refusals(kind, { spec: { maxReplicas: 3, scaleTargetRef: other } })).toEqual([
    'spec.scaleTargetRef.apiVersion: Invalid value: "v1": apiVersion must specify API group',
  ])
})

describe('statuses that cannot be', () => {
  const cases: readonly (readonly [kind: string, next: object, before: object, said: string])[] = [
    [
      'flowschemas.flowcontrol.apiserver.k8s.io',
      { status: { conditions: [{ type: 'Dangling' }, { type: 'Dangling' }] } },
      {},
      'status.conditions[1].type: Duplicate value: "Dangling"',
    ],
    [
      'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io',
      { status: { conditions: [{ status: 'True' }] } },
      {},
      'status.conditions[0].type: Required value',
    ],
    [
      'validatingadmissionpolicies.admissionregistration.k8s.io',
      { status: { typeChecking: { expressionWarnings: [{ warning: 'x', fieldRef: 'spec.validations[' }] } } },
      {},
      'status.typeChecking.expressionWarnings[0].fieldRef: Invalid value: "spec.validations[": invalid JSONPath: unterminated array',
    ],
    [
      'pods',
      { spec: {}, status: { podIPs: [{ ip: 'x' }] } },
      {},
      'status.podIPs[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    ],
    [
      'pods',
      { status: { containerStatuses: [{ name: 'a', state: { running: {} } }] } },
      {
        spec: { restartPolicy: 'Never', containers: [{ name: 'a' }] },
        status: { containerStatuses: [{ name: 'a', state: { terminated: { exitCode: 1 } } }] },
      },
      'status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state',
    ],
    [
      'nodes',
      { status: { capacity: { cpu: '-1' } } },
      {},
      'status.capacity.cpu: Invalid value: "-1": must be greater than or equal to 0',
    ],
    [
      'nodes',
      { status: { allocatable: { pods: '1500m' } } },
      {},
      'status.allocatable.pods: Invalid value: "1500m": must be an integer',
    ],
    [
      'nodes',
      {
        status: {
          addresses: [
            { type: 'InternalIP', address: 'x' },
            { type: 'InternalIP', address: 'x' },
          ],
        },
      },
      {},
      'status.addresses[1]: Duplicate value: {"Type":"InternalIP","Address":"x"}',
    ],
    [
      'deployments.apps',
      { status: { replicas: -1 } },
      {},
      'status.replicas: Invalid value: -1: must be greater than or equal to 0',
    ],
    [
      'deployments.apps',
      { status: { replicas: 1, readyReplicas: 1, availableReplicas: 2 } },
      {},
      'status.availableReplicas: Invalid value: 2: cannot be greater than status.replicas',
    ],
    [
      'jobs.batch',
      { spec: {}, status: { conditions: [{ type: 'Complete', status: 'True' }] } },
      {},
      'status.startTime: Required value: startTime is required for finished job',
    ],
    [
      'services',
      { spec: { type: 'LoadBalancer' }, status: { loadBalancer: { ingress: [{ ip: '192.0.2.1', ipMode: 'x' }] } } },
      {},
      'status.loadBalancer.ingress[0].ipMode: Unsupported value: "x": supported values: "Proxy", "VIP"',
    ],
    [
      'namespaces',
      { status: { phase: 'Terminating' } },
      {},
      'status.Phase: Invalid value: "Terminating": may only be \'Active\' if `deletionTimestamp` is empty',
    ],
  ]
  test.each(cases)('%s %j', (kind, next, before, said) => {
    expect(statusRefusals(kind, next, before)).toContain(said)
  })

  test('a suspended job of nothing may finish without having started', () => {
    const spec = { suspend: true, completions: 0 }
    const conditions = ['SuccessCriteriaMet', 'Complete'].map((type) => ({ type, status: 'True' }))
    const status = { conditions, completionTime: '2026-01-01T00:00:00Z' }
    expect(statusRefusals('jobs.batch', { spec, status }, { spec, status: {} })).toEqual([])
  })
})

describe('warnings', () => {
  const said = (kind: string, given: object): readonly string[] =>
    strategyFor(kind).warnings?.(objectOf(given), undefined) ?? []

  test('of what is most likely a mistake', () => {
    const annotations = { 'volume.beta.kubernetes.io/storage-class': 'x' }
    expect(said('persistentvolumeclaims', { metadata: { name: 'c', annotations }, spec: {} })).toEqual([
      'metadata.annotations[volume.beta.kubernetes.io/storage-class]: deprecated since v1.8; use "storageClassName" attribute instead',
    ])
    expect(said('pods', { metadata: { name: 'a.b' }, spec: {} })[0]).toMatch(/^metadata.name: this is used in the Pod's hostname/)
    expect(said('services', { spec: { type: 'ClusterIP', clusterIP: 'None', sessionAffinity: 'ClientIP' } })).toEqual([
      'spec.SessionAffinity is ignored for headless services',
    ])
    const items = ['a', 'a/b'].map((path) => ({ key: 'k', path }))
    expect(said('pods', { spec: { volumes: [{ name: 'v', configMap: { name: 'c', items } }] } })).toEqual([
      'volume "v" (ConfigMap "c"): overlapping paths: "a/b" with "a"',
    ])
  })
})
