// Structural validation: what the schema alone can refuse with 422 (required fields, enums), for the kinds that have no
// validation written by hand. Types and formats were checked before, by `normalize`.
import { notSupported, required } from './field-errors.ts'
import type { JsonObject } from './kube-object.ts'
import type { Definition, Field, FieldType, SchemaRegistry } from './schema.ts'
import type { StatusCause } from './status.ts'

/** As many as a reader could use; the rest would only make the answer large. */
const causesMax = 100

/** Required fields that are missing and values that no enum lists, with paths as upstream writes them. */
export const structuralErrors = (registry: SchemaRegistry, definition: string, object: JsonObject): StatusCause[] => {
  const causes: StatusCause[] = []
  checkObject(registry, checksOf(registry, registry.definition(definition)), object, '', causes)
  return causes
}

/** The fields of a definition that there is something to check about. */
interface Checks {
  readonly required: readonly (readonly [name: string, field: Field])[]
  readonly inspected: readonly (readonly [name: string, field: Field])[]
}

const checksByRegistry = new WeakMap<SchemaRegistry, Map<string, Checks>>()

/** Required by the schema, and yet upstream takes them empty: an empty list or text is what they mean. */
const mayBeEmpty: ReadonlySet<string> = new Set([
  'io.k8s.api.core.v1.HTTPHeader.value',
  'io.k8s.api.core.v1.Sysctl.value',
  'io.k8s.api.core.v1.LimitRangeSpec.limits',
  'io.k8s.api.storage.v1.CSINodeSpec.drivers',
])

/** metadata is validated by its own rules, the same for every kind. */
const objectMeta = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'

const checksOf = (registry: SchemaRegistry, definition: Definition): Checks => {
  let known = checksByRegistry.get(registry)
  if (!known) checksByRegistry.set(registry, (known = new Map()))
  let checks = known.get(definition.name)
  if (!checks) {
    const fields = Object.entries(definition.fields).filter(
      ([name, field]) => field.ref !== objectMeta && name !== 'status',
    )
    checks = {
      // Go cannot tell a number or a boolean that is missing from zero, so upstream lets them be missing.
      required: fields.filter(
        ([name, field]) =>
          field.required && !valueTypes.has(field.type) && !mayBeEmpty.has(`${definition.name}.${name}`),
      ),
      inspected: fields.filter(([, field]) => field.enum || refOf(field)),
    }
    known.set(definition.name, checks)
  }
  return checks
}

const valueTypes: ReadonlySet<string> = new Set(['integer', 'number', 'boolean'])

const refOf = (type: FieldType): string | undefined => type.ref ?? (type.items ? refOf(type.items) : undefined)

const checkObject = (
  registry: SchemaRegistry,
  checks: Checks,
  object: JsonObject,
  path: string,
  causes: StatusCause[],
): void => {
  for (const [name, field] of checks.required) {
    const value = object[name]
    // Go cannot tell an unset string or list from an empty one, so upstream requires them to be non-empty.
    if (value === undefined || value === null || (value === '' && !field.enum?.includes(''))) {
      add(causes, required(join(path, name)))
    }
  }
  for (const [name, field] of checks.inspected) {
    const value = object[name]
    if (value === undefined || value === null || value === '') continue
    checkValue(registry, field, field, value, join(path, name), causes)
  }
}

const checkValue = (
  registry: SchemaRegistry,
  field: Field,
  type: FieldType,
  value: unknown,
  path: string,
  causes: StatusCause[],
): void => {
  if (causes.length >= causesMax) return
  switch (type.type) {
    case 'array':
      if (Array.isArray(value)) {
        value.forEach((item, index) => {
          checkValue(registry, field, type.items!, item, `${path}[${index}]`, causes)
        })
      }
      return
    case 'map':
      if (typeof value !== 'object' || value === null || !refOf(type)) return
      for (const [key, item] of Object.entries(value))
        checkValue(registry, field, type.items!, item, `${path}[${key}]`, causes)
      return
    case 'ref':
      if (typeof value !== 'object' || value === null) return
      checkObject(registry, checksOf(registry, registry.definition(type.ref!)), value as JsonObject, path, causes)
      return
    default:
      if (field.enum && typeof value === 'string' && !field.enum.includes(value))
        add(causes, notSupported(path, value, field.enum))
  }
}

const add = (causes: StatusCause[], cause: StatusCause): void => {
  if (causes.length < causesMax) causes.push(cause)
}

const join = (path: string, name: string): string => (path ? `${path}.${name}` : name)
