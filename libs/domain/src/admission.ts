// Admission: what happens between decoding and deciding, as upstream's plugins of the same names do it.
import type { Draft } from '@shiplog/api/decoded'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import type { BuiltInResource, ObjectOf } from '@shiplog/api/object-of'
import type { User } from './strategy.ts'

export interface AdmissionAttributes {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT'
  readonly group: string
  readonly resource: string
  readonly subresource: string
  readonly namespace: string
  readonly name: string
  /** The draft; mutating plugins change it. Undefined for DELETE. */
  readonly object: KubeObject | undefined
  readonly before: KubeObject | undefined
  readonly user: User
  readonly dryRun: boolean
}

/** What plugins may look at: the gateway's projection, as of the decision. */
export interface AdmissionView {
  get(groupResource: string, namespace: string, name: string): KubeObject | undefined
  list(groupResource: string, namespace?: string): readonly KubeObject[]
}

/** An object that another's write changes, as it is to be afterwards; its resourceVersion is still the one it was changed from. */
export interface Charge {
  readonly groupResource: string
  readonly object: KubeObject
}

export interface AdmissionPlugin {
  /** Upstream's name: `NamespaceLifecycle`. */
  readonly name: string
  /** Changes the draft, or refuses by throwing ApiError. */
  admit?(attributes: AdmissionAttributes, view: AdmissionView): void
  /** Runs after all `admit`; refuses by throwing ApiError. */
  validate?(attributes: AdmissionAttributes, view: AdmissionView): void
  /** Runs after all `validate`, for creations and updates: sentences for `Warning` headers. */
  warnings?(attributes: AdmissionAttributes, view: AdmissionView): readonly string[]
  /** What the audit log is to say of the write, whether it is refused or not. Asked only where the write is audited. */
  annotations?(attributes: AdmissionAttributes, view: AdmissionView): Readonly<Record<string, string>>
  /**
   * Runs last. Other objects that change with the write, in the same atomic group, as they are to be afterwards (a quota that
   * counts it); refuses by throwing ApiError.
   */
  charge?(attributes: AdmissionAttributes, view: AdmissionView, nowMs: number): readonly Charge[]
}

/** The pod that is about to be created or updated, itself and not through a subresource; undefined for any other write. */
export const podOf = (attributes: AdmissionAttributes): Draft<Pod> | undefined =>
  attributes.group === '' && attributes.resource === 'pods' && attributes.subresource === ''
    ? attributes.object
    : undefined

/** The pod that is about to be created. */
export const createdPod = (attributes: AdmissionAttributes): Draft<Pod> | undefined =>
  attributes.operation === 'CREATE' ? podOf(attributes) : undefined

/** A stored object by the type of its resource: `lookUp(view, 'serviceaccounts', 'default', 'builder')`. */
export const lookUp = <Resource extends BuiltInResource>(
  view: AdmissionView,
  resource: Resource,
  namespace: string,
  name: string,
): ObjectOf<Resource> | undefined => view.get(resource, namespace, name) as ObjectOf<Resource> | undefined
