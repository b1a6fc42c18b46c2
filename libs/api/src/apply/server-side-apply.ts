// Server-side apply: a manager says what it wants of an object, and gets exactly that merged in. What it applied before and
// no longer applies goes away unless somebody else owns it; what others own with another value is a conflict, or taken by
// force. Follows sigs.k8s.io/structured-merge-diff and k8s.io/apimachinery/pkg/util/managedfields.
import {
  differenceOfFields,
  fieldPaths,
  type FieldTree,
  type FieldTreeBuilder,
  formatElement,
  formatFieldPath,
  hasField,
  inElementOrder,
  intersectionOfFields,
  isBare,
  isMember,
  leafTree,
  memberWith,
  unionOfFields,
  valueElement,
} from './fieldset.ts'
import { differenceOfObjects, type FieldDifference, fieldsOfNewObject, itemElement } from './fieldset-diff.ts'
import {
  type ApplyType,
  applyTypeOf,
  deducedType,
  fieldTypeOf,
  type KeyedListType,
  ownedTypeOf,
  type SetType,
  type StructType,
} from './fieldset-types.ts'
import { parseExactJson } from '../exact-json.ts'
import { jsonEqual, setOwn } from '../patch/json-patch.ts'
import type { JsonObject, ManagedFieldsEntry } from '../kube-object.ts'
import {
  differencesByVersion,
  fieldsLeft,
  fieldsOfEntry,
  managedFieldsEntry,
  managerIdentity,
  sortManagedFields,
  timestampOf,
  type VersionConverter,
  withFields,
} from './managed-fields.ts'
import { unclassified } from '../patch/patch-errors.ts'
import type { SchemaRegistry } from '../schema/schema.ts'
import { ApiError, badRequest, type StatusCause } from '../status.ts'

/** The annotation in which client-side apply keeps what it applied last. */
export const lastAppliedAnnotation = 'kubectl.kubernetes.io/last-applied-configuration'
/** kubectl's default manager for server-side apply; it inherits what client-side apply owned. */
const kubectlManager = 'kubectl'
const beforeFirstApplyManager = 'before-first-apply'
/** Bytes of all annotations of one object. */
const annotationsBytesMax = 256 * 1024

export interface ServerSideApply {
  readonly registry: SchemaRegistry
  /** Of the object: `io.k8s.api.apps.v1.Deployment`. */
  readonly definition: string
  /** Undefined when the object does not exist. */
  readonly live: JsonObject | undefined
  /** The applied configuration; wrong types have been refused already. */
  readonly applied: JsonObject
  /** Paths of its fields that the schema does not have: `spec.tolerations[0].nonsense`. */
  readonly undeclared?: readonly string[]
  readonly manager: string
  readonly force: boolean
  /** Version of the request: `apps/v1`. */
  readonly apiVersion: string
  /** '' or absent: the object itself. */
  readonly subresource?: string
  readonly nowMs: number
  /** Fields that this write does not own, `spec` or `metadata.labels`; by default what resetFieldsOf says. */
  readonly resetFields?: readonly string[]
  readonly versionConverter?: VersionConverter
}

/**
 * The object with its managedFields in place. When nothing changed it equals `live` and holds its very managedFields. The
 * object and its metadata are fresh, what is below is shared with `live`.
 */
export interface Applied {
  readonly object: JsonObject
  readonly managedFields: ManagedFieldsEntry[]
  readonly changed: boolean
}

/** What applyConflict of status.ts needs. */
export interface ApplyConflicts {
  readonly conflicts: readonly StatusCause[]
  readonly message: string
}

export const isApplyConflicts = (outcome: Applied | ApplyConflicts): outcome is ApplyConflicts => 'conflicts' in outcome

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isEmptyObject = (value: unknown): boolean => isObject(value) && isBare(value)

const ownValue = (object: JsonObject, name: string): unknown => (Object.hasOwn(object, name) ? object[name] : undefined)

type ListType = KeyedListType | SetType

const elementOf = (list: ListType, item: unknown): string =>
  list.kind === 'keyed' ? itemElement(list, item) : valueElement(item)

const itemTypeOf = (list: ListType): ApplyType => (list.kind === 'keyed' ? list.items : { kind: 'leaf' })

/** The type of a named child of an object; undefined when the schema has none. */
const childType = (type: ApplyType, name: string): ApplyType | undefined => {
  switch (type.kind) {
    case 'struct':
      return fieldTypeOf(type, name)
    case 'map':
      return type.items
    case 'deduced':
      return deducedType
    default:
      return undefined
  }
}

