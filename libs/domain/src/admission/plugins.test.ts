import { runtimeClass } from './runtime-class.plugin.ts'
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '@shiplog/api/kube-object'
import { isApiError, type Status } from '@shiplog/api/status'
import type { AdmissionAttributes, AdmissionView } from '../admission.ts'
import { object, pod } from '../testing/objects.ts'
import { defaultAdmissionPlugins } from './plugins.ts'

const viewOf = (objects: Record<string, KubeObject>): AdmissionView => ({
  get: (groupResource, namespace, name) => objects[`${groupResource}/${namespace}/${name}`],
  list: (groupResource) =>
    Object.entries(objects).flatMap(([key, value]) => (key.startsWith(`${groupResource}/`) ? [value] : [])),
})
const namespace = object('v1', 'Namespace', { metadata: { name: 'default' }, status: { phase: 'Active' } })
const account = object('v1', 'ServiceAccount', { metadata: { name: 'default' } })
const usual = { 'namespaces//default': namespace, 'serviceaccounts/default/default': account }

const attributes = (more: Partial<AdmissionAttributes> = {}): AdmissionAttributes => ({
  operation: 'CREATE',
  group: '',
  resource: 'pods',
  subresource: '',
  namespace: 'default',
  name: 'web',
  object: undefined,
  before: undefined,
  user: { name: 'tester', groups: [] },
  dryRun: false,
  ...more,
})
const admitted = (
  draft: KubeObject,
  objects: Record<string, KubeObject> = usual,
  more: Partial<AdmissionAttributes> = {},
) => {
  const view = viewOf(objects)
  const plugins = defaultAdmissionPlugins()
  for (const plugin of plugins) plugin.admit?.(attributes({ object: draft, ...more }), view)
  for (const plugin of plugins) plugin.validate?.(attributes({ object: draft, ...more }), view)
  return draft
}
const refusal = (run: () => unknown): Status => {
  try {
    run()
  } catch (error) {
    if (isApiError(error)) return error.status
    throw error
  }
  throw new Error('nothing was refused')
}

describe('NamespaceLifecycle', () => {
  test('answers 404 for a namespace that is not there', () => {
    expect(refusal(() => admitted(pod(), {}))).toMatchObject({ code: 404, message: 'namespaces "default" not found' })
  })

  test('answers 403 with its cause in a namespace that is going', () => {
    const dying = { ...namespace, status: { phase: 'Terminating' } }
    expect(refusal(() => admitted(pod(), { ...usual, 'namespaces//default': dying }))).toMatchObject({
      code: 403,
      message:
        'pods "web" is forbidden: unable to create new content in namespace default because it is being terminated',
      details: {
        causes: [
          {
            reason: 'NamespaceTerminating',
            message: 'namespace default is being terminated',
            field: 'metadata.namespace',
          },
        ],
      },
    })
  })

  test('lets updates and deletions in a dying namespace pass', () => {
    const dying = { ...namespace, status: { phase: 'Terminating' } }
    const objects = { ...usual, 'namespaces//default': dying }
    expect(() => admitted(pod(), objects, { operation: 'UPDATE' })).not.toThrow()
  })

  test.each(['default', 'kube-system', 'kube-public'])('never lets %s be deleted', (name) => {
    const [plugin] = defaultAdmissionPlugins()
    const deletion = attributes({ operation: 'DELETE', resource: 'namespaces', namespace: '', name })
    expect(refusal(() => plugin!.admit!(deletion, viewOf({})))).toMatchObject({
      code: 403,
      message: `namespaces "${name}" is forbidden: this namespace may not be deleted`,
    })
  })
})

