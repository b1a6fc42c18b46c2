import { describe, expect, test } from 'vitest'
import { convert } from './conversions.ts'
import { object } from './testing/objects.ts'

const scaleTargetRef = { kind: 'Deployment', name: 'web', apiVersion: 'apps/v1' }
const cpu = { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } } }
const memory = { type: 'Resource', resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '1Gi' } } }

describe('HorizontalPodAutoscaler', () => {
  const v2 = object('autoscaling/v2', 'HorizontalPodAutoscaler', {
    metadata: { annotations: { mine: 'x' } },
    spec: {
      scaleTargetRef,
      minReplicas: 1,
      maxReplicas: 5,
      metrics: [memory, cpu],
      behavior: { scaleDown: { stabilizationWindowSeconds: 1 } },
    },
    status: {
      desiredReplicas: 1,
      currentMetrics: [
        { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 12, averageValue: '1m' } } },
      ],
      conditions: [{ type: 'AbleToScale', status: 'True' }],
    },
  })

  test('shows in v1 the processor target, and the rest as annotations', () => {
    const v1 = convert(v2, 'autoscaling', 'v1')
    expect(v1.apiVersion).toBe('autoscaling/v1')
    expect(v1['spec']).toEqual({ scaleTargetRef, minReplicas: 1, maxReplicas: 5, targetCPUUtilizationPercentage: 70 })
    expect(v1['status']).toEqual({ currentReplicas: 0, desiredReplicas: 1, currentCPUUtilizationPercentage: 12 })
    expect(Object.keys(v1.metadata.annotations!).sort()).toEqual([
      'autoscaling.alpha.kubernetes.io/behavior',
      'autoscaling.alpha.kubernetes.io/conditions',
      'autoscaling.alpha.kubernetes.io/current-metrics',
      'autoscaling.alpha.kubernetes.io/metrics',
      'mine',
    ])
    const told = (name: string): unknown =>
      JSON.parse(v1.metadata.annotations![`autoscaling.alpha.kubernetes.io/${name}`]!)
    expect(told('metrics')).toEqual([{ type: 'Resource', resource: { name: 'memory', targetAverageValue: '1Gi' } }])
    expect(told('current-metrics')).toEqual([
      {
        type: 'Resource',
        resource: { name: 'cpu', currentAverageUtilization: 12, currentAverageValue: '1m' },
      },
    ])
    const rules = { StabilizationWindowSeconds: 1, SelectPolicy: null, Policies: null, Tolerance: null }
    expect(told('behavior')).toEqual({ ScaleUp: null, ScaleDown: rules })
  })

  const metric = { name: 'rps', selector: { matchLabels: { a: 'b' } } }
  const describedObject = { kind: 'Service', name: 's' }
  test.each([
    { type: 'Pods', pods: { metric, target: { type: 'AverageValue', averageValue: '10' } } },
    { type: 'Object', object: { describedObject, metric, target: { type: 'Value', value: '5' } } },
    { type: 'Object', object: { describedObject, metric, target: { type: 'AverageValue', averageValue: '5' } } },
    { type: 'External', external: { metric, target: { type: 'AverageValue', averageValue: '5' } } },
    {
      type: 'ContainerResource',
      containerResource: { name: 'cpu', container: 'main', target: { type: 'Utilization', averageUtilization: 5 } },
    },
  ])('a metric of type $type goes to v1 and back', (one) => {
    const autoscaler = object('autoscaling/v2', 'HorizontalPodAutoscaler', {
      spec: { scaleTargetRef, maxReplicas: 5, metrics: [one] },
    })
    expect(convert(convert(autoscaler, 'autoscaling', 'v1'), 'autoscaling', 'v2')['spec'].metrics).toEqual([one])
  })

  test('loses nothing of the spec on the way to v1 and back', () => {
    const back = convert(convert(v2, 'autoscaling', 'v1'), 'autoscaling', 'v2')
    expect(back['spec']).toEqual(v2['spec'])
    expect(back.metadata).toEqual(v2.metadata)
    expect(back['status'].conditions).toEqual(v2['status'].conditions)
  })

  test('takes a plain v1 manifest', () => {
    const v1 = object('autoscaling/v1', 'HorizontalPodAutoscaler', {
      spec: { scaleTargetRef, maxReplicas: 5, targetCPUUtilizationPercentage: 70 },
    })
    expect(convert(v1, 'autoscaling', 'v2')['spec']).toEqual({ scaleTargetRef, maxReplicas: 5, metrics: [cpu] })
    expect(v1['spec'].targetCPUUtilizationPercentage).toBe(70)
  })
})

describe('Event', () => {
  const core = object('v1', 'Event', {
    involvedObject: { kind: 'Pod', name: 'web', namespace: 'default' },
    reason: 'Scheduled',
    message: 'assigned',
    source: { component: 'scheduler' },
    firstTimestamp: '2026-01-02T03:04:05Z',
    lastTimestamp: '2026-01-02T03:04:05Z',
    count: 1,
    type: 'Normal',
    reportingComponent: 'scheduler',
    reportingInstance: 'scheduler-1',
  })

  test('is shown by events.k8s.io with the names used there', () => {
    expect(convert(core, 'events.k8s.io', 'v1')).toEqual({
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: core.metadata,
      eventTime: null,
      regarding: core['involvedObject'],
      reason: 'Scheduled',
      note: 'assigned',
      type: 'Normal',
      reportingController: 'scheduler',
      reportingInstance: 'scheduler-1',
      deprecatedSource: { component: 'scheduler' },
      deprecatedFirstTimestamp: '2026-01-02T03:04:05Z',
      deprecatedLastTimestamp: '2026-01-02T03:04:05Z',
      deprecatedCount: 1,
    })
  })

  test('comes back the same', () => {
    const { eventTime, ...rest } = convert(convert(core, 'events.k8s.io', 'v1'), '', 'v1')
    expect(eventTime).toBeNull()
    expect(rest).toEqual(core)
  })
})
