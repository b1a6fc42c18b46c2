import { describe, expect, test } from 'vitest'
import type { KubeObject } from '@shiplog/api/kube-object'
import type { StatusCause } from '@shiplog/api/status'
import { pod, testContext } from '../testing/objects.ts'
import { podStrategy } from './pod.strategy.ts'

const created = (draft: KubeObject): KubeObject => {
  podStrategy.setDefaults!(draft)
  podStrategy.prepareForCreate!(draft, testContext())
  return draft
}
const wrong = (spec: Record<string, unknown>): readonly StatusCause[] => podStrategy.validate!(created(pod(spec)))
const sentences = (causes: readonly StatusCause[]): string[] =>
  causes.map((cause) => `${cause.field}: ${cause.message}`)

describe('a pod that is created', () => {
  test('gets every default of upstream from a minimal manifest', () => {
    const draft = created(pod())
    expect(draft['spec']).toEqual({
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
      enableServiceLinks: true,
      restartPolicy: 'Always',
      schedulerName: 'default-scheduler',
      securityContext: {},
      terminationGracePeriodSeconds: 30,
    })
    expect(draft['status']).toEqual({ phase: 'Pending', qosClass: 'BestEffort' })
    expect(podStrategy.validate!(draft)).toEqual([])
  })

  test('is the same after defaults ran a second time', () => {
    const once = created(
      pod({
        containers: [
          {
            name: 'app',
            image: 'nginx',
            ports: [{ containerPort: 80 }],
            livenessProbe: { httpGet: { port: 80 } },
            env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
            resources: { limits: { cpu: '1' } },
          },
        ],
        volumes: [{ name: 'a' }, { name: 'b', secret: { secretName: 's' } }],
      }),
    )
    const twice = structuredClone(once)
    podStrategy.setDefaults!(twice)
    expect(twice).toEqual(once)
    expect(once['spec'].containers[0].livenessProbe).toEqual({
      httpGet: { port: 80, path: '/', scheme: 'HTTP' },
      timeoutSeconds: 1,
      periodSeconds: 10,
      successThreshold: 1,
      failureThreshold: 3,
    })
    expect(once['spec'].containers[0].imagePullPolicy).toBe('Always')
    expect(once['spec'].containers[0].ports).toEqual([{ containerPort: 80, protocol: 'TCP' }])
    expect(once['spec'].volumes).toEqual([
      { name: 'a', emptyDir: {} },
      { name: 'b', secret: { secretName: 's', defaultMode: 420 } },
    ])
  })

  test('takes its requests from its limits where it names none', () => {
    const draft = created(
      pod({
        containers: [
          { name: 'app', image: 'a:1', resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '500m' } } },
        ],
      }),
    )
    expect(draft['spec'].containers[0].resources.requests).toEqual({ cpu: '500m', memory: '1Gi' })
    expect(draft['status'].qosClass).toBe('Burstable')
  })

  test('is Guaranteed only when all containers have equal limits and requests', () => {
    const limited = {
      name: 'app',
      image: 'a:1',
      resources: { limits: { cpu: '1000m', memory: '1Gi' }, requests: { cpu: '1', memory: '1024Mi' } },
    }
    expect(created(pod({ containers: [limited] }))['status'].qosClass).toBe('Guaranteed')
    expect(created(pod({ containers: [limited, { name: 'b', image: 'b:1' }] }))['status'].qosClass).toBe('Burstable')
  })

  test('says that it is gated', () => {
    expect(created(pod({ schedulingGates: [{ name: 'example.com/wait' }] }))['status'].conditions).toMatchObject([
      { type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' },
    ])
  })

  test.each([
    [{ containers: [] }, ['spec.containers: Required value']],
    [{ containers: [{ name: 'app' }] }, ['spec.containers[0].image: Required value']],
    [{ containers: [{ image: 'a' }] }, ['spec.containers[0].name: Required value']],
    [
      { containers: [{ name: 'App', image: 'a' }] },
      [
        `spec.containers[0].name: Invalid value: "App": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`,
      ],
    ],
    [
      {
        containers: [
          { name: 'a', image: 'a' },
          { name: 'a', image: 'b' },
        ],
      },
      ['spec.containers[1].name: Duplicate value: "a"'],
    ],
    [
      { restartPolicy: 'Sometimes' },
      ['spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"'],
    ],
    [
      { containers: [{ name: 'a', image: 'a', resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } }] },
      ['spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'],
    ],
    [
      { containers: [{ name: 'a', image: 'a', ports: [{ containerPort: 70_000 }] }] },
      ['spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive'],
    ],
    [
      { containers: [{ name: 'a', image: 'a', volumeMounts: [{ name: 'v', mountPath: '/v' }] }] },
      ['spec.containers[0].volumeMounts[0].name: Not found: "v"'],
    ],
    [
      { initContainers: [{ name: 'i', image: 'a', livenessProbe: { tcpSocket: { port: 1 } } }] },
      [
        'spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always',
      ],
    ],
    [
      { tolerations: [{ key: 'a', operator: 'Equal', effect: 'NoSchedule', tolerationSeconds: 1 }] },
      [
        `spec.tolerations[0].effect: Invalid value: "NoSchedule": effect must be 'NoExecute' when \`tolerationSeconds\` is set`,
      ],
    ],
    [
      { volumes: [{ name: 'v', emptyDir: {}, hostPath: { path: '/x' } }] },
      ['spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type'],
    ],
  ])('is refused for %j', (spec, expected) => {
    expect(sentences(wrong(spec))).toEqual(expected)
  })
})

