// metadata.managedFields: who last wrote which field. Every create, update and patch goes through here: the writer owns
// what it added or changed, and everybody loses what was changed or removed by another. Server-side apply decides its
// conflicts by these entries. Follows k8s.io/apimachinery/pkg/util/managedfields.
import { decodeFields, differenceOfFields, type FieldTree, isBare, unionOfFields } from './fieldset.ts'
import { differenceOfObjects, type FieldDifference, fieldsOfNewObject } from './fieldset-diff.ts'
import { ownedTypeOf } from './fieldset-types.ts'
import { jsonEqual } from '../patch/json-patch.ts'
import type { JsonObject, ManagedFieldsEntry } from '../kube-object.ts'
import type { SchemaRegistry } from '../schema/schema.ts'

/** More managers that update are folded into `ancient-changes`, the oldest first. */
export const updateManagersMax = 10
const ancientManager = 'ancient-changes'

/** An object as another version of its kind has it; undefined when that version is gone. */
export type VersionConverter = (
  object: JsonObject,
  apiVersion: string,
) => { readonly object: JsonObject; readonly definition: string } | undefined

export interface ManagedFieldsUpdate {
  readonly registry: SchemaRegistry
  /** Of the object that is written: `io.k8s.api.apps.v1.Deployment`, also when a subresource is. */
  readonly definition: string
  /** Undefined on create. */
  readonly before: JsonObject | undefined
  /** The object as it will be, with the managedFields that the request carried, if any. */
  readonly next: JsonObject
  /** Name of the field manager; '' counts as `unknown`. */
  readonly manager: string
  readonly operation?: 'Update'
  /** Version of the request: `apps/v1`. */
  readonly apiVersion: string
  /** '' or absent: the object itself. */
  readonly subresource?: string
  readonly nowMs: number
  /** Top-level fields that this write does not own; by default what resetFieldsOf says. */
  readonly resetFields?: readonly string[]
  readonly versionConverter?: VersionConverter
}

let stampedSecond = Number.NaN
let stamp = ''

/** RFC 3339 in whole seconds, as metav1.Time. */
export const timestampOf = (ms: number): string => {
  const second = Math.floor(ms / 1000)
  if (second !== stampedSecond) {
    stamp = `${new Date(second * 1000).toISOString().slice(0, 19)}Z`
    stampedSecond = second
  }
  return stamp
}

/** An entry, its keys in upstream's order. */
export const managedFieldsEntry = (
  manager: string,
  operation: 'Apply' | 'Update',
  apiVersion: string,
  subresource: string,
  time: string | undefined,
  fieldsV1: FieldTree,
): ManagedFieldsEntry => {
  const entry: ManagedFieldsEntry = { manager, operation, apiVersion }
  if (time !== undefined) entry.time = time
  entry.fieldsType = 'FieldsV1'
  entry.fieldsV1 = fieldsV1
  if (subresource !== '') entry.subresource = subresource
  return entry
}

/** The same entry with other fields. */
export const withFields = (entry: ManagedFieldsEntry, fields: FieldTree, time = entry.time): ManagedFieldsEntry =>
  managedFieldsEntry(
    entry.manager ?? '',
    entry.operation ?? 'Update',
    entry.apiVersion ?? '',
    entry.subresource ?? '',
    time,
    fields,
  )

export const fieldsOfEntry = (entry: ManagedFieldsEntry): FieldTree => (entry.fieldsV1 ?? {}) as FieldTree

/** What tells one manager from another, as upstream writes it; conflicts and folding sort by it. */
export const managerIdentity = (entry: ManagedFieldsEntry): string =>
  JSON.stringify({
    manager: entry.manager || undefined,
    operation: entry.operation,
    apiVersion: entry.operation === 'Apply' ? undefined : entry.apiVersion,
    subresource: entry.subresource || undefined,
  })

const secondsOf = (entry: ManagedFieldsEntry): number => {
  const ms = entry.time ? Date.parse(entry.time) : 0
  return Number.isNaN(ms) ? 0 : Math.floor(ms / 1000)
}

