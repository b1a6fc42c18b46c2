// The schema of a version of a custom resource as the catalogue uses it: libs/custom-resources, with what only the domain
// knows (metadata of resources inside of resources).
import type { CustomResourceSubresourceScale, JSONSchemaProps } from '@shiplog/api/generated/types/apiextensions-v1'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import type { Definition } from '@shiplog/api/schema/schema'
import type { StatusCause } from '@shiplog/api/status'
import { type DefinedKind, definitionsOf } from '@shiplog/custom-resources/publish/definitions'
import { type OpenApiVersion, openApiOf, type PublishedKind } from '@shiplog/custom-resources/publish/openapi'
import { structuralSchema } from '@shiplog/custom-resources/schema/structural-schema'
import { validateResource } from '@shiplog/custom-resources/validation/validate-value'
import { applyDefaults, dropNulls } from '@shiplog/custom-resources/values/defaults'
import { coerceEmbedded } from '@shiplog/custom-resources/values/embedded-resources'
import { prune } from '@shiplog/custom-resources/values/prune'
import type { LongCheck } from '../write/long-check.ts'
import { embeddedMetadata } from '../custom-resource-definition/custom-resource-definition-validation.ts'

export interface CheckOptions {
  /** The object before an update. */
  readonly before?: KubeObject | undefined
  /** Only the status is written. */
  readonly isStatus?: boolean
  readonly scale?: CustomResourceSubresourceScale | undefined
}

export interface Coerced {
  /** Paths of what the schema does not know, which is gone now. */
  readonly dropped: readonly string[]
  /** Why it is no object of the kind at all. */
  readonly cause?: StatusCause
}

export interface CustomSchema {
  /** Gives an object (which the caller owns) the form of the schema. What was stored is never refused: it loses what is wrong. */
  coerce(object: JsonObject, options?: { readonly isStored: boolean }): Coerced
  setDefaults(object: JsonObject): void
  validate(next: KubeObject, options: CheckOptions): readonly StatusCause[]
  longCheck(next: KubeObject, options: CheckOptions): LongCheck
  /** The definition of that name, and those it refers to. */
  definitions(name: string, kind: DefinedKind): readonly Definition[]
  openApi(version: OpenApiVersion, kind: PublishedKind): JsonObject
}

/** A version without a schema keeps what it is given. */
const withoutSchema: CustomSchema = {
  coerce: () => ({ dropped: [] }),
  setDefaults: () => undefined,
  validate: () => [],
  longCheck: (object, options) => longCheckOf({ type: 'object' }, object, options, () => []),
  definitions: (name, kind) => definitionsOf(undefined, name, kind),
  openApi: (version, kind) => openApiOf(undefined, version, kind),
}

const longCheckOf = (
  schema: JSONSchemaProps,
  object: KubeObject,
  { before, isStatus = false, scale }: CheckOptions,
  run: LongCheck['run'],
): LongCheck => ({ input: { of: 'resource', schema, object, before, isStatus, scale }, run })

export function customSchema(props: JSONSchemaProps | undefined): CustomSchema {
  if (!props) return withoutSchema
  const schema = structuralSchema(props)
  const metadata = embeddedMetadata()
  const validate: CustomSchema['validate'] = (object, { before, isStatus = false, scale }) =>
    validateResource({ schema, object, before, isStatus, scale, metadata })
  return {
    coerce(object, { isStored } = { isStored: false }) {
      const pruned = prune(object, schema)
      dropNulls(object, schema)
      const { dropped, cause } = coerceEmbedded(object, schema, builtInRegistry(), { dropInvalid: isStored })
      return { dropped: [...pruned, ...dropped], ...(cause ? { cause } : {}) }
    },
    setDefaults: (object) => applyDefaults(object, schema),
    validate,
    longCheck: (object, options) => longCheckOf(props, object, options, () => validate(object, options)),
    definitions: (name, kind) => definitionsOf(schema, name, kind),
    openApi: (version, kind) => openApiOf(schema, version, kind),
  }
}