describe('a pod that is updated', () => {
  const before = created(pod())
  const changed = (change: (spec: any) => void): readonly StatusCause[] => {
    const next = structuredClone(before)
    change(next['spec'])
    podStrategy.setDefaults!(next)
    return podStrategy.validateUpdate!(next, before)
  }

  test('may change its image, add tolerations and set a deadline', () => {
    expect(
      changed((spec) => {
        spec.containers[0].image = 'nginx:1.30'
        spec.tolerations = [{ key: 'a', operator: 'Exists' }]
        spec.activeDeadlineSeconds = 5
      }),
    ).toEqual([])
  })

  test('may not change anything else', () => {
    const causes = changed((spec) => {
      spec.hostname = 'other'
    })
    expect(causes[0]?.field).toBe('spec')
    expect(causes[0]?.message).toContain(
      'Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),',
    )
  })

  test('may not gain or lose containers', () => {
    expect(sentences(changed((spec) => spec.containers.push({ name: 'b', image: 'b:1' })))).toEqual([
      'spec.containers: Forbidden: pod updates may not add or remove containers',
    ])
  })

  test('keeps spec, owners and deletion when its status is written, and takes labels', () => {
    const next = structuredClone(before)
    next['spec'].hostname = 'other'
    next.metadata.labels = { zone: 'a' }
    next.metadata.ownerReferences = [{ apiVersion: 'v1', kind: 'X', name: 'x', uid: 'u' }]
    next['status'].phase = 'Running'
    podStrategy.prepareForStatusUpdate!(next, before, 0)
    expect(next['spec']).toEqual(before['spec'])
    expect(next.metadata.ownerReferences).toBeUndefined()
    expect(next.metadata.labels).toEqual({ zone: 'a' })
    expect(next['status'].phase).toBe('Running')
  })
})

describe('grace of a pod that is deleted', () => {
  const bound = pod({ nodeName: 'n1', terminationGracePeriodSeconds: 30 })
  test.each([
    [bound, undefined, 30],
    [bound, 5, 5],
    [bound, 0, undefined],
    [bound, -7, 1],
    [pod({ terminationGracePeriodSeconds: 30 }), 30, undefined],
    [pod({ nodeName: 'n1', terminationGracePeriodSeconds: 30 }, { status: { phase: 'Succeeded' } }), 30, undefined],
  ])('case %#', (subject, requested, expected) => {
    expect(podStrategy.gracePeriodSeconds!(subject, requested)).toBe(expected)
  })
})

describe('what a change of a pod is called', () => {
  const before = created(pod())
  const after = (change: (next: KubeObject) => void): KubeObject => {
    const next = structuredClone(before)
    change(next)
    return next
  }
  test.each([
    ['PodBound', 'binding', after((next) => (next['spec'].nodeName = 'n1'))],
    ['PodStatusReported', 'status', after((next) => (next['status'].phase = 'Running'))],
    ['PodDeletionRequested', '', after((next) => (next.metadata.deletionTimestamp = '2026-01-02T03:04:06Z'))],
    [undefined, '', after((next) => (next.metadata.labels = { a: 'b' }))],
  ])('%s', (expected, subresource, next) => {
    expect(podStrategy.eventType!(next, before, subresource)).toBe(expected)
  })
})
