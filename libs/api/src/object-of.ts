// Objects by group resource, as types: `ObjectOf<'pods'>` is a Pod. Where a resource is only known at run time (garbage
// collection, namespaces, custom resources) its objects are plain KubeObjects. Types only.
import type { ResourceTypes } from './generated/types/resources.ts'
import type { KubeObject } from './kube-object.ts'

/** The built-in resources, by their group resource: `pods`, `deployments.apps`. */
export type BuiltInResource = keyof ResourceTypes

/** The type of a resource's stored objects. A misspelt resource has none, so that whatever reads one does not compile. */
export type ObjectOf<R extends string> = R extends BuiltInResource
  ? ResourceTypes[R]
  : string extends R
    ? KubeObject
    : never
