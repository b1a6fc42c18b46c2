// Text to tree. A library reads the grammar; places of operators, balanced chains of && and ||, and macros are ours, as the
// reference implementation has them. What would cost more than anybody means is refused by the library's limits.
import { createRequire } from 'node:module'
import type { Environment } from '@marcbachmann/cel-js'
import { childrenOf, type LiteralValue, type Node } from './ast.ts'
import { plainText, type PlainText } from './message-literals.ts'
import { call, expandHas, expandMethod, MacroError } from './macros.ts'

/** Enough for any expression that a person writes. */
const limits = { maxAstNodes: 20_000, maxDepth: 200, maxListElements: 1_000, maxMapEntries: 1_000, maxCallArguments: 32 }
const int64Max = 2n ** 63n

let loaded: Environment | undefined

/** Loaded with the first expression: a start need not wait for it. */
function library(): Environment {
  if (loaded === undefined) {
    const module = createRequire(import.meta.url)('@marcbachmann/cel-js') as typeof import('@marcbachmann/cel-js')
    loaded = new module.Environment({ unlistedVariablesAreDyn: true, enableOptionalTypes: true, limits })
  }
  return loaded
}

interface LibraryNode {
  readonly op: string
  readonly args: any
  readonly start: number
  readonly pos: number
  readonly end: number
}

export interface ParseProblem {
  readonly problem: string
  readonly at: number
}

export type Parsed = { readonly node: Node } | ParseProblem

interface LibraryError {
  readonly message: string
  readonly range?: { readonly start: number }
}

export const parse = (given: string): Parsed => {
  const plain = plainText(given)
  const parsed = parsePlain(plain)
  if ('problem' in parsed) return { ...parsed, at: plain.original(parsed.at) }
  if (plain.text !== given) moveBack(parsed.node, plain.original, new Set())
  return parsed
}

/** Nodes of macros may stand in the tree twice. */
const moveBack = (node: Node, original: PlainText['original'], moved: Set<object>): void => {
  if (moved.has(node)) return
  moved.add(node)
  Object.assign(node, { at: original(node.at) })
  if (node.kind === 'message') for (const field of node.fields) Object.assign(field, { at: original(field.at) })
  for (const child of childrenOf(node)) moveBack(child, original, moved)
}

const parsePlain = (plain: PlainText): Parsed => {
  try {
    return { node: convert(library().parse(plain.text).ast as unknown as LibraryNode, plain) }
  } catch (error) {
    if (error instanceof MacroError) return { problem: error.message, at: error.at }
    if (error instanceof RangeError) return { problem: 'Syntax error: expression recursion limit exceeded', at: 0 }
    const told = error as LibraryError
    return { problem: `Syntax error: ${told.message.split('\n')[0]}`, at: told.range?.start ?? 0 }
  }
}

const operators: Readonly<Record<string, string>> = {
  '!_': '!_',
  '-_': '-_',
  in: '@in',
  '[]': '_[_]',
  '[?]': '_[?_]',
  '?:': '_?_:_',
}

/** Where the operator before a right operand is: nothing but space and opening brackets is between them. */
const operatorBefore = (text: string, right: number, operator: string): number => {
  const found = text.lastIndexOf(operator, right - 1)
  return found < 0 ? right : found
}

const afterName = (text: string, at: number, name: string): number => {
  const found = text.indexOf('(', at + name.length)
  return found < 0 ? at : found
}

const convert = (given: LibraryNode, plain: PlainText): Node => {
  const { op, args, start, pos } = given
  const { text } = plain
  const of = (node: LibraryNode): Node => convert(node, plain)
  switch (op) {
    case 'value':
      return literalOf(args, start)
    case 'id':
      return { kind: 'ident', name: String(args), at: start }
    case '.':
      return { kind: 'select', operand: of(args[0]), field: String(args[1]), isTest: false, at: operatorBefore(text, pos, '.') }
    case '.?':
      return call('_?._', operatorBefore(text, pos, '.'), of(args[0]), { kind: 'literal', value: String(args[1]), at: pos })
    case 'call': {
      const message = messageOf(given, plain)
      if (message) return message
      const at = afterName(text, start, String(args[0]))
      const operands = (args[1] as LibraryNode[]).map(of)
      return args[0] === 'has' && operands.length === 1 ? expandHas(operands, at) : call(String(args[0]), at, ...operands)
    }
    case 'rcall':
      return method(given, plain)
    case 'list':
      return { kind: 'list', elements: (args as LibraryNode[]).map(of), at: start, ...maybeOf(args as LibraryNode[], plain) }
    case 'map': {
      const entries = args as [LibraryNode, LibraryNode][]
      const maybe = maybeOf(entries.map(([key]) => key), plain)
      return { kind: 'map', entries: entries.map(([key, value]) => [of(key), of(value)] as const), at: start, ...maybe }
    }
    case '&&':
    case '||':
      return balanced(given, plain)
    case '-_':
      return negated(given, plain)
    default:
      return operation(given, plain)
  }
}

