// The most that an expression can cost, before anybody runs it: from the sizes that its values may have. Numbers as in
// cel-go's checker/cost.go and Kubernetes' library/cost.go: which rules a CustomResourceDefinition may have depends on them.
import type { CallNode, ComprehensionNode, Node } from './ast.ts'
import { accumulatorName } from './macros.ts'
import { authorizationCost, listCost, mapCost, messageCost, patternFactor, traversal } from './run-cost.ts'
import { isSameType, type Type } from './types.ts'

/** Beyond 64 bits everything is one. */
const unlimited = 2 ** 64
const namedFormatSizeMax = 128

export interface Size {
  readonly min: number
  readonly max: number
}

/** The size of the value at a path from a variable: field names, `@items`, `@keys`, `@values`. */
export type SizeOf = (path: readonly string[]) => number | undefined

interface EntrySize {
  readonly isList: boolean
  readonly key: Size
  readonly value: Size
}

interface Local {
  readonly path: readonly string[] | undefined
  readonly size: Size | undefined
  readonly entry: EntrySize | undefined
}

interface Run {
  readonly sizeOf: SizeOf
  readonly paths: Map<Node, readonly string[] | undefined>
  readonly sizes: Map<Node, Size>
  readonly entries: Map<Node, EntrySize>
  readonly locals: Map<string, Local[]>
}

const cap = (value: number): number => Math.min(value, unlimited)
const fixed = (value: number): Size => ({ min: value, max: value })
const none = fixed(0)
const one = fixed(1)
const unknown: Size = { min: 0, max: unlimited }
const plus = (a: Size, b: Size): Size => ({ min: cap(a.min + b.min), max: cap(a.max + b.max) })
const times = (a: Size, b: Size): Size => ({ min: cap(a.min * b.min), max: cap(a.max * b.max) })
const scaled = (a: Size, factor: number): Size => ({ min: cap(Math.ceil(a.min * factor)), max: cap(Math.ceil(a.max * factor)) })
const union = (a: Size, b: Size): Size => ({ min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) })

export const estimateCost = (node: Node, sizeOf: SizeOf): Size =>
  cost(node, { sizeOf, paths: new Map(), sizes: new Map(), entries: new Map(), locals: new Map() })

const cost = (node: Node, run: Run): Size => {
  switch (node.kind) {
    case 'literal':
      return none
    case 'ident': {
      const local = localOf(node.name, run)
      run.paths.set(node, local ? local.path : [node.name])
      return one
    }
    case 'select':
      return selectCost(node, run)
    case 'call':
      return callCost(node, run)
    case 'list':
      return listLiteralCost(node, run)
    case 'map':
      return mapLiteralCost(node, run)
    case 'message':
      return node.fields.reduce((sum, { value }) => plus(sum, cost(value, run)), fixed(messageCost))
    case 'comprehension':
      return isBind(node) ? bindCost(node, run) : loopCost(node, run)
  }
}

const localOf = (name: string, run: Run): Local | undefined => run.locals.get(name)?.at(-1)

const pushLocal = (name: string, local: Local, run: Run): void => {
  const known = run.locals.get(name)
  if (known) known.push(local)
  else run.locals.set(name, [local])
}

const popLocal = (name: string, run: Run): void => void run.locals.get(name)?.pop()

const pathOf = (node: Node, run: Run): readonly string[] | undefined => {
  const local = node.kind === 'ident' ? localOf(node.name, run) : undefined
  return local ? local.path : run.paths.get(node)
}

/** Paths from an accumulator lead nowhere. */
const knownPath = (node: Node, run: Run): readonly string[] | undefined => {
  const path = pathOf(node, run)
  return path?.[0] === accumulatorName ? undefined : path
}

const scalars: ReadonlySet<string> = new Set(['bool', 'double', 'duration', 'int', 'timestamp', 'uint'])

const literalSize = (node: Node): number | undefined => {
  switch (node.kind) {
    case 'literal':
      return typeof node.value === 'string' ? [...node.value].length : node.value instanceof Uint8Array ? node.value.length : 1
    case 'list':
      return node.elements.length
    case 'map':
      return node.entries.length
    default:
      return undefined
  }
}

