// Strategic merge patch: the patch type that kubectl's apply and edit send. A merge patch that knows the schema: lists of
// objects merge by a key, lists of scalars as sets, and directives ($patch, $retainKeys, $setElementOrder/…,
// $deleteFromPrimitiveList/…) say what a plain merge cannot. Follows k8s.io/apimachinery/pkg/util/strategicpatch. Neither
// document nor patch is changed; the result shares what did not change.
import { jsonEqual, setOwn } from './json-patch.ts'
import type { JsonObject } from '../kube-object.ts'
import { goFormat, patchDoesNotApply, patchIsMalformed, unclassified } from './patch-errors.ts'
import type { Field, FieldType, SchemaRegistry } from '../schema/schema.ts'

const directive = '$patch'
const retainKeysDirective = '$retainKeys'
const deleteListPrefix = '$deleteFromPrimitiveList'
const elementOrderPrefix = '$setElementOrder'

/** Deeper patches are refused: they could only exhaust the stack. */
const patchDepthMax = 1000

type List = readonly unknown[]

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isList = Array.isArray as (value: unknown) => value is List

/** What merging needs to know of a place in the document; undefined where the schema knows nothing. */
type Place = FieldType | undefined

interface Strategy {
  readonly merge: boolean
  readonly replace: boolean
  readonly mergeKey: string
}

const strategyOf = (field: Field | undefined): Strategy => {
  const names = field?.patchStrategy ? field.patchStrategy.split(',') : []
  return {
    merge: names.includes('merge'),
    replace: names.includes('replace'),
    mergeKey: field?.patchMergeKey ?? '',
  }
}

/** A copy without nulls and without maps that are directives; undefined when nothing is left of it. */
const withoutDirectives = (value: unknown): unknown => {
  if (isList(value)) {
    const kept: unknown[] = []
    for (const item of value) {
      const clean = withoutDirectives(item)
      if (clean !== undefined) kept.push(clean)
    }
    return kept
  }
  if (!isObject(value)) return value
  if (Object.hasOwn(value, directive)) return undefined
  const clean: JsonObject = {}
  for (const key of Object.keys(value)) {
    if (value[key] === null || isDirectiveKey(key)) continue
    const child = withoutDirectives(value[key])
    if (child !== undefined) setOwn(clean, key, child)
  }
  return clean
}

const isDirectiveKey = (key: string): boolean =>
  key.startsWith('$') &&
  (key === retainKeysDirective || key.startsWith(deleteListPrefix) || key.startsWith(elementOrderPrefix))

const fieldAfter = (key: string, prefix: string): string => {
  const slash = key.indexOf('/')
  if (slash < 0 || key.slice(0, slash) !== prefix) {
    throw patchIsMalformed(
      prefix === deleteListPrefix
        ? 'invalid patch format of primitive list'
        : 'invalid patch format of setElementOrder list',
    )
  }
  return key.slice(slash + 1)
}

const own = (object: JsonObject, key: string): unknown => (Object.hasOwn(object, key) ? object[key] : undefined)

const noMergeKey = (item: unknown, mergeKey: string): Error =>
  unclassified(`map: ${goFormat(item)} does not contain declared merge key: ${mergeKey}`)

const wrongType = (expected: string, actual: unknown): Error =>
  unclassified(
    `expected a ${expected}, but received a ${isList(actual) ? '[]interface {}' : isObject(actual) ? 'map[string]interface {}' : typeof actual === 'number' ? 'int64' : typeof actual === 'boolean' ? 'bool' : actual === null ? '%!s(<nil>)' : 'string'}`,
  )

/** 'map' when the elements are objects, else 'scalar'; lists of lists and mixtures are refused. */
const elementKind = (...lists: List[]): 'map' | 'scalar' => {
  let kind: string | undefined
  for (const list of lists) {
    for (const item of list) {
      if (isList(item)) throw patchDoesNotApply('lists of lists are not supported')
      const found = isObject(item) ? 'map' : typeof item
      if (kind !== undefined && kind !== found)
        throw unclassified(`list element types are not identical: ${goFormat(lists)}`)
      kind = found
    }
  }
  return kind === 'map' ? 'map' : 'scalar'
}

const keyOf = (item: unknown, mergeKey: string): unknown => {
  if (!isObject(item)) throw wrongType('map[string]interface {}', item)
  if (!Object.hasOwn(item, mergeKey)) throw noMergeKey(item, mergeKey)
  return item[mergeKey]
}

/** Position of each element's identity (its merge key, or itself) in a list; the first one counts. */
const positionsIn = (list: List, mergeKey: string): Map<unknown, number> => {
  const positions = new Map<unknown, number>()
  list.forEach((item, index) => {
    const identity = mergeKey ? (isObject(item) ? own(item, mergeKey) : undefined) : item
    if (!positions.has(identity)) positions.set(identity, index)
  })
  return positions
}

