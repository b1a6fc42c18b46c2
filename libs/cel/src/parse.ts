// Text to tree. A library reads the grammar; places of operators, balanced chains of && and ||, and macros are ours, as the
// reference implementation has them. What would cost more than anybody means is refused by the library's limits.
import { createRequire } from 'node:module'
import type { Environment } from '@marcbachmann/cel-js'
import type { LiteralValue, Node } from './ast.ts'
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

export const parse = (expression: string): Parsed => {
  try {
    return { node: convert(library().parse(expression).ast as unknown as LibraryNode, expression) }
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

const convert = (given: LibraryNode, text: string): Node => {
  const { op, args, start, pos } = given
  const of = (node: LibraryNode): Node => convert(node, text)
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
      const at = afterName(text, start, String(args[0]))
      const given = (args[1] as LibraryNode[]).map(of)
      return args[0] === 'has' && given.length === 1 ? expandHas(given, at) : call(String(args[0]), at, ...given)
    }
    case 'rcall':
      return method(given, text)
    case 'list':
      return { kind: 'list', elements: (args as LibraryNode[]).map(of), at: start }
    case 'map':
      return { kind: 'map', entries: (args as [LibraryNode, LibraryNode][]).map(([key, value]) => [of(key), of(value)] as const), at: start }
    case '&&':
    case '||':
      return balanced(given, text)
    case '-_':
      return negated(given, text)
    default:
      return operation(given, text)
  }
}

const literalOf = (value: unknown, at: number): Node => {
  if (typeof value === 'bigint' && value >= int64Max) throw new MacroError('invalid int literal', at)
  if (typeof value === 'object' && value !== null && !(value instanceof Uint8Array))
    return { kind: 'literal', value: { uint: BigInt(String((value as { valueOf(): unknown }).valueOf())) }, at }
  return { kind: 'literal', value: value as LiteralValue, at }
}

/** A minus before a number is part of it. */
const negated = ({ args, start }: LibraryNode, text: string): Node => {
  const operand = args as LibraryNode
  if (operand.op === 'value' && text[operand.start] !== '(') {
    if (typeof operand.args === 'bigint' && operand.args <= int64Max)
      return { kind: 'literal', value: -operand.args, at: start }
    if (typeof operand.args === 'number') return { kind: 'literal', value: -operand.args, at: start }
  }
  return call('-_', start, convert(operand, text))
}

const method = ({ args }: LibraryNode, text: string): Node => {
  const name = String(args[0])
  const target = args[1] as LibraryNode
  const open = afterName(text, text.indexOf(name, text.indexOf('.', target.end)), name)
  const given = (args[2] as LibraryNode[]).map((one) => convert(one, text))
  const on = convert(target, text)
  return expandMethod(name, on, given, open) ?? { kind: 'call', name, target: on, args: given, at: open }
}

const operation = ({ op, args, start }: LibraryNode, text: string): Node => {
  const operands = (Array.isArray(args) ? args : [args]) as LibraryNode[]
  const given = operands.map((one) => convert(one, text))
  const name = operators[op] ?? `_${op}_`
  const sign = op === '[]' || op === '[?]' ? '[' : op === '?:' ? '?' : op
  const right = operands[1]
  return call(name, right ? operatorBefore(text, right.start, sign) : start, ...given)
}

/** a && b && c is one chain, and becomes a tree that is as flat as can be. */
const balanced = (given: LibraryNode, text: string): Node => {
  const { op } = given
  const terms: LibraryNode[] = []
  let at = given
  while (at.op === op) {
    terms.unshift(at.args[1])
    at = at.args[0]
  }
  terms.unshift(at)
  const nodes = terms.map((one) => convert(one, text))
  const places = terms.slice(1).map((one) => operatorBefore(text, one.start, op))
  const build = (low: number, high: number): Node => {
    const middle = Math.floor((low + high + 1) / 2)
    const left = middle === low ? nodes[middle]! : build(low, middle - 1)
    const right = middle === high ? nodes[middle + 1]! : build(middle + 1, high)
    return call(`_${op}_`, places[middle]!, left, right)
  }
  return build(0, places.length - 1)
}
