import type { ApiRequest, ApiResult } from '@shiplog/api/api-client'
import type { HorizontalPodAutoscaler } from '@shiplog/api/generated/types/autoscaling-v2'
import type { KubeObject } from '@shiplog/api/kube-object'
import { conflict, routeNotFound } from '@shiplog/api/status'
import type { FakeCluster } from '@shiplog/testing/fake-cluster'
import { describe, expect, test } from 'vitest'
import { deploymentReconciler } from '../deployment/deployment.reconciler.ts'
import { replicaSetReconciler } from '../replica-set/replica-set.reconciler.ts'
import { createReconcileHarness, type ReconcileHarness } from '../testing/reconcile-harness.ts'
import { playWithEveryDeath } from '../testing/two-runners-sim.ts'
import { horizontalPodAutoscalerReconciler, syncPeriodMs } from './horizontal-pod-autoscaler.reconciler.ts'

const autoscalers = { group: 'autoscaling', resource: 'horizontalpodautoscalers', namespace: 'default' }
const deployments = { group: 'apps', resource: 'deployments', namespace: 'default' }
const cpu = (averageUtilization: number) => ({
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } },
})

function deploy(cluster: FakeCluster, name: string, replicas: number, app = name): void {
  const containers = [{ name: 'main', image: 'app:1', resources: { requests: { cpu: '100m' } } }]
  cluster.must({
    verb: 'create',
    ...deployments,
    body: {
      ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace: 'default' } },
      spec: { replicas, selector: { matchLabels: { app } }, template: { metadata: { labels: { app } }, spec: { containers } } },
    },
  })
}

function autoscale(cluster: FakeCluster, name: string, spec: object = {}): void {
  const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }
  const metadata = { name, namespace: 'default' }
  const body = { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler', metadata }
  const all = { scaleTargetRef, maxReplicas: 10, metrics: [cpu(50)], ...spec }
  cluster.must({ verb: 'create', ...autoscalers, body: { ...body, spec: all } })
}

const ok = (object: object): ApiResult => ({ ok: true, code: 200, sequence: 0, object: object as KubeObject })
const time = (ms: number): string => new Date(ms).toISOString()

/** metrics.k8s.io as if each pod used so many thousandths of a core. */
const usageOf = (cluster: FakeCluster, milli: number, nowMs: number): ApiResult =>
  ok({
    items: cluster.list('pods').map(({ metadata, spec }) => ({
      ...{ metadata, timestamp: time(nowMs), window: '15s' },
      containers: (spec.containers ?? []).map(({ name }) => ({ name, usage: { cpu: `${milli}m` } })),
    })),
  })

interface Stage {
  readonly h: ReconcileHarness
  /** What each pod uses. */
  milli: number
  other: ((request: ApiRequest) => ApiResult | undefined) | undefined
}

function stage(): Stage {
  const reconcilers = [horizontalPodAutoscalerReconciler, deploymentReconciler, replicaSetReconciler]
  const set: { h?: ReconcileHarness; milli: number; other: Stage['other'] } = { milli: 0, other: undefined }
  set.h = createReconcileHarness(reconcilers, {
    answer: (request) => {
      const other = set.other?.(request)
      if (other) return other
      if (request.group !== 'metrics.k8s.io') return undefined
      return usageOf(set.h!.cluster, set.milli, set.h!.nowMs())
    },
  })
  return set as Stage
}

const replicas = (h: ReconcileHarness): number | undefined => h.cluster.get('deployments.apps', 'default/web')!.spec.replicas
const autoscaler = (h: ReconcileHarness, name = 'web'): HorizontalPodAutoscaler =>
  h.cluster.get('horizontalpodautoscalers.autoscaling', `default/${name}`)!
const conditions = (h: ReconcileHarness): string[] =>
  (autoscaler(h).status.conditions ?? []).map(({ type, status, reason }) => `${type}=${status} ${reason}`)
const told = (h: ReconcileHarness): string[] =>
  h.events.filter((one) => one.startsWith('horizontal-pod-autoscaler ')).map((one) => one.replace('horizontal-pod-autoscaler ', ''))

/** Past the time in which a new pod's use of CPU does not count. */
const settleMs = 6 * 60_000