/** Whether the schema declares the name, so that having children does not make the parent a member. */
const isDeclared = (type: ApplyType, name: string): boolean => type.kind === 'struct' && type.fields.has(name)

// ── what a configuration says ─────────────────────────────────────────────────────────────────────────────────────

/** The fields that an applied configuration names. A struct is not named by its fields, an item of a list or map is. */
const appliedChildren = (type: ApplyType, value: unknown): FieldTree => {
  const tree: FieldTreeBuilder = {}
  if (type.kind === 'keyed' || type.kind === 'set') {
    if (!Array.isArray(value)) return tree
    const seen = new Set<string>()
    for (const item of value) {
      const element = elementOf(type, item)
      tree[element] = seen.has(element) ? leafTree : memberWith(appliedChildren(itemTypeOf(type), item))
      seen.add(element)
    }
    return inElementOrder(tree)
  }
  if (!isObject(value)) return tree
  for (const name of Object.keys(value)) {
    const child = value[name]
    const childOf = childType(type, name)
    if (child === undefined || childOf === undefined) continue
    const granular = childOf.kind !== 'leaf' && !(childOf.kind === 'deduced' && !isObject(child))
    if (!granular || child === null || child === emptiedList || isEmptyObject(child)) {
      tree[`f:${name}`] = leafTree
      continue
    }
    const children = appliedChildren(childOf, child)
    if (!isDeclared(type, name)) tree[`f:${name}`] = memberWith(children)
    else if (!isBare(children)) tree[`f:${name}`] = children
  }
  return inElementOrder(tree)
}

/** Fields in a set that the schema declares become members themselves when they have children. */
const withNamedFields = (type: ApplyType, tree: FieldTree): FieldTree => {
  if (isBare(tree)) return tree
  const result: FieldTreeBuilder = {}
  for (const element in tree) {
    const node = tree[element]!
    if (element === '.') {
      result[element] = node
      continue
    }
    const name = element.slice(2)
    const isField = element.startsWith('f:')
    const below =
      (isField ? childType(type, name) : type.kind === 'keyed' && element.startsWith('k:') ? type.items : undefined) ??
      deducedType
    const inside = withNamedFields(below, node)
    result[element] = isField && isDeclared(type, name) ? memberWith(inside) : inside
  }
  return result
}

/**
 * What stands where pruning left nothing of a map or a list. Its owners keep it (upstream has a null there), so it must be
 * told from what is absent until ownership is settled; then it goes.
 */
const emptiedMap: JsonObject = Object.freeze({})
const emptiedList: readonly unknown[] = Object.freeze([])

/** The object without the fields of a set. */
const withoutFields = (type: ApplyType, value: unknown, gone: FieldTree): unknown => {
  if (type.kind === 'keyed' || type.kind === 'set') {
    if (!Array.isArray(value)) return value
    const kept: unknown[] = []
    for (const item of value) {
      const node = gone[elementOf(type, item)]
      if (node === undefined) kept.push(item)
      else if (!isMember(node)) kept.push(withoutFields(itemTypeOf(type), item, node))
    }
    return kept.length > 0 ? kept : emptiedList
  }
  if (type.kind === 'leaf' || !isObject(value)) return value
  const kept: JsonObject = {}
  for (const name of Object.keys(value)) {
    const node = gone[`f:${name}`]
    if (node === undefined) setOwn(kept, name, value[name])
    else if (!isMember(node)) {
      setOwn(kept, name, withoutFields(childType(type, name) ?? deducedType, value[name], node))
    }
  }
  return isBare(kept) ? emptiedMap : kept
}

const withoutEmptied = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withoutEmptied)
  if (!isObject(value)) return value
  const kept: JsonObject = {}
  for (const name of Object.keys(value)) {
    if (value[name] !== emptiedMap && value[name] !== emptiedList) setOwn(kept, name, withoutEmptied(value[name]))
  }
  return kept
}

// ── merging ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** A copy without nulls: in a stored object they mean nothing. */
const withoutNulls = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (!isObject(value)) return value
  const result: JsonObject = {}
  for (const name of Object.keys(value)) {
    if (value[name] !== null) setOwn(result, name, withoutNulls(value[name]))
  }
  return result
}

