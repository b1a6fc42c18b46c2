// The schema of a version of a custom resource, as the catalogue uses it: compiled when the first object comes by.
import type { CustomResourceSubresourceScale, JSONSchemaProps } from '@shiplog/api/generated/types/apiextensions-v1'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { Definition } from '@shiplog/api/schema/schema'
import type { StatusCause } from '@shiplog/api/status'

export interface CheckOptions {
  /** The object before an update. */
  readonly before?: KubeObject | undefined
  /** Only the status is written. */
  readonly isStatus?: boolean
  readonly scale?: CustomResourceSubresourceScale | undefined
}

interface DefinedKind {
  readonly group: string
  readonly version: string
  readonly kind: string
}

interface PublishedKind extends DefinedKind {
  readonly selectableFields?: readonly string[] | undefined
  readonly texts: { readonly apiVersion: string; readonly kind: string; readonly metadata: string }
}

export interface CustomSchema {
  /** Drops what the schema does not know, in place; answers with the paths of it. */
  prune(object: JsonObject): readonly string[]
  setDefaults(object: JsonObject): void
  validate(next: KubeObject, options: CheckOptions): readonly StatusCause[]
  /** The definition of that name, and those it refers to. */
  definitions(name: string, kind: DefinedKind): readonly Definition[]
  openApi(version: 2 | 3, kind: PublishedKind): JsonObject
}

const metadata = { type: 'ref', ref: 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' } as const

/** A version without a schema keeps what it is given. */
export const customSchema = (_props: JSONSchemaProps | undefined): CustomSchema => ({
  prune: () => [],
  setDefaults: () => undefined,
  validate: () => [],
  definitions: (name, kind) => [{ name, fields: { metadata }, open: true, groupVersionKinds: [kind] }],
  openApi: (_version, { group, version, kind }) => ({
    type: 'object',
    'x-kubernetes-group-version-kind': [{ group, version, kind }],
  }),
})

/** Why a schema is not structural. */
export const structuralErrors = (_props: JSONSchemaProps, _field: string): readonly StatusCause[] => []
