import type { KubeObject } from '@shiplog/api/kube-object'
import { isApiError } from '@shiplog/api/status'
import { describe, expect, test } from 'vitest'
import type { AdmissionAttributes, AdmissionPlugin, AdmissionView } from '../admission.ts'
import { object, pod } from '../testing/objects.ts'
import {
  alwaysPullImages,
  denyServiceExternalIps,
  extendedResourceToleration,
  limitPodHardAntiAffinityTopology,
  podNodeSelector,
} from './optional.plugins.ts'
import { defaultAdmissionPlugins, optionalAdmissionPlugins } from './plugins.ts'
import { isSuperset, mergeTolerations, podTolerationRestriction } from './pod-toleration-restriction.plugin.ts'

const namespaceWith = (annotations: Record<string, string>): AdmissionView => ({
  get: (groupResource) =>
    groupResource === 'namespaces' ? object('v1', 'Namespace', { metadata: { name: 'a', annotations } }) : undefined,
  list: () => [],
})
const plain = namespaceWith({})

/** What becomes of a draft, or why it is refused. */
function outcome(
  plugin: AdmissionPlugin,
  draft: KubeObject,
  view: AdmissionView = plain,
  more: Partial<AdmissionAttributes> = {},
): any {
  const attributes: AdmissionAttributes = {
    ...{ operation: 'CREATE', group: '', resource: 'pods', subresource: '', namespace: 'a', name: 'web' },
    ...{ object: draft, before: undefined, user: { name: 'tester', groups: [] }, dryRun: false },
    ...more,
  }
  try {
    plugin.admit?.(attributes, view)
    plugin.validate?.(attributes, view)
    return draft['spec']
  } catch (error) {
    if (isApiError(error)) return `${error.status.code} ${error.status.message}`
    throw error
  }
}

test('they are there when they are asked for, and only then', () => {
  const names = (enabled: readonly string[]): string[] => defaultAdmissionPlugins(enabled).map(({ name }) => name)
  expect(names([]).filter((name) => optionalAdmissionPlugins.includes(name))).toEqual([])
  expect(names(['PodNodeSelector'])).toContain('PodNodeSelector')
  expect(names([...optionalAdmissionPlugins])).toHaveLength(names([]).length + optionalAdmissionPlugins.length)
})

describe('AlwaysPullImages', () => {
  const containersOf = (image = 'x:1') => [{ name: 'main', image, imagePullPolicy: 'Never' }]

  test('pulls the images of containers and volumes', () => {
    const volumes = [{ name: 'v', image: { reference: 'y:1', pullPolicy: 'IfNotPresent' } }]
    expect(outcome(alwaysPullImages, pod({ containers: containersOf(), volumes }))).toMatchObject({
      containers: [{ imagePullPolicy: 'Always' }],
      volumes: [{ image: { pullPolicy: 'Always' } }],
    })
  })

  test('leaves an update alone that brings no image', () => {
    const before = pod({ containers: containersOf() })
    const update = { operation: 'UPDATE', before } as const
    const same = pod({ containers: containersOf() })
    expect(outcome(alwaysPullImages, same, plain, update).containers[0].imagePullPolicy).toBe('Never')
    const other = pod({ containers: containersOf('z:1') })
    expect(outcome(alwaysPullImages, other, plain, update).containers[0].imagePullPolicy).toBe('Always')
  })

  test('refuses what another plugin made of it since', () => {
    const { admit: _, ...checks } = alwaysPullImages
    expect(outcome(checks, pod({ containers: containersOf() }))).toContain(
      'spec.containers[0].imagePullPolicy: Unsupported value: "Never": supported values: "Always"',
    )
  })
})

test('LimitPodHardAntiAffinityTopology takes hostnames alone', () => {
  const spec = (topologyKey: string): Record<string, unknown> => ({
    affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey }] } },
  })
  expect(outcome(limitPodHardAntiAffinityTopology, pod(spec('kubernetes.io/hostname')))).toBeTypeOf('object')
  expect(outcome(limitPodHardAntiAffinityTopology, pod(spec('zone')))).toContain(
    'affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey zone but only key kubernetes.io/hostname is allowed',
  )
})

