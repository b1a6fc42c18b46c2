import { describe, expect, test } from 'vitest'
import type { KubeObject } from '@shiplog/api/kube-object'
import { isApiError } from '@shiplog/api/status'
import type { AdmissionAttributes, AdmissionPlugin, AdmissionView } from '../admission.ts'
import { object, pod } from '../testing/objects.ts'
import { defaultIngressClass, defaultStorageClass } from './default-classes.plugins.ts'
import { limitRanger } from './limit-ranger.plugin.ts'
import { persistentVolumeClaimResize } from './persistent-volume-claim-resize.plugin.ts'

const viewOf = (objects: Record<string, readonly KubeObject[]>): AdmissionView => ({
  get: (groupResource, _, name) => objects[groupResource]?.find(({ metadata }) => metadata.name === name),
  list: (groupResource) => objects[groupResource] ?? [],
})
const attributes = (more: Partial<AdmissionAttributes>): AdmissionAttributes => ({
  ...{ operation: 'CREATE', group: '', resource: 'pods', subresource: '', namespace: 'default', name: 'web' },
  ...{ object: undefined, before: undefined, user: { name: 'tester', groups: [] }, dryRun: false },
  ...more,
})
/** The draft as it comes out, or why it does not. */
const admitted = (
  plugin: AdmissionPlugin,
  view: AdmissionView,
  draft: KubeObject,
  more: Partial<AdmissionAttributes> = {},
) => {
  const request = attributes({ object: draft, ...more })
  try {
    plugin.admit?.(request, view)
    plugin.validate?.(request, view)
    return draft as any
  } catch (error) {
    if (!isApiError(error)) throw error
    return error.status.message
  }
}

const ranges = (...limits: readonly object[]): AdmissionView =>
  viewOf({ limitranges: [object('v1', 'LimitRange', { spec: { limits } })] })
const podOf = (resources: object, more: object = {}) =>
  pod({ containers: [{ name: 'app', image: 'nginx', resources }], ...more })

describe('LimitRanger', () => {
  const defaults = { type: 'Container', default: { cpu: '500m' }, defaultRequest: { cpu: '100m', memory: '1Mi' } }

  test('fills in what containers do not say, and tells so', () => {
    const draft = podOf({ requests: { memory: '2Mi' } }, { initContainers: [{ name: 'i', image: 'nginx' }] })
    const { spec, metadata } = admitted(limitRanger, ranges(defaults), draft)
    expect(spec.containers[0].resources).toEqual({ requests: { cpu: '100m', memory: '2Mi' }, limits: { cpu: '500m' } })
    expect(spec.initContainers[0].resources).toEqual({
      requests: { cpu: '100m', memory: '1Mi' },
      limits: { cpu: '500m' },
    })
    expect(metadata.annotations['kubernetes.io/limit-ranger']).toBe(
      'LimitRanger plugin set: cpu request for container app; cpu limit for container app; cpu, memory request for init container i; cpu limit for init container i',
    )
  })

  test('leaves a pod alone that says all of it, and updates of pods', () => {
    const full = { requests: { cpu: '1', memory: '1Mi' }, limits: { cpu: '1' } }
    expect(admitted(limitRanger, ranges(defaults), podOf(full)).metadata.annotations).toBeUndefined()
    expect(
      admitted(limitRanger, ranges(defaults), podOf({}), { operation: 'UPDATE' }).spec.containers[0].resources,
    ).toEqual({})
  })

  test.each([
    [{ min: { cpu: '100m' } }, {}, 'minimum cpu usage per Container is 100m.  No request is specified'],
    [
      { min: { cpu: '100m' } },
      { requests: { cpu: '50m' } },
      'minimum cpu usage per Container is 100m, but request is 50m',
    ],
    [
      { min: { cpu: '100m' } },
      { requests: { cpu: '100m' }, limits: { cpu: '10m' } },
      'minimum cpu usage per Container is 100m, but limit is 10m',
    ],
    [{ max: { memory: '1Gi' } }, {}, 'maximum memory usage per Container is 1Gi.  No limit is specified'],
    [
      { max: { memory: '1Gi' } },
      { limits: { memory: '2Gi' } },
      'maximum memory usage per Container is 1Gi, but limit is 2Gi',
    ],
    [
      { maxLimitRequestRatio: { cpu: '1500m' } },
      { requests: { cpu: '1' }, limits: { cpu: '2' } },
      'cpu max limit to request ratio per Container is 1500m, but provided ratio is 2.000000',
    ],
    [
      { maxLimitRequestRatio: { cpu: '2' } },
      { limits: { cpu: '2' } },
      'cpu max limit to request ratio per Container is 2, but no request is specified or request is 0',
    ],
    [
      { max: { cpu: '1', memory: '1Gi' } },
      { limits: { cpu: '2', memory: '2Gi' } },
      '[maximum cpu usage per Container is 1, but limit is 2, maximum memory usage per Container is 1Gi, but limit is 2Gi]',
    ],
  ])('a container within %j that has %j', (item, resources, why) => {
    expect(admitted(limitRanger, ranges({ type: 'Container', ...item }), podOf(resources))).toBe(
      `pods "web" is forbidden: ${why}`,
    )
  })

  test('a pod is limited by the sum of its containers', () => {
    const one = { name: 'a', image: 'nginx', resources: { requests: { cpu: '600m' }, limits: { cpu: '600m' } } }
    const view = ranges({ type: 'Pod', max: { cpu: '1' } })
    expect(admitted(limitRanger, view, pod({ containers: [one] }))).toHaveProperty('spec')
    expect(admitted(limitRanger, view, pod({ containers: [one, { ...one, name: 'b' }] }))).toBe(
      'pods "web" is forbidden: maximum cpu usage per Pod is 1, but limit is 1200m',
    )
  })

  test('a claim is limited by what it requests', () => {
    const claim = object('v1', 'PersistentVolumeClaim', { spec: { resources: { requests: { storage: '10Gi' } } } })
    const view = ranges({ type: 'PersistentVolumeClaim', max: { storage: '5Gi' } })
    expect(admitted(limitRanger, view, claim, { resource: 'persistentvolumeclaims' })).toBe(
      'persistentvolumeclaims "web" is forbidden: maximum storage usage per PersistentVolumeClaim is 5Gi, but request is 10Gi',
    )
  })
})