const isGranular = (type: ApplyType | undefined, value: unknown): boolean =>
  type !== undefined && type.kind !== 'leaf' && (type.kind !== 'deduced' || isObject(value))

const mergeObjects = (type: ApplyType, live: JsonObject, applied: JsonObject): JsonObject => {
  const result = { ...live }
  for (const name of Object.keys(applied)) {
    const want = applied[name]
    const have = ownValue(live, name)
    const below = childType(type, name)
    if (want === undefined) continue
    if (want === null) {
      // Null takes away a value; what is granular is taken away field by field, by its owners.
      if (!isGranular(below, have)) delete result[name]
    } else if (have === undefined || have === null) setOwn(result, name, withoutNulls(want))
    else setOwn(result, name, merge(below ?? deducedType, have, want))
  }
  return result
}

/**
 * Merges two lists: items of both stand in the applied order, items that only the live list has keep their place among
 * them.
 */
const mergeLists = (type: ListType, live: readonly unknown[], applied: readonly unknown[]): unknown[] => {
  const liveElements = live.map((item) => elementOf(type, item))
  const appliedElements = applied.map((item) => elementOf(type, item))
  const liveItems = new Map<string, unknown>()
  liveElements.forEach((element, index) => {
    // Items that the live list has twice are replaced, not merged.
    liveItems.set(element, liveItems.has(element) ? undefined : live[index])
  })
  const appliedSet = new Set(appliedElements)
  const shared = appliedElements.filter((element) => liveItems.has(element))
  let nextShared = 0
  const done = new Set<string>()
  const result: unknown[] = []
  const take = (at: number): void => {
    const element = appliedElements[at]!
    const have = liveItems.get(element)
    done.add(element)
    result.push(have === undefined ? withoutNulls(applied[at]) : merge(itemTypeOf(type), have, applied[at]))
    if (shared[nextShared] === element) nextShared++
  }
  let left = 0
  let right = 0
  while (left < live.length || right < applied.length) {
    const element = liveElements[left]
    if (element !== undefined) {
      if (element === appliedElements[right]) {
        take(right++)
        left++
        continue
      }
      if (
        right < applied.length &&
        appliedSet.has(element) &&
        nextShared < shared.length &&
        shared[nextShared] !== element
      ) {
        left++
        continue
      }
      if (!appliedSet.has(element)) {
        result.push(live[left++])
        continue
      }
      if (done.has(element)) left++
    }
    if (right < applied.length) take(right++)
  }
  return result
}

const merge = (type: ApplyType, live: unknown, applied: unknown): unknown => {
  if (type.kind === 'keyed' || type.kind === 'set') {
    return Array.isArray(live) && Array.isArray(applied) ? mergeLists(type, live, applied) : withoutNulls(applied)
  }
  if (type.kind !== 'leaf' && isObject(live) && isObject(applied)) return mergeObjects(type, live, applied)
  return withoutNulls(applied)
}

/** The fields whose live value a null of the configuration takes away: that changes them, so their owners may object. */
const takenByNull = (type: ApplyType, live: unknown, applied: unknown): FieldTree => {
  const tree: FieldTreeBuilder = {}
  if (type.kind === 'keyed') {
    if (!Array.isArray(live) || !Array.isArray(applied)) return tree
    const liveItems = new Map(live.map((item) => [itemElement(type, item), item]))
    for (const item of applied) {
      const element = itemElement(type, item)
      const taken = takenByNull(type.items, liveItems.get(element), item)
      if (!isBare(taken)) tree[element] = taken
    }
    return inElementOrder(tree)
  }
  if (!isObject(live) || !isObject(applied)) return tree
  for (const name of Object.keys(applied)) {
    const have = ownValue(live, name)
    const below = childType(type, name)
    if (have === undefined || have === null || below === undefined) continue
    if (applied[name] === null) {
      if (!isGranular(below, have)) tree[`f:${name}`] = leafTree
      continue
    }
    const taken = takenByNull(below, have, applied[name])
    if (!isBare(taken)) tree[`f:${name}`] = taken
  }
  return inElementOrder(tree)
}

/**
 * Takes out of the merged object what the manager applied last time, no longer applies, and nobody else owns. `owned`
 * holds what all managers own now, the applying one included.
 */
