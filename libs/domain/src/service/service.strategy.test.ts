import { describe, expect, test } from 'vitest'
import type { KubeObject } from '@shiplog/api/kube-object'
import { isApiError } from '@shiplog/api/status'
import { heldBy, object, testContext } from '../testing/objects.ts'
import { serviceStrategy } from './service.strategy.ts'

const service = (spec: Record<string, unknown>): KubeObject => object('v1', 'Service', { spec })
/** As the gateway has it: defaults, allocation, then validation. */
const created = (draft: KubeObject, held = heldBy()) => {
  serviceStrategy.setDefaults!(draft)
  serviceStrategy.prepareForCreate!(draft, testContext())
  const change = serviceStrategy.allocate!(draft, undefined, held, testContext())
  const causes = serviceStrategy.validate!(draft)
  return { draft, causes: causes.map((cause) => `${cause.field}: ${cause.message}`), change }
}
const updated = (before: KubeObject, spec: (old: any) => Record<string, unknown>, held = heldBy()) => {
  const draft: KubeObject = { ...structuredClone(before), spec: spec(structuredClone(before['spec'])) }
  serviceStrategy.setDefaults!(draft)
  serviceStrategy.prepareForUpdate!(draft, before)
  const change = serviceStrategy.allocate!(draft, before, held, testContext(5))
  const causes = [...serviceStrategy.validate!(draft), ...serviceStrategy.validateUpdate!(draft, before)]
  return { draft, causes: causes.map((cause) => `${cause.field}: ${cause.message}`), change }
}
const refusal = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    if (isApiError(error)) return error.message
    throw error
  }
  return 'accepted'
}

describe('a service that is created', () => {
  test('gets every default and an address of its own', () => {
    const { draft, change } = created(service({ selector: { app: 'web' }, ports: [{ port: 80 }] }))
    expect(draft['spec']).toEqual({
      clusterIP: '10.96.1.1',
      clusterIPs: ['10.96.1.1'],
      internalTrafficPolicy: 'Cluster',
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
      selector: { app: 'web' },
      sessionAffinity: 'None',
      type: 'ClusterIP',
    })
    expect(draft['status']).toEqual({ loadBalancer: {} })
    expect(change).toEqual({ take: ['clusterip/10.96.1.1'], release: [] })
  })

  test('skips addresses and ports that are taken', () => {
    const held = heldBy({ 'clusterip/10.96.1.1': 'other', 'nodeport/TCP/30086': 'other' })
    const { draft, change } = created(service({ type: 'NodePort', ports: [{ port: 80 }] }), held)
    expect(draft['spec'].clusterIP).toBe('10.96.1.2')
    expect(draft['spec'].ports[0].nodePort).toBe(30_087)
    expect(draft['spec'].externalTrafficPolicy).toBe('Cluster')
    expect(change.take).toEqual(['clusterip/10.96.1.2', 'nodeport/TCP/30087'])
  })

  test('shares one node port between protocols of the same port', () => {
    const ports = [
      { name: 'udp', port: 53, protocol: 'UDP' },
      { name: 'tcp', port: 53 },
    ]
    const { draft } = created(service({ type: 'NodePort', ports }))
    expect(draft['spec'].ports[0].nodePort).toBe(draft['spec'].ports[1].nodePort)
  })

  test('takes no address when it is headless or an external name', () => {
    expect(created(service({ clusterIP: 'None', selector: { a: 'b' } })).change.take).toEqual([])
    const external = created(service({ type: 'ExternalName', externalName: 'example.com' }))
    expect(external.change.take).toEqual([])
    expect(external.draft['spec']).toEqual({
      type: 'ExternalName',
      externalName: 'example.com',
      sessionAffinity: 'None',
    })
  })

  test('is refused an address or a port that another has', () => {
    expect(
      refusal(() =>
        created(service({ clusterIP: '10.96.7.7', ports: [{ port: 80 }] }), heldBy({ 'clusterip/10.96.7.7': 'other' })),
      ),
    ).toBe(
      'Service "web" is invalid: spec.clusterIPs: Invalid value: ["10.96.7.7"]: failed to allocate IP 10.96.7.7: provided IP is already allocated',
    )
    expect(
      refusal(() =>
        created(
          service({ type: 'NodePort', ports: [{ port: 80, nodePort: 30_100 }] }),
          heldBy({ 'nodeport/TCP/30100': 'other' }),
        ),
      ),
    ).toBe('Service "web" is invalid: spec.ports[0].nodePort: Invalid value: 30100: provided port is already allocated')
    expect(refusal(() => created(service({ clusterIP: '10.96.0.1', ports: [{ port: 80 }] })))).toContain(
      'provided IP is already allocated',
    )
    expect(refusal(() => created(service({ clusterIP: '10.1.0.1', ports: [{ port: 80 }] })))).toContain(
      'failed to allocate IP 10.1.0.1: the provided network does not match the current range',
    )
    expect(refusal(() => created(service({ type: 'NodePort', ports: [{ port: 80, nodePort: 80 }] })))).toContain(
      'provided port is not in the valid range. The range of valid ports is 30000-32767',
    )
  })

  test.each([
    [{}, ['spec.ports: Required value']],
    [{ ports: [{ port: 80 }, { name: 'b', port: 81 }] }, ['spec.ports[0].name: Required value']],
    [
      { ports: [{ port: 80, nodePort: 30_000 }] },
      ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
    ],
    [
      { ports: [{ port: 0 }] },
      [
        'spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
        'spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive',
      ],
    ],
    [
      { type: 'Magic', ports: [{ port: 80 }] },
      [
        'spec.type: Unsupported value: "Magic": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
      ],
    ],
    [
      {
        ports: [
          { name: 'a', port: 80 },
          { name: 'b', port: 80 },
        ],
      },
      [
        'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,"NodePort":0}',
      ],
    ],
    [{ type: 'ExternalName' }, ['spec.externalName: Required value']],
  ])('is refused for %j', (spec, expected) => {
    expect(created(service(spec)).causes).toEqual(expected)
  })

  test('has a name that is one DNS label, which may begin with a digit', () => {
    expect(serviceStrategy.validateName!('1web')).toEqual([])
    expect(serviceStrategy.validateName!('web.a')).toEqual(['must not contain dots'])
  })
})