function running(count: number): Stage {
  const set = stage()
  deploy(set.h.cluster, 'web', count)
  set.h.advance(settleMs)
  return set
}

describe('an autoscaler', () => {
  test('scales its target to what its metrics ask for, and tells of it', () => {
    const set = running(2)
    const { h } = set
    set.milli = 90
    autoscale(h.cluster, 'web')
    h.advance(syncPeriodMs + 10)
    expect(replicas(h)).toBe(4)
    expect(autoscaler(h).status).toMatchObject({
      ...{ currentReplicas: 2, desiredReplicas: 4, lastScaleTime: '2026-01-01T00:06:15Z' },
      currentMetrics: [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 90, averageValue: '90m' } } }],
    })
    expect(conditions(h)).toEqual([
      'AbleToScale=True SucceededRescale',
      'ScalingActive=True ValidMetricFound',
      'ScalingLimited=False DesiredWithinRange',
    ])
    expect(told(h)).toEqual(['SuccessfulRescale New size: 4; reason: cpu resource utilization (percentage of request) above target'])
    expect(h.secondRun()).toEqual([])
  })

  test('looks every fifteen seconds, and goes down only after five minutes', () => {
    const set = running(4)
    const { h } = set
    set.milli = 50
    autoscale(h.cluster, 'web')
    h.advance(syncPeriodMs + 10)
    set.milli = 10
    h.advance(syncPeriodMs - 11)
    expect(autoscaler(h).status.currentMetrics![0]!.resource!.current.averageValue).toBe('50m')
    h.advance(2)
    expect(autoscaler(h).status.currentMetrics![0]!.resource!.current.averageValue).toBe('10m')
    expect(conditions(h)[0]).toBe('AbleToScale=True ScaleDownStabilized')
    h.advance(4 * 60_000)
    expect(replicas(h)).toBe(4)
    h.advance(60_000 + syncPeriodMs)
    expect(replicas(h)).toBe(1)
    expect(told(h).at(-1)).toBe('SuccessfulRescale New size: 1; reason: All metrics below target')
  })

  test('keeps its target within its bounds, whatever metrics say', () => {
    const set = running(2)
    const { h } = set
    autoscale(h.cluster, 'web', { minReplicas: 3 })
    h.advance(syncPeriodMs + 10)
    expect(replicas(h)).toBe(3)
    expect(told(h)).toEqual(['SuccessfulRescale New size: 3; reason: Current number of replicas below Spec.MinReplicas'])
    expect(autoscaler(h).status.currentMetrics ?? null).toBeNull()
    const scaleUp = (spec: object) =>
      h.cluster.must({ verb: 'patch', ...deployments, name: 'web', patchType: 'application/merge-patch+json', body: { spec } })
    scaleUp({ replicas: 12 })
    h.advance(syncPeriodMs)
    expect(replicas(h)).toBe(10)
    expect(told(h).at(-1)).toBe('SuccessfulRescale New size: 10; reason: Current number of replicas above Spec.MaxReplicas')
    scaleUp({ replicas: 0 })
    h.advance(syncPeriodMs)
    expect(replicas(h)).toBe(0)
    expect(conditions(h)).toContain('ScalingActive=False ScalingDisabled')
  })

  test('says that there are no metrics, and does nothing', () => {
    const set = running(2)
    const { h } = set
    set.other = ({ group }) => (group === 'metrics.k8s.io' ? ok({ items: [] }) : undefined)
    autoscale(h.cluster, 'web')
    h.advance(syncPeriodMs + 10)
    const why = 'failed to get cpu utilization: unable to get metrics for resource cpu: no metrics returned from resource metrics API'
    expect(autoscaler(h).status).toMatchObject({ currentReplicas: 2, desiredReplicas: 0, currentMetrics: [{ type: '' }] })
    expect(conditions(h)).toEqual(['AbleToScale=True SucceededGetScale', 'ScalingActive=False FailedGetResourceMetric'])
    expect(autoscaler(h).status.conditions![1]!.message).toBe(`the HPA was unable to compute the replica count: ${why}`)
    expect(told(h)).toEqual([
      `FailedGetResourceMetric ${why}`,
      `FailedComputeMetricsReplicas invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric value: ${why}`,
    ])
  })

  test('with one metric of two scales up, never down', () => {
    const set = running(2)
    const { h } = set
    const pods = { type: 'Pods', pods: { metric: { name: 'hits' }, target: { type: 'AverageValue', averageValue: '10' } } }
    set.other = ({ group }) => (group === 'custom.metrics.k8s.io' ? { ok: false, code: 404, status: routeNotFound() } : undefined)
    set.milli = 10
    autoscale(h.cluster, 'web', { metrics: [cpu(50), pods] })
    h.advance(syncPeriodMs + 10)
    expect(replicas(h)).toBe(2)
    expect(conditions(h)).toContain('ScalingActive=False FailedGetPodsMetric')
    expect(told(h)[0]).toBe(
      'FailedGetPodsMetric unable to get metric hits: unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered',
    )
    set.milli = 90
    h.advance(syncPeriodMs)
    expect(replicas(h)).toBe(4)
    expect(conditions(h)).toContain('ScalingActive=True ValidMetricFound')
  })

  test('says what is wrong with its target', () => {
    const set = stage()
    const { h } = set
    autoscale(h.cluster, 'web')
    autoscale(h.cluster, 'other', { scaleTargetRef: { apiVersion: 'example.com/v1', kind: 'Thing', name: 'x' } })
    h.advance(syncPeriodMs + 10)
    const message = (name: string): string => autoscaler(h, name).status.conditions![0]!.message!
    const unable = "the HPA controller was unable to get the target's current scale: "
    expect(message('web')).toBe(`${unable}deployments.apps "web" not found`)
    expect(message('other')).toBe(`${unable}no matches for kind "Thing" in group "example.com"`)
    expect(conditions(h)).toEqual(['AbleToScale=False FailedGetScale'])
    expect(told(h)).toContain('FailedGetScale deployments.apps "web" not found')
  })

  test('leaves pods alone that another one scales as well', () => {
    const set = running(2)
    const { h } = set
    set.milli = 90
    autoscale(h.cluster, 'web')
    autoscale(h.cluster, 'again')
    h.advance(syncPeriodMs + 10)
    expect(replicas(h)).toBe(2)
    expect(conditions(h)).toContain('ScalingActive=False AmbiguousSelector')
    expect(told(h)).toContain(
      'AmbiguousSelector pods by selector app=web are controlled by multiple HPAs: [default/again default/web]',
    )
  })

  test('decides anew when its target changed meanwhile, and tells when scaling is refused', () => {
    const set = running(2)
    const { h } = set
    set.milli = 90
    const gone = { ok: false, code: 409, status: conflict(deployments, 'web', 'changed') } as const
    let refusals = 1
    set.other = ({ verb, subresource }) =>
      verb === 'update' && subresource === 'scale' && refusals-- > 0 ? gone : undefined
    autoscale(h.cluster, 'web')
    h.advance(syncPeriodMs + 2_000)
    expect(replicas(h)).toBe(4)
    expect(told(h)).toHaveLength(1)
    const status = { ...gone.status, code: 403, reason: 'Forbidden', message: 'no' } as const
    set.milli = 200
    set.other = ({ verb, subresource }) =>
      verb === 'update' && subresource === 'scale' ? { ok: false, code: 403, status } : undefined
    h.advance(settleMs)
    expect(replicas(h)).toBe(4)
    expect(conditions(h)[0]).toBe('AbleToScale=False FailedUpdateScale')
    expect(told(h).at(-1)).toMatch(/^FailedRescale New size: 8; reason: cpu .* above target; error: no$/)
  })

  test('reads metrics of objects, of pods and of the world outside', () => {
    const set = running(2)
    const { h } = set
    const asked: string[] = []
    const value = (amount: string, name?: string) => ({
      ...{ timestamp: time(h.nowMs()), value: amount, ...(name ? { describedObject: { name } } : {}) },
    })
    set.other = ({ verb, group, version, resource, name, namespace, subresource, query }) => {
      if (!group.endsWith('.metrics.k8s.io')) return undefined
      asked.push([verb, group, version, namespace, resource, name, subresource, JSON.stringify(query)].join(' '))
      if (group.startsWith('external')) return ok({ items: [value('30'), value('10')] })
      if (resource === 'pods') return ok({ items: h.cluster.list('pods').map(({ metadata }) => value('1500m', metadata.name)) })
      return ok({ items: [value('8')] })
    }
    const selector = { matchLabels: { queue: 'a' } }
    autoscale(h.cluster, 'web', {
      metrics: [
        { type: 'Pods', pods: { metric: { name: 'hits', selector }, target: { type: 'AverageValue', averageValue: '1' } } },
        {
          type: 'Object',
          object: {
            describedObject: { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', name: 'main' },
            ...{ metric: { name: 'load' }, target: { type: 'Value', value: '4' } },
          },
        },
        {
          type: 'Object',
          object: {
            describedObject: { apiVersion: 'v1', kind: 'Namespace', name: 'default' },
            ...{ metric: { name: 'all' }, target: { type: 'AverageValue', averageValue: '4' } },
          },
        },
        { type: 'External', external: { metric: { name: 'jobs', selector }, target: { type: 'AverageValue', averageValue: '8' } } },
      ],
    })
    h.advance(syncPeriodMs + 10)
    expect(asked).toEqual([
      'get custom.metrics.k8s.io v1beta2 default pods * hits {"labelSelector":"app=web","metricLabelSelector":"queue=a"}',
      'get custom.metrics.k8s.io v1beta2 default ingresses.networking.k8s.io main load {}',
      'get custom.metrics.k8s.io v1beta2  namespaces default metrics/all {}',
      'list external.metrics.k8s.io v1beta1 default jobs   {"labelSelector":"queue=a"}',
    ])
    expect(replicas(h)).toBe(4)
    expect(autoscaler(h).status.currentMetrics).toEqual([
      { type: 'Pods', pods: { metric: { name: 'hits', selector }, current: { averageValue: '1500m' } } },
      {
        type: 'Object',
        object: {
          describedObject: { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', name: 'main' },
          ...{ metric: { name: 'load' }, current: { value: '8' } },
        },
      },
      {
        type: 'Object',
        object: {
          describedObject: { apiVersion: 'v1', kind: 'Namespace', name: 'default' },
          ...{ metric: { name: 'all' }, current: { averageValue: '4' } },
        },
      },
      { type: 'External', external: { metric: { name: 'jobs', selector }, current: { averageValue: '20' } } },
    ])
    expect(told(h)).toEqual([
      'SuccessfulRescale New size: 4; reason: external metric jobs(&LabelSelector{MatchLabels:map[string]string{queue: a,},MatchExpressions:[]LabelSelectorRequirement{},}) above target',
    ])
  })
})

