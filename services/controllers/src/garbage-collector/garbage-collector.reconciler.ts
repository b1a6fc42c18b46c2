// Garbage collection: what is owned goes with its owners. Background (dependents go after the owner), foreground (the
// owner waits for the dependents that block it) and orphan (dependents lose the owner), as upstream's collector decides.
// Its view is a consistent prefix of the log, so an owner that is not in it is truly absent: an object's owner was there
// before the object.
import type { KubeObject, OwnerReference } from '@shiplog/api/kube-object'
import { jsonEqual } from '@shiplog/api/patch/json-patch'
import {
  settled,
  type Command,
  type EventRecord,
  type ReconcileContext,
  type Reconciler,
  type ReconcileResult,
  type ResourceWatch,
} from '@shiplog/reconcile/reconciler'
import type { ObjectView, ViewEntry } from '@shiplog/reconcile/view'
import { keyOf, keyOfObject } from '@shiplog/reconcile/view'
import { createCustomKinds } from '../shared/custom-kinds.ts'
import { dropFinalizer, hasFinalizer, isHeldBy } from '../shared/finalizers.ts'
import { isBeingDeleted, setOwnersCommand } from '../shared/ownership.ts'
import type { FollowedResource } from '../shared/resources.ts'

const foregroundFinalizer = 'foregroundDeletion'
const orphanFinalizer = 'orphan'
const workersMax = 256
/** Leases stand in a stream of their own, which may be ahead of the one that brings their owners. */
const leaseGraceMs = 60_000
const definitions = 'customresourcedefinitions.apiextensions.k8s.io'
const leases = 'leases.coordination.k8s.io'

const waitsForDependents = (object: KubeObject): boolean => isHeldBy(object, foregroundFinalizer)

const orphansDependents = (object: KubeObject): boolean => isHeldBy(object, orphanFinalizer)

const groupOf = (apiVersion: string): string =>
  apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''

const owners = (object: KubeObject): readonly OwnerReference[] => object.metadata.ownerReferences ?? []

/** Keys are `groupResource namespace/name`. */
const keyFor = (groupResource: string, key: string): string => `${groupResource} ${key}`

const keyOfEntry = (entry: ViewEntry): string => keyFor(entry.groupResource, entry.key)

function* dependentKeys(view: ObjectView, uid: string): Iterable<string> {
  for (const entry of view.ownedBy(uid)) yield keyOfEntry(entry)
}

/** Owners that wait for their dependents to go, or to lose them. */
function* waitingOwnerKeys(view: ObjectView, references: readonly OwnerReference[]): Iterable<string> {
  for (const reference of references) {
    const owner = view.byUid(reference.uid)
    if (owner && (waitsForDependents(owner.object) || orphansDependents(owner.object))) yield keyOfEntry(owner)
  }
}