/**
 * Puts a merged list in order: what `patchOrder` names stands as there, what only the server has stands as in the
 * original; where both are known to the original, its order decides who comes first.
 */
const inOrder = (merged: List, patchOrder: List, serverOrder: List, mergeKey: string): unknown[] => {
  const patchPositions = positionsIn(patchOrder, mergeKey)
  const serverPositions = positionsIn(serverOrder, mergeKey)
  const identityOf = (item: unknown): unknown => (mergeKey ? keyOf(item, mergeKey) : item)
  const named: unknown[] = []
  const serverOnly: unknown[] = []
  for (const item of merged) (patchPositions.has(identityOf(item)) ? named : serverOnly).push(item)
  const sortBy = (list: unknown[], positions: Map<unknown, number>): void => {
    const last = positions.size + 1
    list.sort((a, b) => (positions.get(identityOf(a)) ?? last) - (positions.get(identityOf(b)) ?? last))
  }
  sortBy(named, patchPositions)
  sortBy(serverOnly, serverPositions)
  const result: unknown[] = []
  let left = 0
  let right = 0
  while (left < serverOnly.length || right < named.length) {
    if (left >= serverOnly.length) result.push(named[right++])
    else if (right >= named.length) result.push(serverOnly[left++])
    else {
      const leftAt = serverPositions.get(identityOf(serverOnly[left]))
      const rightAt = serverPositions.get(identityOf(named[right]))
      if (leftAt !== undefined && rightAt !== undefined && leftAt < rightAt) result.push(serverOnly[left++])
      else result.push(named[right++])
    }
  }
  return result
}

/** The elements of a patch list must stand in the order that its $setElementOrder names. */
const checkOrder = (patchList: List, order: List, mergeKey: string): void => {
  if (order.length === 0 || patchList.length === 0) return
  const kept = patchList.filter((item) => !(isObject(item) && Object.hasOwn(item, directive)))
  let at = 0
  for (const element of order) {
    if (at >= kept.length) break
    const have = mergeKey ? keyOf(kept[at], mergeKey) : kept[at]
    const want = mergeKey ? keyOf(element, mergeKey) : element
    if (have === want) at++
  }
  if (at < kept.length) {
    throw unclassified(
      `The order in patch list:\n${goFormat(patchList)}\n doesn't match ${elementOrderPrefix} list:\n${goFormat(order)}\n`,
    )
  }
}

class StrategicMerge {
  readonly #registry: SchemaRegistry
  #depth = 0

  constructor(registry: SchemaRegistry) {
    this.#registry = registry
  }