const computedSize = (node: Node, run: Run): Size | undefined => {
  const known = run.sizes.get(node)
  if (known) return known
  const literal = literalSize(node)
  if (literal !== undefined) return fixed(literal)
  const path = pathOf(node, run)
  const max = path && path.length > 0 ? run.sizeOf(path) : undefined
  if (max !== undefined) {
    const size = { min: 0, max }
    run.sizes.set(node, size)
    return size
  }
  if (node.type && isScalar(node.type)) return one
  return node.kind === 'ident' ? localOf(node.name, run)?.size : undefined
}

const isScalar = (type: Type): boolean =>
  scalars.has(type.kind) || (type.kind === 'opaque' && type.name === 'optional_type' && type.params[0] !== undefined && isScalar(type.params[0]))

const sizeOf = (node: Node, run: Run): Size => computedSize(node, run) ?? unknown

const entryOf = (node: Node, run: Run): EntrySize | undefined =>
  run.entries.get(node) ?? (node.kind === 'ident' ? localOf(node.name, run)?.entry : undefined)

const selectCost = (node: Extract<Node, { kind: 'select' }>, run: Run): Size => {
  const operand = cost(node.operand, run)
  if (node.isTest) return operand
  const path = pathOf(node.operand, run)
  run.paths.set(node, path && [...path, node.field])
  const kind = node.operand.type?.kind
  return kind === 'map' || kind === 'object' || kind === 'param' ? plus(operand, one) : operand
}

const listLiteralCost = (node: Extract<Node, { kind: 'list' }>, run: Run): Size => {
  let sum = fixed(listCost)
  let item: Size = { min: node.elements.length === 0 ? 0 : unlimited, max: 0 }
  for (const element of node.elements) {
    sum = plus(sum, cost(element, run))
    item = union(item, sizeOf(element, run))
  }
  run.entries.set(node, { isList: true, key: one, value: item })
  return sum
}

const mapLiteralCost = (node: Extract<Node, { kind: 'map' }>, run: Run): Size => {
  let sum = fixed(mapCost)
  const start: Size = { min: node.entries.length === 0 ? 0 : unlimited, max: 0 }
  let [keys, values] = [start, start]
  for (const [key, value] of node.entries) {
    sum = plus(plus(sum, cost(key, run)), cost(value, run))
    keys = union(keys, sizeOf(key, run))
    values = union(values, sizeOf(value, run))
  }
  run.entries.set(node, { isList: false, key: keys, value: values })
  return sum
}

const isBind = (node: ComprehensionNode): boolean =>
  node.range.kind === 'list' &&
  node.range.elements.length === 0 &&
  node.condition.kind === 'literal' &&
  node.condition.value === false

const bindCost = (node: ComprehensionNode, run: Run): Size => {
  const before = plus(cost(node.range, run), cost(node.init, run))
  pushLocal(node.accumulator, localFor(node.init, run), run)
  const result = cost(node.result, run)
  popLocal(node.accumulator, run)
  const size = computedSize(node.result, run)
  if (size) run.sizes.set(node, size)
  const entry = entryOf(node.result, run)
  if (entry) run.entries.set(node, entry)
  return plus(before, result)
}

const localFor = (node: Node, run: Run): Local => ({
  path: pathOf(node, run),
  size: computedSize(node, run),
  entry: entryOf(node, run),
})

const loopCost = (node: ComprehensionNode, run: Run): Size => {
  const before = plus(cost(node.range, run), cost(node.init, run))
  pushLocal(node.accumulator, localFor(node.init, run), run)
  pushLoopVariables(node, run)
  const each = plus(cost(node.condition, run), cost(node.step, run))
  popLocal(node.variable, run)
  if (node.second !== undefined) popLocal(node.second, run)
  const result = cost(node.result, run)
  popLocal(node.accumulator, run)
  const count = sizeOf(node.range, run)
  if (node.init.kind === 'literal') run.sizes.set(node, computedSize(node.init, run)!)
  else if (node.init.kind === 'list' || node.init.kind === 'map') {
    run.sizes.set(node, count)
    const entry = entryOf(node.step, run)
    if (entry) run.entries.set(node, entry)
  }
  return plus(plus(before, result), times(count, each))
}

