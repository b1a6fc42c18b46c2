// The object cache of the reconcilers: a projection of the object feed. It is exact (every object of the followed resources
// as of one sequence), indexed (by namespace, by owner, and by what reconcilers declare), and it can be waited for: after
// sending commands a controller loop continues only when the view has seen their sequences, which is why no reconciler
// needs expectations. Objects are typed by their group resource; the cast from the feed's plain objects is here.
import { type FeedBatch, isWanted, type ObjectChange } from '@shiplog/feed/object-feed'
import type { KubeObject, OwnerReference } from '@shiplog/api/kube-object'
import type { ObjectOf } from '@shiplog/api/object-of'
import { splitGroupResource } from '@shiplog/api/schema/schema'

/** One object in the view. The same entry stays for the object's life; `object` is replaced by every change. */
export interface ViewEntry {
  readonly groupResource: string
  /** `namespace/name`, or `/name` when cluster-scoped. */
  readonly key: string
  readonly object: KubeObject
}

/** A secondary index: an object is found under each of the keys that `keys` returns for it. See `viewIndex`. */
export interface ViewIndex<R extends string = string> {
  readonly name: string
  readonly groupResource: R
  keys(object: KubeObject): Iterable<string>
}

/** Declares an index of a resource. */
export const viewIndex = <R extends string>(
  groupResource: R,
  name: string,
  keys: (object: ObjectOf<R>) => Iterable<string>,
): ViewIndex<R> => ({ name, groupResource, keys: keys as ViewIndex['keys'] })

/** What reconcilers may read. Objects are shared by all consumers of the process: never change one. */
export interface ObjectView {
  /** Everything up to here of the log has been seen. */
  readonly sequence: number
  readonly synced: boolean
  get<R extends string>(groupResource: R, key: string): ObjectOf<R> | undefined
  /** All objects of a resource, of one namespace when it is given. */
  list<R extends string>(groupResource: R, namespace?: string): Iterable<ObjectOf<R>>
  count(groupResource: string, namespace?: string): number
  /** The object with this uid, whatever it is. */
  byUid(uid: string): ViewEntry | undefined
  /** The objects that name this uid among their owners, whatever they are. */
  ownedBy(uid: string): Iterable<ViewEntry>
  /** The objects of one resource that name this uid among their owners. */
  listOwned<R extends string>(groupResource: R, uid: string): Iterable<ObjectOf<R>>
  byIndex<R extends string>(index: ViewIndex<R>, key: string): Iterable<ObjectOf<R>>
  countIndex(index: ViewIndex, key: string): number
  /** When the object of this name was last deleted (ms since the epoch), as far as that is remembered. */
  deletedAtMs(groupResource: string, key: string): number | undefined
  /** True when objects of this resource are followed. */
  follows(groupResource: string): boolean
  /** All followed resources, by name or as `otherResources`. */
  readonly groupResources: readonly string[]
  /** Resources of which there may be objects. */
  known(): Iterable<string>
}

/** The writing side, for the runner. */
export interface ProjectedView extends ObjectView {
  /** Applies a batch as a whole, then tells each change to `onChange` with the object as it was before. */
  apply(batch: FeedBatch, onChange: (change: ObjectChange, before: KubeObject | undefined) => void): void
  /** A new snapshot begins: what it does not name will be gone when it is complete. */
  restart(): void
  /** Resolves when everything up to the sequence has been applied; rejects when the signal aborts first. */
  waitForSequence(sequence: number, signal: AbortSignal): Promise<void>
  /** Remembers that a name was used before, as a refused create told. */
  noteDeleted(groupResource: string, key: string, atMs: number): void
}

/** How many deletions are remembered. */
export const tombstonesMax = 100_000

/** `default/web`; `/node-0` when cluster-scoped. */
export const keyOf = (namespace: string | undefined, name: string): string => `${namespace ?? ''}/${name}`

/** `{namespace, name}` of a key. */
export const splitKey = (key: string): { readonly namespace: string; readonly name: string } => {
  const slash = key.indexOf('/')
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}

/** The key of an object. */
export const keyOfObject = (object: {
  readonly metadata: { readonly name: string; readonly namespace?: string }
}): string => keyOf(object.metadata.namespace, object.metadata.name)

interface Entry {
  readonly groupResource: string
  readonly key: string
  object: KubeObject
  owners: readonly string[]
  indexKeys: readonly (readonly string[])[]
  /** The snapshot in which the object was last seen. */
  epoch: number
}

