// A live table, as the worker reads it. It is kept outside React, sorted by namespace and name; who shows it is told at most
// every so often, whatever comes in between.
import { ApiFailure, proof, signedOut } from './api.ts'
import type { Column, Row, RowChange, TableNews, TableOptions } from './table-reader.ts'
import type { FromTableWorker, ToTableWorker } from './table-worker.ts'

export interface TableState {
  readonly columns: readonly Column[]
  readonly rows: readonly Row[]
  readonly phase: 'loading' | 'live' | 'still' | 'failed'
  readonly failure: Error | undefined
}

export interface TableStore {
  state(): TableState
  subscribe(listener: () => void): () => void
  close(): void
}

const tellEveryMs = 150
/** Of a large table every telling costs some milliseconds. */
const tellLargeEveryMs = 500
const largeRows = 5_000

let worker: Worker | undefined
let nextId = 1
const readers = new Map<number, (news: TableNews) => void>()

/** One worker reads all tables of the page. */
function tableWorker(): { postMessage(message: ToTableWorker): void } {
  if (!worker) {
    worker = new Worker(new URL('./table-worker.ts', import.meta.url), { type: 'module' })
    worker.onmessage = ({ data }: MessageEvent<FromTableWorker>) => readers.get(data.id)?.(data.news)
  }
  return worker
}

export function openTable(options: TableOptions): TableStore {
  const id = nextId++
  const listeners = new Set<() => void>()
  let state: TableState = { columns: [], rows: [], phase: 'loading', failure: undefined }
  let rows: Row[] = []
  /** Of a list that has begun. */
  let fresh: Row[] = []
  let timer: number | undefined

  const tell = (part: Partial<TableState> = {}): void => {
    window.clearTimeout(timer)
    timer = undefined
    state = { ...state, ...part, rows: rows.slice() }
    for (const listener of listeners) listener()
  }
  const soon = (): void => void (timer ??= window.setTimeout(tell, rows.length > largeRows ? tellLargeEveryMs : tellEveryMs))

  const takeRows = (columns: readonly Column[], some: readonly Row[]): void => {
    const isFirst = fresh.length === 0
    fresh.push(...some)
    // A first list is shown while it comes; a later one replaces what is there when it is whole.
    if (state.phase !== 'loading') return
    rows = fresh
    if (isFirst) tell({ columns })
    else soon()
  }
  const take = (news: TableNews): void => {
    if (news.is === 'rows') takeRows(news.columns, news.rows)
    else if (news.is === 'whole') {
      rows = sorted(fresh)
      fresh = []
      tell({ phase: options.live ? 'live' : 'still', failure: undefined })
    } else if (news.is === 'changes') {
      for (const change of news.changes) apply(rows, change)
      soon()
    } else if (news.is === 'live') {
      if (state.phase === 'failed') tell({ phase: 'live', failure: undefined })
    } else {
      fresh = []
      if (news.code === 401) signedOut()
      tell({ phase: 'failed', failure: new ApiFailure(news.code, news.status) })
    }
  }

  readers.set(id, take)
  tableWorker().postMessage({ id, open: options, proof: proof() })
  return {
    state: () => state,
    subscribe(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    close() {
      readers.delete(id)
      tableWorker().postMessage({ id, close: true })
      window.clearTimeout(timer)
    },
  }
}

/** The server's order is nearly the one by key: what is sorted already is not sorted again. */
function sorted(rows: Row[]): Row[] {
  const isSorted = rows.every((row, at) => at === 0 || rows[at - 1]!.key < row.key)
  return isSorted ? rows : rows.sort((a, b) => (a.key < b.key ? -1 : 1))
}

export function apply(rows: Row[], change: RowChange): void {
  const key = 'put' in change ? change.put.key : change.gone
  const at = placeOf(rows, key)
  const isThere = rows[at]?.key === key
  if ('put' in change) rows.splice(at, isThere ? 1 : 0, change.put)
  else if (isThere) rows.splice(at, 1)
}

/** Where a key is, or would be. */
function placeOf(rows: readonly Row[], key: string): number {
  let [low, high] = [0, rows.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (rows[middle]!.key < key) low = middle + 1
    else high = middle
  }
  return low
}