const pushLoopVariables = (node: ComprehensionNode, run: Run): void => {
  const entry = entryOf(node.range, run)
  const isList = entry ? entry.isList : node.range.type?.kind === 'list'
  const path = pathOf(node.range, run)
  const local = (step: string, size: Size | undefined): Local => ({ path: path && [...path, step], size, entry: undefined })
  if (node.second !== undefined) {
    pushLocal(node.variable, local(isList ? '@indices' : '@keys', entry?.key), run)
    pushLocal(node.second, local(isList ? '@items' : '@values', entry?.value), run)
  } else pushLocal(node.variable, local(isList ? '@items' : '@keys', isList ? entry?.value : entry?.key), run)
}

const callCost = (node: CallNode, run: Run): Size => {
  if (node.name === 'dyn') {
    const argument = cost(node.args[0]!, run)
    copySizes(node.args[0]!, node, run)
    return plus(one, argument)
  }
  const argCosts = node.args.map((arg) => cost(arg, run))
  const target = node.target ? cost(node.target, run) : none
  let total: Size = { min: unlimited, max: 0 }
  let result: Size | undefined
  for (const overload of node.overloads ?? []) {
    const call = overloadCost(node, overload, argCosts, run)
    total = union(total, call.cost)
    if (call.size) result = result ? union(result, call.size) : call.size
    if (overload === 'index_list' || overload === 'index_map') {
      result = entryOf(node.args[0]!, run)?.value
      const path = pathOf(node.args[0]!, run)
      run.paths.set(node, path && [...path, overload === 'index_list' ? '@items' : '@values'])
    }
    result ??= computedSize(node, run)
  }
  if (result) run.sizes.set(node, result)
  return plus(target, total)
}

const copySizes = (from: Node, to: Node, run: Run): void => {
  const size = computedSize(from, run)
  if (size) run.sizes.set(to, size)
  const entry = entryOf(from, run)
  if (entry) run.entries.set(to, entry)
}

interface CallEstimate {
  readonly cost: Size
  readonly size?: Size
}

const overloadCost = (node: CallNode, overload: string, argCosts: readonly Size[], run: Run): CallEstimate => {
  const sum = argCosts.reduce(plus, none)
  const found = listExtensionCost(node, overload, run) ?? kubernetesCost(node, overload, run)
  if (found) return { ...found, cost: plus(found.cost, sum) }
  return standardCost(node, overload, argCosts, sum, run)
}

const size = (node: Node | undefined, run: Run): Size => (node ? sizeOf(node, run) : unknown)

const matching = (text: Size, pattern: Size): Size =>
  times(scaled(plus(text, one), traversal), scaled(pattern, patternFactor))

const standardCost = (
  node: CallNode,
  overload: string,
  argCosts: readonly Size[],
  sum: Size,
  run: Run,
): CallEstimate => {
  const [a, b, c] = node.args
  const target = node.target
  switch (overload) {
    case 'string_format':
      return { cost: plus(scaled(size(target, run), traversal), sum) }
    case 'string_to_bytes':
      return { cost: plus(scaled(size(a, run), traversal), sum), size: { min: size(a, run).min, max: cap(size(a, run).max * 4) } }
    case 'bytes_to_string':
      return { cost: plus(scaled(size(a, run), traversal), sum), size: { min: Math.floor(size(a, run).min / 4), max: size(a, run).max } }
    case 'strings_quote':
      return { cost: plus(scaled(size(a, run), traversal), sum), size: { min: size(a, run).min + 2, max: cap(size(a, run).max * 2 + 2) } }
    case 'starts_with_string':
    case 'ends_with_string':
      return { cost: plus(scaled(size(a, run), traversal), sum) }
    case 'in_list':
      return { cost: plus(size(b, run), sum) }
    case 'matches_string':
      return { cost: plus(matching(size(target, run), size(a, run)), sum) }
    case 'contains_string':
      return { cost: plus(times(scaled(size(target, run), traversal), scaled(size(a, run), traversal)), sum) }
    case 'logical_or':
    case 'logical_and':
      return { cost: { min: argCosts[0]!.min, max: cap(argCosts[0]!.max + argCosts[1]!.max) } }
    case 'conditional':
      uniteEntries(node, b!, c!, run)
      return { cost: plus(argCosts[0]!, union(argCosts[1]!, argCosts[2]!)), size: union(size(b, run), size(c, run)) }
    case 'add_string':
    case 'add_bytes':
    case 'add_list':
      return addedCost(node, overload, sum, run)
    default:
      return /^(equals|not_equals|(less|greater)(_equals)?_(string|bytes))$/.test(overload)
        ? { cost: plus(comparisonCost(size(a, run), size(b, run)), sum) }
        : { cost: plus(one, sum) }
  }
}

