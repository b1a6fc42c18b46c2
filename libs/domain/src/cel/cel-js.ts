// The one place that knows the library. It parses, and infers types; names and messages are ours (cel.ts).
import { createRequire } from 'node:module'
import type { Environment } from '@marcbachmann/cel-js'

/** A part of an expression, as far as anybody here looks at it. */
export interface CelNode {
  readonly kind: 'id' | 'member' | 'call' | 'other'
  /** Of an identifier, a member or a function. */
  readonly name?: string
  /** What a method is called on. */
  readonly target?: CelNode
  readonly children: readonly CelNode[]
  /** Where it begins in the text. */
  readonly at: number
}

/** Enough for any expression that a person writes; more would only cost time. */
const limits = { maxAstNodes: 20_000, maxDepth: 200, maxListElements: 1_000, maxMapEntries: 1_000, maxCallArguments: 32 }
let loaded: Environment | undefined

/** Loaded with the first expression: a start need not wait for it. */
function environment(): Environment {
  if (loaded === undefined) {
    const library = createRequire(import.meta.url)('@marcbachmann/cel-js') as typeof import('@marcbachmann/cel-js')
    loaded = new library.Environment({ unlistedVariablesAreDyn: true, enableOptionalTypes: true, limits })
  }
  return loaded
}

interface LibraryNode {
  readonly op: string
  readonly args: any
  readonly start: number
  readonly pos: number
}

const isNode = (value: unknown): value is LibraryNode => typeof value === 'object' && value !== null && 'op' in value

const nodesIn = (value: unknown): LibraryNode[] =>
  isNode(value) ? [value] : Array.isArray(value) ? value.flatMap(nodesIn) : []

function convert({ op, args, start, pos }: LibraryNode): CelNode {
  const all = (values: unknown): CelNode[] => nodesIn(values).map(convert)
  if (op === 'id') return { kind: 'id', name: String(args), children: [], at: start }
  if (op === '.' || op === '.?') return { kind: 'member', name: String(args[1]), children: all(args[0]), at: pos }
  if (op === 'call') return { kind: 'call', name: String(args[0]), children: all(args[1]), at: start }
  if (op === 'rcall')
    return { kind: 'call', name: String(args[0]), target: convert(args[1]), children: all(args[2]), at: pos }
  return { kind: 'other', children: all(args), at: start }
}

interface LibraryError {
  readonly message: string
  readonly code?: string
  readonly range?: { readonly start: number }
}

const firstLine = (error: LibraryError): string => error.message.split('\n')[0]!

export type ParsedCel = { readonly node: CelNode } | { readonly problem: string; readonly at: number }

export const parseCel = (expression: string): ParsedCel => {
  try {
    return { node: convert(environment().parse(expression).ast as unknown as LibraryNode) }
  } catch (error) {
    const told = error as LibraryError
    return { problem: firstLine(told), at: told.range?.start ?? 0 }
  }
}

/** Refusals that do not depend on which functions there are: those are not the library's to know. */
const certain = new Set(['no_such_overload', 'invalid_logical_operand'])

/** The type that an expression comes to, undefined where the library cannot tell; or why it comes to nothing. */
export const inferCel = (
  expression: string,
): { readonly type?: string; readonly problem?: string; readonly at?: number } => {
  const { valid, type, error } = environment().check(expression) as {
    valid: boolean
    type?: string
    error?: LibraryError
  }
  if (valid) return type === undefined ? {} : { type }
  // Time is compared with spans of it by functions that the library does not have.
  if (!certain.has(error?.code ?? '') || /google\.protobuf|optional/.test(error!.message)) return {}
  return { problem: `found ${firstLine(error!)}`, at: error!.range?.start ?? 0 }
}
