import { describe, expect, test } from 'vitest'
import type { ResourceQuota } from '@shiplog/api/generated/types/core-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import { object, pod } from '../testing/objects.ts'
import { charge, countedStatus } from './charge.ts'
import { resourceCountedBy } from './evaluator.ts'

const nowMs = Date.parse('2026-01-02T00:00:00Z')

const quota = (hard: Record<string, string>, used: Record<string, string> = {}, spec: object = {}): ResourceQuota =>
  object('v1', 'ResourceQuota', {
    metadata: { name: 'q', resourceVersion: '7' },
    spec: { hard, ...spec },
    status: { hard, used: { ...Object.fromEntries(Object.keys(hard).map((name) => [name, '0'])), ...used } },
  }) as unknown as ResourceQuota

const container = (name: string, resources: object = {}) => ({ name, image: 'nginx', resources })
const created = (groupResource: string, next: KubeObject, quotas: readonly ResourceQuota[]) =>
  charge(groupResource, { operation: 'CREATE', subresource: '', object: next, before: undefined }, quotas, nowMs)
const updated = (groupResource: string, next: KubeObject, before: KubeObject, quotas: readonly ResourceQuota[]) =>
  charge(groupResource, { operation: 'UPDATE', subresource: '', object: next, before }, quotas, nowMs)
const usedAfter = (outcome: ReturnType<typeof charge>) =>
  outcome.kind === 'admitted' ? outcome.quotas.map(({ status }) => status.used) : outcome.why

describe('a pod', () => {
  test('is counted with its requests and limits, init containers and overhead included', () => {
    const next = pod({
      containers: [container('a', { requests: { cpu: '100m', memory: '1Gi' }, limits: { cpu: '1' } })],
      initContainers: [container('i', { requests: { cpu: '300m' } })],
      overhead: { cpu: '50m', memory: '10Mi' },
    })
    const hard = { pods: '2', 'requests.cpu': '1', memory: '2Gi', 'limits.cpu': '2', 'count/pods': '5', services: '1' }
    expect(usedAfter(created('pods', next, [quota(hard, { pods: '1', 'requests.cpu': '100m' })]))).toEqual(
      // The init container says nothing of memory: that is refused below, where memory must be said.
      'failed quota: q: must specify limits.cpu for: i; memory for: i',
    )
    const sayable = { pods: '2', 'count/pods': '5', services: '1', 'requests.ephemeral-storage': '1Gi' }
    expect(usedAfter(created('pods', next, [quota(sayable, { pods: '1' })]))).toEqual([
      { pods: '2', 'count/pods': '1', services: '0', 'requests.ephemeral-storage': '0' },
    ])
  })

  test('sums containers, and takes the larger of init containers', () => {
    const next = pod({
      containers: [container('a', { requests: { cpu: '100m' } }), container('b', { requests: { cpu: '1' } })],
      initContainers: [
        { ...container('s', { requests: { cpu: '200m' } }), restartPolicy: 'Always' },
        container('i', { requests: { cpu: '2' } }),
      ],
    })
    expect(usedAfter(created('pods', next, [quota({ cpu: '10' })]))).toEqual([{ cpu: '2200m' }])
  })

  test("that does not fit is refused in upstream's words", () => {
    const next = pod({ containers: [container('a', { requests: { cpu: '600m' } })] })
    const full = quota({ pods: '1', 'requests.cpu': '1' }, { pods: '1', 'requests.cpu': '500m' })
    expect(created('pods', next, [full])).toEqual({
      kind: 'refused',
      why: 'exceeded quota: q, requested: pods=1,requests.cpu=600m, used: pods=1,requests.cpu=500m, limited: pods=1,requests.cpu=1',
    })
  })

  test('may exceed what it does not touch', () => {
    const over = quota({ pods: '5', services: '1' }, { services: '3' })
    expect(usedAfter(created('pods', pod(), [over]))).toEqual([{ pods: '1', services: '3' }])
  })

  test('waits for a quota that nobody has counted yet', () => {
    const fresh = quota({ pods: '5' })
    const uncounted = { ...fresh, status: { hard: { pods: '5' } } } as ResourceQuota
    expect(created('pods', pod(), [uncounted])).toEqual({
      kind: 'refused',
      why: 'status unknown for quota: q, resources: pods',
    })
    // One whose spec nobody has looked at limits nothing yet.
    expect(created('pods', pod(), [{ ...fresh, status: {} } as ResourceQuota])).toEqual({
      kind: 'admitted',
      quotas: [],
    })
  })

  test.each([
    ['Terminating', { activeDeadlineSeconds: 10 }, {}],
    ['NotTerminating', {}, { activeDeadlineSeconds: 10 }],
    ['BestEffort', {}, { containers: [container('a', { requests: { cpu: '1' } })] }],
    ['NotBestEffort', { containers: [container('a', { requests: { cpu: '1' } })] }, {}],
    ['PriorityClass', { priorityClassName: 'high' }, {}],
    [
      'CrossNamespacePodAffinity',
      {
        affinity: {
          podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'h', namespaces: ['x'] }] },
        },
      },
      { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'h' }] } } },
    ],
  ])('counts for a quota of scope %s only when it is in it', (scope, inside, outside) => {
    const scoped = quota({ pods: '5' }, {}, { scopes: [scope] })
    expect(usedAfter(created('pods', pod(inside), [scoped]))).toEqual([{ pods: '1' }])
    expect(usedAfter(created('pods', pod(outside), [scoped]))).toEqual([])
  })

  test.each([
    ['In', ['high'], true],
    ['In', ['low'], false],
    ['NotIn', ['low'], true],
    ['NotIn', ['high'], false],
    ['DoesNotExist', undefined, false],
  ])('a scope selector %s %j on the priority class', (operator, values, counts) => {
    const expression = { scopeName: 'PriorityClass', operator, ...(values ? { values } : {}) }
    const scoped = quota({ pods: '5' }, {}, { scopeSelector: { matchExpressions: [expression] } })
    expect(usedAfter(created('pods', pod({ priorityClassName: 'high' }), [scoped]))).toHaveLength(counts ? 1 : 0)
  })

  test('that gets a deadline moves to the quota of its new scope', () => {
    const scoped = quota({ pods: '1' }, {}, { scopes: ['Terminating'] })
    const before = pod()
    expect(usedAfter(updated('pods', pod({ activeDeadlineSeconds: 5 }), before, [scoped]))).toEqual([{ pods: '1' }])
    expect(usedAfter(updated('pods', pod({ nodeName: 'n' }), before, [scoped]))).toEqual([])
  })

  test('extended resources count by what is requested', () => {
    const next = pod({ containers: [container('a', { requests: { 'example.com/gpu': '2' } })] })
    const hard = { 'requests.example.com/gpu': '3' }
    expect(usedAfter(created('pods', next, [quota(hard)]))).toEqual([{ 'requests.example.com/gpu': '2' }])
    expect(usedAfter(created('pods', next, [quota(hard, { 'requests.example.com/gpu': '2' })]))).toMatch(
      /exceeded quota/,
    )
  })
})