/** Creates the collector for these resources. */
export function createGarbageCollector(resources: readonly FollowedResource[]): Reconciler {
  const byResource = new Map(resources.map((resource) => [resource.groupResource, resource]))
  const byKind = new Map(resources.map((resource) => [`${resource.group} ${resource.kind}`, resource]))
  const custom = createCustomKinds()

  const wake = (
    groupResource: string,
    object: KubeObject,
    deleted: boolean,
    before: KubeObject | undefined,
    view: ObjectView,
  ): ReadonlySet<string> => {
    const keys = new Set<string>()
    const addAll = (more: Iterable<string>): void => {
      for (const key of more) keys.add(key)
    }
    const { uid } = object.metadata
    if (deleted) {
      addAll(dependentKeys(view, uid))
      addAll(waitingOwnerKeys(view, owners(object)))
      return keys
    }
    const self = keyFor(groupResource, keyOfObject(object))
    const known = before?.metadata.uid === uid ? before : undefined
    // A name that changed hands unseen: the former bearer is gone.
    if (before && !known) addAll(dependentKeys(view, before.metadata.uid))
    const ownersChanged = known === undefined || !jsonEqual(owners(known), owners(object))
    if (ownersChanged && owners(object).length > 0) keys.add(self)
    if (ownersChanged && known) addAll(waitingOwnerKeys(view, owners(known)))
    const deletionChanged =
      isBeingDeleted(object) &&
      (known === undefined ||
        !isBeingDeleted(known) ||
        !jsonEqual(known.metadata.finalizers, object.metadata.finalizers))
    if (deletionChanged) {
      keys.add(self)
      if (waitsForDependents(object)) addAll(dependentKeys(view, uid))
    }
    return keys
  }

  return {
    name: 'garbagecollector',
    component: 'garbage-collector-controller',
    workers: workersMax,
    resources: [
      ...resources.map(({ groupResource }) => {
        const keys: ResourceWatch['keys'] = (change, before, view) =>
          wake(groupResource, change.object, change.deleted, before, view)
        return groupResource === definitions ? custom.watch(keys) : { groupResource, keys }
      }),
      custom.watchObjects((change, before, view) =>
        wake(change.groupResource, change.object, change.deleted, before, view),
      ),
    ],
    reconcile: (key, view, context) => {
      const space = key.indexOf(' ')
      const groupResource = key.slice(0, space)
      const resource = byResource.get(groupResource) ?? custom.byResource(groupResource)
      const object = resource && view.get(resource.groupResource, key.slice(space + 1))
      return object ? collect(resource, object, view, context) : settled
    },
  }

  function collect(
    resource: FollowedResource,
    object: KubeObject,
    view: ObjectView,
    context: ReconcileContext,
  ): ReconcileResult {
    if (isBeingDeleted(object)) {
      if (hasFinalizer(object, orphanFinalizer)) return orphan(resource, object, view)
      return hasFinalizer(object, foregroundFinalizer) ? waitForDependents(resource, object, view) : settled
    }
    if (owners(object).length === 0) return settled
    const solid: OwnerReference[] = []
    const dangling: OwnerReference[] = []
    const waiting: OwnerReference[] = []
    const events: EventRecord[] = []
    for (const reference of owners(object)) {
      const state = stateOf(resource, object, reference, view, events)
      if (state === 'solid') solid.push(reference)
      else if (state === 'dangling') dangling.push(reference)
      else waiting.push(reference)
    }
    if (solid.length > 0) {
      if (dangling.length === 0 && waiting.length === 0) return { events }
      return { commands: [setOwnersCommand(resource, object, solid)], events }
    }
    if (resource.groupResource === leases) {
      const ageMs = context.nowMs - Date.parse(object.metadata.creationTimestamp)
      if (ageMs < leaseGraceMs) return { requeueAfterMs: leaseGraceMs - ageMs }
    }
    if (waiting.length > 0) {
      const dependents = [...view.ownedBy(object.metadata.uid)]
      // A circle: an object that waits for its owner's deletion would be waited for by it. It gives way.
      const circle = dependents.some((entry) => waitsForDependents(entry.object))
      if (circle && owners(object).some((reference) => reference.blockOwnerDeletion)) {
        const unblocked = owners(object).map((reference) => ({ ...reference, blockOwnerDeletion: false }))
        return { commands: [setOwnersCommand(resource, object, unblocked)], events }
      }
      if (dependents.length > 0) return { commands: [remove(resource, object, 'Foreground')], events }
    }
    const policy = hasFinalizer(object, orphanFinalizer)
      ? 'Orphan'
      : hasFinalizer(object, foregroundFinalizer)
        ? 'Foreground'
        : 'Background'
    return { commands: [remove(resource, object, policy)], events }
  }

  /** Whether an owner is there, is gone, or is there and waits for its dependents to go. */
  function stateOf(
    resource: FollowedResource,
    object: KubeObject,
    reference: OwnerReference,
    view: ObjectView,
    events: EventRecord[],
  ): 'solid' | 'dangling' | 'waiting' {
    const group = groupOf(reference.apiVersion)
    const owning = byKind.get(`${group} ${reference.kind}`) ?? custom.byKind(group, reference.kind)
    // A kind that is not followed here cannot be judged: never delete on a guess.
    if (!owning) return 'solid'
    const described = `[${reference.apiVersion}/${reference.kind}, namespace: ${object.metadata.namespace ?? ''}, name: ${reference.name}, uid: ${reference.uid}]`
    if (!resource.namespaced && owning.namespaced) {
      events.push({
        object,
        type: 'Warning',
        reason: 'OwnerRefInvalidNamespace',
        message: `cluster-scoped objects cannot have namespaced owners: ownerRef ${described}`,
      })
      return 'solid'
    }
    const entry = view.byUid(reference.uid)
    if (!entry) return 'dangling'
    const expected = keyOf(owning.namespaced ? object.metadata.namespace : undefined, reference.name)
    if (entry.groupResource !== owning.groupResource || entry.key !== expected) {
      events.push({
        object,
        type: 'Warning',
        reason: 'OwnerRefInvalidNamespace',
        message: `ownerRef ${described} does not exist in namespace "${object.metadata.namespace ?? ''}"`,
      })
      return 'dangling'
    }
    return waitsForDependents(entry.object) ? 'waiting' : 'solid'
  }
}

/** Takes the owner from all its dependents, then lets the owner go. */
function orphan(resource: FollowedResource, owner: KubeObject, view: ObjectView): ReconcileResult {
  const commands: Command[] = []
  for (const { groupResource, object } of view.ownedBy(owner.metadata.uid)) {
    const dot = groupResource.indexOf('.')
    const dependent = {
      group: dot < 0 ? '' : groupResource.slice(dot + 1),
      resource: dot < 0 ? groupResource : groupResource.slice(0, dot),
    }
    const kept = owners(object).filter((reference) => reference.uid !== owner.metadata.uid)
    commands.push(setOwnersCommand(dependent, object, kept))
  }
  return { commands: commands.length > 0 ? commands : [dropFinalizer(resource, owner, orphanFinalizer)] }
}

/** Lets the owner go when no dependent blocks it any more; the dependents are deleted each by its own key. */
function waitForDependents(resource: FollowedResource, owner: KubeObject, view: ObjectView): ReconcileResult {
  for (const { object } of view.ownedBy(owner.metadata.uid)) {
    const blocks = owners(object).some(
      (reference) => reference.uid === owner.metadata.uid && reference.blockOwnerDeletion === true,
    )
    if (blocks) return settled
  }
  return { commands: [dropFinalizer(resource, owner, foregroundFinalizer)] }
}

const addressOf = (resource: FollowedResource, object: KubeObject) => ({
  group: resource.group,
  resource: resource.resource,
  ...(object.metadata.namespace ? { namespace: object.metadata.namespace } : {}),
  name: object.metadata.name,
})

/** Deletes what is still as it was seen: an owner added meanwhile must save it. */
const remove = (resource: FollowedResource, object: KubeObject, propagationPolicy: string): Command => ({
  request: {
    verb: 'delete',
    ...addressOf(resource, object),
    body: {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      propagationPolicy,
      preconditions: { uid: object.metadata.uid, resourceVersion: object.metadata.resourceVersion },
    },
  },
})
