// Defaults must be values that an object could be written with
// (k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting/validation.go).
import { cloneJson } from '@shiplog/api/clone-json'
import { invalidValue } from '@shiplog/api/field-errors'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { StatusCause } from '@shiplog/api/status'
import { expressions } from '../expressions/late.ts'
import { asResourceRoot, hasRules, type StructuralSchema } from '../schema/structural-schema.ts'
import { deepEqual } from '../validation/correlation.ts'
import { shownJson } from '../validation/go-text.ts'
import { validateValue } from '../validation/validate-value.ts'
import { coerceEmbedded, validateEmbedded, type MetadataRules } from '../values/embedded-resources.ts'
import { pruneValue } from '../values/prune.ts'

/** An object in which a value stands in its place. */
type Surround = (value: unknown) => unknown

interface Place {
  readonly schema: StructuralSchema
  readonly field: string
  /** The resource around, and how a value stands in it. */
  readonly resource: StructuralSchema
  readonly surround: Surround
  /** Of apiVersion, kind or metadata. */
  readonly insideMeta: boolean
}

const asResource: Surround = (value) => ({ apiVersion: 'validation/v1', kind: 'Validation', ...(value as JsonObject) })

/** What is wrong with the defaults of a whole structural schema. */
export const validateDefaults = (schema: StructuralSchema, field: string, metadata: MetadataRules): StatusCause[] => {
  const root = asResourceRoot(schema)
  return visit({ schema: root, field, resource: root, surround: asResource, insideMeta: false }, metadata)
}

const metaFields: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata'])

const visit = (given: Place, metadata: MetadataRules): StatusCause[] => {
  const { schema, field } = given
  const place = schema.embeddedResource
    ? { ...given, resource: schema, surround: asResource, insideMeta: false }
    : given
  const { surround } = place
  return [
    ...(schema.default === undefined ? [] : validateDefault(place, metadata)),
    ...(schema.items
      ? visit({ ...place, schema: schema.items, field: `${field}.items`, surround: (value) => surround([value]) }, metadata)
      : []),
    ...[...schema.properties].flatMap(([name, property]) =>
      visit(
        {
          ...place,
          schema: property,
          field: `${field}.properties[${name}]`,
          surround: (value) => surround({ [name]: value }),
          insideMeta: place.insideMeta || (schema.embeddedResource && metaFields.has(name)),
        },
        metadata,
      ),
    ),
  ]
}

const validateDefault = (place: Place, metadata: MetadataRules): StatusCause[] => {
  const { schema, insideMeta } = place
  const at = `${place.field}.default`
  const wrong = insideMeta ? validateMetaDefault(place, at, metadata) : validateEmbeddedDefault(schema, at, metadata)
  if (wrong.length > 0) return wrong
  const values = validateValue(schema, schema.default, undefined, at)
  return values.length > 0 ? values : validateByRules(place, at)
}

/** A default passes the rules of its schema, as a value that is new and as one that was there. */
const validateByRules = ({ schema, resource }: Place, at: string): StatusCause[] => {
  if (!hasRules(schema)) return []
  const { ruledSchema, runRules } = expressions()
  const ruled = ruledSchema(schema, schema === resource)
  if (!ruled) return []
  const { causes } = runRules(ruled, schema.default, schema.default, { field: at })
  return [...(causes.length > 0 ? causes : runRules(ruled, schema.default, undefined, { field: at }).causes)]
}

const validateMetaDefault = (place: Place, at: string, metadata: MetadataRules): StatusCause[] => {
  const object = place.surround(cloneJson(place.schema.default))
  const shown = shownJson(place.schema.default)
  const { cause } = coerceEmbedded(object, place.resource, metadata.registry)
  const causes = cause ? [cause] : validateEmbedded(object, place.resource, metadata)
  if (causes.length === 0) return []
  const told = causes.map((one) => `${one.field}: ${one.message}`)
  const detail = told.length === 1 ? told[0]! : `[${told.join(', ')}]`
  return [invalidValue(at, shown, `must result in valid metadata: ${detail}`)]
}

const validateEmbeddedDefault = (schema: StructuralSchema, at: string, metadata: MetadataRules): StatusCause[] => {
  const causes: StatusCause[] = []
  const pruned = cloneJson(schema.default)
  pruneValue(pruned, schema)
  if (!deepEqual(pruned, schema.default))
    causes.push(invalidValue(at, shownJson(schema.default), 'must not have unknown fields'))
  const coerced = cloneJson(schema.default)
  const { cause } = coerceEmbedded(coerced, schema, metadata.registry, { path: at })
  return [...causes, ...(cause ? [cause] : validateEmbedded(coerced, schema, metadata, at))]
}