const comparisonCost = (a: Size, b: Size): Size => {
  const max = Math.min(a.max, b.max)
  return scaled({ min: max > 0 ? 1 : 0, max }, traversal)
}

const uniteEntries = (node: Node, a: Node, b: Node, run: Run): void => {
  const [first, second] = [entryOf(a, run), entryOf(b, run)]
  if (first && second)
    run.entries.set(node, { isList: first.isList, key: union(first.key, second.key), value: union(first.value, second.value) })
}

const addedCost = (node: CallNode, overload: string, sum: Size, run: Run): CallEstimate => {
  const [a, b] = node.args as [Node, Node]
  const result = plus(sizeOf(a, run), sizeOf(b, run))
  uniteEntries(node, a, b, run)
  return { cost: plus(overload === 'add_list' ? one : scaled(result, traversal), sum), size: result }
}

/** A list that is made of one of this size. */
const allocated = (factor: number, count: Size): CallEstimate => ({
  cost: plus(plus(scaled(count, factor), one), fixed(listCost)),
  size: count,
})

const literalInt = (node: Node | undefined, otherwise: number): number =>
  node?.kind === 'literal' && typeof node.value === 'bigint' ? Number(node.value) : otherwise

const listExtensionCost = (node: CallNode, overload: string, run: Run): CallEstimate | undefined => {
  const given = size(node.target, run)
  switch (overload) {
    case 'list_slice':
      return allocated(1, fixed(Math.max(0, literalInt(node.args[1], given.max) - literalInt(node.args[0], 0))))
    case 'lists_range':
      return allocated(1, fixed(literalInt(node.args[0], unlimited)))
    case 'list_reverse':
      return allocated(1, given)
    case 'list_flatten':
      return allocated(1, given)
    case 'list_flatten_int':
      return allocated(literalInt(node.args[0], unlimited), given)
    case 'list_distinct':
      return allocated(2, times(given, given))
    default: {
      const sort = /^list_(\w+)_sort(ByAssociatedKeys)?$/.exec(overload)
      if (!sort) return undefined
      const keys = sort[2] ? size(node.args[0], run) : given
      return allocated(sort[1] === 'string' || sort[1] === 'bytes' ? 2 + traversal : 2, times(keys, keys))
    }
  }
}

const throughText: ReadonlySet<string> = new Set(['cidr', 'isIP', 'isCIDR', 'quantity', 'isQuantity', 'semver', 'isSemver'])
const nominal: ReadonlySet<string> = new Set([
  ...['serviceAccount', 'path', 'group', 'resource', 'subresource', 'namespace', 'name', 'allowed', 'reason', 'error', 'errored'],
  ...['masked', 'prefixLength', 'family', 'isUnspecified', 'isLoopback', 'isLinkLocalMulticast', 'isLinkLocalUnicast', 'isGlobalUnicast'],
  ...['format.named', 'sign', 'asInteger', 'isInteger', 'asApproximateFloat', 'isGreaterThan', 'isLessThan', 'compareTo'],
  ...['add', 'sub', 'major', 'minor', 'patch', 'getScheme', 'getHostname', 'getHost', 'getPort', 'getEscapedPath', 'getQuery'],
])
const addressBytes: Size = { min: 4, max: 16 }