describe('ServiceAccount', () => {
  test('gives a pod the default account and its files, the same each time', () => {
    const draft = admitted(pod({ initContainers: [{ name: 'init', image: 'a' }] }))
    const { spec } = draft as Record<string, any>
    expect(spec.serviceAccountName).toBe('default')
    expect(spec.serviceAccount).toBe('default')
    const [volume] = spec.volumes
    expect(volume.name).toMatch(/^kube-api-access-[bcdfghjklmnpqrstvwxz2456789]{5}$/)
    expect(volume.projected).toEqual({
      defaultMode: 420,
      sources: [
        { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        {
          downwardAPI: {
            items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
          },
        },
      ],
    })
    const mount = { name: volume.name, readOnly: true, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' }
    expect(spec.containers[0].volumeMounts).toEqual([mount])
    expect(spec.initContainers[0].volumeMounts).toEqual([mount])
    expect(admitted(pod({ initContainers: [{ name: 'init', image: 'a' }] }))).toEqual(draft)
    expect(admitted(structuredClone(draft))).toEqual(draft)
  })

  test('mounts nothing when the pod or the account says so', () => {
    expect(admitted(pod({ automountServiceAccountToken: false }))['spec'].volumes).toBeUndefined()
    const quiet = { ...usual, 'serviceaccounts/default/default': { ...account, automountServiceAccountToken: false } }
    expect(admitted(pod(), quiet)['spec'].volumes).toBeUndefined()
    expect(admitted(pod({ automountServiceAccountToken: true }), quiet)['spec'].volumes).toHaveLength(1)
  })

  test('refuses an account that is not there', () => {
    expect(refusal(() => admitted(pod({ serviceAccountName: 'robot' })))).toMatchObject({
      code: 403,
      message:
        'pods "web" is forbidden: error looking up service account default/robot: serviceaccount "robot" not found',
    })
  })

  test("brings the account's pull secrets when the pod has none", () => {
    const withSecrets = {
      ...usual,
      'serviceaccounts/default/default': { ...account, imagePullSecrets: [{ name: 's' }] },
    }
    expect(admitted(pod(), withSecrets)['spec'].imagePullSecrets).toEqual([{ name: 's' }])
    expect(admitted(pod({ imagePullSecrets: [{ name: 'own' }] }), withSecrets)['spec'].imagePullSecrets).toEqual([
      { name: 'own' },
    ])
  })
})

describe('Priority', () => {
  const high = object('scheduling.k8s.io/v1', 'PriorityClass', {
    metadata: { name: 'high' },
    value: 100,
    preemptionPolicy: 'Never',
  })
  const standard = object('scheduling.k8s.io/v1', 'PriorityClass', {
    metadata: { name: 'standard' },
    value: 7,
    globalDefault: true,
  })
  const withHigh = { ...usual, 'priorityclasses.scheduling.k8s.io//high': high }
  const withDefault = { ...withHigh, 'priorityclasses.scheduling.k8s.io//standard': standard }

  test('turns the class into a number', () => {
    expect(admitted(pod({ priorityClassName: 'high' }), withHigh)['spec']).toMatchObject({
      priority: 100,
      preemptionPolicy: 'Never',
    })
    expect(admitted(pod(), withHigh)['spec']).toMatchObject({ priority: 0, preemptionPolicy: 'PreemptLowerPriority' })
  })

  test('stays as it was filled in when the pod is replaced by the manifest that made it', () => {
    const before = admitted(pod({ priorityClassName: 'high' }), withHigh)
    const again = pod({ priorityClassName: 'high' })
    const update = { operation: 'UPDATE', before } as const
    expect(admitted(again, withHigh, update)['spec']).toMatchObject({ priority: 100, preemptionPolicy: 'Never' })
    expect(admitted(pod({ priority: 5 }), withHigh, update)['spec']['priority']).toBe(5)
  })

  test('uses the default class for pods that name none', () => {
    expect(admitted(pod(), withDefault)['spec']).toMatchObject({ priorityClassName: 'standard', priority: 7 })
  })

  test.each([
    [{ priorityClassName: 'gone' }, 'no PriorityClass with name gone was found'],
    [
      { priority: 5 },
      'the integer value of priority (5) must not be provided in pod spec; priority admission controller computed 0 from the given PriorityClass name',
    ],
  ])('refuses %j', (spec, why) => {
    expect(refusal(() => admitted(pod(spec), withHigh)).message).toBe(`pods "web" is forbidden: ${why}`)
  })

  test('allows one default class only', () => {
    const second = object('scheduling.k8s.io/v1', 'PriorityClass', {
      metadata: { name: 'second' },
      value: 8,
      globalDefault: true,
    })
    const create = { group: 'scheduling.k8s.io', resource: 'priorityclasses', namespace: '', name: 'second' }
    expect(refusal(() => admitted(second, withDefault, create)).message).toContain(
      'PriorityClass standard is already marked as default. Only one default can exist',
    )
    expect(() =>
      admitted(structuredClone(standard), withDefault, { ...create, name: 'standard', operation: 'UPDATE' }),
    ).not.toThrow()
  })
})

describe('DefaultTolerationSeconds', () => {
  test('adds five minutes for what the pod does not tolerate by itself', () => {
    const own = { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 9 }
    expect(admitted(pod({ tolerations: [own] }))['spec'].tolerations).toEqual([
      own,
      { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
    ])
    const everything = { operator: 'Exists' }
    expect(admitted(pod({ tolerations: [everything] }))['spec'].tolerations).toEqual([everything])
  })
})

describe('StorageObjectInUseProtection', () => {
  test('adds the finalizer of claims and volumes once', () => {
    const claim = object('v1', 'PersistentVolumeClaim')
    admitted(claim, usual, { resource: 'persistentvolumeclaims' })
    expect(admitted(claim, usual, { resource: 'persistentvolumeclaims' }).metadata.finalizers).toEqual([
      'kubernetes.io/pvc-protection',
    ])
    const volume = object('v1', 'PersistentVolume')
    expect(admitted(volume, usual, { resource: 'persistentvolumes', namespace: '' }).metadata.finalizers).toEqual([
      'kubernetes.io/pv-protection',
    ])
    const attributesClass = object('storage.k8s.io/v1', 'VolumeAttributesClass')
    const inStorage = { group: 'storage.k8s.io', resource: 'volumeattributesclasses', namespace: '' }
    expect(admitted(attributesClass, usual, inStorage).metadata.finalizers).toEqual(['kubernetes.io/vac-protection'])
  })
})

describe('TaintNodesByCondition', () => {
  const notReady = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }
  const taintsOf = (taints?: readonly object[], operation: 'CREATE' | 'UPDATE' = 'CREATE'): unknown => {
    const node = { ...object('v1', 'Node'), ...(taints ? { spec: { taints } } : {}) }
    return admitted(node as never, usual, { resource: 'nodes', namespace: '', operation })['spec']?.taints
  }
  test('a new node takes no pods until it is ready', () => {
    expect(taintsOf()).toEqual([notReady])
    const own = { key: 'gpu', effect: 'NoSchedule' }
    expect(taintsOf([own])).toEqual([own, notReady])
  })
  test('who brings the taint has it once; a known node is left alone', () => {
    expect(taintsOf([notReady])).toEqual([notReady])
    expect(taintsOf(undefined, 'UPDATE')).toBeUndefined()
  })
})

test('plugins come in upstream order, each with a name to switch it off by', () => {
  expect(defaultAdmissionPlugins().map((plugin) => plugin.name)).toEqual([
    'NamespaceLifecycle',
    'LimitRanger',
    'ServiceAccount',
    'NodeRestriction',
    'TaintNodesByCondition',
    'PodSecurity',
    'Priority',
    'DefaultTolerationSeconds',
    'DefaultStorageClass',
    'StorageObjectInUseProtection',
    'PersistentVolumeClaimResize',
    'RuntimeClass',
    'CertificateSubjectRestriction',
    'DefaultIngressClass',
    'ResourceQuota',
  ])
})

describe('RuntimeClass', () => {
  const podOf = (spec: object) => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec }) as never
  const heavy = {
    metadata: { name: 'heavy' },
    handler: 'runc',
    overhead: { podFixed: { cpu: '100m' } },
    scheduling: { nodeSelector: { fast: 'yes' } },
  } as never
  const classes: AdmissionView = { get: (_, __, name) => (name === 'heavy' ? heavy : undefined), list: () => [] }
  const admitted = (object: never): unknown => {
    const request = attributes({ object })
    runtimeClass.admit!(request, classes)
    runtimeClass.validate!(request, classes)
    return object
  }

  test('a pod takes the overhead and the node selector of its class', () => {
    expect(admitted(podOf({ runtimeClassName: 'heavy' }))).toMatchObject({
      spec: { overhead: { cpu: '100m' }, nodeSelector: { fast: 'yes' } },
    })
  })

  test.each([
    [{ runtimeClassName: 'none' }, 'pod rejected: RuntimeClass "none" not found'],
    [{ overhead: { cpu: '1' } }, 'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead'],
    [
      { runtimeClassName: 'heavy', overhead: { cpu: '1' } },
      "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead",
    ],
  ])('%j is refused', (spec, sentence) => {
    expect(() => admitted(podOf(spec))).toThrow(sentence)
  })
})
