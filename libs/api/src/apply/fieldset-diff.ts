// Which fields a write adds, changes or removes: the walk over two versions of an object that every write pays for. Equal
// subtrees cost a comparison and build nothing.
import {
  compareElements,
  type FieldTree,
  type FieldTreeBuilder,
  inElementOrder,
  isBare,
  keyElement,
  leafTree,
  valueElement,
} from './fieldset.ts'
import { type ApplyType, deducedType, type KeyedListType, type StructType } from './fieldset-types.ts'
import { jsonEqual } from '../patch/json-patch.ts'
import type { JsonObject } from '../kube-object.ts'

/** Added and modified fields together, and removed ones. */
export interface FieldDifference {
  readonly changed: FieldTree | undefined
  readonly removed: FieldTree | undefined
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The path element of an item of a list with keys. */
export const itemElement = (list: KeyedListType, item: unknown): string => {
  if (!isObject(item)) return 'k:{}'
  const { keys, defaults } = list
  if (keys.length === 1) {
    const value = item[keys[0]!] ?? defaults[0]
    if (value !== undefined && value !== null) return `k:{"${keys[0]}":${JSON.stringify(value)}}`
  }
  return keyElement(
    keys,
    keys.map((key, index) => item[key] ?? defaults[index]),
  )
}

const sortedNames = (value: JsonObject): string[] => {
  const names = Object.keys(value)
  for (let i = 1; i < names.length; i++) {
    const name = names[i]!
    let at = i
    while (at > 0 && names[at - 1]! > name) {
      names[at] = names[at - 1]!
      at--
    }
    names[at] = name
  }
  return names
}

const present = (value: unknown): boolean => value !== undefined && value !== null

const isEmptyObject = (value: unknown): boolean => isObject(value) && Object.keys(value).length === 0

/** The set of a whole new subtree. `self`: the node is new, too. `always`: what upstream always writes is not new. */
const newTree = (type: ApplyType, value: unknown, self: boolean, always: boolean): FieldTree | undefined => {
  if (type.kind === 'leaf') return always && !self && isEmptyObject(value) ? undefined : leafTree
  const tree: FieldTreeBuilder = self ? { '.': leafTree } : {}
  let children = 0
  switch (type.kind) {
    case 'struct':
      if (!isObject(value)) return leafTree
      for (const name of sortedNames(value)) {
        const child = value[name]
        if (child === undefined || child === null) continue
        const field = type.fields.get(name)
        if (field === undefined) {
          if (!type.open) continue
          tree[`f:${name}`] = newTree(deducedType, child, true, false)!
          children++
          continue
        }
        const held = always && field.always
        const subtree = newTree(field.type, child, !held, held)
        if (subtree === undefined) continue
        tree[field.element] = subtree
        children++
      }
      break
    case 'map':
    case 'deduced': {
      if (!isObject(value)) return leafTree
      const items = type.kind === 'map' ? type.items : deducedType
      for (const name of sortedNames(value)) {
        const child = value[name]
        if (child === undefined || child === null) continue
        tree[`f:${name}`] = newTree(items, child, true, false)!
        children++
      }
      break
    }
    case 'keyed': {
      if (!Array.isArray(value)) return leafTree
      if (value.length === 1) {
        tree[itemElement(type, value[0])] = newTree(type.items, value[0], true, false)!
        children = 1
        break
      }
      const items = new Map<string, FieldTree>()
      for (const item of value) {
        const element = itemElement(type, item)
        items.set(element, items.has(element) ? leafTree : newTree(type.items, item, true, false)!)
      }
      for (const element of [...items.keys()].sort(compareElements)) tree[element] = items.get(element)!
      children = items.size
      break
    }
    case 'set':
      if (!Array.isArray(value)) return leafTree
      for (const element of [...new Set(value.map(valueElement))].sort(compareElements)) tree[element] = leafTree
      children = value.length
  }
  if (children === 0) return self ? leafTree : undefined
  return tree
}

/** The fields of a whole object, as its creator owns them. */
export const fieldsOfNewObject = (type: StructType, object: JsonObject): FieldTree =>
  newTree(type, object, false, true) ?? {}

const leafChanged: FieldDifference = { changed: leafTree, removed: undefined }

/** Gathers the differences of the children of one node. */
class NodeDifference {
  changed: FieldTreeBuilder | undefined
  removed: FieldTreeBuilder | undefined

  change(element: string, tree: FieldTree | undefined): void {
    if (tree === undefined) return
    this.changed ??= {}
    this.changed[element] = tree
  }

  remove(element: string, tree: FieldTree | undefined): void {
    if (tree === undefined) return
    this.removed ??= {}
    this.removed[element] = tree
  }

  add(element: string, difference: FieldDifference | undefined): void {
    if (difference === undefined) return
    this.change(element, difference.changed)
    this.remove(element, difference.removed)
  }