const prune = (type: StructType, merged: JsonObject, last: FieldTree, owned: FieldTree): JsonObject => {
  const lastNamed = withNamedFields(type, last)
  const all = withNamedFields(type, appliedChildren(type, merged))
  const withoutLast = withoutFields(type, merged, lastNamed)
  const kept = unionOfFields(withNamedFields(type, appliedChildren(type, withoutLast)), withNamedFields(type, owned))
  const onlyKept = withoutFields(type, merged, differenceOfFields(all, kept))
  const gone = intersectionOfFields(
    differenceOfFields(all, withNamedFields(type, appliedChildren(type, onlyKept))),
    lastNamed,
  )
  return withoutFields(type, merged, gone) as JsonObject
}

// ── refusals ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** Undeclared fields of a configuration and faults of its lists with keys and sets, as upstream words them. */
const typeFaults = (type: ApplyType, value: unknown, path: string, faults: string[]): void => {
  if (type.kind === 'keyed' || type.kind === 'set') {
    if (!Array.isArray(value)) return
    const seen = new Set<string>()
    for (const [index, item] of value.entries()) {
      const fault = itemFault(type, item)
      if (fault) {
        faults.push(`${path}: element ${index}: ${fault}`)
        return
      }
      const element = elementOf(type, item)
      if (seen.has(element)) faults.push(`${path}: duplicate entries for key ${formatElement(element)}`)
      seen.add(element)
      typeFaults(itemTypeOf(type), item, `${path}${formatElement(element)}`, faults)
    }
    return
  }
  if (!isObject(value)) return
  for (const name of Object.keys(value)) {
    const below = childType(type, name)
    if (below === undefined && type.kind === 'struct') {
      // Upstream looks no further at the fields of an object that has one like this.
      faults.push(`${path}.${name}: field not declared in schema`)
      return
    }
    if (below && below.kind !== 'leaf') typeFaults(below, value[name], `${path}.${name}`, faults)
  }
}

const itemFault = (type: ListType, item: unknown): string | undefined => {
  if (type.kind === 'set') {
    if (isObject(item)) return "associative list without keys has an element that's a map type"
    if (Array.isArray(item)) return 'not supported: associative list with lists as elements'
    return item === null ? "associative list without keys has an element that's an explicit null" : undefined
  }
  if (item === null) return 'associative list with keys may not have a null element'
  if (!isObject(item)) return 'associative list with keys may not have non-map elements'
  if (elementOf(type, item) !== 'k:{}') return undefined
  const keys = type.keys.map((key) => JSON.stringify(key)).join(' ')
  return `associative list with keys has an element that omits all key fields [${keys}] (and doesn't have default values for any key fields)`
}

const checkConfiguration = (apply: ServerSideApply, type: StructType): void => {
  const { applied, apiVersion } = apply
  if (applied['apiVersion'] !== apiVersion) {
    throw new ApiError(
      badRequest(
        `Incorrect version specified in apply patch. Specified patch version: ${applied['apiVersion']}, expected: ${apiVersion}`,
      ),
    )
  }
  const metadata: unknown = applied['metadata']
  if (isObject(metadata) && metadata['managedFields'] !== undefined && metadata['managedFields'] !== null) {
    throw new ApiError(badRequest('metadata.managedFields must be nil'))
  }
  const faults: string[] = []
  typeFaults(type, applied, '', faults)
  // What is atomic is one value to ownership, and has a schema all the same.
  if (faults.length === 0)
    faults.push(...(apply.undeclared ?? []).map((path) => `.${path}: field not declared in schema`))
  if (faults.length === 0) return
  const sentence = faults.length === 1 ? faults[0] : ['errors:', ...faults.map((fault) => `  ${fault}`)].join('\n')
  const name = isObject(metadata) ? `${metadata['namespace'] ?? ''}/${metadata['name'] ?? ''}` : '/'
  const groupVersion = apiVersion.includes('/') ? apiVersion : `/${apiVersion}`
  throw unclassified(
    `failed to create typed patch object (${name}; ${groupVersion}, Kind=${applied['kind']}): ${sentence}`,
  )
}

interface Conflict {
  readonly entry: ManagedFieldsEntry
  readonly path: readonly string[]
}

const printManager = (entry: ManagedFieldsEntry): string => {
  const name = JSON.stringify(entry.manager ?? '')
  const where = entry.subresource ? `${name} with subresource ${JSON.stringify(entry.subresource)}` : name
  return entry.operation === 'Update' ? `${where} using ${entry.apiVersion}` : where
}

