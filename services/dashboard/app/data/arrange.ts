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
  let last: (Sorted & { readonly by: string; readonly columns: readonly ShownColumn[] }) | undefined

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
    const known = last?.by === sort && last.columns === columns ? last : { rows: [], keyed: [] }
    const keyed = resort(known, found, order, columns)
    last = { by: sort, columns, rows: found, keyed }
    return keyed.map(([, shown]) => shown)
  }
}

const searchText = (row: Row, columns: readonly ShownColumn[]): string =>
  `${row.namespace} ${row.name} ${columns.map(({ index }) => textOf(row.cells[index])).join(' ')}`.toLowerCase()

type Keyed = readonly [key: string | number, shown: ShownRow]

interface Sorted {
  readonly rows: readonly ShownRow[]
  readonly keyed: readonly Keyed[]
}

interface Order {
  readonly index: number
  readonly isDown: boolean
}

function readSort(sort: string): Order | undefined {
  const [, down, index] = /^(~?)(-?\d+)$/.exec(sort) ?? []
  return index === undefined ? undefined : { index: Number(index), isDown: down === '~' }
}

/** Beyond this share of rows that changed all are sorted anew. */
const shareMax = 1 / 8

type Comparison = (a: Keyed, b: Keyed) => number

/** Sorted as a whole, or what was sorted before with only that changed which is different. */
function resort({ rows: before, keyed }: Sorted, rows: readonly ShownRow[], order: Order, columns: readonly ShownColumn[]): readonly Keyed[] {
  const title = columns.find((column) => column.index === order.index)?.title
  const sign = order.isDown ? -1 : 1
  const by: Comparison = ([a, { row: x }], [b, { row: y }]) => sign * compareKeys(a, b) || (x.key < y.key ? -1 : x.key > y.key ? 1 : 0)
  const keyedOf = (shown: ShownRow): Keyed => [sortKey(shown.row, order.index, title), shown]
  const { gone, fresh } = difference(before, rows)
  if (gone.length + fresh.length <= rows.length * shareMax) {
    const next = keyed.slice()
    if (gone.every((shown) => takeOut(next, keyedOf(shown), by))) {
      for (const shown of fresh) {
        const one = keyedOf(shown)
        next.splice(placeOf(next, one, by), 0, one)
      }
      return next
    }
  }
  return rows.map(keyedOf).sort(by)
}

/**
 * What is in one and not in the other, both in the order of keys. Whatever their order, the one without what is gone and with
 * what is fresh is the other.
 */
function difference(before: readonly ShownRow[], after: readonly ShownRow[]): { readonly gone: readonly ShownRow[]; readonly fresh: readonly ShownRow[] } {
  const [gone, fresh]: [ShownRow[], ShownRow[]] = [[], []]
  for (let [i, j] = [0, 0]; i < before.length || j < after.length; ) {
    const [old, now] = [before[i], after[j]]
    const isOldDue = old !== undefined && old !== now && (now === undefined || old.row.key <= now.row.key)
    const isNowDue = now !== undefined && old !== now && (old === undefined || now.row.key <= old.row.key)
    if (isOldDue) gone.push(old)
    if (isNowDue) fresh.push(now)
    if (old === now || isOldDue) i++
    if (old === now || isNowDue) j++
  }
  return { gone, fresh }
}

function placeOf(keyed: readonly Keyed[], wanted: Keyed, by: Comparison): number {
  let [low, high] = [0, keyed.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (by(keyed[middle]!, wanted) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/** False when it is not where it should be. */
function takeOut(keyed: Keyed[], wanted: Keyed, by: Comparison): boolean {
  const at = placeOf(keyed, wanted, by)
  if (keyed[at]?.[1] !== wanted[1]) return false
  keyed.splice(at, 1)
  return true
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