  result(): FieldDifference | undefined {
    if (this.changed === undefined && this.removed === undefined) return undefined
    return {
      changed: this.changed && inElementOrder(this.changed),
      removed: this.removed && inElementOrder(this.removed),
    }
  }
}

const diffStruct = (type: StructType, before: JsonObject, after: JsonObject, always: boolean) => {
  let found: NodeDifference | undefined
  for (const name in after) {
    const is = after[name]
    const was = before[name]
    if (is === was || is === undefined || is === null) continue
    const field = type.fields.get(name)
    if (field === undefined && !type.open) continue
    const held = always && field?.always === true
    const childType = field === undefined ? deducedType : field.type
    if (was === undefined || was === null) {
      const tree = newTree(childType, is, !held, held)
      if (tree !== undefined) {
        found ??= new NodeDifference()
        found.change(field?.element ?? `f:${name}`, tree)
      }
      continue
    }
    const difference = diff(childType, was, is, held)
    if (difference === undefined) continue
    found ??= new NodeDifference()
    found.add(field?.element ?? `f:${name}`, difference)
  }
  for (const name in before) {
    const was = before[name]
    if (was === undefined || was === null || present(after[name])) continue
    const field = type.fields.get(name)
    if (field === undefined && !type.open) continue
    const held = always && field?.always === true
    found ??= new NodeDifference()
    found.remove(field?.element ?? `f:${name}`, newTree(field?.type ?? deducedType, was, !held, held))
  }
  return found?.result()
}

const ownValue = (object: JsonObject, name: string): unknown => (Object.hasOwn(object, name) ? object[name] : undefined)

const diffMap = (items: ApplyType, before: JsonObject, after: JsonObject): FieldDifference | undefined => {
  let found: NodeDifference | undefined
  for (const name in after) {
    const is = after[name]
    const was = ownValue(before, name)
    if (is === was || is === undefined || is === null) continue
    if (was === undefined || was === null) {
      found ??= new NodeDifference()
      found.change(`f:${name}`, newTree(items, is, true, false))
      continue
    }
    const difference = diff(items, was, is, false)
    if (difference === undefined) continue
    found ??= new NodeDifference()
    found.add(`f:${name}`, difference)
  }
  for (const name in before) {
    if (!present(before[name]) || present(ownValue(after, name))) continue
    found ??= new NodeDifference()
    found.remove(`f:${name}`, newTree(items, before[name], true, false))
  }
  return found?.result()
}

const sameKeys = (list: KeyedListType, a: unknown, b: unknown): boolean => {
  if (!isObject(a) || !isObject(b)) return false
  for (let i = 0; i < list.keys.length; i++) {
    const key = list.keys[i]!
    if ((a[key] ?? list.defaults[i]) !== (b[key] ?? list.defaults[i])) return false
  }
  return true
}

const byElement = (list: KeyedListType, items: readonly unknown[]): Map<string, unknown[]> => {
  const found = new Map<string, unknown[]>()
  for (const item of items) {
    const element = itemElement(list, item)
    const same = found.get(element)
    if (same) same.push(item)
    else found.set(element, [item])
  }
  return found
}

const diffKeyed = (
  list: KeyedListType,
  before: readonly unknown[],
  after: readonly unknown[],
): FieldDifference | undefined => {
  if (before.length === after.length) {
    let same = true
    for (let i = 0; same && i < after.length; i++) {
      const was = before[i]
      const is = after[i]
      same = was === is || (sameKeys(list, was, is) && diff(list.items, was, is, false) === undefined)
    }
    if (same) return undefined
  }
  const olds = byElement(list, before)
  const news = byElement(list, after)
  const found = new NodeDifference()
  for (const [element, is] of news) {
    const was = olds.get(element) ?? []
    if (was.length <= 1 && is.length <= 1) {
      if (was.length === 0) found.change(element, newTree(list.items, is[0], true, false))
      else found.add(element, diff(list.items, was[0], is[0], false))
    } else if (was.length >= 2 && is.length >= 2) {
      if (!jsonEqual(was, is)) found.change(element, leafTree)
    } else if (was.length >= 2) {
      // Duplicates were one leaf; the item that is left counts as new.
      found.change(element, newTree(list.items, is[0], true, false))
    } else {
      if (was.length === 1) found.remove(element, newTree(list.items, was[0], true, false))
      found.change(element, leafTree)
    }
  }
  for (const [element, was] of olds) {
    if (news.has(element)) continue
    found.remove(element, was.length === 1 ? newTree(list.items, was[0], true, false) : leafTree)
  }
  return found.result()
}

const diffSet = (before: readonly unknown[], after: readonly unknown[]): FieldDifference | undefined => {
  if (jsonEqual(before, after)) return undefined
  const olds = new Set(before.map(valueElement))
  const news = new Set(after.map(valueElement))
  const found = new NodeDifference()
  for (const element of news) if (!olds.has(element)) found.change(element, leafTree)
  for (const element of olds) if (!news.has(element)) found.remove(element, leafTree)
  return found.result()
}

/** Another shape than before: all that was is removed, all that is is new. */
const reshaped = (type: ApplyType, before: unknown, after: unknown): FieldDifference => {
  const was = newTree(type, before, false, false)
  const is = newTree(type, after, true, false)
  return { changed: is, removed: was === undefined || isBare(was) ? undefined : was }
}

const diff = (type: ApplyType, before: unknown, after: unknown, always: boolean): FieldDifference | undefined => {
  if (before === after) return undefined
  switch (type.kind) {
    case 'leaf':
      return jsonEqual(before, after) ? undefined : leafChanged
    case 'struct':
      if (isObject(before) && isObject(after)) return diffStruct(type, before, after, always)
      return reshaped(type, before, after)
    case 'map':
      if (isObject(before) && isObject(after)) return diffMap(type.items, before, after)
      return reshaped(type, before, after)
    case 'deduced':
      if (isObject(before) && isObject(after)) return diffMap(deducedType, before, after)
      return isObject(before) || isObject(after)
        ? reshaped(type, before, after)
        : jsonEqual(before, after)
          ? undefined
          : leafChanged
    case 'keyed':
      if (Array.isArray(before) && Array.isArray(after)) return diffKeyed(type, before, after)
      return reshaped(type, before, after)
    case 'set':
      if (Array.isArray(before) && Array.isArray(after)) return diffSet(before, after)
      return reshaped(type, before, after)
  }
}

/** What one version of an object changes against another; undefined when nothing that the type knows. */
export const differenceOfObjects = (
  type: StructType,
  before: JsonObject,
  after: JsonObject,
): FieldDifference | undefined => diff(type, before, after, true)