test('two runners scale once to what is asked for, though one is killed', () => {
  const story = {
    reconcilers: [horizontalPodAutoscalerReconciler, deploymentReconciler, replicaSetReconciler],
    deeds: [
      (cluster: FakeCluster) => deploy(cluster, 'web', 2),
      (cluster: FakeCluster) => autoscale(cluster, 'web'),
    ],
    restMs: settleMs,
    // The load is 180 in all: two pods use 90 % each, four 45 %.
    answer: ({ group }: ApiRequest, cluster: FakeCluster) =>
      group === 'metrics.k8s.io'
        ? usageOf(cluster, Math.round(180 / Math.max(1, cluster.list('pods').length)), Date.parse('2026-01-01T01:00:00Z'))
        : undefined,
  }
  playWithEveryDeath(story, ({ cluster }) => {
    const { spec } = cluster.get('deployments.apps', 'default/web')!
    expect(spec.replicas).toBe(4)
    expect(cluster.list('pods')).toHaveLength(4)
    const scaled = cluster.requests.filter(({ request, result }) => request.subresource === 'scale' && request.verb === 'update' && result.ok)
    expect(scaled).toHaveLength(1)
    const { status } = cluster.get('horizontalpodautoscalers.autoscaling', 'default/web')!
    expect(status.currentMetrics![0]!.resource!.current).toEqual({ averageUtilization: 45, averageValue: '45m' })
  })
})