describe('a service that is updated', () => {
  const before = created(service({ type: 'NodePort', selector: { app: 'web' }, ports: [{ port: 80 }] })).draft

  test('keeps its address and ports when the update leaves them out', () => {
    const { draft, change } = updated(before, () => ({
      type: 'NodePort',
      ports: [{ port: 80 }],
      selector: { app: 'x' },
    }))
    expect(draft['spec'].clusterIP).toBe(before['spec'].clusterIP)
    expect(draft['spec'].ports[0].nodePort).toBe(before['spec'].ports[0].nodePort)
    expect(change).toEqual({ take: [], release: [] })
  })

  test('gives its node ports back when it becomes a ClusterIP service', () => {
    const { draft, causes, change } = updated(before, (old) => ({ ...old, type: 'ClusterIP' }))
    expect(causes).toEqual([])
    expect(draft['spec'].ports).toEqual([{ port: 80, protocol: 'TCP', targetPort: 80 }])
    expect(change).toEqual({ take: [], release: ['nodeport/TCP/30086'] })
  })

  test('gives everything back when it becomes an external name', () => {
    const { draft, causes, change } = updated(before, (old) => ({ ...old, type: 'ExternalName', externalName: 'a.b' }))
    expect(causes).toEqual([])
    expect(draft['spec'].clusterIP).toBeUndefined()
    expect(change.release).toEqual(['clusterip/10.96.1.1', 'nodeport/TCP/30086'])
  })

  test('may not change its address', () => {
    expect(updated(before, (old) => ({ ...old, clusterIP: '10.96.9.9', clusterIPs: ['10.96.9.9'] })).causes).toEqual([
      'spec.clusterIPs[0]: Invalid value: ["10.96.9.9"]: may not change once set',
    ])
  })

  test('releases all it had when it is deleted', () => {
    expect(serviceStrategy.allocate!(undefined, before, heldBy(), testContext())).toEqual({
      take: [],
      release: ['clusterip/10.96.1.1', 'nodeport/TCP/30086'],
    })
  })
})
