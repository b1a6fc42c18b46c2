// What a fake cluster holds: the present objects, the changes that led to them, names used before, and guards. It knows no
// rules; those are the write path's (pipeline.ts).
import type { KubeObject } from '@shiplog/api/kube-object'
import { groupResourceOf, splitGroupResource } from '@shiplog/api/schema/schema'
import { carriesClaim, claimsRemembered, type GuardRecord } from '@shiplog/domain/write/rounds'
import type { ObjectChange } from '@shiplog/feed/object-feed'

export interface Guard extends GuardRecord {
  readonly recent: readonly GuardRecord[]
}

export interface MemoryStore {
  readonly sequence: number
  /** Every change so far, in order. */
  readonly changes: readonly ObjectChange[]
  get(groupResource: string, namespace: string, name: string): KubeObject | undefined
  list(groupResource: string, namespace?: string): KubeObject[]
  /** Resources of which there are or were objects. */
  groupResources(): string[]
  /** When a name that is free again was given up last: the sequence; undefined when it never was. */
  goneAt(groupResource: string, namespace: string, name: string): number | undefined
  guard(key: string): Guard | undefined
  setGuard(key: string, holder: string): void
  /** Stores an object's next state, or its end; returns it with the resourceVersion that it got. */
  record(groupResource: string, change: { readonly object: KubeObject; readonly type: string; readonly deleted: boolean }): KubeObject
  /** Called after every change, synchronously. */
  onChange(callback: (change: ObjectChange) => void): void
}

/** `default/web`; `/node-1` for what has no namespace. */
export const keyFor = (namespace: string | undefined, name: string): string => `${namespace ?? ''}/${name}`

export function createMemoryStore(clock: { nowMs(): number }): MemoryStore {
  const objects = new Map<string, Map<string, KubeObject>>()
  const gone = new Map<string, number>()
  const guards = new Map<string, Guard>()
  const changes: ObjectChange[] = []
  const listeners: ((change: ObjectChange) => void)[] = []
  let sequence = 0

  const of = (groupResource: string): Map<string, KubeObject> => {
    let map = objects.get(groupResource)
    if (!map) objects.set(groupResource, (map = new Map()))
    return map
  }

  return {
    changes,
    get sequence() {
      return sequence
    },
    get: (groupResource, namespace, name) => of(groupResource).get(keyFor(namespace, name)),
    list: (groupResource, namespace) =>
      [...of(groupResource).values()].filter((one) => namespace === undefined || one.metadata.namespace === namespace),
    groupResources: () => [...objects.keys()],
    goneAt: (groupResource, namespace, name) => gone.get(`${groupResource} ${keyFor(namespace, name)}`),
    guard: (key) => guards.get(key),
    setGuard(key, holder) {
      const last = guards.get(key)
      const record: GuardRecord = { sequence, previous: last?.sequence ?? 0, holder }
      const recent = carriesClaim(holder) ? [...(last?.recent ?? []).slice(1 - claimsRemembered), record] : []
      guards.set(key, { ...record, recent })
    },
    record(groupResource, { object, type, deleted }) {
      sequence++
      const stored: KubeObject = { ...object, metadata: { ...object.metadata, resourceVersion: String(sequence) } }
      const { name, namespace } = stored.metadata
      const key = keyFor(namespace, name)
      if (deleted) {
        of(groupResource).delete(key)
        gone.set(`${groupResource} ${key}`, sequence)
      } else of(groupResource).set(key, stored)
      const change = changeOf(groupResource, stored, { sequence, timeMs: clock.nowMs(), type, deleted })
      changes.push(change)
      for (const listener of listeners) listener(change)
      return stored
    },
    onChange: (callback) => void listeners.push(callback),
  }
}

export function changeOf(
  groupResource: string,
  object: KubeObject,
  rest: Pick<ObjectChange, 'sequence' | 'timeMs' | 'type' | 'deleted'>,
): ObjectChange {
  const { group, resource } = splitGroupResource(groupResource)
  const { name, namespace = '' } = object.metadata
  return { group, resource, groupResource: groupResourceOf(group, resource), namespace, name, object, ...rest }
}