test('ExtendedResourceToleration tolerates the taints of the devices that are asked for', () => {
  const requests = { cpu: '1', 'example.com/gpu': '1', 'kubernetes.io/odd': '1' }
  const { tolerations } = outcome(
    extendedResourceToleration,
    pod({ containers: [{ name: 'main', resources: { requests } }] }),
  )
  expect(tolerations).toEqual([{ key: 'example.com/gpu', operator: 'Exists', effect: 'NoSchedule' }])
})

test('DenyServiceExternalIPs lets addresses stay and go, and takes no new ones', () => {
  const service = (externalIPs: string[]): KubeObject => object('v1', 'Service', { spec: { externalIPs } })
  const of = { resource: 'services' }
  expect(outcome(denyServiceExternalIps, service(['192.0.2.1']), plain, of)).toContain(
    'Use of external IPs is denied by admission control',
  )
  const update = { ...of, operation: 'UPDATE', before: service(['192.0.2.1', '192.0.2.2']) } as const
  expect(outcome(denyServiceExternalIps, service(['192.0.2.1']), plain, update)).toBeTypeOf('object')
})

describe('PodNodeSelector', () => {
  const view = namespaceWith({ 'scheduler.alpha.kubernetes.io/node-selector': 'env=test, disk=ssd' })

  test('sends pods to the nodes of their namespace', () => {
    expect(outcome(podNodeSelector, pod({ nodeSelector: { own: 'x', env: 'test' } }), view).nodeSelector).toEqual({
      ...{ env: 'test', disk: 'ssd', own: 'x' },
    })
  })

  test('refuses a pod that wants other nodes, and an annotation that says nothing', () => {
    expect(outcome(podNodeSelector, pod({ nodeSelector: { env: 'production' } }), view)).toContain(
      'pod node label selector conflicts with its namespace node label selector',
    )
    const odd = namespaceWith({ 'scheduler.alpha.kubernetes.io/node-selector': 'env' })
    expect(outcome(podNodeSelector, pod(), odd)).toContain('403')
  })
})

describe('PodTolerationRestriction', () => {
  const own = { key: 'own', operator: 'Exists' }
  const given = { key: 'given', operator: 'Exists', effect: 'NoSchedule' }
  const view = namespaceWith({
    'scheduler.alpha.kubernetes.io/defaultTolerations': JSON.stringify([given]),
    'scheduler.alpha.kubernetes.io/tolerationsWhitelist': JSON.stringify([given, own]),
  })

  test('gives what the namespace gives, and pods with requests the pressure of memory', () => {
    expect(outcome(podTolerationRestriction, pod(), view).tolerations).toEqual([given])
    const asking = pod({ containers: [{ name: 'main', resources: { requests: { cpu: '1' } } }] })
    expect(outcome(podTolerationRestriction, asking).tolerations).toEqual([
      { key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' },
    ])
  })

  test('refuses what the namespace does not allow', () => {
    expect(outcome(podTolerationRestriction, pod({ tolerations: [own] }), view)).toBeTypeOf('object')
    expect(outcome(podTolerationRestriction, pod({ tolerations: [{ operator: 'Exists' }] }), view)).toContain(
      'conflict with its namespace whitelist',
    )
  })

  test('a toleration covers another with less', () => {
    expect(isSuperset({ operator: 'Exists' }, given as never)).toBe(true)
    expect(isSuperset({ key: 'a', operator: 'Equal', value: '1' }, { key: 'a', value: '1', effect: 'NoExecute' })).toBe(true)
    expect(isSuperset({ key: 'a', operator: 'Exists', effect: 'NoSchedule' }, { key: 'a', operator: 'Exists' })).toBe(false)
    const limited = { key: 'a', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 10 } as const
    expect(isSuperset(limited, { ...limited, tolerationSeconds: 5 })).toBe(true)
    expect(isSuperset(limited, { ...limited, tolerationSeconds: 15 })).toBe(false)
    expect(mergeTolerations([{ operator: 'Exists' }], [given as never])).toEqual([{ operator: 'Exists' }])
  })
})