const compareText = (a = '', b = ''): number => (a < b ? -1 : a > b ? 1 : 0)

/** Upstream's order: Apply before Update, then by time, manager, version and subresource. */
export const sortManagedFields = (entries: ManagedFieldsEntry[]): ManagedFieldsEntry[] =>
  entries.length < 2
    ? entries
    : entries.sort(
        (a, b) =>
          compareText(a.operation, b.operation) ||
          (a.time === b.time ? 0 : secondsOf(a) - secondsOf(b)) ||
          compareText(a.manager, b.manager) ||
          compareText(a.apiVersion, b.apiVersion) ||
          compareText(a.subresource, b.subresource),
      )

/** Entries that a client wrote, in our form; undefined when one of them is malformed. */
export const decodeManagedFields = (entries: unknown): ManagedFieldsEntry[] | undefined => {
  if (!Array.isArray(entries)) return undefined
  const decoded = new Map<string, ManagedFieldsEntry>()
  for (const entry of entries as ManagedFieldsEntry[]) {
    if (typeof entry !== 'object' || entry === null) return undefined
    if (entry.operation !== 'Apply' && entry.operation !== 'Update') return undefined
    if (!entry.apiVersion || entry.fieldsType !== 'FieldsV1') return undefined
    const fields = decodeFields(entry.fieldsV1 ?? {})
    if (!fields) return undefined
    if (!isBare(fields)) decoded.set(managerIdentity(entry), withFields(entry, fields))
  }
  return [...decoded.values()]
}

const isReset = (entries: unknown): boolean =>
  Array.isArray(entries) &&
  (entries.length === 0 ||
    (entries.length === 1 &&
      typeof entries[0] === 'object' &&
      entries[0] !== null &&
      Object.keys(entries[0]).length === 0))

/** Folds the managers that updated longest ago, when there are too many. */
const capped = (entries: ManagedFieldsEntry[]): ManagedFieldsEntry[] => {
  const updaters = entries.filter(({ operation }) => operation === 'Update')
  let count = updaters.length
  if (count <= updateManagersMax) return entries
  updaters.sort((a, b) => secondsOf(a) - secondsOf(b) || compareText(managerIdentity(a), managerIdentity(b)))
  const isBucket = (entry: ManagedFieldsEntry, apiVersion: string): boolean =>
    entry.operation === 'Update' &&
    entry.manager === ancientManager &&
    entry.apiVersion === apiVersion &&
    !entry.subresource
  let kept = entries
  const firstOfVersion = new Map<string, ManagedFieldsEntry>()
  for (const entry of updaters) {
    if (count <= updateManagersMax) break
    const apiVersion = entry.apiVersion ?? ''
    const first = firstOfVersion.get(apiVersion)
    if (!first) {
      firstOfVersion.set(apiVersion, entry)
      continue
    }
    const bucket = kept.find((other) => isBucket(other, apiVersion)) ?? first
    const folded = managedFieldsEntry(
      ancientManager,
      'Update',
      apiVersion,
      '',
      entry.time,
      unionOfFields(fieldsOfEntry(bucket), fieldsOfEntry(entry)),
    )
    kept = kept.filter((other) => other !== bucket && other !== entry)
    kept.push(folded)
    count--
  }
  return kept
}

/** What differs as a version sees it; `gone` when the kind no longer has that version: its entries go, too. */
export type VersionDifference = FieldDifference | 'gone' | undefined

/** The difference of two objects in each version that some manager speaks; computed once per version. */
export const differencesByVersion = (
  update: Pick<
    ManagedFieldsUpdate,
    'registry' | 'definition' | 'apiVersion' | 'subresource' | 'resetFields' | 'versionConverter'
  >,
  before: JsonObject,
  next: JsonObject,
): ((apiVersion: string) => VersionDifference) => {
  const { registry, definition, subresource = '', resetFields, versionConverter } = update
  const own = differenceOfObjects(ownedTypeOf(registry, definition, subresource, resetFields), before, next)
  if (!versionConverter) return () => own
  const known = new Map<string, VersionDifference>([[update.apiVersion, own]])
  return (apiVersion) => {
    if (known.has(apiVersion)) return known.get(apiVersion)
    const was = versionConverter(before, apiVersion)
    const is = versionConverter(next, apiVersion)
    const found =
      was && is
        ? differenceOfObjects(ownedTypeOf(registry, is.definition, subresource, resetFields), was.object, is.object)
        : 'gone'
    known.set(apiVersion, found)
    return found
  }
}

