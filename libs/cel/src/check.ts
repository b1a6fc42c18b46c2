// Types of an expression: each name is declared, each call has an overload, each field exists. Errors are in the words of
// the reference implementation (cel-go).
import { type CallNode, childrenOf, type ComprehensionNode, type ListNode, type MapNode, type MessageNode, type Node, type SelectNode } from './ast.ts'
import { declarations, type Overload } from './declarations.ts'
import {
  areAssignable,
  Bindings,
  bool,
  bytes,
  double,
  duration,
  dyn,
  errorType,
  formatType,
  int,
  isAssignable,
  isOptional,
  isSameType,
  listOf,
  mapOf,
  mostGeneral,
  nullType,
  optionalOf,
  string,
  timestamp,
  type Type,
  typeOf,
  uint,
} from './types.ts'

export interface CheckProblem {
  readonly message: string
  readonly at: number
}

interface Scope {
  readonly variables: ReadonlyMap<string, Type>
  readonly outer?: Scope | undefined
}

/** The types of messages by their names. */
export type MessageTypes = (name: string) => Type | undefined

interface Run {
  /** Absent where no messages may be written. */
  readonly messages: MessageTypes | undefined
  readonly problems: CheckProblem[]
  readonly bindings: Bindings
  scope: Scope
}

/** Types that are values, too. */
const typeValues: ReadonlyMap<string, Type> = new Map<string, Type>([
  ['bool', bool],
  ['bytes', bytes],
  ['double', double],
  ['int', int],
  ['uint', uint],
  ['string', string],
  ['list', listOf(dyn)],
  ['map', mapOf(dyn, dyn)],
  ['null_type', nullType],
  ['type', typeOf(dyn)],
  ['optional_type', optionalOf(dyn)],
  ['google.protobuf.Timestamp', timestamp],
  ['google.protobuf.Duration', duration],
])

/** Fills in the types of all nodes; the problems, if any. */
export const check = (
  node: Node,
  variables: ReadonlyMap<string, Type>,
  messages?: MessageTypes,
): readonly CheckProblem[] => {
  const run: Run = { messages, problems: [], bindings: new Bindings(), scope: { variables } }
  typeNode(node, run)
  run.problems.sort((a, b) => a.at - b.at)
  if (run.problems.length === 0) close(node, run)
  return run.problems
}

/** What is still open once all is known may be anything. */
const close = (node: Node, run: Run): void => {
  if (node.type) node.type = run.bindings.substitute(node.type, true)
  for (const child of childrenOf(node)) close(child, run)
}

const fail = (run: Run, at: number, message: string): Type => {
  run.problems.push({ message, at })
  return errorType
}

const typeNode = (node: Node, run: Run): Type => (node.type = find(node, run))

const find = (node: Node, run: Run): Type => {
  switch (node.kind) {
    case 'literal':
      return literalType(node.value)
    case 'ident':
      return identType(node, run)
    case 'select':
      return selectType(node, run)
    case 'call':
      return callType(node, run)
    case 'list':
      return listType(node, run)
    case 'map':
      return mapType(node, run)
    case 'message':
      return messageType(node, run)
    case 'comprehension':
      return comprehensionType(node, run)
  }
}

const literalType = (value: unknown): Type => {
  if (value === null) return nullType
  switch (typeof value) {
    case 'boolean':
      return bool
    case 'bigint':
      return int
    case 'number':
      return double
    case 'string':
      return string
    default:
      return value instanceof Uint8Array ? bytes : uint
  }
}

const variable = (name: string, run: Run): Type | undefined => {
  for (let scope: Scope | undefined = run.scope; scope; scope = scope.outer) {
    const type = scope.variables.get(name)
    if (type) return type
  }
  return undefined
}

const undeclared = (run: Run, at: number, name: string): Type =>
  fail(run, at, `undeclared reference to '${name}' (in container '')`)

const identType = (node: Extract<Node, { kind: 'ident' }>, run: Run): Type => {
  const type = variable(node.name, run)
  if (type) return type
  const value = typeValues.get(node.name)
  if (!value) return undeclared(run, node.at, node.name)
  node.typeName = node.name
  return typeOf(value)
}

