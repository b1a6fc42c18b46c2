// The rules of kinds, the generic decider and the generated description together: none may refuse what another made.
import { describe, expect, test } from 'vitest'
import { normalize, structuralErrors } from '@shiplog/api/decode/decode'
import type { KubeObject } from '@shiplog/api/kube-object'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import { groupResourceOf } from '@shiplog/api/schema/schema'
import { bootstrapObjects } from '../bootstrap-objects.ts'
import { decideCreate, decideDelete, decideUpdate, type Kind, prepareForCreate, prepareForUpdate } from '../decider.ts'
import { strategyFor } from '../strategies.ts'
import { applyBinding } from '../subresources/binding.ts'
import { heldBy, pod, testContext } from '../testing/objects.ts'

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
const created = (manifest: KubeObject): KubeObject => {
  const kind = kindOf(manifest)
  const { object, errors, unknown } = normalize(registry, kind.info.definition, structuredClone(manifest))
  expect([errors, unknown]).toEqual([[], []])
  const draft = object as KubeObject
  kind.strategy.setDefaults?.(draft)
  prepareForCreate(kind, draft, testContext())
  kind.strategy.allocate?.(draft, undefined, heldBy(), testContext())
  const decision = decideCreate(kind, draft)
  if (decision.kind !== 'event') throw new Error(JSON.stringify(decision))
  // What is stored must be something the description knows, or the next write of it would be refused.
  const again = normalize(registry, kind.info.definition, structuredClone(decision.event.object))
  expect([again.errors, again.unknown]).toEqual([[], []])
  return decision.event.object
}
const updated = (before: KubeObject, subresource: string, change: (draft: any) => void) => {
  const kind = kindOf(before)
  const draft = structuredClone(before)
  change(draft)
  kind.strategy.setDefaults?.(draft)
  prepareForUpdate(kind, draft, before, { subresource })
  return decideUpdate(kind, draft, before, { subresource })
}

const drafts = bootstrapObjects({ apiServers: [{ address: '127.0.0.1', port: 6443 }] }) as KubeObject[]

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
