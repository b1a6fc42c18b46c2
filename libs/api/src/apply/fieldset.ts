// Sets of fields, as managedFields hold them: trees whose keys are path elements (`f:spec`, `k:{"name":"web"}`,
// `v:"finalizer"`) and where `.` marks that the node itself is a member; a node without keys is only a member. The trees
// are FieldsV1 itself, so nothing is encoded or decoded on the way to a stored object. Trees are immutable and shared.
// Semantics and order follow sigs.k8s.io/structured-merge-diff.
import { parseExactJson } from '../exact-json.ts'

/** A node of a field set. At the root, no keys means the empty set. */
export interface FieldTree {
  readonly [element: string]: FieldTree
}

/** Building is the one moment when a tree changes. */
export interface FieldTreeBuilder {
  [element: string]: FieldTree
}

/** A member without children. */
export const leafTree: FieldTree = Object.freeze({})

const self = '.'

/** No keys: at the root the empty set, elsewhere a member without children. */
export const isBare = (tree: FieldTree): boolean => {
  for (const _ in tree) return false
  return true
}

/** Whether a node below the root is itself in the set. */
export const isMember = (node: FieldTree): boolean => node[self] !== undefined || isBare(node)

// ── order ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const rankOf = (element: string): number => {
  switch (element.charCodeAt(0)) {
    case 46: // .
      return 0
    case 102: // f
      return 1
    case 107: // k
      return 2
    case 118: // v
      return 3
    default:
      return 4
  }
}

const valueRank = (value: unknown): number =>
  typeof value === 'number' || typeof value === 'bigint' ? 0 : typeof value === 'string' ? 1 : typeof value === 'boolean' ? 2 : 3

const compareValues = (a: unknown, b: unknown): number => {
  const rank = valueRank(a) - valueRank(b)
  if (rank !== 0) return rank
  return (a as string) < (b as string) ? -1 : (a as string) > (b as string) ? 1 : 0
}

const parsedElementsMax = 4096
const parsedElements = new Map<string, unknown>()

/** The value behind `k:` or `v:`; the texts are few, so they are remembered. */
export const elementValue = (element: string): unknown => {
  let value = parsedElements.get(element)
  if (value === undefined) {
    value = parseExactJson(element.slice(2))
    if (parsedElements.size >= parsedElementsMax) parsedElements.clear()
    parsedElements.set(element, value)
  }
  return value
}

const compareKeys = (a: string, b: string): number => {
  const left = Object.entries(elementValue(a) as object)
  const right = Object.entries(elementValue(b) as object)
  for (let i = 0; i < left.length && i < right.length; i++) {
    const [leftName, leftValue] = left[i]!
    const [rightName, rightValue] = right[i]!
    if (leftName !== rightName) return leftName < rightName ? -1 : 1
    const order = compareValues(leftValue, rightValue)
    if (order !== 0) return order
  }
  return left.length - right.length
}

/** Upstream's order of path elements: itself, fields, keys, values, indexes. */
export const compareElements = (a: string, b: string): number => {
  if (a === b) return 0
  const rank = rankOf(a)
  const byRank = rank - rankOf(b)
  if (byRank !== 0) return byRank
  if (rank === 2) return compareKeys(a, b)
  if (rank === 3) return compareValues(elementValue(a), elementValue(b))
  if (rank === 4) return Number(a.slice(2)) - Number(b.slice(2))
  return a < b ? -1 : 1
}

/** The same tree with its keys in order; the very tree when they are. */
export const inElementOrder = (tree: FieldTree): FieldTree => {
  let previous: string | undefined
  for (const element in tree) {
    if (previous !== undefined && compareElements(previous, element) > 0) {
      const ordered: FieldTreeBuilder = {}
      for (const key of Object.keys(tree).sort(compareElements)) ordered[key] = tree[key]!
      return ordered
    }
    previous = element
  }
  return tree
}

// ── algebra ───────────────────────────────────────────────────────────────────────────────────────────────────────
// Each operation gives back one of its arguments where nothing changed, so that callers can compare by identity.

const withSelf = (node: FieldTree): FieldTree => (node[self] !== undefined ? node : { [self]: leafTree, ...node })

/** A node that is a member, with the given children. */
export const memberWith = (children: FieldTree): FieldTree => (isBare(children) ? leafTree : withSelf(children))

const unionOfNodes = (a: FieldTree, b: FieldTree): FieldTree => {
  if (a === b) return a
  const bareA = isBare(a)
  const bareB = isBare(b)
  if (bareA) return bareB ? a : withSelf(b)
  return bareB ? withSelf(a) : unionOfChildren(a, b)
}

const unionOfChildren = (a: FieldTree, b: FieldTree): FieldTree => {
  let result: FieldTreeBuilder | undefined
  let grown = false
  for (const element in b) {
    const mine = a[element]
    const merged = mine === undefined ? b[element]! : unionOfNodes(mine, b[element]!)
    if (merged === mine) continue
    result ??= { ...a }
    result[element] = merged
    grown ||= mine === undefined
  }
  return result === undefined ? a : grown ? inElementOrder(result) : result
}

/** All that is in either set. */
export const unionOfFields = (a: FieldTree, b: FieldTree): FieldTree =>
  a === b || isBare(b) ? a : isBare(a) ? b : unionOfChildren(a, b)

