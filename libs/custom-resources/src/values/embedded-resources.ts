// Resources inside of resources (`x-kubernetes-embedded-resource`): their apiVersion, kind and metadata are those of any
// object, whatever the schema says (k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta).
import { normalize } from '@shiplog/api/decode/decode'
import { invalidValue, required } from '@shiplog/api/field-errors'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { SchemaRegistry } from '@shiplog/api/schema/schema'
import type { StatusCause } from '@shiplog/api/status'
import { isPlainObject, valuesOf, type StructuralSchema } from '../schema/structural-schema.ts'
import { shownJson } from '../validation/go-text.ts'

/** What is to be known of metadata that this library does not know itself. */
export interface MetadataRules {
  readonly registry: SchemaRegistry
  /** Causes with fields from `metadata` on; a missing name is no fault. */
  readonly validate: (metadata: JsonObject) => StatusCause[]
}

const objectMeta = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'

export interface Coerced {
  /** Unknown fields of metadata, which are gone now. */
  readonly dropped: readonly string[]
  /** The first thing that no metadata can be read from. */
  readonly cause?: StatusCause
}

interface Coercion {
  readonly registry: SchemaRegistry
  readonly dropped: string[]
  /** What cannot be read is dropped, too: on reads, nobody can be told. */
  readonly dropInvalid: boolean
}

/** Gives metadata of embedded resources (which the caller owns) its form, and drops what it does not know. */
export const coerceEmbedded = (
  value: unknown,
  schema: StructuralSchema,
  registry: SchemaRegistry,
  { dropInvalid = false, path = '' } = {},
): Coerced => {
  const run: Coercion = { registry, dropInvalid, dropped: [] }
  const cause = coerce(value, schema, path, run)
  run.dropped.sort()
  return cause ? { dropped: run.dropped, cause } : { dropped: run.dropped }
}

const child = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`)

const coerce = (value: unknown, schema: StructuralSchema, path: string, run: Coercion): StatusCause | undefined => {
  if (!hasEmbedded(schema)) return undefined
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length && schema.items; index++) {
      const cause = coerce(value[index], schema.items, `${path}[${index}]`, run)
      if (cause) return cause
    }
    return undefined
  }
  if (!isPlainObject(value)) return undefined
  if (schema.embeddedResource) {
    const cause = coerceResource(value, path, run)
    if (cause) return cause
  }
  const values = valuesOf(schema)
  for (const name of Object.keys(value)) {
    const property = schema.properties.get(name)
    const cause = property
      ? coerce(value[name], property, child(path, name), run)
      : values && coerce(value[name], values, `${path}[${name}]`, run)
    if (cause) return cause
  }
  return undefined
}

const coerceResource = (resource: JsonObject, path: string, run: Coercion): StatusCause | undefined => {
  for (const name of ['apiVersion', 'kind']) {
    if (!Object.hasOwn(resource, name) || typeof resource[name] === 'string') continue
    if (!run.dropInvalid) return invalidValue(child(path, name), shownJson(resource[name]), 'must be a string')
    delete resource[name]
  }
  if (!Object.hasOwn(resource, 'metadata')) return undefined
  const given: unknown = resource['metadata']
  if (!isPlainObject(given)) {
    if (run.dropInvalid) return undefined
    return invalidValue(child(path, 'metadata'), shownJson(given), notAnObject(given))
  }
  const { object, unknown, errors } = normalize(run.registry, objectMeta, given)
  run.dropped.push(...unknown.map((name) => child(path, `metadata.${name}`)))
  if (errors.length > 0 && !run.dropInvalid)
    return invalidValue(child(path, 'metadata'), shownJson(given), errors[0]!)
  resource['metadata'] = object
  return undefined
}

const notAnObject = (given: unknown): string =>
  `json: cannot unmarshal ${Array.isArray(given) ? 'array' : given === null ? 'null' : typeof given} into Go value of type v1.ObjectMeta`

/** What embedded resources must have. `schema` is that of the whole resource, whose own metadata is judged elsewhere. */
export const validateEmbedded = (
  value: unknown,
  schema: StructuralSchema,
  rules: MetadataRules,
  path = '',
): StatusCause[] => {
  if (!hasEmbedded(schema)) return []
  if (Array.isArray(value))
    return schema.items
      ? value.flatMap((item, index) => validateEmbedded(item, schema.items!, rules, `${path}[${index}]`))
      : []
  if (!isPlainObject(value)) return []
  const values = valuesOf(schema)
  return [
    ...(schema.embeddedResource ? validateResourceMeta(value, rules, path) : []),
    ...Object.keys(value).flatMap((name) => {
      const property = schema.properties.get(name)
      if (property) return validateEmbedded(value[name], property, rules, child(path, name))
      return values ? validateEmbedded(value[name], values, rules, `${path}[${name}]`) : []
    }),
  ]
}

const validateResourceMeta = (resource: JsonObject, rules: MetadataRules, path: string): StatusCause[] => {
  const causes: StatusCause[] = []
  for (const name of ['apiVersion', 'kind']) {
    const at = child(path, name)
    if (!Object.hasOwn(resource, name)) causes.push(required(at))
    else if (typeof resource[name] !== 'string')
      causes.push(invalidValue(at, shownJson(resource[name]), 'must be a string'))
    else if (resource[name] === '') causes.push(invalidValue(at, '', 'must not be empty'))
    else causes.push(...(name === 'kind' ? validateKind(resource[name], at) : validateApiVersion(resource[name], at)))
  }
  const metadata: unknown = resource['metadata']
  if (!isPlainObject(metadata)) return causes
  const named = metadata['name'] ? metadata : { ...metadata, name: 'fakename' }
  for (const cause of rules.validate(named)) causes.push({ ...cause, field: child(path, cause.field ?? 'metadata') })
  return causes
}

const validateApiVersion = (version: string, field: string): StatusCause[] =>
  version.split('/').length > 2 ? [invalidValue(field, version, `unexpected GroupVersion string: ${version}`)] : []

const kindForm = /^[a-z]([-a-z0-9]*[a-z0-9])?$/
const kindCharactersMax = 63

const validateKind = (kind: string, field: string): StatusCause[] => {
  const sentences = [
    ...(kind.length > kindCharactersMax ? [`must be no more than ${kindCharactersMax} bytes`] : []),
    ...(kindForm.test(kind.toLowerCase())
      ? []
      : [
          "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
        ]),
  ]
  return sentences.length === 0
    ? []
    : [invalidValue(field, kind, `may have mixed case, but should otherwise match: ${sentences.join(',')}`)]
}

const known = new WeakMap<StructuralSchema, boolean>()

const hasEmbedded = (schema: StructuralSchema): boolean => {
  let has = known.get(schema)
  if (has === undefined) {
    const parts = [...schema.properties.values(), schema.items, valuesOf(schema)]
    has = schema.embeddedResource || parts.some((part) => part !== undefined && hasEmbedded(part))
    known.set(schema, has)
  }
  return has
}