  /** The field that a key names under a place: a struct's field, or the element of a map. */
  #field(place: Place, key: string): Field | undefined {
    if (place?.type === 'map') return place.items
    if (place?.type !== 'ref' || !place.ref) return undefined
    const fields = this.#registry.definitions.get(place.ref)?.fields
    return fields && Object.hasOwn(fields, key) ? fields[key] : undefined
  }

  map(original: JsonObject, patch: JsonObject, place: Place): JsonObject {
    if (++this.#depth > patchDepthMax) throw patchIsMalformed('exceeded max depth')
    const merged = this.#map(original, patch, place)
    this.#depth--
    return merged
  }

  #map(original: JsonObject, patch: JsonObject, place: Place): JsonObject {
    if (Object.hasOwn(patch, directive)) {
      const { [directive]: kind, ...rest } = patch
      if (kind === 'replace') return withoutDirectives(rest) as JsonObject
      if (kind === 'delete') return {}
      throw unclassified(`unknown patch type: ${goFormat(kind)} in map: ${goFormat(patch)}`)
    }
    const result = this.#retained(original, patch)
    const done = this.#orderedLists(result, patch, place)
    for (const key of Object.keys(patch)) {
      if (key === retainKeysDirective || key.startsWith(elementOrderPrefix) || done.has(key)) continue
      const value = patch[key]
      if (key.startsWith(deleteListPrefix)) {
        this.#deleteFromList(result, fieldAfter(key, deleteListPrefix), value)
        continue
      }
      if (value === null) {
        delete result[key]
        continue
      }
      const current = own(result, key)
      const field = this.#field(place, key)
      let next: unknown
      if (isObject(current) && isObject(value)) {
        next = strategyOf(field).replace ? withoutDirectives(value) : this.map(current, value, field)
      } else if (isList(current) && isList(value)) next = this.#list(current, value, field)
      else next = withoutDirectives(value)
      if (next === undefined) delete result[key]
      else setOwn(result, key, next)
    }
    return result
  }

  /** A copy of the original with only the keys that $retainKeys names, when the patch has it. */
  #retained(original: JsonObject, patch: JsonObject): JsonObject {
    if (!Object.hasOwn(patch, retainKeysDirective)) return { ...original }
    const names: unknown = patch[retainKeysDirective]
    if (!isList(names)) throw patchIsMalformed('invalid patch format of retainKeys')
    const retained = new Set(names)
    for (const key of Object.keys(patch)) {
      if (patch[key] === null || isDirectiveKey(key)) continue
      if (!retained.has(key)) throw patchIsMalformed('invalid patch format of retainKeys')
    }
    const result: JsonObject = {}
    for (const key of Object.keys(original)) if (retained.has(key)) setOwn(result, key, original[key])
    return result
  }

  /** Merges the lists whose order the patch names; returns their keys. */
  #orderedLists(result: JsonObject, patch: JsonObject, place: Place): Set<string> {
    const done = new Set<string>()
    for (const directiveKey of Object.keys(patch)) {
      if (!directiveKey.startsWith(elementOrderPrefix)) continue
      const order: unknown = patch[directiveKey]
      if (!isList(order)) throw wrongType('[]interface {}', order)
      const key = fieldAfter(directiveKey, elementOrderPrefix)
      const current = own(result, key)
      const change = own(patch, key)
      if (current !== undefined && !isList(current)) throw wrongType('[]interface {}', current)
      if (change !== undefined && !isList(change)) throw wrongType('[]interface {}', change)
      if (current === undefined && change === undefined) continue
      const field = this.#field(place, key)
      const { mergeKey } = strategyOf(field)
      if (change) checkOrder(change, order, mergeKey)
      let merged: List
      if (!change) merged = current!
      else if (!current) merged = withoutDirectives(change) as List
      else merged = this.#list(current, change, field)
      const isMap = elementKind(current ?? [], change ?? []) === 'map'
      if (isMap && !mergeKey) throw unclassified(`cannot merge lists without merge key for ${key}`)
      setOwn(result, key, inOrder(merged, order, current ?? [], isMap ? mergeKey : ''))
      done.add(key)
    }
    return done
  }

  #deleteFromList(result: JsonObject, key: string, values: unknown): void {
    const current = own(result, key)
    if (!isList(values) || !isList(current)) return
    if (elementKind(current, values) === 'map') throw patchIsMalformed('invalid patch format of primitive list')
    const gone = new Set(values)
    setOwn(
      result,
      key,
      current.filter((item) => !gone.has(item)),
    )
  }

  #list(original: List, patch: List, field: Field | undefined): List {
    const { merge, mergeKey } = strategyOf(field)
    if (!merge) return withoutDirectives(patch) as List
    if (original.length === 0 && patch.length === 0) return original
    if (elementKind(original, patch) === 'scalar') {
      const both = [...new Set([...original, ...patch])]
      return inOrder(both, patch, original, '')
    }
    if (!mergeKey)
      throw unclassified(
        `cannot merge lists without merge key for ${field?.items?.ref?.split('.').at(-1) ?? field?.items?.type ?? 'list'}`,
      )
    let kept = original
    const changes: JsonObject[] = []
    let replaced = false
    for (const item of patch as readonly JsonObject[]) {
      if (!Object.hasOwn(item, directive)) {
        changes.push(item)
        continue
      }
      const kind = item[directive]
      if (kind === 'delete') {
        const key = keyOf(item, mergeKey)
        kept = kept.filter((existing) => own(existing as JsonObject, mergeKey) !== key)
      } else if (kind === 'replace') replaced = true
      else if (kind === 'merge') throw unclassified('merging lists cannot yet be specified in the patch')
      else throw unclassified(`unknown patch type: ${goFormat(kind)} in map: ${goFormat(item)}`)
    }
    if (replaced) return withoutDirectives(changes) as List
    const merged: unknown[] = [...kept]
    for (const change of changes) {
      const key = keyOf(change, mergeKey)
      const at = merged.findIndex((existing) => own(existing as JsonObject, mergeKey) === key)
      if (at >= 0) merged[at] = this.map(merged[at] as JsonObject, change, field?.items)
      else merged.push(withoutDirectives(change))
    }
    return inOrder(merged, changes, kept, mergeKey)
  }
}

/**
 * Applies a parsed strategic merge patch to a document of the given definition (`io.k8s.api.core.v1.Pod`). Where the
 * definition knows nothing it is a plain merge patch. Throws ApiError with upstream's code and sentence.
 */
export const strategicMergePatch = (
  registry: SchemaRegistry,
  definitionName: string,
  original: JsonObject,
  patch: unknown,
): JsonObject => {
  if (!isObject(patch)) {
    throw patchIsMalformed(
      `json: cannot unmarshal ${isList(patch) ? 'array' : patch === null ? 'null' : typeof patch === 'boolean' ? 'bool' : typeof patch} into Go value of type map[string]interface {}`,
    )
  }
  const merged = new StrategicMerge(registry).map(original, patch, { type: 'ref', ref: definitionName })
  return jsonEqual(merged, original) ? original : merged
}