/** What is left of a manager's fields when others changed and removed some. */
export const fieldsLeft = (fields: FieldTree, difference: FieldDifference | undefined): FieldTree => {
  if (difference === undefined) return fields
  let left = fields
  if (difference.changed) left = differenceOfFields(left, difference.changed)
  if (difference.removed) left = differenceOfFields(left, difference.removed)
  return left
}

/** The entries that a request starts from; undefined when the object's managers are not tracked. */
const startingEntries = (
  update: ManagedFieldsUpdate,
  live: readonly ManagedFieldsEntry[],
): readonly ManagedFieldsEntry[] | undefined => {
  const requested: unknown = update.next['metadata']?.managedFields
  let entries = live
  if (!update.subresource && requested !== undefined && requested !== null && requested !== live) {
    if (isReset(requested)) entries = []
    else if (!jsonEqual(requested, live)) {
      const decoded = decodeManagedFields(requested)
      if (decoded && decoded.length > 0) entries = decoded
    }
  }
  // An object that lost all its entries stays untracked until somebody applies it.
  return entries.length === 0 && update.before !== undefined ? undefined : entries
}

const none: readonly ManagedFieldsEntry[] = []

/**
 * The managedFields of an object after a create, update or patch. The very array of `before` when nothing changed; empty
 * when nobody manages anything (or the client reset them): then leave the field out.
 */
export const updateManagedFields = (update: ManagedFieldsUpdate): ManagedFieldsEntry[] => {
  const { before, next, apiVersion } = update
  const manager = update.manager || 'unknown'
  const subresource = update.subresource ?? ''
  const live: readonly ManagedFieldsEntry[] = before?.['metadata']?.managedFields ?? none
  const entries = startingEntries(update, live)
  if (entries === undefined) return []

  let differenceIn: (apiVersion: string) => VersionDifference
  if (before) differenceIn = differencesByVersion(update, before, next)
  else {
    const type = ownedTypeOf(update.registry, update.definition, subresource, update.resetFields)
    const fields = fieldsOfNewObject(type, next)
    const created: FieldDifference = { changed: isBare(fields) ? undefined : fields, removed: undefined }
    differenceIn = () => created
  }
  const mine = differenceIn(apiVersion) as FieldDifference | undefined
  if (mine === undefined && !update.versionConverter) {
    return (entries === live ? live : sortManagedFields([...entries])) as ManagedFieldsEntry[]
  }

  const result: ManagedFieldsEntry[] = []
  let changed = mine?.changed
  const now = timestampOf(update.nowMs)
  for (const entry of entries) {
    const isMine =
      entry.operation === 'Update' &&
      entry.manager === manager &&
      entry.apiVersion === apiVersion &&
      (entry.subresource ?? '') === subresource
    const held = fieldsOfEntry(entry)
    if (isMine && changed !== undefined) {
      const kept = mine?.removed ? differenceOfFields(held, mine.removed) : held
      result.push(withFields(entry, unionOfFields(kept, changed), now))
      changed = undefined
      continue
    }
    const difference = isMine ? mine : differenceIn(entry.apiVersion ?? '')
    if (difference === 'gone') continue
    const left = fieldsLeft(held, difference)
    if (left === held) result.push(entry)
    else if (!isBare(left)) result.push(withFields(entry, left))
  }
  if (changed !== undefined) result.push(managedFieldsEntry(manager, 'Update', apiVersion, subresource, now, changed))
  return sortManagedFields(capped(result))
}