const differenceOfNodes = (a: FieldTree, b: FieldTree): FieldTree | undefined => {
  if (isBare(a)) return isMember(b) ? undefined : a
  const keepsSelf = a[self] !== undefined && !isMember(b)
  let same = keepsSelf === (a[self] !== undefined)
  const result: FieldTreeBuilder = keepsSelf ? { [self]: leafTree } : {}
  let children = 0
  for (const element in a) {
    if (element === self) continue
    const other = b[element]
    const mine = a[element]!
    const left = other === undefined ? mine : differenceOfNodes(mine, other)
    if (left !== mine) same = false
    if (left === undefined) continue
    result[element] = left
    children++
  }
  if (same) return a
  if (children > 0) return result
  return keepsSelf ? leafTree : undefined
}

/** What is in `a` and not in `b`. Members are told apart one by one: a parent does not stand for its children. */
export const differenceOfFields = (a: FieldTree, b: FieldTree): FieldTree => {
  let result: FieldTreeBuilder | undefined
  for (const element in b) {
    const mine = a[element]
    if (mine === undefined) continue
    const left = differenceOfNodes(mine, b[element]!)
    if (left === mine) continue
    result ??= { ...a }
    if (left === undefined) delete result[element]
    else result[element] = left
  }
  return result ?? a
}

const intersectionOfNodes = (a: FieldTree, b: FieldTree): FieldTree | undefined => {
  const both = isMember(a) && isMember(b)
  const children = intersectionOfChildren(a, b)
  if (isBare(children)) return both ? leafTree : undefined
  return both ? withSelf(children) : children
}

const intersectionOfChildren = (a: FieldTree, b: FieldTree): FieldTree => {
  const result: FieldTreeBuilder = {}
  for (const element in a) {
    const other = b[element]
    if (element === self || other === undefined) continue
    const common = intersectionOfNodes(a[element]!, other)
    if (common !== undefined) result[element] = common
  }
  return result
}

/** What is in both sets. */
export const intersectionOfFields = (a: FieldTree, b: FieldTree): FieldTree => intersectionOfChildren(a, b)

/** Whether a path of elements is a member. */
export const hasField = (tree: FieldTree, path: readonly string[]): boolean => {
  let node: FieldTree | undefined = tree
  for (const element of path) node = node?.[element]
  return path.length > 0 && node !== undefined && isMember(node)
}

/** All members, each as its path of elements: upstream's order, members of a level before what lies below. */
export const fieldPaths = (tree: FieldTree): string[][] => {
  const paths: string[][] = []
  const visit = (node: FieldTree, prefix: readonly string[]): void => {
    for (const element in node) if (element !== self && isMember(node[element]!)) paths.push([...prefix, element])
    for (const element in node) if (element !== self) visit(node[element]!, [...prefix, element])
  }
  visit(tree, [])
  return paths
}

// ── text ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const scalarText = (value: unknown): string => JSON.stringify(value)

/** `.spec`, `[name="web"]`, `[="finalizer"]`, as conflicts print them. */
export const formatElement = (element: string): string => {
  switch (element[0]) {
    case 'f':
      return `.${element.slice(2)}`
    case 'k':
      return `[${Object.entries(elementValue(element) as object)
        .map(([name, value]) => `${name}=${scalarText(value)}`)
        .join(',')}]`
    case 'v':
      return `[=${scalarText(elementValue(element))}]`
    default:
      return `[${element.slice(2)}]`
  }
}

/** `.spec.containers[name="web"].image`. */
export const formatFieldPath = (path: readonly string[]): string => path.map(formatElement).join('')

/** `k:{"containerPort":80,"protocol":"TCP"}` from names in order and their values; absent values are left out. */
export const keyElement = (names: readonly string[], values: readonly unknown[]): string => {
  let text = ''
  for (let i = 0; i < names.length; i++) {
    if (values[i] === undefined || values[i] === null) continue
    text += `${text === '' ? '' : ','}${JSON.stringify(names[i])}:${JSON.stringify(values[i])}`
  }
  return `k:{${text}}`
}

/** `v:"finalizer"`. */
export const valueElement = (value: unknown): string => `v:${JSON.stringify(value)}`

/** The one way in which we write an element that someone else wrote; undefined when it is none that we know. */
const canonicalElement = (element: string): string | undefined => {
  if (element.length < 2 || element[1] !== ':') throw new SyntaxError(`not a path element: ${element}`)
  switch (element[0]) {
    case 'f':
      return element
    case 'v':
      return valueElement(parseExactJson(element.slice(2)))
    case 'k': {
      const fields: unknown = parseExactJson(element.slice(2))
      if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
        throw new SyntaxError(`not a path element: ${element}`)
      }
      const names = Object.keys(fields).sort()
      return keyElement(
        names,
        names.map((name) => (fields as Record<string, unknown>)[name]),
      )
    }
    case 'i':
      if (!/^i:-?[0-9]+$/.test(element)) throw new SyntaxError(`not a path element: ${element}`)
      return element
    default:
      return undefined
  }
}

const decodeNode = (json: unknown): FieldTree => {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw new SyntaxError('not a field set')
  const node: FieldTreeBuilder = {}
  const source = json as Record<string, unknown>
  for (const key of Object.keys(source)) {
    if (key === self) {
      node[self] = leafTree
      continue
    }
    const element = canonicalElement(key)
    if (element === undefined) continue
    const child = decodeNode(source[key])
    node[element] = isBare(child) || onlySelf(child) ? leafTree : child
  }
  return inElementOrder(node)
}

const onlySelf = (node: FieldTree): boolean => {
  for (const element in node) if (element !== self) return false
  return true
}

/** A field set from FieldsV1 that a client wrote; undefined when it is malformed. */
export const decodeFields = (json: unknown): FieldTree | undefined => {
  try {
    const { [self]: _, ...tree } = decodeNode(json)
    return tree
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return undefined
    throw error
  }
}

/** FieldsV1 of a set: the tree is it. */
export const encodeFields = (tree: FieldTree): FieldTree => tree