const conflictsOutcome = (conflicts: readonly Conflict[]): ApplyConflicts => {
  const causes = conflicts.map(({ entry, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${printManager(entry)}`,
    field: formatFieldPath(path),
  }))
  if (causes.length === 1) {
    const [only] = causes
    return { conflicts: causes, message: `Apply failed with 1 conflict: ${only!.message}: ${only!.field}` }
  }
  const byManager = new Map<string, string[]>()
  for (const { entry, path } of conflicts) {
    const identity = managerIdentity(entry)
    const lines = byManager.get(identity) ?? [`conflicts with ${printManager(entry)}:`]
    lines.push(`- ${formatFieldPath(path)}`)
    byManager.set(identity, lines)
  }
  const lines = [...byManager.keys()].sort().flatMap((identity) => byManager.get(identity)!)
  return { conflicts: causes, message: `Apply failed with ${causes.length} conflicts: ${lines.join('\n')}` }
}

// ── client-side apply's legacy ────────────────────────────────────────────────────────────────────────────────────

/** The fields that kubectl's client-side apply set and that are still as it set them: kubectl may take those over. */
const inheritedFields = (apply: ServerSideApply, live: JsonObject): FieldTree => {
  const text: unknown = live['metadata']?.annotations?.[lastAppliedAnnotation]
  if (typeof text !== 'string' || text === '') return {}
  let lastApplied: unknown
  try {
    lastApplied = parseExactJson(text)
  } catch {
    return {}
  }
  if (!isObject(lastApplied) || lastApplied['apiVersion'] !== apply.apiVersion) return {}
  const type = ownedTypeOf(apply.registry, apply.definition, apply.subresource ?? '', apply.resetFields)
  const difference = differenceOfObjects(type, lastApplied, live)
  return fieldsLeft(appliedChildren(type, lastApplied), difference)
}

const sortedJson = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sortedJson)
  if (!isObject(value)) return value
  const result: JsonObject = {}
  for (const name of Object.keys(value).sort()) setOwn(result, name, sortedJson(value[name]))
  return result
}

/** Keeps the annotation of client-side apply up to date, so that kubectl can go back to it. */
const withLastApplied = (object: JsonObject, applied: JsonObject): JsonObject => {
  const annotations: unknown = object['metadata']?.annotations
  if (!isObject(annotations) || !ownValue(annotations, lastAppliedAnnotation)) return object
  const configuration = structuredClone(applied)
  if (isObject(configuration['metadata']?.annotations))
    delete configuration['metadata'].annotations[lastAppliedAnnotation]
  const text = `${JSON.stringify(sortedJson(configuration))}\n`
  if (annotations[lastAppliedAnnotation] === text) return object
  const next: JsonObject = { ...annotations, [lastAppliedAnnotation]: text }
  let bytes = 0
  for (const [name, value] of Object.entries(next)) bytes += Buffer.byteLength(name) + Buffer.byteLength(String(value))
  if (bytes > annotationsBytesMax) delete next[lastAppliedAnnotation]
  return { ...object, metadata: { ...object['metadata'], annotations: next } }
}

// ── apply ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const withManagedFields = (object: JsonObject, managedFields: readonly ManagedFieldsEntry[]): JsonObject => {
  const { managedFields: _, ...metadata } = object['metadata'] ?? {}
  return { ...object, metadata: managedFields.length > 0 ? { ...metadata, managedFields } : metadata }
}

/** What counts when asking whether anything changed: a precondition on the version does not. */
const comparable = (object: JsonObject): JsonObject => {
  const { managedFields: _managedFields, resourceVersion: _resourceVersion, ...metadata } = object['metadata'] ?? {}
  return { ...object, metadata }
}

/** Entries of a live object; one that was never tracked gets an owner for all that it holds. */
const liveEntries = (apply: ServerSideApply, type: StructType): readonly ManagedFieldsEntry[] => {
  const { live } = apply
  if (!live) return []
  const entries: readonly ManagedFieldsEntry[] = live['metadata']?.managedFields ?? []
  if (entries.length > 0) return entries
  const fields = fieldsOfNewObject(type, live)
  if (isBare(fields)) return []
  return [
    managedFieldsEntry(
      beforeFirstApplyManager,
      'Update',
      apply.apiVersion,
      apply.subresource ?? '',
      timestampOf(apply.nowMs),
      fields,
    ),
  ]
}

const withTaken = (difference: FieldDifference | undefined, taken: FieldTree): FieldDifference | undefined =>
  isBare(taken)
    ? difference
    : {
        changed: unionOfFields(difference?.changed ?? {}, taken),
        removed: difference?.removed && differenceOfFields(difference.removed, taken),
      }

const attempt = (apply: ServerSideApply, force: boolean): Applied | { readonly clashes: Conflict[] } => {
  const { registry, definition, live, manager, apiVersion, subresource = '' } = apply
  const whole = applyTypeOf(registry, definition)
  const type = ownedTypeOf(registry, definition, subresource, apply.resetFields)
  const entries = liveEntries(apply, type)
  const isMine = (entry: ManagedFieldsEntry): boolean =>
    entry.operation === 'Apply' && entry.manager === manager && (entry.subresource ?? '') === subresource
  const mine = entries.find(isMine)
  const others = entries.filter((entry) => entry !== mine)

  const { metadata: appliedMetadata, ...rest } = apply.applied
  const configuration: JsonObject = { ...rest, metadata: { ...appliedMetadata } }
  if (configuration['metadata'].creationTimestamp === null) delete configuration['metadata'].creationTimestamp
  delete configuration['metadata'].managedFields
  const fields = appliedChildren(type, configuration)

  let object = live ? (merge(whole, live, configuration) as JsonObject) : (withoutNulls(configuration) as JsonObject)
  if (mine && !isBare(fieldsOfEntry(mine))) {
    // Here the configuration owns what it names and nobody manages, too: it keeps metadata where it is.
    const named = appliedChildren(whole, configuration)
    const owned = others.reduce((all, entry) => unionOfFields(all, fieldsOfEntry(entry)), named)
    object = prune(whole, object, fieldsOfEntry(mine), owned)
  }

  const result: ManagedFieldsEntry[] = []
  if (live) {
    const differenceIn = differencesByVersion(apply, live, object)
    const taken = takenByNull(type, live, configuration)
    const clashes: Conflict[] = []
    for (const entry of others) {
      const held = fieldsOfEntry(entry)
      const seen = differenceIn(entry.apiVersion ?? '')
      if (seen === 'gone') continue
      const difference = withTaken(seen, taken)
      if (difference?.changed && !force) {
        for (const path of fieldPaths(intersectionOfFields(held, difference.changed))) clashes.push({ entry, path })
      }
      const left = fieldsLeft(held, difference)
      if (left === held) result.push(entry)
      else if (!isBare(left)) result.push(withFields(entry, left))
    }
    if (clashes.length > 0) return { clashes }
  }
  if (mine) object = withoutEmptied(object) as JsonObject
  if (manager === kubectlManager) object = withLastApplied(object, apply.applied)

  const sameObject = live !== undefined && jsonEqual(comparable(object), comparable(live))
  if (!isBare(fields)) {
    const unchanged =
      sameObject && mine !== undefined && mine.apiVersion === apiVersion && jsonEqual(mine.fieldsV1, fields)
    result.push(
      unchanged
        ? mine
        : managedFieldsEntry(manager, 'Apply', apiVersion, subresource, timestampOf(apply.nowMs), fields),
    )
  }
  sortManagedFields(result)
  const liveManaged: ManagedFieldsEntry[] | undefined = live?.['metadata']?.managedFields
  if (sameObject && liveManaged && jsonEqual(liveManaged, result)) {
    return { object: { ...object, metadata: { ...object['metadata'] } }, managedFields: liveManaged, changed: false }
  }
  return { object: withManagedFields(object, result), managedFields: result, changed: true }
}

/**
 * Applies a configuration. Gives the object to store (before defaulting and admission), or the conflicts for
 * `applyConflict(conflicts, message)`. Throws ApiError for a configuration that cannot be applied at all.
 */
export const applyServerSide = (apply: ServerSideApply): Applied | ApplyConflicts => {
  checkConfiguration(apply, applyTypeOf(apply.registry, apply.definition))
  const first = attempt(apply, apply.force)
  if (!('clashes' in first)) return first
  if (apply.manager !== kubectlManager || !apply.live) return conflictsOutcome(first.clashes)
  const inherited = inheritedFields(apply, apply.live)
  const clashes = first.clashes.filter(({ path }) => !hasField(inherited, path))
  if (clashes.length > 0) return conflictsOutcome(clashes)
  const forced = attempt(apply, true)
  return 'clashes' in forced ? conflictsOutcome(forced.clashes) : forced
}