/** Which of what begins at these nodes has a mark before it. */
const maybeOf = (nodes: readonly LibraryNode[], { marks, text }: PlainText): { readonly maybe?: ReadonlySet<number> } => {
  if (marks.size === 0) return {}
  const hasMark = ({ start }: LibraryNode): boolean => {
    let at = start - 1
    while (at >= 0 && !marks.has(at) && /\s/.test(text[at]!)) at--
    return marks.has(at)
  }
  return { maybe: new Set([...nodes.keys()].filter((index) => hasMark(nodes[index]!))) }
}

/** A call that stands for a message. */
const messageOf = ({ args, start }: LibraryNode, plain: PlainText): Node | undefined => {
  const [fields] = args[1] as LibraryNode[]
  const name = fields?.op === 'map' ? plain.messages.get(fields.start - 1) : undefined
  if (name === undefined) return undefined
  const entries = fields!.args as [LibraryNode, LibraryNode][]
  return {
    kind: 'message',
    name,
    at: fields!.start - 1,
    fields: entries.map(([key, value]) => {
      if (key.op !== 'id') throw new MacroError('Syntax error: the name of a field is wanted', start)
      return { name: String(key.args), value: convert(value, plain), at: afterColon(plain.text, key.end) }
    }),
    ...maybeOf(
      entries.map(([key]) => key),
      plain,
    ),
  }
}

/** Errors of fields point to the colon. */
const afterColon = (text: string, from: number): number => Math.max(from, text.indexOf(':', from))

const literalOf = (value: unknown, at: number): Node => {
  if (typeof value === 'bigint' && value >= int64Max) throw new MacroError('invalid int literal', at)
  if (typeof value === 'object' && value !== null && !(value instanceof Uint8Array))
    return { kind: 'literal', value: { uint: BigInt(String((value as { valueOf(): unknown }).valueOf())) }, at }
  return { kind: 'literal', value: value as LiteralValue, at }
}

/** A minus before a number is part of it. */
const negated = ({ args, start }: LibraryNode, plain: PlainText): Node => {
  const operand = args as LibraryNode
  const { text } = plain
  if (operand.op === 'value' && text[operand.start] !== '(') {
    if (typeof operand.args === 'bigint' && operand.args <= int64Max)
      return { kind: 'literal', value: -operand.args, at: start }
    if (typeof operand.args === 'number') return { kind: 'literal', value: -operand.args, at: start }
  }
  return call('-_', start, convert(operand, plain))
}

const method = ({ args }: LibraryNode, plain: PlainText): Node => {
  const name = String(args[0])
  const { text } = plain
  const target = args[1] as LibraryNode
  const open = afterName(text, text.indexOf(name, text.indexOf('.', target.end)), name)
  const given = (args[2] as LibraryNode[]).map((one) => convert(one, plain))
  const on = convert(target, plain)
  return expandMethod(name, on, given, open) ?? { kind: 'call', name, target: on, args: given, at: open }
}

const operation = ({ op, args, start }: LibraryNode, plain: PlainText): Node => {
  const operands = (Array.isArray(args) ? args : [args]) as LibraryNode[]
  const given = operands.map((one) => convert(one, plain))
  const name = operators[op] ?? `_${op}_`
  const sign = op === '[]' || op === '[?]' ? '[' : op === '?:' ? '?' : op
  const right = operands[1]
  return call(name, right ? operatorBefore(plain.text, right.start, sign) : start, ...given)
}

/** a && b && c is one chain, and becomes a tree that is as flat as can be. */
const balanced = (given: LibraryNode, plain: PlainText): Node => {
  const { op } = given
  const terms: LibraryNode[] = []
  let at = given
  while (at.op === op) {
    terms.unshift(at.args[1])
    at = at.args[0]
  }
  terms.unshift(at)
  const nodes = terms.map((one) => convert(one, plain))
  const places = terms.slice(1).map((one) => operatorBefore(plain.text, one.start, op))
  const build = (low: number, high: number): Node => {
    const middle = Math.floor((low + high + 1) / 2)
    const left = middle === low ? nodes[middle]! : build(low, middle - 1)
    const right = middle === high ? nodes[middle + 1]! : build(middle + 1, high)
    return call(`_${op}_`, places[middle]!, left, right)
  }
  return build(0, places.length - 1)
}
