// The rules of kinds, the generic decider and the generated description together: none may refuse what another made.
import { describe, expect, test } from 'vitest'
import { normalize, structuralErrors } from '@shiplog/api/decode/decode'
import type { KubeObject } from '@shiplog/api/kube-object'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import { groupResourceOf } from '@shiplog/api/schema/schema'
import { isApiError } from '@shiplog/api/status'
import type { AdmissionPlugin } from '../admission.ts'
import { bootstrapObjects } from '../bootstrap-objects.ts'
import { decideDelete, type Kind, prepareForUpdate } from '../decider.ts'
import { strategyFor } from '../strategies.ts'
import { applyBinding } from '../subresources/binding.ts'
import { heldBy, pod, testContext } from '../testing/objects.ts'
import { mutateCreate, mutateUpdate, settleCreate, settleUpdate, type Write } from './stages.ts'

const registry = builtInRegistry()
const kindOf = (object: { apiVersion: string; kind: string }): Kind => {
  const slash = object.apiVersion.indexOf('/')
  const group = slash === -1 ? '' : object.apiVersion.slice(0, slash)
  const info = registry.byKind(group, object.apiVersion.slice(slash + 1), object.kind)!
  return {
    info,
    strategy: strategyFor(groupResourceOf(group, info.resource)),
    structuralErrors: (draft) => structuralErrors(registry, info.definition, draft),
  }
}
const writeOf = (kind: Kind, subresource = ''): Write => ({
  kind,
  subresource,
  namespace: 'default',
  dryRun: false,
  context: testContext(),
  admission: [],
  reader: { get: () => undefined, list: () => [] },
  held: heldBy(),
})
const unstamped = (): void => undefined

const created = (manifest: KubeObject): KubeObject => {
  const kind = kindOf(manifest)
  const { object, errors, unknown } = normalize(registry, kind.info.definition, structuredClone(manifest))
  expect([errors, unknown]).toEqual([[], []])
  const draft = object as KubeObject
  const write = writeOf(kind)
  mutateCreate(write, draft, unstamped)
  const { event } = settleCreate(write, draft, { isTaken: false })
  // What is stored must be something the description knows, or the next write of it would be refused.
  const again = normalize(registry, kind.info.definition, structuredClone(event!.object))
  expect([again.errors, again.unknown]).toEqual([[], []])
  return event!.object
}
const updated = (before: KubeObject, subresource: string, change: (draft: any) => void) => {
  const write = writeOf(kindOf(before), subresource)
  const draft = structuredClone(before)
  change(draft)
  try {
    mutateUpdate(write, draft, before, unstamped)
    const { event } = settleUpdate(write, draft, before)
    return event ? { kind: 'event', event } : { kind: 'unchanged' }
  } catch (error) {
    if (!isApiError(error)) throw error
    return { kind: 'refused', status: error.status }
  }
}

const drafts = bootstrapObjects({ apiServers: [{ address: '127.0.0.1', port: 6443 }], nowMs: 0 }) as KubeObject[]

test.each(
  drafts.map((draft) => [`${draft.kind}/${draft.metadata.name}`, draft] as const),
)('a fresh cluster can create %s', (_, draft) => {
  expect(created(draft).metadata.creationTimestamp).toBe('2026-01-02T03:04:05Z')
})

describe('a pod', () => {
  const { uid, creationTimestamp, ...metadata } = pod().metadata
  const before = created({ ...pod(), metadata } as KubeObject)

  test('starts at generation 1 and keeps it when bound', () => {
    expect(before.metadata.generation).toBe(1)
    const decision = updated(before, 'binding', (draft) =>
      applyBinding(draft, { target: { kind: 'Node', name: 'n1' } }, { nowMs: 0 }),
    )
    expect(decision).toMatchObject({
      kind: 'event',
      event: { type: 'PodBound', object: { metadata: { generation: 1 }, spec: { nodeName: 'n1' } } },
    })
  })

  test('cannot be moved by a main update', () => {
    expect(updated(before, '', (draft) => (draft.spec.nodeName = 'n1'))).toMatchObject({
      kind: 'refused',
      status: { code: 422 },
    })
  })

  test('gains a generation with its image, and none by its status', () => {
    expect(updated(before, '', (draft) => (draft.spec.containers[0].image = 'nginx:1.30'))).toMatchObject({
      event: { object: { metadata: { generation: 2 } } },
    })
    expect(updated(before, 'status', (draft) => (draft.status.phase = 'Running'))).toMatchObject({
      event: { type: 'PodStatusReported', object: { metadata: { generation: 1 }, status: { phase: 'Running' } } },
    })
  })

  test('is unchanged by an update that says what is there', () => {
    expect(updated(before, '', () => undefined).kind).toBe('unchanged')
  })

  test('goes at once while it has no node, and with grace when it runs', () => {
    const kind = kindOf(before)
    expect(decideDelete(kind, before, {}, { nowMs: 0 })).toMatchObject({ event: { deleted: true } })
    const running = structuredClone(before)
    running['spec'].nodeName = 'n1'
    expect(decideDelete(kind, running, {}, { nowMs: 0 })).toMatchObject({
      event: { deleted: false, object: { metadata: { deletionGracePeriodSeconds: 30, generation: 2 } } },
    })
    expect(decideDelete(kind, running, { gracePeriodSeconds: 0 }, { nowMs: 0 })).toMatchObject({
      event: { deleted: true },
    })
  })

  test('goes with a grace of ages, which a second deletion may shorten', () => {
    const kind = kindOf(before)
    const running = structuredClone(before)
    running['spec'].nodeName = 'n1'
    const gracePeriodSeconds = 2 ** 62
    const nowMs = Date.parse('2026-01-01T00:00:00Z')
    const first = decideDelete(kind, running, { gracePeriodSeconds }, { nowMs })
    if (first.kind !== 'event') throw new Error('not marked')
    expect(first.event.object.metadata).toMatchObject({
      deletionTimestamp: '9999-12-31T23:59:59Z',
      deletionGracePeriodSeconds: gracePeriodSeconds,
    })
    const second = decideDelete(kind, first.event.object, { gracePeriodSeconds: 60 }, { nowMs })
    expect(second).toMatchObject({ event: { object: { metadata: { deletionGracePeriodSeconds: 60 } } } })
  })
})

