import { describe, expect, test } from 'vitest'
import { isApiError, type Status } from '@shiplog/api/status'
import { podStrategy } from '../pod/pod.strategy.ts'
import { object, pod } from '../testing/objects.ts'
import { applyBinding } from './binding.ts'
import { chargeBudget, checkEviction } from './eviction.ts'
import { readScale, writeScale } from './scale.ts'

const nowMs = Date.UTC(2026, 0, 2, 3, 4, 5)
const binding = (name: string, metadata = {}) => ({ metadata, target: { kind: 'Node', name } })
const refusal = (run: () => unknown): Status => {
  try {
    run()
  } catch (error) {
    if (isApiError(error)) return error.status
    throw error
  }
  throw new Error('nothing was refused')
}

describe('binding a pod', () => {
  test('sets its node, its condition and the annotations that came along', () => {
    const draft = pod(
      {},
      {
        status: { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable' }] },
      },
    )
    applyBinding(draft, binding('n1', { annotations: { a: 'b' } }), { nowMs })
    expect(draft['spec'].nodeName).toBe('n1')
    expect(draft['status'].conditions).toEqual([
      { type: 'PodScheduled', status: 'True', lastTransitionTime: '2026-01-02T03:04:05Z' },
    ])
    expect(draft.metadata.annotations).toEqual({ a: 'b' })
  })

  test.each([
    [pod({ nodeName: 'n0' }), 'pod web is already assigned to node "n0"'],
    [
      pod({}, { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }),
      'pod web is being deleted, cannot be assigned to a host',
    ],
    [pod({ schedulingGates: [{ name: 'a/b' }] }), 'pod web has non-empty .spec.schedulingGates'],
  ])('is a conflict when it cannot be bound (%#)', (draft, why) => {
    expect(refusal(() => applyBinding(draft, binding('n1'), { nowMs }))).toMatchObject({
      code: 409,
      reason: 'Conflict',
      message: `Operation cannot be fulfilled on pods/binding "web": ${why}`,
    })
  })

  test('is a conflict for another incarnation of the pod', () => {
    expect(refusal(() => applyBinding(pod(), binding('n1', { uid: 'older' }), { nowMs })).message).toContain(
      'Precondition failed: UID in precondition: older, UID in object meta: uid-1',
    )
  })

  test('needs a node', () => {
    expect(refusal(() => applyBinding(pod(), { target: { kind: 'Pod' } }, { nowMs })).details?.causes).toEqual([
      {
        reason: 'FieldValueNotSupported',
        message: 'Unsupported value: "Pod": supported values: "Node", "<empty>"',
        field: 'target.kind',
      },
      { reason: 'FieldValueRequired', message: 'Required value', field: 'target.name' },
    ])
  })

  test('passes the update rules of pods, which forbid the same change elsewhere', () => {
    const before = pod()
    const draft = structuredClone(before)
    applyBinding(draft, binding('n1'), { nowMs })
    expect(podStrategy.validateUpdate!(draft, before, 'binding')).toEqual([])
    expect(podStrategy.validateUpdate!(draft, before, '')).toHaveLength(1)
    expect(podStrategy.changesGeneration!(draft, before)).toBe(false)
  })
})

describe('scale', () => {
  const deployment = object('apps/v1', 'Deployment', {
    metadata: { resourceVersion: '7' },
    spec: {
      replicas: 3,
      selector: {
        matchLabels: { b: '2', a: '1' },
        matchExpressions: [{ key: 'c', operator: 'In', values: ['y', 'x'] }],
      },
    },
    status: { replicas: 2 },
  })

  test('reads replicas and the selector as text', () => {
    expect(readScale(deployment, 'deployments.apps')).toEqual({
      kind: 'Scale',
      apiVersion: 'autoscaling/v1',
      metadata: {
        name: 'web',
        namespace: 'default',
        uid: 'uid-1',
        resourceVersion: '7',
        creationTimestamp: '2026-01-02T03:04:05Z',
      },
      spec: { replicas: 3 },
      status: { replicas: 2, selector: 'a=1,b=2,c in (x,y)' },
    })
    const controller = object('v1', 'ReplicationController', { spec: { replicas: 1, selector: { app: 'web' } } })
    expect(readScale(controller, 'replicationcontrollers')['status']).toEqual({ replicas: 0, selector: 'app=web' })
  })

  test('writes replicas, zero when left out', () => {
    const draft = structuredClone(deployment)
    writeScale(draft, { spec: { replicas: 5 } }, 'deployments.apps')
    expect(draft['spec'].replicas).toBe(5)
    writeScale(draft, { spec: {} }, 'deployments.apps')
    expect(draft['spec'].replicas).toBe(0)
  })

  test('refuses less than nothing, and another object', () => {
    expect(
      refusal(() => writeScale(structuredClone(deployment), { spec: { replicas: -1 } }, 'deployments.apps')),
    ).toMatchObject({
      code: 422,
      message:
        'Scale.autoscaling "web" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
    })
    expect(
      refusal(() => writeScale(structuredClone(deployment), { metadata: { uid: 'x' }, spec: {} }, 'deployments.apps')),
    ).toMatchObject({ code: 409, details: { group: 'apps', kind: 'deployments' } })
  })
})

describe('eviction', () => {
  const running = pod(
    {},
    {
      metadata: { labels: { app: 'web' } },
      status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
    },
  )
  const budget = (status: object, more: object = {}) =>
    object('policy/v1', 'PodDisruptionBudget', {
      metadata: { name: 'pdb', generation: 1 },
      spec: { selector: { matchLabels: { app: 'web' } }, ...more },
      status: { observedGeneration: 1, ...status },
    })

  test('goes through without a budget, or with room in it', () => {
    expect(checkEviction(running, [])).toBeUndefined()
    expect(checkEviction(running, [budget({ disruptionsAllowed: 1 })])).toBeUndefined()
    const other = budget({ disruptionsAllowed: 0 }, { selector: { matchLabels: { app: 'other' } } })
    expect(checkEviction(running, [other])).toBeUndefined()
  })

  test('is 429 with its cause when the budget is used up', () => {
    expect(
      checkEviction(running, [budget({ disruptionsAllowed: 0, desiredHealthy: 2, currentHealthy: 2 })]),
    ).toMatchObject({
      code: 429,
      reason: 'TooManyRequests',
      message: "Cannot evict pod as it would violate the pod's disruption budget.",
      details: {
        causes: [
          { reason: 'DisruptionBudget', message: 'The disruption budget pdb needs 2 healthy pods and has 2 currently' },
        ],
      },
    })
  })

  test('asks to come back while the budget is being worked out', () => {
    expect(checkEviction(running, [budget({ observedGeneration: 0 })])).toMatchObject({
      code: 429,
      details: { retryAfterSeconds: 10 },
    })
  })

  test('does not count pods that do not run, nor unready ones of a healthy set', () => {
    const full = budget({ disruptionsAllowed: 0, desiredHealthy: 2, currentHealthy: 2 })
    expect(checkEviction({ ...running, status: { phase: 'Pending' } }, [full])).toBeUndefined()
    expect(checkEviction({ ...running, status: { phase: 'Running' } }, [full])).toBeUndefined()
    const short = budget({ disruptionsAllowed: 0, desiredHealthy: 2, currentHealthy: 1 })
    expect(checkEviction({ ...running, status: { phase: 'Running' } }, [short])?.code).toBe(429)
  })

  test('refuses two budgets for one pod', () => {
    expect(checkEviction(running, [budget({}), budget({})])?.code).toBe(500)
  })

  test('is charged to the budget', () => {
    const draft = budget({ disruptionsAllowed: 1 })
    chargeBudget(draft, 'web', nowMs)
    expect(draft['status']).toMatchObject({ disruptionsAllowed: 0, disruptedPods: { web: '2026-01-02T03:04:05Z' } })
  })
})

describe('ephemeral containers and resize', () => {
  const before = pod({ containers: [{ name: 'app', image: 'a:1', resources: { requests: { cpu: '1' } } }] })

  test('debugging adds containers and touches nothing else', () => {
    const draft = structuredClone(before)
    draft['spec'].ephemeralContainers = [{ name: 'debug', image: 'b' }]
    draft['spec'].hostname = 'other'
    podStrategy.prepareForSubresource!(draft, before, 'ephemeralcontainers', 0)
    expect(draft['spec']).toEqual({ ...before['spec'], ephemeralContainers: [{ name: 'debug', image: 'b' }] })
    expect(podStrategy.validateUpdate!(draft, before, 'ephemeralcontainers')).toEqual([])
    expect(podStrategy.validateUpdate!(before, draft, 'ephemeralcontainers')[0]?.message).toContain(
      'existing ephemeral containers "debug" may not be removed',
    )
  })

  test('resizing changes processors and memory, not the class', () => {
    const draft = structuredClone(before)
    draft['spec'].containers[0].resources.requests.cpu = '2'
    draft['spec'].containers[0].image = 'other'
    podStrategy.prepareForSubresource!(draft, before, 'resize', 0)
    expect(draft['spec'].containers[0]).toEqual({ name: 'app', image: 'a:1', resources: { requests: { cpu: '2' } } })
    expect(podStrategy.validateUpdate!(draft, before, 'resize')).toEqual([])
    const guaranteed = structuredClone(before)
    guaranteed['spec'].containers[0].resources = {
      requests: { cpu: '1', memory: '1Gi' },
      limits: { cpu: '1', memory: '1Gi' },
    }
    expect(podStrategy.validateUpdate!(guaranteed, before, 'resize')[0]?.message).toContain(
      'Pod QOS Class may not change as a result of resizing',
    )
  })
})