const kubernetesCost = (node: CallNode, overload: string, run: Run): CallEstimate | undefined => {
  const { name, target } = node
  const [a] = node.args
  if (nominal.has(name)) return { cost: one }
  if (throughText.has(name)) return { cost: scaled(size(a, run), traversal) }
  switch (name) {
    case 'check':
      return { cost: fixed(authorizationCost) }
    case 'isSorted':
    case 'sum':
    case 'max':
    case 'min':
    case 'indexOf':
    case 'lastIndexOf':
      return target && { cost: walkCost(target, run) }
    case 'url':
    case 'jsonpatch.escapeKey':
      return { cost: scaled(size(a, run), traversal), size: size(a, run) }
    case 'lowerAscii':
    case 'upperAscii':
    case 'substring':
    case 'trim':
      return target && { cost: scaled(size(target, run), traversal), size: size(target, run) }
    case 'replace':
      return target && replaceCost(node, run)
    case 'split':
      return target && { cost: scaled(size(target, run), 2 * traversal), size: { min: 0, max: literalInt(node.args[1], size(target, run).max) } }
    case 'join':
      return target && joinCost(node, run)
    case 'find':
    case 'findAll':
      return target && { cost: matching(size(target, run), size(a, run)), size: { min: 0, max: size(target, run).max } }
    case 'ip':
      return { cost: overload === 'cidr_ip' ? one : scaled(size(a, run), traversal) }
    case 'ip.isCanonical':
      return { cost: scaled(size(a, run), 2 * traversal) }
    case 'containsIP':
      return { cost: plus(scaled(plus(addressBytes, addressBytes), traversal), parsed(overload, a, run)) }
    case 'containsCIDR':
      return {
        cost: plus(
          plus(plus(scaled(plus(addressBytes, addressBytes), traversal), scaled(addressBytes, traversal)), one),
          parsed(overload, a, run),
        ),
      }
    case 'validate':
      return { cost: scaled(scaled(size(a, run), traversal), namedFormatSizeMax * patternFactor) }
    case '_==_':
      return equalityCost(node)
    default:
      return undefined
  }
}

const parsed = (overload: string, node: Node | undefined, run: Run): Size =>
  overload.endsWith('_string') ? scaled(size(node, run), traversal) : none

const equalityCost = (node: CallNode): CallEstimate | undefined => {
  const [a, b] = node.args.map((arg) => arg.type)
  if (!a || !b || !isSameType(a, b)) return undefined
  if (a.kind === 'opaque' && (a.name === 'net.IP' || a.name === 'net.CIDR')) return { cost: one }
  if (a.kind !== 'object' || !a.name.startsWith('kubernetes.')) return undefined
  return a.name === 'kubernetes.NamedFormat' ? { cost: scaled({ min: 1, max: 64 }, traversal) } : { cost: one }
}

/** The size of an item of a list, by where it is or by its type. */
const itemSize = (list: Node, run: Run): Size => {
  const path = knownPath(list, run)
  const max = path && path.length > 0 ? run.sizeOf([...path, '@items']) : undefined
  return max === undefined ? unknown : { min: 0, max }
}

const walkCost = (target: Node, run: Run): Size => {
  const item = target.type?.kind === 'list' ? target.type.params[0] : undefined
  if (!item) return scaled(size(target, run), traversal)
  const isText = item.kind === 'string' || item.kind === 'bytes'
  return times(size(target, run), isText ? plus(one, scaled(itemSize(target, run), traversal)) : one)
}

const joinCost = (node: CallNode, run: Run): CallEstimate => {
  const count = size(node.target, run)
  let result = times(count, itemSize(node.target!, run))
  const [separator] = node.args
  if (separator)
    result = plus(result, times(size(separator, run), { min: Math.max(count.min - 1, 0), max: Math.max(count.max - 1, 0) }))
  return { cost: scaled(result, traversal), size: result }
}

const replaceCost = (node: CallNode, run: Run): CallEstimate => {
  const [text, old, by] = [size(node.target, run), size(node.args[0], run), size(node.args[1], run)]
  const most = old.min === 0 ? [text.max + 1, text.max] : by.max <= old.min ? [0, text.max] : [Math.ceil(text.max / old.min), 0]
  const least = old.max === 0 ? [text.min + 1, text.min] : old.max <= by.min ? [0, text.min] : [Math.ceil(text.min / old.max), 0]
  const result = {
    min: cap(least[0]! * by.min + least[1]!),
    max: cap(most[0]! * by.max + most[1]!),
  }
  return { cost: scaled(text, 2 * traversal), size: result }
}