test('a namespace ends when its last finalizer is removed by finalize, and only then', () => {
  const before = created({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' } } as KubeObject)
  expect(before.metadata.generation).toBeUndefined()
  const marked = decideDelete(kindOf(before), before, {}, { nowMs: 0 })
  if (marked.kind !== 'event') throw new Error('not marked')
  expect(marked.event).toMatchObject({ deleted: false, object: { status: { phase: 'Terminating' } } })
  const empty = (draft: any) => (draft.spec.finalizers = [])
  expect(updated(marked.event.object, '', empty).kind).toBe('unchanged')
  expect(updated(marked.event.object, 'finalize', empty)).toMatchObject({ event: { deleted: true } })
})

describe('metadata sent through /status', () => {
  const resources = registry.resources.filter(
    ({ subresources, group, version, storageGroup, storageVersion }) =>
      group === storageGroup && version === storageVersion && subresources.some(({ name }) => name === 'status'),
  )
  const sent = {
    labels: { sent: 'yes' },
    annotations: { sent: 'yes' },
    finalizers: ['example.com/sent'],
    ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'u' }],
  }
  /** What upstream's status strategies put back, where that is anything. */
  const putBack: Record<string, string> = {
    'apiservices.apiregistration.k8s.io': 'annotations finalizers labels ownerReferences',
    'deployments.apps': 'labels',
    'flowschemas.flowcontrol.apiserver.k8s.io': 'annotations finalizers labels ownerReferences',
    'podgroups.scheduling.k8s.io': 'annotations finalizers labels ownerReferences',
    pods: 'ownerReferences',
    'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io': 'annotations finalizers labels ownerReferences',
    'resourceclaims.resource.k8s.io': 'annotations finalizers labels ownerReferences',
    'servicecidrs.networking.k8s.io': 'annotations finalizers labels ownerReferences',
    'validatingadmissionpolicies.admissionregistration.k8s.io': 'annotations finalizers labels ownerReferences',
    'volumeattachments.storage.k8s.io': 'annotations finalizers labels ownerReferences',
  }

  test.each(resources.map((info) => [groupResourceOf(info.group, info.resource), info] as const))('%s', (key, info) => {
    const kind: Kind = { info, strategy: strategyFor(key), structuralErrors: () => [] }
    const metadata = { name: 'a', uid: 'u', creationTimestamp: '2026-01-01T00:00:00Z', generation: 3 }
    const place = info.namespaced ? { namespace: 'default' } : {}
    const spec = { field: 'before' }
    const before = {
      apiVersion: `${info.group ? `${info.group}/` : ''}${info.version}`,
      kind: info.kind,
      metadata: { ...metadata, ...place },
      spec,
      status: {},
    } as unknown as KubeObject
    const draft = structuredClone(before)
    Object.assign(draft.metadata, structuredClone(sent))
    draft['spec'] = { field: 'sent' }
    prepareForUpdate(kind, draft, before, { subresource: 'status', nowMs: 0 })
    const lost = Object.keys(sent).filter((field) => !(field in draft.metadata))
    expect(lost.sort().join(' ')).toBe(putBack[key] ?? '')
    expect(draft['spec']).toEqual(spec)
    expect(draft.metadata.generation).toBe(3)
  })
})

test('warnings of admission plugins go with a creation and an update that pass', () => {
  const manifest = pod()
  const plugin: AdmissionPlugin = { name: 'Warner', warnings: ({ operation, name }) => [`${operation} ${name}`] }
  const write = { ...writeOf(kindOf(manifest)), admission: [plugin] }
  const draft = structuredClone(manifest)
  mutateCreate(write, draft, unstamped)
  const { event, warnings } = settleCreate(write, draft, { isTaken: false })
  expect(warnings).toEqual(['CREATE web'])
  const next = structuredClone(event!.object)
  mutateUpdate(write, next, event!.object, unstamped)
  expect(settleUpdate(write, next, event!.object)).toMatchObject({ event: undefined, warnings: ['UPDATE web'] })
})
