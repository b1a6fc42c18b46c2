// Merging a configuration into an object as server-side apply does, with nobody owning anything: what admission policies do.
// Follows sigs.k8s.io/structured-merge-diff's Merge, and k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch/smd.go.
import type { JsonObject } from '../kube-object.ts'
import { setOwn } from '../patch/json-patch.ts'
import type { SchemaRegistry } from '../schema/schema.ts'
import { valueElement } from './fieldset.ts'
import { itemElement } from './fieldset-diff.ts'
import { type ApplyType, applyTypeOf, deducedType, fieldTypeOf } from './fieldset-types.ts'

/** Why a configuration cannot be merged. */
export class MergeError extends Error {}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The object with the configuration merged in; parts of both may be shared. Throws MergeError. */
export function mergeConfiguration(
  registry: SchemaRegistry,
  definition: string,
  live: JsonObject,
  configuration: JsonObject,
): JsonObject {
  const type = applyTypeOf(registry, definition)
  const unknown = undeclaredIn(type, configuration, '')
  if (unknown.length > 0)
    throw new MergeError(`failed to convert patch object to typed object: ${problems(unknown)}`)
  const atomics = atomicsIn(type, configuration, '')
  if (atomics.length > 0)
    throw new MergeError(`invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: ${atomics.join(', ')}`)
  return merged(type, live, configuration) as JsonObject
}

const problems = (found: readonly string[]): string =>
  found.length === 1 ? found[0]! : `errors:\n${found.map((one) => `  ${one}`).join('\n')}`

/** Children of an object or list with the types that they have; undefined where the schema has none. */
function* childrenOf(type: ApplyType, value: unknown, path: string): Generator<readonly [ApplyType | undefined, unknown, string]> {
  if (isObject(value))
    for (const [name, child] of Object.entries(value)) {
      const place = `${path}.${name}`
      if (type.kind === 'struct') yield [fieldTypeOf(type, name), child, place]
      else if (type.kind === 'map') yield [type.items, child, place]
      else if (type.kind === 'deduced') yield [deducedType, child, place]
    }
  if (Array.isArray(value) && type.kind === 'keyed')
    for (const [index, item] of value.entries()) yield [type.items, item, `${path}[${index}]`]
}

const undeclaredIn = (type: ApplyType, value: unknown, path: string): string[] =>
  [...childrenOf(type, value, path)].flatMap(([child, held, place]) =>
    child ? undeclaredIn(child, held, place) : [`${place}: field not declared in schema`],
  )

/** Places where a merge would replace everything that is there. */
function atomicsIn(type: ApplyType, value: unknown, path: string): string[] {
  const isContainer = isObject(value) || Array.isArray(value)
  if (type.kind === 'leaf') return isContainer ? [path] : []
  if (type.kind === 'deduced' && Array.isArray(value)) return [path]
  return [...childrenOf(type, value, path)].flatMap(([child, held, place]) => (child ? atomicsIn(child, held, place) : []))
}

function merged(type: ApplyType, live: unknown, applied: unknown): unknown {
  if (type.kind === 'leaf' || applied === null) return applied
  if (isObject(applied)) return isObject(live) ? mergedObject(type, live, applied) : mergedObject(type, {}, applied)
  if (!Array.isArray(applied)) return applied
  const list = Array.isArray(live) ? live : []
  if (type.kind === 'keyed') return mergedList(list, applied, (item) => itemElement(type, item), type.items)
  if (type.kind === 'set') return mergedList(list, applied, valueElement, { kind: 'leaf' })
  return applied
}

const childType = (type: ApplyType, name: string): ApplyType =>
  (type.kind === 'struct' ? fieldTypeOf(type, name) : type.kind === 'map' ? type.items : undefined) ?? deducedType

function mergedObject(type: ApplyType, live: JsonObject, applied: JsonObject): JsonObject {
  const result = { ...live }
  for (const [name, value] of Object.entries(applied)) {
    const next = merged(childType(type, name), Object.hasOwn(live, name) ? live[name] : undefined, value)
    if (next === null) delete result[name]
    else setOwn(result, name, next)
  }
  return result
}

/** Items that are there keep their places, new ones come after them. */
function mergedList(
  live: readonly unknown[],
  applied: readonly unknown[],
  keyOf: (item: unknown) => string,
  items: ApplyType,
): unknown[] {
  const result = [...live]
  const places = new Map(live.map((item, index) => [keyOf(item), index]))
  for (const item of applied) {
    const key = keyOf(item)
    const place = places.get(key)
    if (place === undefined) {
      places.set(key, result.length)
      result.push(merged(items, undefined, item))
    } else result[place] = merged(items, result[place], item)
  }
  return result
}