/** `a.b.c`, where it is nothing but names. */
const qualified = (node: Node): string | undefined => {
  if (node.kind === 'ident') return node.name
  if (node.kind !== 'select' || node.isTest) return undefined
  const before = qualified(node.operand)
  return before === undefined ? undefined : `${before}.${node.field}`
}

const selectType = (node: SelectNode, run: Run): Type => {
  const name = qualified(node)
  const value = name === undefined ? undefined : typeValues.get(name)
  if (value && !variable(name!.split('.')[0]!, run)) {
    Object.assign(node, { kind: 'ident', name, typeName: name })
    return typeOf(value)
  }
  const operand = run.bindings.substitute(typeNode(node.operand, run), false)
  const optional = isOptional(operand)
  const found = fieldType(optional ? operand.params[0]! : operand, node.field, node.at, run)
  if (node.isTest) return bool
  return optional ? optionalOf(found) : found
}

const fieldType = (operand: Type, field: string, at: number, run: Run): Type => {
  switch (operand.kind) {
    case 'map':
      return operand.params[1]!
    case 'object':
      return operand.fieldOf?.(field) ?? fail(run, at, `undefined field '${field}'`)
    case 'param':
      isAssignable(run.bindings, dyn, operand)
      return dyn
    case 'dyn':
    case 'error':
      return dyn
    default:
      return fail(run, at, `type '${formatType(operand)}' does not support field selection`)
  }
}

const callType = (node: CallNode, run: Run): Type => {
  if (node.name === '_?._') return optionalSelectType(node, run)
  if (node.name === '_&&_' || node.name === '_||_') {
    for (const arg of node.args) assertType(arg, bool, run)
    node.overloads = [node.name === '_&&_' ? 'logical_and' : 'logical_or']
    return bool
  }
  const functions = declarations()
  const prefix = node.target && qualified(node.target)
  // Functions for patches are known where patches are written.
  const isKnown = functions.has(`${prefix}.${node.name}`) && (prefix !== 'jsonpatch' || run.messages !== undefined)
  if (prefix !== undefined && isKnown && !variable(prefix.split('.')[0]!, run)) {
    node.name = `${prefix}.${node.name}`
    node.target = undefined
  }
  const args = node.args.map((arg) => typeNode(arg, run))
  const given = node.target ? [typeNode(node.target, run), ...args] : args
  const overloads = functions.get(node.name)
  if (!overloads) return undeclared(run, node.at, node.name)
  return resolve(node, overloads, given, run)
}

const resolve = (node: CallNode, overloads: readonly Overload[], given: readonly Type[], run: Run): Type => {
  const isMember = node.target !== undefined
  const found: string[] = []
  let result: Type | undefined
  for (const overload of overloads) {
    if (overload.isMember !== isMember) continue
    const fresh = new Map<string, Type>()
    const params = overload.params.map((one) => instantiate(one, fresh, run))
    if (!areAssignable(run.bindings, given, params)) continue
    found.push(overload.id)
    const type = run.bindings.substitute(instantiate(overload.result, fresh, run), false)
    if (result === undefined) result = type
    else if (result.kind !== 'dyn' && !isSameType(result, type)) result = dyn
  }
  if (result === undefined) {
    const shown = given.map((one) => formatType(run.bindings.substitute(one, true)))
    const signature = isMember ? `${shown[0]}.(${shown.slice(1).join(', ')})` : `(${shown.join(', ')})`
    return fail(run, node.at, `found no matching overload for '${node.name}' applied to '${signature}'`)
  }
  node.overloads = found
  return result
}

const instantiate = (type: Type, fresh: Map<string, Type>, run: Run): Type => {
  if (type.kind === 'param') {
    let made = fresh.get(type.name)
    if (!made) fresh.set(type.name, (made = run.bindings.fresh()))
    return made
  }
  return type.params.length === 0 ? type : { ...type, params: type.params.map((one) => instantiate(one, fresh, run)) }
}

/** `a.?b`: a field that may not be there, of an object or of one that may not be there itself. */
const optionalSelectType = (node: CallNode, run: Run): Type => {
  const [operand, field] = node.args as [Node, Node]
  const type = run.bindings.substitute(typeNode(operand, run), false)
  typeNode(field, run)
  node.overloads = ['select_optional_field']
  const name = field.kind === 'literal' ? String(field.value) : ''
  return optionalOf(fieldType(isOptional(type) ? type.params[0]! : type, name, node.at, run))
}

