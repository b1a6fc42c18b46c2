import type { KubeObject } from '@shiplog/api/kube-object'
import type { ObjectChange } from '@shiplog/feed/object-feed'
import { describe, expect, test } from 'vitest'
import { createObjectView, tombstonesMax, viewIndex } from './view.ts'

function change(sequence: number, name: string, more: Record<string, unknown> = {}, deleted = false): ObjectChange {
  const object = {
    apiVersion: 'v1',
    kind: 'Pod',
    ...more,
    metadata: {
      name,
      namespace: 'default',
      uid: `uid-${name}`,
      resourceVersion: String(sequence),
      ...(more['metadata'] as object),
    },
  } as KubeObject
  return {
    group: '',
    resource: 'pods',
    groupResource: 'pods',
    namespace: 'default',
    name,
    sequence,
    timeMs: sequence * 1000,
    type: 'PodUpdated',
    deleted,
    object,
  }
}

const quiet = (): void => undefined
const batch = (sequence: number, ...changes: ObjectChange[]) => ({ changes, sequence, synced: true })
const nodeIndex = viewIndex('pods', 'node', (pod) => (pod.spec?.nodeName ? [pod.spec.nodeName] : []))

describe('the view', () => {
  test('finds objects by key, namespace, uid, owner and index, and follows every change of them', () => {
    const view = createObjectView(['pods'], [nodeIndex])
    const owned = { metadata: { ownerReferences: [{ uid: 'rs' }] }, spec: { nodeName: 'n1' } }
    view.apply(batch(2, change(1, 'a', owned), change(2, 'b')), quiet)
    expect(view.get('pods', 'default/a')?.metadata.resourceVersion).toBe('1')
    expect([...view.list('pods', 'default')].length).toBe(2)
    expect([...view.list('pods', 'other')].length).toBe(0)
    expect(view.byUid('uid-b')?.key).toBe('default/b')
    expect([...view.ownedBy('rs')].map((entry) => entry.key)).toEqual(['default/a'])
    expect([...view.listOwned('pods', 'rs')].map((pod) => pod.metadata.name)).toEqual(['a'])
    expect([...view.listOwned('nodes', 'rs')]).toEqual([])
    expect([...view.byIndex(nodeIndex, 'n1')].length).toBe(1)
    view.apply(batch(3, change(3, 'a', { spec: { nodeName: 'n2' } })), quiet)
    expect([...view.ownedBy('rs')]).toEqual([])
    expect(view.countIndex(nodeIndex, 'n1')).toBe(0)
    expect(view.countIndex(nodeIndex, 'n2')).toBe(1)
    view.apply(batch(4, change(4, 'a', {}, true)), quiet)
    expect(view.get('pods', 'default/a')).toBeUndefined()
    expect(view.byUid('uid-a')).toBeUndefined()
    expect(view.countIndex(nodeIndex, 'n2')).toBe(0)
    expect(view.deletedAtMs('pods', 'default/a')).toBe(4000)
  })

  test('tells changes only when the whole batch is in, each with the object before it', () => {
    const view = createObjectView(['pods'])
    const seen: unknown[] = []
    view.apply(batch(3, change(1, 'a'), change(2, 'b'), change(3, 'a')), (one, before) => {
      seen.push([
        one.sequence,
        before?.metadata.resourceVersion,
        view.get('pods', 'default/a')?.metadata.resourceVersion,
      ])
    })
    expect(seen).toEqual([
      [1, undefined, '3'],
      [2, undefined, '3'],
      [3, '1', '3'],
    ])
  })

  test('lets a waiter go exactly when its sequence is in, also when the batch holds nothing it follows', async () => {
    const view = createObjectView(['pods'])
    view.apply(batch(5), quiet)
    await view.waitForSequence(5, AbortSignal.timeout(1000))
    let done = false
    const waiting = view.waitForSequence(7, AbortSignal.timeout(1000)).then(() => {
      done = true
    })
    view.apply(batch(6), quiet)
    await Promise.resolve()
    expect(done).toBe(false)
    view.apply(batch(7), quiet)
    await waiting
    const abort = new AbortController()
    const aborted = view.waitForSequence(99, abort.signal)
    abort.abort(new Error('stop'))
    await expect(aborted).rejects.toThrow('stop')
  })

  test('after a second snapshot what it does not name is gone, and is told as deleted', () => {
    const view = createObjectView(['pods'])
    view.apply(batch(2, change(1, 'a'), change(2, 'b')), quiet)
    view.restart()
    const gone: string[] = []
    view.apply({ changes: [change(2, 'b')], sequence: 2, synced: false }, quiet)
    expect(view.synced).toBe(false)
    view.apply({ changes: [change(5, 'c')], sequence: 9, synced: true }, (one) => {
      if (one.deleted) gone.push(one.name)
    })
    expect(gone).toEqual(['a'])
    expect([...view.list('pods')].map((pod) => pod.metadata.name)).toEqual(['b', 'c'])
  })

  test('remembers a bounded number of deletions', () => {
    const view = createObjectView(['pods'])
    for (let i = 0; i <= tombstonesMax; i++) view.noteDeleted('pods', `default/p${i}`, i)
    expect(view.deletedAtMs('pods', 'default/p0')).toBeUndefined()
    expect(view.deletedAtMs('pods', `default/p${tombstonesMax}`)).toBe(tombstonesMax)
  })
})
