// Structural validation: what the schema alone can refuse with 422 (required fields, enums), for the kinds that have no
// validation written by hand. Types and formats were checked before, by `normalize`.
import { notSupported, required } from '../field-errors.ts'
import type { JsonObject } from '../kube-object.ts'
import type { Definition, Field, FieldType, SchemaRegistry } from './schema.ts'
import type { StatusCause } from '../status.ts'

/** As many as a reader could use; the rest would only make the answer large. */
const causesMax = 100

/** Required fields that are missing and values that no enum lists, with paths as upstream writes them. */
export const structuralErrors = (registry: SchemaRegistry, definition: string, object: JsonObject): StatusCause[] => {
  const walk: Walk = { path: [], causes: [] }
  checkObject(checksOf(registry, registry.definition(definition)), object, walk)
  return walk.causes
}

/** Every write of every kind comes through here, and nearly all are fine: paths become text only when one is wrong. */
interface Walk {
  /** Names of fields, indexes of lists, keys of maps in a list of their own. */
  readonly path: (string | number | readonly [key: string])[]
  readonly causes: StatusCause[]
}

/** What there is to check about the fields of a definition. */
interface Checks {
  readonly required: readonly RequiredField[]
  readonly inspected: readonly InspectedField[]
}

interface RequiredField {
  readonly name: string
  /** An empty text counts as missing. */
  readonly filled: boolean
}

interface InspectedField {
  readonly name: string
  readonly check: ValueCheck
}

type ValueCheck =
  | { readonly type: 'array' | 'map'; readonly items: ValueCheck }
  | { readonly type: 'ref'; checks: Checks | undefined; readonly resolve: () => Checks }
  | { readonly type: 'scalar'; readonly allowed: readonly string[] | undefined }

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
      required: fields
        .filter(
          ([name, field]) =>
            field.required && !valueTypes.has(field.type) && !mayBeEmpty.has(`${definition.name}.${name}`),
        )
        // Nor can it tell an unset string or list from an empty one, so upstream requires them to be non-empty.
        .map(([name, field]) => ({ name, filled: !field.enum?.includes('') })),
      inspected: fields
        .filter(([, field]) => field.enum || refOf(field))
        .map(([name, field]) => ({ name, check: checkOf(registry, field, field) })),
    }
    known.set(definition.name, checks)
  }
  return checks
}

const nothing: ValueCheck = { type: 'scalar', allowed: undefined }

/** Definitions refer to each other in circles: what a reference leads to is found when the first value comes by. */
const checkOf = (registry: SchemaRegistry, field: Field, type: FieldType): ValueCheck => {
  switch (type.type) {
    case 'array':
      return { type: 'array', items: checkOf(registry, field, type.items!) }
    case 'map':
      return refOf(type) ? { type: 'map', items: checkOf(registry, field, type.items!) } : nothing
    case 'ref':
      return {
        type: 'ref',
        checks: undefined,
        resolve: () => checksOf(registry, registry.definition(type.ref!)),
      }
    default:
      return { type: 'scalar', allowed: field.enum }
  }
}

const valueTypes: ReadonlySet<string> = new Set(['integer', 'number', 'boolean'])

const refOf = (type: FieldType): string | undefined => type.ref ?? (type.items ? refOf(type.items) : undefined)

const checkObject = (checks: Checks, object: JsonObject, walk: Walk): void => {
  const { path } = walk
  for (let i = 0; i < checks.required.length; i++) {
    const { name, filled } = checks.required[i]!
    const value = object[name]
    if (value !== undefined && value !== null && (value !== '' || !filled)) continue
    path.push(name)
    add(walk, required(textOf(path)))
    path.pop()
  }
  for (let i = 0; i < checks.inspected.length; i++) {
    const { name, check } = checks.inspected[i]!
    const value = object[name]
    if (value === undefined || value === null || value === '') continue
    path.push(name)
    checkValue(check, value, walk)
    path.pop()
  }
}

const checkValue = (check: ValueCheck, value: unknown, walk: Walk): void => {
  const { path, causes } = walk
  if (causes.length >= causesMax) return
  switch (check.type) {
    case 'array':
      if (!Array.isArray(value)) return
      for (let i = 0; i < value.length; i++) {
        path.push(i)
        checkValue(check.items, value[i], walk)
        path.pop()
      }
      return
    case 'map':
      if (typeof value !== 'object' || value === null) return
      for (const [key, item] of Object.entries(value)) {
        path.push([key])
        checkValue(check.items, item, walk)
        path.pop()
      }
      return
    case 'ref':
      if (typeof value !== 'object' || value === null) return
      checkObject((check.checks ??= check.resolve()), value as JsonObject, walk)
      return
    default:
      if (check.allowed && typeof value === 'string' && !check.allowed.includes(value))
        add(walk, notSupported(textOf(path), value, check.allowed))
  }
}

const add = ({ causes }: Walk, cause: StatusCause): void => {
  if (causes.length < causesMax) causes.push(cause)
}

/** `spec.containers[0].ports[1].protocol`. */
const textOf = (path: Walk['path']): string => {
  let text = ''
  for (const step of path) {
    if (typeof step !== 'string') text += `[${step}]`
    else text += text ? `.${step}` : step
  }
  return text
}