/** Elements of one list are of one type. */
const join = (run: Run, at: number, before: Type | undefined, next: Type): Type => {
  if (before === undefined) return next
  if (isAssignable(run.bindings, before, next)) return mostGeneral(before, next)
  fail(run, at, `expected type '${formatType(before)}' but found '${formatType(next)}'`)
  return dyn
}

const listType = (node: ListNode, run: Run): Type => {
  let item: Type | undefined
  for (const [index, element] of node.elements.entries())
    item = join(run, element.at, item, heldType(element, node.maybe?.has(index), run))
  return listOf(item ?? run.bindings.fresh())
}

const mapType = (node: MapNode, run: Run): Type => {
  let key: Type | undefined
  let value: Type | undefined
  for (const [index, [keyNode, valueNode]] of node.entries.entries()) {
    key = join(run, keyNode.at, key, typeNode(keyNode, run))
    value = join(run, valueNode.at, value, heldType(valueNode, node.maybe?.has(index), run))
  }
  return mapOf(key ?? run.bindings.fresh(), value ?? run.bindings.fresh())
}

/** The type of an entry; of what an optional one holds. */
const heldType = (node: Node, isMaybe: boolean | undefined, run: Run): Type => {
  const type = run.bindings.substitute(typeNode(node, run), false)
  if (!isMaybe) return type
  if (isOptional(type)) return type.params[0]!
  if (type.kind !== 'dyn' && type.kind !== 'error')
    fail(run, node.at, `expected type 'optional_type(${formatType(type)})' but found '${formatType(type)}'`)
  return dyn
}

const messageType = (node: MessageNode, run: Run): Type => {
  const type = run.messages?.(node.name)
  if (!type) {
    for (const { value } of node.fields) typeNode(value, run)
    return undeclared(run, node.at, node.name)
  }
  for (const [index, { name, value, at }] of node.fields.entries()) {
    const found = heldType(value, node.maybe?.has(index), run)
    const wanted = type.fieldOf?.(name)
    if (!wanted) fail(run, at, `undefined field '${name}'`)
    else if (!isAssignable(run.bindings, found, wanted))
      fail(run, at, `expected type of field '${name}' is '${formatType(wanted)}' but provided type is '${formatType(run.bindings.substitute(found, false))}'`)
  }
  return type
}

const comprehensionType = (node: ComprehensionNode, run: Run): Type => {
  const range = run.bindings.substitute(typeNode(node.range, run), false)
  const accumulator = typeNode(node.init, run)
  const outer = run.scope
  run.scope = { variables: new Map([[node.accumulator, accumulator]]), outer }
  const ofAccumulator = run.scope
  run.scope = { variables: new Map(loopVariables(node, range, run)), outer: ofAccumulator }
  assertType(node.condition, bool, run)
  assertType(node.step, accumulator, run)
  run.scope = ofAccumulator
  const result = typeNode(node.result, run)
  run.scope = outer
  return run.bindings.substitute(result, false)
}

const loopVariables = (node: ComprehensionNode, range: Type, run: Run): [string, Type][] => {
  const named = (first: Type, second: Type): [string, Type][] =>
    node.second === undefined ? [[node.variable, first]] : [[node.variable, first], [node.second, second]]
  switch (range.kind) {
    case 'list':
      return node.second === undefined ? [[node.variable, range.params[0]!]] : named(int, range.params[0]!)
    case 'map':
      return named(range.params[0]!, range.params[1]!)
    case 'param':
      isAssignable(run.bindings, dyn, range)
      return named(dyn, dyn)
    case 'dyn':
    case 'error':
      return named(dyn, dyn)
    default:
      fail(run, node.range.at, `expression of type '${formatType(range)}' cannot be range of a comprehension (must be list, map, or dynamic)`)
      return named(errorType, errorType)
  }
}

const assertType = (node: Node, wanted: Type, run: Run): void => {
  const found = typeNode(node, run)
  if (isAssignable(run.bindings, found, wanted)) return
  fail(
    run,
    node.at,
    `expected type '${formatType(run.bindings.substitute(wanted, false))}' but found '${formatType(run.bindings.substitute(found, false))}'`,
  )
}