interface Resource {
  readonly entries: Map<string, Entry>
  readonly namespaces: Map<string, Map<string, Entry>>
  readonly indexes: readonly ViewIndex[]
}

const none: readonly never[] = []
const noKeys: readonly (readonly string[])[] = []

const ownersOf = (object: KubeObject): readonly string[] => {
  const references = object.metadata.ownerReferences as readonly OwnerReference[] | undefined
  return references?.length ? references.map((reference) => reference.uid) : none
}

const sameStrings = (a: readonly string[], b: readonly string[]): boolean =>
  a === b || (a.length === b.length && a.every((text, i) => text === b[i]))

function addTo<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const set = map.get(key)
  if (set) set.add(value)
  else map.set(key, new Set([value]))
}

function removeFrom<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const set = map.get(key)
  if (!set) return
  set.delete(value)
  if (set.size === 0) map.delete(key)
}

/** The objects of the entries, of one resource when it is given. */
function* objectsOf<R extends string>(entries: Iterable<Entry> = none, groupResource?: R): Iterable<ObjectOf<R>> {
  for (const entry of entries) {
    if (groupResource === undefined || entry.groupResource === groupResource) yield entry.object as ObjectOf<R>
  }
}

/** Creates an empty view of these resources. */
export function createObjectView(groupResources: readonly string[], indexes: readonly ViewIndex[] = []): ProjectedView {
  const followed: ReadonlySet<string> = new Set(groupResources)
  const emptyResource = (groupResource: string): Resource => ({
    entries: new Map(),
    namespaces: new Map(),
    indexes: indexes.filter((index) => index.groupResource === groupResource),
  })
  const resources = new Map<string, Resource>(
    groupResources.map((groupResource) => [groupResource, emptyResource(groupResource)]),
  )
  const resourceOf = (groupResource: string): Resource | undefined => {
    let resource = resources.get(groupResource)
    if (!resource && isWanted(followed, groupResource))
      resources.set(groupResource, (resource = emptyResource(groupResource)))
    return resource
  }
  const uids = new Map<string, Entry>()
  const owned = new Map<string, Set<Entry>>()
  const indexed = new Map<string, Map<string, Set<Entry>>>(indexes.map((index) => [index.name, new Map()]))
  const tombstones = new Map<string, number>()
  const waiters = new Set<{ readonly sequence: number; readonly resolve: () => void }>()
  let sequence = 0
  let synced = false
  let epoch = 1

  const noteDeleted = (groupResource: string, key: string, atMs: number): void => {
    const id = `${groupResource} ${key}`
    tombstones.delete(id)
    tombstones.set(id, atMs)
    if (tombstones.size > tombstonesMax) tombstones.delete(tombstones.keys().next().value!)
  }

  const index = (resource: Resource, entry: Entry, object: KubeObject): void => {
    const owners = ownersOf(object)
    if (!sameStrings(owners, entry.owners)) {
      for (const uid of entry.owners) removeFrom(owned, uid, entry)
      for (const uid of owners) addTo(owned, uid, entry)
      entry.owners = owners
    }
    if (resource.indexes.length === 0) return
    const keys = resource.indexes.map((wanted) => [...wanted.keys(object)])
    resource.indexes.forEach((wanted, i) => {
      const before = entry.indexKeys[i] ?? none
      if (sameStrings(before, keys[i]!)) return
      const map = indexed.get(wanted.name)!
      for (const key of before) removeFrom(map, key, entry)
      for (const key of keys[i]!) addTo(map, key, entry)
    })
    entry.indexKeys = keys
  }

  const remove = (resource: Resource, entry: Entry, namespace: string): void => {
    resource.entries.delete(entry.key)
    const inNamespace = resource.namespaces.get(namespace)
    inNamespace?.delete(entry.key)
    if (inNamespace?.size === 0) resource.namespaces.delete(namespace)
    for (const uid of entry.owners) removeFrom(owned, uid, entry)
    resource.indexes.forEach((wanted, i) => {
      for (const key of entry.indexKeys[i] ?? none) removeFrom(indexed.get(wanted.name)!, key, entry)
    })
    if (uids.get(entry.object.metadata.uid) === entry) uids.delete(entry.object.metadata.uid)
  }

  /** Returns the object as it was before. */
  const put = (change: ObjectChange): KubeObject | undefined => {
    const resource = resourceOf(change.groupResource)
    if (!resource) return undefined
    const key = keyOf(change.namespace, change.name)
    const known = resource.entries.get(key)
    const object = change.object
    if (change.deleted) {
      if (known) remove(resource, known, change.namespace)
      noteDeleted(change.groupResource, key, change.timeMs)
      return known?.object ?? object
    }
    if (known && known.object.metadata.uid === object.metadata.uid) {
      const before = known.object
      index(resource, known, object)
      known.object = object
      known.epoch = epoch
      return before
    }
    if (known) remove(resource, known, change.namespace)
    const entry: Entry = { groupResource: change.groupResource, key, object, owners: none, indexKeys: noKeys, epoch }
    resource.entries.set(key, entry)
    let inNamespace = resource.namespaces.get(change.namespace)
    if (!inNamespace) resource.namespaces.set(change.namespace, (inNamespace = new Map()))
    inNamespace.set(key, entry)
    uids.set(object.metadata.uid, entry)
    index(resource, entry, object)
    return known?.object
  }

  /** Removes what a repeated snapshot no longer names, as deletions that were missed. */
  const sweep = (
    atSequence: number,
    onChange: (change: ObjectChange, before: KubeObject | undefined) => void,
  ): void => {
    for (const [groupResource, resource] of resources) {
      for (const entry of [...resource.entries.values()]) {
        if (entry.epoch === epoch) continue
        const { namespace, name } = splitKey(entry.key)
        remove(resource, entry, namespace)
        onChange(
          {
            ...splitGroupResource(groupResource),
            namespace,
            name,
            groupResource,
            sequence: atSequence,
            timeMs: 0,
            type: `${entry.object.kind}Deleted`,
            deleted: true,
            object: entry.object,
          },
          entry.object,
        )
      }
    }
  }

  return {
    get sequence() {
      return sequence
    },
    get synced() {
      return synced
    },
    groupResources,
    get: <R extends string>(groupResource: R, key: string) =>
      resources.get(groupResource)?.entries.get(key)?.object as ObjectOf<R> | undefined,
    list: (groupResource, namespace) => {
      const resource = resources.get(groupResource)
      return objectsOf(
        namespace === undefined ? resource?.entries.values() : resource?.namespaces.get(namespace)?.values(),
      )
    },
    count: (groupResource, namespace) => {
      const resource = resources.get(groupResource)
      return (namespace === undefined ? resource?.entries.size : resource?.namespaces.get(namespace)?.size) ?? 0
    },
    byUid: (uid) => uids.get(uid),
    ownedBy: (uid) => owned.get(uid) ?? none,
    listOwned: (groupResource, uid) => objectsOf(owned.get(uid), groupResource),
    byIndex: (index, key) => objectsOf(indexed.get(index.name)?.get(key)),
    countIndex: (index, key) => indexed.get(index.name)?.get(key)?.size ?? 0,
    deletedAtMs: (groupResource, key) => tombstones.get(`${groupResource} ${key}`),
    follows: (groupResource) => isWanted(followed, groupResource),
    known: () => resources.keys(),
    apply: (batch, onChange) => {
      const befores = batch.changes.map(put)
      sequence = Math.max(sequence, batch.sequence)
      const completes = batch.synced && !synced
      if (completes) synced = true
      batch.changes.forEach((change, i) => {
        onChange(change, befores[i])
      })
      if (completes && epoch > 1) sweep(batch.sequence, onChange)
      // During a repeated snapshot the view may stand still between old and new: nobody is told before it is exact.
      if (synced) {
        for (const waiter of waiters) if (waiter.sequence <= sequence) waiter.resolve()
      }
    },
    restart: () => {
      epoch++
      synced = false
    },
    noteDeleted,
    waitForSequence: (wanted, signal) => {
      if (synced && wanted <= sequence) return Promise.resolve()
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason as Error)
        const finish = (): void => {
          waiters.delete(waiter)
          signal.removeEventListener('abort', onAbort)
          resolve()
        }
        const onAbort = (): void => {
          waiters.delete(waiter)
          reject(signal.reason as Error)
        }
        const waiter = { sequence: wanted, resolve: finish }
        waiters.add(waiter)
        signal.addEventListener('abort', onAbort, { once: true })
      })
    },
  }
}