describe('other kinds', () => {
  const service = (spec: object) => object('v1', 'Service', { spec: { ports: [{ port: 1 }, { port: 2 }], ...spec } })
  const hard = { services: '5', 'services.nodeports': '5', 'services.loadbalancers': '5', 'count/services': '5' }

  test.each([
    ['ClusterIP', {}, ['1', '0', '0']],
    ['NodePort', {}, ['1', '2', '0']],
    ['LoadBalancer', {}, ['1', '2', '1']],
    [
      'LoadBalancer',
      { allocateLoadBalancerNodePorts: false, ports: [{ port: 1, nodePort: 30000 }, { port: 2 }] },
      ['1', '1', '1'],
    ],
  ])('a Service of type %s %j', (type, spec, [services, nodePorts, balancers]) => {
    expect(usedAfter(created('services', service({ type, ...spec }), [quota(hard)]))).toEqual([
      { services, 'services.nodeports': nodePorts, 'services.loadbalancers': balancers, 'count/services': services },
    ])
  })

  test('a Service that changes its type takes the difference', () => {
    const used = { services: '1', 'count/services': '1' }
    const outcome = updated('services', service({ type: 'NodePort' }), service({ type: 'ClusterIP' }), [
      quota(hard, used),
    ])
    expect(usedAfter(outcome)).toEqual([
      { services: '1', 'services.nodeports': '2', 'services.loadbalancers': '0', 'count/services': '1' },
    ])
    expect(
      usedAfter(
        updated('services', service({ type: 'ClusterIP' }), service({ type: 'NodePort' }), [quota(hard, used)]),
      ),
    ).toEqual([])
  })

  test('a claim counts as a whole and for its class', () => {
    const claim = object('v1', 'PersistentVolumeClaim', {
      spec: { storageClassName: 'gold', resources: { requests: { storage: '1500m' } } },
    })
    const classes = {
      'requests.storage': '10',
      'gold.storageclass.storage.k8s.io/requests.storage': '10',
      'gold.storageclass.storage.k8s.io/persistentvolumeclaims': '1',
      'iron.storageclass.storage.k8s.io/persistentvolumeclaims': '1',
    }
    expect(usedAfter(created('persistentvolumeclaims', claim, [quota(classes)]))).toEqual([
      {
        'requests.storage': '2',
        'gold.storageclass.storage.k8s.io/requests.storage': '2',
        'gold.storageclass.storage.k8s.io/persistentvolumeclaims': '1',
        'iron.storageclass.storage.k8s.io/persistentvolumeclaims': '0',
      },
    ])
  })

  test.each([
    ['configmaps', 'configmaps'],
    ['configmaps', 'count/configmaps'],
    ['deployments.apps', 'count/deployments.apps'],
    ['widgets.example.com', 'count/widgets.example.com'],
  ])('%s are counted as %s', (resource, name) => {
    expect(usedAfter(created(resource, object('v1', 'Any'), [quota({ [name]: '1' })]))).toEqual([{ [name]: '1' }])
    expect(resourceCountedBy(name)).toBe(resource)
  })
})

describe('counting anew', () => {
  const count = (limits: ResourceQuota, pods: readonly KubeObject[]) =>
    countedStatus(limits, (resource) => (resource === 'pods' ? pods : []), resourceCountedBy, nowMs)

  test('leaves out what has ended, and what should have been gone', () => {
    const stuck = { deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 30 }
    const pods = [
      pod({}, { status: { phase: 'Running' } }),
      pod({}, { status: { phase: 'Succeeded' } }),
      pod({}, { metadata: stuck }),
    ]
    expect(count(quota({ pods: '5', 'count/pods': '5' }), pods)).toEqual({
      hard: { pods: '5', 'count/pods': '5' },
      used: { pods: '1', 'count/pods': '3' },
    })
  })

  test('says nothing of names that nobody counts', () => {
    expect(count(quota({ pods: '5', 'example.com/things': '1' }), []).used).toEqual({ pods: '0' })
  })
})