describe('default classes', () => {
  const classOf = (kind: string, name: string, mark: string, created: string, rest: object = {}): KubeObject =>
    object('v1', kind, { metadata: { name, annotations: { [mark]: 'true' }, creationTimestamp: created }, ...rest })
  const storageMark = 'storageclass.kubernetes.io/is-default-class'
  const storage = viewOf({
    'storageclasses.storage.k8s.io': [
      classOf('StorageClass', 'old', storageMark, '2025-01-01T00:00:00Z'),
      classOf('StorageClass', 'new', storageMark, '2026-01-01T00:00:00Z'),
      classOf('StorageClass', 'unmarked', 'other', '2026-02-01T00:00:00Z'),
    ],
  })
  const claim = (spec: object) => object('v1', 'PersistentVolumeClaim', { spec })
  const ofClaims = { resource: 'persistentvolumeclaims' }

  test('a claim without a class gets the newest default; one that wants none gets none', () => {
    expect(admitted(defaultStorageClass, storage, claim({}), ofClaims).spec.storageClassName).toBe('new')
    expect(
      admitted(defaultStorageClass, storage, claim({ storageClassName: '' }), ofClaims).spec.storageClassName,
    ).toBe('')
    expect(admitted(defaultStorageClass, viewOf({}), claim({}), ofClaims).spec.storageClassName).toBeUndefined()
  })

  test('an Ingress without a class gets the default', () => {
    const mark = 'ingressclass.kubernetes.io/is-default-class'
    const view = viewOf({
      'ingressclasses.networking.k8s.io': [classOf('IngressClass', 'nginx', mark, '2026-01-01T00:00:00Z')],
    })
    const aim = { group: 'networking.k8s.io', resource: 'ingresses' }
    const ingress = (annotations: object) =>
      object('networking.k8s.io/v1', 'Ingress', { metadata: { annotations }, spec: {} })
    expect(admitted(defaultIngressClass, view, ingress({}), aim).spec.ingressClassName).toBe('nginx')
    const annotated = ingress({ 'kubernetes.io/ingress.class': 'other' })
    expect(admitted(defaultIngressClass, view, annotated, aim).spec.ingressClassName).toBeUndefined()
  })
})

describe('PersistentVolumeClaimResize', () => {
  const claim = (size: string, storageClassName: string, phase: string) =>
    object('v1', 'PersistentVolumeClaim', {
      spec: { storageClassName, resources: { requests: { storage: size } } },
      status: { phase },
    })
  const view = viewOf({
    'storageclasses.storage.k8s.io': [
      object('v1', 'StorageClass', { metadata: { name: 'grows' }, allowVolumeExpansion: true }),
      object('v1', 'StorageClass', { metadata: { name: 'stays' } }),
    ],
  })
  const grown = (className: string, phase: string, to = '2Gi') =>
    admitted(persistentVolumeClaimResize, view, claim(to, className, phase), {
      ...{ resource: 'persistentvolumeclaims', operation: 'UPDATE' },
      before: claim('1Gi', className, phase),
    })

  test.each([
    ['grows', 'Pending', 'Only bound persistent volume claims can be expanded'],
    ['stays', 'Bound', 'only dynamically provisioned pvc can be resized'],
    ['missing', 'Bound', 'only dynamically provisioned pvc can be resized'],
  ])('of class %s that is %s', (className, phase, why) => {
    expect(grown(className, phase)).toContain(why)
  })

  test('grows when both allow it, and may always stay as it is', () => {
    expect(grown('grows', 'Bound')).toHaveProperty('spec')
    expect(grown('stays', 'Bound', '1Gi')).toHaveProperty('spec')
  })
})
