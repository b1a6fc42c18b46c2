// Which rows of a table are shown, and in which order. Of a large table that changes all the time only what changed is
// filtered and sorted again: the rest keeps its place.
import type { Column, Row } from './table-reader.ts'

export interface ShownColumn {
  readonly title: string
  /** -1 is the namespace. */
  readonly index: number
  readonly column?: Column
}

export type Change = 'added' | 'changed' | 'removed'

export interface ShownRow {
  readonly row: Row
  readonly change?: Change | undefined
}

export interface Arrangement {
  /** Words that all stand in a row; after `!` those that do not. */
  readonly filter: string
  /** A column's number, `~` before it downwards; '' for the order of names. */
  readonly sort: string
  readonly columns: readonly ShownColumn[]
}

export const textOf = (value: unknown): string =>
  value === null || value === undefined ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value)

const plainRows = new WeakMap<Row, ShownRow>()

/** A row without a change, made once. */
function plain(row: Row): ShownRow {
  let shown = plainRows.get(row)
  if (!shown) plainRows.set(row, (shown = { row }))
  return shown
}

/** What is different from the moment before, when there is one. */
export function compare(now: readonly Row[], before: readonly Row[] | undefined): readonly ShownRow[] {
  if (!before) return now.map(plain)
  const old = new Map(before.map((row) => [row.key, row]))
  const found: ShownRow[] = []
  for (const row of now) {
    const was = old.get(row.key)
    old.delete(row.key)
    if (!was || was.uid !== row.uid) found.push({ row, change: 'added' })
    else if (was.version !== row.version) found.push({ row, change: 'changed' })
  }
  for (const row of old.values()) found.push({ row, change: 'removed' })
  return found
}

/** A function that arranges rows and remembers what it knows of them, for one table. */
export function arranger(): (rows: readonly ShownRow[], arrangement: Arrangement) => readonly ShownRow[] {
  let texts = new WeakMap<ShownRow, string>()
  let textsOf: readonly ShownColumn[] | undefined
  let last: { readonly by: string; readonly columns: readonly ShownColumn[]; readonly keyed: readonly Keyed[] } | undefined

  function filtered(rows: readonly ShownRow[], filter: string, columns: readonly ShownColumn[]): readonly ShownRow[] {
    const wanted = filter.trim().toLowerCase()
    const isInverse = wanted.startsWith('!')
    const words = (isInverse ? wanted.slice(1) : wanted).split(/\s+/).filter(Boolean)
    if (words.length === 0) return rows
    if (textsOf !== columns) texts = new WeakMap()
    textsOf = columns
    const textOfRow = (shown: ShownRow): string => {
      let text = texts.get(shown)
      if (text === undefined) texts.set(shown, (text = searchText(shown.row, columns)))
      return text
    }
    return rows.filter((shown) => words.every((word) => textOfRow(shown).includes(word)) !== isInverse)
  }

  return (rows, { filter, sort, columns }) => {
    const found = filtered(rows, filter, columns)
    const order = readSort(sort)
    if (!order) {
      last = undefined
      return found
    }
    const known = last?.by === sort && last.columns === columns ? last.keyed : []
    const keyed = resort(known, found, order, columns)
    last = { by: sort, columns, keyed }
    return keyed.map(([, shown]) => shown)
  }
}

const searchText = (row: Row, columns: readonly ShownColumn[]): string =>
  `${row.namespace} ${row.name} ${columns.map(({ index }) => textOf(row.cells[index])).join(' ')}`.toLowerCase()

type Keyed = readonly [key: string | number, shown: ShownRow]

interface Order {
  readonly index: number
  readonly isDown: boolean
}

function readSort(sort: string): Order | undefined {
  const [, down, index] = /^(~?)(-?\d+)$/.exec(sort) ?? []
  return index === undefined ? undefined : { index: Number(index), isDown: down === '~' }
}

/** Those that were sorted before stay so; the new ones are sorted, and both are merged. */
function resort(known: readonly Keyed[], rows: readonly ShownRow[], order: Order, columns: readonly ShownColumn[]): readonly Keyed[] {
  const title = columns.find((column) => column.index === order.index)?.title
  const sign = order.isDown ? -1 : 1
  const by = ([a, { row: x }]: Keyed, [b, { row: y }]: Keyed): number => sign * compareKeys(a, b) || (x.key < y.key ? -1 : x.key > y.key ? 1 : 0)
  const wanted = new Set(rows)
  const kept = known.filter(([, shown]) => wanted.delete(shown))
  const fresh = [...wanted].map((shown): Keyed => [sortKey(shown.row, order.index, title), shown]).sort(by)
  if (kept.length === 0) return fresh
  const merged: Keyed[] = []
  let next = 0
  for (const one of kept) {
    while (next < fresh.length && by(fresh[next]!, one) < 0) merged.push(fresh[next++]!)
    merged.push(one)
  }
  while (next < fresh.length) merged.push(fresh[next++]!)
  return merged
}

/** Numbers stand before texts: an order that mixes them by chance is none. */
function compareKeys(a: string | number, b: string | number): number {
  if (typeof a !== typeof b) return typeof a === 'number' ? -1 : 1
  return a < b ? -1 : a > b ? 1 : 0
}

function sortKey(row: Row, index: number, title: string | undefined): string | number {
  if (index === -1) return row.namespace
  if (title === 'Age') return -row.createdMs
  const value = row.cells[index]
  if (typeof value === 'number') return value
  const text = textOf(value)
  const number = Number.parseFloat(text)
  // An address is no number, and neither is a name that begins with one.
  return /^[+-]?\d+(\.\d+)?(\s|$|[a-zA-Z%/(]{1,3}(\s|$|\d))/.test(text) && !Number.isNaN(number) ? number : text
}
