// Places of boxes: columns from left to right, and in each column an order in which few lines cross.
import type { Graph, GraphEdge, GraphNode } from './graph.ts'

export const boxWidth = 168
export const boxHeight = 36
const columnGap = 28
const rowGap = 10
const margin = 12
const sweeps = 4

export interface Box {
  readonly node: GraphNode
  readonly x: number
  y: number
}

export interface Laid {
  readonly boxes: readonly Box[]
  readonly edges: readonly { readonly key: string; readonly from: Box; readonly to: Box; readonly how: GraphEdge['how'] }[]
  readonly width: number
  readonly height: number
}

export function layOut({ nodes, edges }: Graph): Laid {
  const used = [...new Set(nodes.map(({ column }) => column))].sort((a, b) => a - b)
  const columns = used.map((column) => nodes.filter((node) => node.column === column).sort((a, b) => (a.title < b.title ? -1 : 1)))
  const neighbours = new Map<string, string[]>()
  for (const { from, to, how } of edges) {
    // Where pods run would take apart what belongs together; nodes stand where their pods are.
    if (how === 'runs') continue
    neighbours.set(from, [...(neighbours.get(from) ?? []), to])
    neighbours.set(to, [...(neighbours.get(to) ?? []), from])
  }
  const placeOf = new Map<string, number>()
  const number = (column: GraphNode[]): void => column.forEach(({ key }, index) => void placeOf.set(key, (index + 0.5) / column.length))
  columns.forEach(number)
  /** The middle of what a box is joined with. */
  const middle = ({ key }: GraphNode): number => {
    const all = neighbours.get(key) ?? []
    return all.length === 0 ? placeOf.get(key)! : all.reduce((sum, one) => sum + (placeOf.get(one) ?? 0.5), 0) / all.length
  }
  for (let sweep = 0; sweep < sweeps; sweep++)
    for (const column of sweep % 2 === 0 ? columns : columns.toReversed()) {
      const wanted = new Map(column.map((node) => [node.key, middle(node)]))
      column.sort((a, b) => wanted.get(a.key)! - wanted.get(b.key)!)
      number(column)
    }
  const tallest = Math.max(0, ...columns.map((column) => column.length))
  const height = 2 * margin + tallest * (boxHeight + rowGap)
  const boxes = new Map<string, Box>()
  columns.forEach((column, index) => {
    const step = (height - 2 * margin) / Math.max(1, column.length)
    column.forEach((node, at) => void boxes.set(node.key, { node, x: margin + index * (boxWidth + columnGap), y: margin + (at + 0.5) * step - boxHeight / 2 }))
  })
  return {
    boxes: [...boxes.values()],
    edges: edges.map(({ from, to, how }) => ({ key: `${from} ${to} ${how}`, from: boxes.get(from)!, to: boxes.get(to)!, how })),
    width: 2 * margin + columns.length * (boxWidth + columnGap) - columnGap,
    height,
  }
}
