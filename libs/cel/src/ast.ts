// Expressions as a tree, macros written out as the comprehensions that they stand for: the form that is checked, priced and
// compiled. As in the reference implementation (cel-go), so that costs and errors are the same.
import type { Type } from './types.ts'

export type LiteralValue = null | boolean | bigint | number | string | Uint8Array | { readonly uint: bigint }

interface Base {
  /** Where errors point to in the text. */
  readonly at: number
  /** What the checker found. */
  type?: Type
}

export interface LiteralNode extends Base {
  readonly kind: 'literal'
  readonly value: LiteralValue
}

export interface IdentNode extends Base {
  readonly kind: 'ident'
  readonly name: string
  /** A name of a type, which is a value too. */
  typeName?: string
}

export interface SelectNode extends Base {
  readonly kind: 'select'
  readonly operand: Node
  readonly field: string
  /** `has(a.b)`. */
  readonly isTest: boolean
}

export interface CallNode extends Base {
  readonly kind: 'call'
  name: string
  target: Node | undefined
  readonly args: Node[]
  /** Which overloads fit; all of them where types are known at run time only. */
  overloads?: readonly string[]
}

export interface ListNode extends Base {
  readonly kind: 'list'
  readonly elements: readonly Node[]
  /** Which of them are optional values, and left out where there is none. */
  readonly maybe?: ReadonlySet<number>
}

export interface MapNode extends Base {
  readonly kind: 'map'
  readonly entries: readonly (readonly [key: Node, value: Node])[]
  readonly maybe?: ReadonlySet<number>
}

/** `Object.spec{replicas: 1}`. */
export interface MessageNode extends Base {
  readonly kind: 'message'
  readonly name: string
  readonly fields: readonly { readonly name: string; readonly value: Node; readonly at: number }[]
  readonly maybe?: ReadonlySet<number>
}

export interface ComprehensionNode extends Base {
  readonly kind: 'comprehension'
  readonly variable: string
  readonly second: string | undefined
  readonly range: Node
  readonly accumulator: string
  readonly init: Node
  readonly condition: Node
  readonly step: Node
  readonly result: Node
}

export type Node = LiteralNode | IdentNode | SelectNode | CallNode | ListNode | MapNode | MessageNode | ComprehensionNode

export const childrenOf = (node: Node): readonly Node[] => {
  switch (node.kind) {
    case 'select':
      return [node.operand]
    case 'call':
      return node.target ? [node.target, ...node.args] : node.args
    case 'list':
      return node.elements
    case 'map':
      return node.entries.flat()
    case 'message':
      return node.fields.map(({ value }) => value)
    case 'comprehension':
      return [node.range, node.init, node.condition, node.step, node.result]
    default:
      return []
  }
}

export const anyNode = (node: Node, is: (node: Node) => boolean): boolean =>
  is(node) || childrenOf(node).some((child) => anyNode(child, is))
