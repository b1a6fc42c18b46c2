// Who controls whom: owner references as upstream's controllers write and read them, and the claiming of children
// (adopt what matches and has no controller, release what matches no more).
import type { LabelSelector } from '@shiplog/api/generated/types/meta-v1'
import type { KubeObject, OwnerReference } from '@shiplog/api/kube-object'
import type { BuiltInResource, ObjectOf } from '@shiplog/api/object-of'
import { splitGroupResource } from '@shiplog/api/schema/schema'
import { type CompiledSelector, compileLabelSelector } from '@shiplog/api/selectors'
import type { Command } from '@shiplog/reconcile/reconciler'
import { keyOf, keyOfObject, type ObjectView, type ViewIndex, viewIndex } from '@shiplog/reconcile/view'

/** The reference of an object's controller, if it has one. */
export const controllerOf = (object: KubeObject): OwnerReference | undefined =>
  object.metadata.ownerReferences?.find((reference) => reference.controller === true)

export const isControlledBy = (object: KubeObject, owner: KubeObject): boolean =>
  controllerOf(object)?.uid === owner.metadata.uid

/** The keys of the controller of an object, when that is of the kind: one, or none. */
export const controllerKeys = (object: KubeObject, kind: string): readonly string[] => {
  const controller = controllerOf(object)
  return controller?.kind === kind ? [keyOf(object.metadata.namespace, controller.name)] : []
}

/** The controller of an object, when it is of this kind and still exists. */
export function controllingObject<R extends BuiltInResource>(
  view: ObjectView,
  groupResource: R,
  kind: string,
  object: KubeObject,
): ObjectOf<R> | undefined {
  const reference = controllerOf(object)
  if (reference?.kind !== kind) return undefined
  const controller = view.get(groupResource, keyOf(object.metadata.namespace, reference.name))
  return controller?.metadata.uid === reference.uid ? controller : undefined
}

/** The compiled label selector of a Deployment, ReplicaSet or Job. */
export const labelSelectorOf = (owner: { readonly spec: { readonly selector?: LabelSelector } }): CompiledSelector =>
  compileLabelSelector(owner.spec.selector)

/** The keys of those of a resource whose selector matches an object without a controller: they may adopt it. */
export function* adopterKeys<R extends BuiltInResource>(
  view: ObjectView,
  groupResource: R,
  orphan: KubeObject,
  selectorOf: (owner: ObjectOf<R>) => CompiledSelector,
): Iterable<string> {
  for (const owner of view.list(groupResource, orphan.metadata.namespace ?? '')) {
    if (selectorOf(owner).matches(orphan.metadata.labels)) yield keyOfObject(owner)
  }
}

/** The reference that a controller puts on its children. */
export const controllerReference = (owner: KubeObject): OwnerReference => ({
  apiVersion: owner.apiVersion,
  kind: owner.kind,
  name: owner.metadata.name,
  uid: owner.metadata.uid,
  controller: true,
  blockOwnerDeletion: true,
})

export const isBeingDeleted = (object: KubeObject): boolean => object.metadata.deletionTimestamp !== undefined

/** Where something lives, for requests. */
export interface ResourceName {
  readonly group: string
  readonly resource: string
}

/** An index of the objects of a resource that have no controller, by namespace: what may be adopted. */
export const orphansIndex = <R extends BuiltInResource>(groupResource: R): ViewIndex<R> =>
  viewIndex(groupResource, `orphans ${groupResource}`, (object) =>
    controllerOf(object) ? [] : [object.metadata.namespace ?? ''],
  )

/** Replaces an object's owner references, and its finalizers if given, provided that it is still as it was seen. */
export const setOwnersCommand = (
  resource: ResourceName,
  object: KubeObject,
  ownerReferences: readonly OwnerReference[],
  finalizers?: readonly string[],
): Command => ({
  request: {
    verb: 'patch',
    ...resource,
    ...(object.metadata.namespace ? { namespace: object.metadata.namespace } : {}),
    name: object.metadata.name,
    patchType: 'application/merge-patch+json',
    body: {
      metadata: {
        uid: object.metadata.uid,
        resourceVersion: object.metadata.resourceVersion,
        ownerReferences: ownerReferences.length === 0 ? null : ownerReferences,
        ...(finalizers === undefined ? {} : { finalizers: finalizers.length === 0 ? null : finalizers }),
      },
    },
  },
})

export interface Claim<R extends BuiltInResource> {
  /** The children that are the owner's now. */
  readonly children: readonly ObjectOf<R>[]
  /** Adoptions and releases still to be done; until they are, nothing else should be decided. */
  readonly commands: readonly Command[]
}

export interface ClaimOptions<R extends BuiltInResource> {
  /** Objects that it refuses stay as they are; all may be claimed when absent. */
  readonly eligible?: (object: ObjectOf<R>) => boolean
  /** What a child carries as long as it is one: it comes with adoption and goes with release. */
  readonly finalizer?: string
}

/** Finds an owner's children, adopting and releasing as its selector says. */
export function claimChildren<R extends BuiltInResource>(
  view: ObjectView,
  owner: KubeObject,
  groupResource: R,
  selector: CompiledSelector,
  { eligible = () => true, finalizer }: ClaimOptions<R> = {},
): Claim<R> {
  const child = splitGroupResource(groupResource)
  const children: ObjectOf<R>[] = []
  const commands: Command[] = []
  const finalizersOf = (object: KubeObject, isChild: boolean): readonly string[] | undefined => {
    if (finalizer === undefined) return undefined
    const others = (object.metadata.finalizers ?? []).filter((one) => one !== finalizer)
    return isChild ? [...others, finalizer] : others
  }
  for (const object of view.listOwned(groupResource, owner.metadata.uid)) {
    if (!isControlledBy(object, owner)) continue
    if (selector.matches(object.metadata.labels)) {
      children.push(object)
      continue
    }
    if (isBeingDeleted(owner) || isBeingDeleted(object) || !eligible(object)) continue
    const kept = object.metadata.ownerReferences!.filter((reference) => reference.uid !== owner.metadata.uid)
    commands.push(setOwnersCommand(child, object, kept, finalizersOf(object, false)))
  }
  if (!isBeingDeleted(owner)) {
    for (const object of view.byIndex(orphansIndex(groupResource), owner.metadata.namespace ?? '')) {
      if (isBeingDeleted(object) || !eligible(object) || !selector.matches(object.metadata.labels)) continue
      const owners = [...(object.metadata.ownerReferences ?? []), controllerReference(owner)]
      commands.push(setOwnersCommand(child, object, owners, finalizersOf(object, true)))
    }
  }
  return { children, commands }
}
